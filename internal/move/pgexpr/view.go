package pgexpr

import (
	"slices"
	"strings"
)

// Relation is a table or view that a query reads.
type Relation struct {
	Name   string // in SQLite
	Column func(name string) (Column, bool)
}

// View is a translated query.
type View struct {
	SQL       string
	Columns   []Column // named as in PostgreSQL
	Functions []string
	Notes     []string
}

// TranslateView translates the query of a view, as pg_get_viewdef prints it: columns and
// expressions over tables and their joins, with a condition. Grouping, ordering, sets
// and subqueries are refused.
func TranslateView(query string, env Env, relation func(schema, name string) (Relation, bool)) (v *View, err error) {
	toks, err := lex(query)
	if err != nil {
		return nil, err
	}
	defer catch(&err)
	q := &viewReader{parser: parser{toks: toks}, relation: relation}
	env.Column, env.Value, env.resolve = nil, nil, q.resolve
	q.t = &translator{env: env}
	return q.read(), nil
}

type viewReader struct {
	parser
	t        *translator
	relation func(schema, name string) (Relation, bool)
	from     []source
}

// source is a relation of FROM, by the names that columns may be called with.
type source struct {
	Relation
	schema, alias string
}

// item is a column of the result, before FROM has been read.
type item struct {
	x    node
	name string
}

func (q *viewReader) read() *View {
	q.wantWord("select")
	if q.isWord("distinct") || q.isWord("all") {
		q.fail("SELECT DISTINCT is not translated")
	}
	var items []item
	for {
		items = append(items, q.item())
		if !q.takeOp(",") {
			break
		}
	}
	from := ""
	if q.takeWord("from") {
		from = " FROM " + q.sources()
	}
	where := ""
	if q.takeWord("where") {
		where = " WHERE " + q.t.boolean(q.expr(0)).sql
	}
	q.takeOp(";")
	if t := q.peek(); t.kind != tokEnd {
		q.fail("%s is not translated in a view", strings.ToUpper(t.text))
	}
	return q.write(items, from+where)
}

func (q *viewReader) write(items []item, rest string) *View {
	v := &View{}
	var columns, taken []string
	for _, i := range items {
		x := q.t.expr(i.x)
		if x.typ == Unknown {
			x = q.t.cast(x, Text, i.x.at())
		}
		x = q.t.settle(x, i.x.at())
		if x.typ == Numeric && x.st.Form == "int" {
			x = numericText("CAST(" + x.sql + " AS TEXT)")
		}
		if slices.Contains(taken, FoldName(i.name)) {
			refuse(i.x.at(), "SQLite takes two of its columns' names for the same: %s", i.name)
		}
		taken = append(taken, FoldName(i.name))
		columns = append(columns, x.sql+" AS "+Ident(i.name))
		v.Columns = append(v.Columns, Column{Name: i.name, Type: x.typ, Storage: x.st, Bytewise: x.bytewise, Equal: x.equal, Fold: x.fold})
	}
	v.SQL = q.t.grown("SELECT " + strings.Join(columns, ", ") + rest)
	slices.Sort(q.t.functions)
	v.Functions, v.Notes = slices.Compact(q.t.functions), q.t.notes
	return v
}

func (q *viewReader) item() item {
	if q.isOp("*") {
		q.fail("* is not translated")
	}
	i := item{x: q.expr(0)}
	if q.takeWord("as") {
		i.name = q.name()
	} else if n, ok := i.x.(*nameNode); ok {
		i.name = n.parts[len(n.parts)-1]
	} else {
		q.fail("a column of a view has no name")
	}
	return i
}

// sources reads what FROM names, with commas between. A comma binds less than a join in
// PostgreSQL, and as much in SQLite.
func (q *viewReader) sources() string {
	var parts []string
	for {
		parts = append(parts, q.joined())
		if !q.takeOp(",") {
			if len(parts) > 1 {
				return "(" + strings.Join(parts, "), (") + ")"
			}
			return parts[0]
		}
	}
}

// joined reads relations and joins between them.
func (q *viewReader) joined() string {
	if q.depth++; q.depth > maxDepth {
		q.fail("it is nested more than %d deep", maxDepth)
	}
	defer func() { q.depth-- }()
	left := q.one()
	for {
		kind := q.join()
		if kind == "" {
			return left
		}
		left += " " + kind + " " + q.one()
		if kind == "CROSS JOIN" {
			continue
		}
		if !q.takeWord("on") {
			q.fail("a join without ON is not translated")
		}
		left += " ON " + q.t.boolean(q.expr(0)).sql
	}
}

// join reads a join's words, or none.
func (q *viewReader) join() string {
	for _, kind := range []string{"left", "right", "full", "inner", "cross"} {
		if q.takeWord(kind) {
			if kind != "inner" && kind != "cross" {
				q.takeWord("outer")
			}
			q.wantWord("join")
			return strings.ToUpper(kind) + " JOIN"
		}
	}
	if q.takeWord("join") {
		return "JOIN"
	}
	if q.isWord("natural") {
		q.fail("NATURAL JOIN is not translated")
	}
	return ""
}

func (q *viewReader) one() string {
	if q.takeOp("(") {
		if q.isWord("select") || q.isWord("values") {
			q.fail("a subquery is not translated")
		}
		s := q.joined()
		q.wantOp(")")
		return "(" + s + ")"
	}
	at := q.peek().pos
	if q.isWord("lateral") || q.isWord("only") || q.isWord("rows") {
		q.fail("%s is not translated", strings.ToUpper(q.peek().text))
	}
	schema, name := "", q.name()
	if q.takeOp(".") {
		schema, name = name, q.name()
	}
	if q.isOp("(") {
		refuse(at, "a function in FROM is not translated")
	}
	r, ok := q.relation(schema, name)
	if !ok {
		refuse(at, "%s is not carried", name)
	}
	s := source{Relation: r, schema: schema, alias: name}
	if q.takeWord("as") || q.peek().kind == tokQuoted || q.peek().kind == tokIdent && !slices.Contains(afterTable, q.peek().text) {
		s.alias, s.schema = q.name(), ""
		if q.isOp("(") {
			q.fail("names for a table's columns are not translated")
		}
	}
	q.from = append(q.from, s)
	return Ident(r.Name) + " AS " + Ident(s.alias)
}

// afterTable are the words that may follow a table, and are no name for it.
var afterTable = []string{"join", "left", "right", "full", "inner", "cross", "natural", "on", "where", "group", "order", "having", "limit", "offset", "fetch", "for", "union", "except", "intersect", "window", "using", "tablesample"}

// resolve finds a column by its parts: schema, table and name, or fewer.
func (q *viewReader) resolve(parts []string) (Column, bool) {
	name := parts[len(parts)-1]
	var found []Column
	for _, s := range q.from {
		if len(parts) > 1 && s.alias != parts[len(parts)-2] || len(parts) > 2 && s.schema != parts[len(parts)-3] {
			continue
		}
		if c, ok := s.Column(name); ok {
			c.table = s.alias
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return Column{}, false
	}
	return found[0], true
}
