package transfer

import (
	"fmt"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// A key of text in random order is most of the work of an insert, and sorting it once is
// little. SQLite makes no primary key afterwards; so its index is made as another one,
// and then the schema is given the table as it was planned, with the index's name as
// that of its key. SQLite stores both in the same way, byte for byte. integrity_check
// looks at every row of it afterwards.

// lateKey is a primary key whose index is made when the rows are there.
type lateKey struct {
	table *move.TablePlan
	first string // CREATE TABLE without the key
}

// lateKeyOf returns nil for a table whose key is its rowid, or that is stored by its key.
func lateKeyOf(t *move.TablePlan) *lateKey {
	if len(t.Key) == 0 || strings.HasSuffix(t.Create, " WITHOUT ROWID") {
		return nil
	}
	for _, c := range t.Columns {
		// Whatever a key's integers count, an amount in cents or an OID, SQLite makes it the rowid.
		if c.RowID || len(t.Key) == 1 && c.Name == t.Key[0] && strings.EqualFold(c.Form.Declared, "INTEGER") {
			return nil
		}
	}
	line := ",\n  PRIMARY KEY (" + identifiers(t.Key) + ")"
	if strings.Count(t.Create, line) != 1 { // somebody's text says the same
		return nil
	}
	return &lateKey{table: t, first: strings.Replace(t.Create, line, "", 1)}
}

func identifiers(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, pgexpr.Ident(n))
	}
	return strings.Join(out, ", ")
}

// before are the statements that make a plan's tables, but for the late keys.
func before(plan *move.Plan) (out []string) {
	for _, t := range plan.Tables {
		if k := lateKeyOf(t); k != nil {
			out = append(out, k.first)
		} else {
			out = append(out, t.Create)
		}
	}
	return out
}

// lateKeys makes them. The connection must be closed then: it knows the old schema.
func lateKeys(db *lite.Conn, plan *move.Plan) error {
	for n, t := range plan.Tables {
		k := lateKeyOf(t)
		if k == nil {
			continue
		}
		name := fmt.Sprintf("flysql late key %d", n)
		if err := db.Exec("CREATE UNIQUE INDEX " + pgexpr.Ident(name) + " ON " + pgexpr.Ident(t.Name) + " (" + identifiers(t.Key) + ")"); err != nil {
			return fmt.Errorf("%s: its primary key: %w", t.Source, err)
		}
		for _, statement := range []string{
			"PRAGMA writable_schema = on",
			"UPDATE sqlite_schema SET sql = " + pgexpr.Literal(t.Create) + " WHERE type = 'table' AND name = " + pgexpr.Literal(t.Name),
			"UPDATE sqlite_schema SET sql = NULL, name = " + pgexpr.Literal("sqlite_autoindex_"+t.Name+"_1") + " WHERE type = 'index' AND name = " + pgexpr.Literal(name),
			"PRAGMA writable_schema = off",
		} {
			if err := db.Exec(statement); err != nil {
				return fmt.Errorf("%s: its primary key: %w", t.Source, err)
			}
		}
	}
	return nil
}
