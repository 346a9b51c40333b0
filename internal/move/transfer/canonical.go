package transfer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// asPrinted are the types whose cast to text gives what COPY prints. A cast of others
// may have been made by somebody, or pads, or says more.
var asPrinted = map[string]bool{"int2": true, "int4": true, "int8": true, "oid": true, "numeric": true, "float4": true, "float8": true,
	"text": true, "varchar": true, "uuid": true, "json": true, "jsonb": true, "date": true, "timestamp": true, "timestamptz": true,
	"time": true, "timetz": true, "interval": true, "bytea": true}

// canonical returns an expression for the text that a column's conversion gives back from
// SQLite, or why there is none.
func canonical(c *move.ColumnPlan, encoding string) (expr, unchecked string) {
	root := c.Source.Type.Root()
	column := pgexpr.PgIdent(c.Source.Name)
	array := root.Kind == move.ArrayType
	switch {
	case array && c.Form.Conversion.Lossy:
		return "", "its elements are kept with a loss"
	case root.Builtin("bool"):
		expr = "CASE WHEN " + column + " THEN 't' WHEN NOT " + column + " THEN 'f' END"
	case c.Form.Conversion.Name == "numeric real":
		expr = withoutMinus(special(c, column)+"::float8", "float8")
	case root.Builtin("float4") && c.Form.Name == "real":
		expr = withoutMinus(special(c, column), "float4")
	case root.Builtin("float8") && c.Form.Name == "real":
		expr = withoutMinus(special(c, column), "float8")
	case root.Schema == "pg_catalog" && asPrinted[root.Name.Name]:
		expr = special(c, column) + "::text"
	default: // the type's output function, whatever casts there are
		expr = "CASE WHEN num_nonnulls(" + column + ") = 1 THEN concat(" + column + ") END" // IS NOT NULL looks into a row
	}
	if array && c.Form.Name == "json" && (root.Elem.Root().Builtin("float4") || root.Elem.Root().Builtin("float8")) {
		expr = `regexp_replace(` + expr + `, '([{,])-0(?=[,}])', '\10', 'g')`
	}
	if encoding != "UTF8" {
		expr = "encode(convert_to(" + expr + ", 'UTF8'), 'hex')"
	}
	return expr, ""
}

// withoutMinus makes 0 of -0, which SQLite has not.
func withoutMinus(expr, typ string) string { return "((" + expr + ") + 0::" + typ + ")::text" }

// special is a column, NULL where the plan makes it so of what SQLite has not.
func special(c *move.ColumnPlan, column string) string {
	if c.Special != convert.ToNull || !c.Form.Conversion.Lossy {
		return column
	}
	return "CASE WHEN " + column + `::text !~ 'BC$|^\d{5}|^24:|nf|NaN' THEN ` + column + " END"
}

// query is the SQL that a table's rows are hashed by, in PostgreSQL.
type query struct {
	table   *move.TablePlan
	columns []*move.ColumnPlan // that are compared
	key     []int              // of columns
	from    string             // a subquery that has c0, c1, ... as text
}

// newQuery returns the query of a table, and of which columns nothing can be said.
func newQuery(t *move.TablePlan, encoding string) (q query, unchecked map[string]string) {
	q.table, unchecked = t, map[string]string{}
	var list []string
	for _, c := range t.Copied() {
		expr, why := canonical(c, encoding)
		if why != "" {
			unchecked[c.Name] = why
			continue
		}
		list = append(list, fmt.Sprintf(`(%s) COLLATE "C" AS c%d`, expr, len(q.columns)))
		q.columns = append(q.columns, c)
	}
	q.key = keyOf(t, q.columns)
	only := "ONLY " // as TablePlan.CopySQL
	if t.Source.Kind == move.PartitionedTable {
		only = ""
	}
	where := ""
	if t.Where != "" {
		where = " WHERE " + t.Where
	}
	// OFFSET 0 has each text made once.
	q.from = "(SELECT " + strings.Join(list, ", ") + " FROM " + only + t.Source.String() + where + " OFFSET 0) AS r"
	return q, unchecked
}

// keyOf are the places of the key in columns; none where one of them is missing.
func keyOf(t *move.TablePlan, columns []*move.ColumnPlan) (key []int) {
	for _, name := range t.Key {
		at := -1
		for i, c := range columns {
			if c.Name == name {
				at = i
			}
		}
		if at < 0 {
			return nil
		}
		key = append(key, at)
	}
	return key
}

// nullBits is how many columns' NULLs one seed tells.
const nullBits = 60

// hash is an expression for one hash of some columns, in order. NULL is hashed as "",
// and a seed says which are NULL: no text can be taken for it.
func (q query) hash(columns []int) string {
	h := "0::int8"
	for chunk := range slices.Chunk(columns, nullBits) {
		var nulls strings.Builder
		for n, i := range chunk {
			fmt.Fprintf(&nulls, " + (c%d IS NULL)::int4 * %d::int8", i, int64(1)<<n)
		}
		h = "(" + h + " # (" + strings.TrimPrefix(nulls.String(), " + ") + "))"
		for _, i := range chunk {
			h = fmt.Sprintf("hashtextextended(coalesce(c%d, ''), %s)", i, h)
		}
	}
	return h
}

// all are the places of all columns.
func (q query) all() []int {
	out := make([]int, len(q.columns))
	for i := range out {
		out[i] = i
	}
	return out
}

// identity are the columns that a row is found by: its key, or all of it.
func (q query) identity() []int {
	if len(q.key) > 0 {
		return q.key
	}
	return q.all()
}
