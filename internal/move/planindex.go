package move

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

// indexes plans a table's unique constraints and indexes. They are made when the rows
// are there, which is faster.
func (p *planner) indexes(t *TablePlan) {
	for _, c := range t.Source.Constraints {
		if c.Kind == Unique {
			p.uniqueConstraint(t, c)
		}
	}
	for _, i := range t.Source.Indexes {
		p.index(t, i)
	}
}

func (p *planner) uniqueConstraint(t *TablePlan, c *Constraint) {
	where := t.Source.String() + "." + pgexpr.PgIdent(c.Name)
	columns, ok := t.columnsOf(c.Columns)
	if !ok {
		p.leave(Left{Kind: "unique constraint", Name: where, Severity: Danger, Reason: "a column of it is skipped", Definition: c.Definition})
		return
	}
	if c.Deferrable {
		p.lose(Loss{ID: "unique-deferrable", Severity: Warning, Where: where, Message: "it is looked at in each row, and not at the end of a statement or transaction: swapping two values fails"})
	}
	p.keyForms(columns, where)
	keys := make([]string, len(columns))
	for i, column := range columns {
		keys[i] = pgexpr.Ident(column.Name)
	}
	if c.NullsNotDistinct && slices.ContainsFunc(columns, func(c *ColumnPlan) bool { return !c.NotNull }) {
		if p.referred(t, c.Columns) { // a foreign key needs an index of the columns themselves
			p.addIndex(t, c.Name, c.Name+"_columns", true, keys, "")
		}
		keys = nullKeys(columns)
	}
	p.addIndex(t, c.Name, c.Name, true, keys, "")
}

// keyForms names columns of a key whose texts may differ where their values are equal.
func (p *planner) keyForms(columns []*ColumnPlan, where string) {
	for _, c := range columns {
		switch {
		case loose(c):
			p.lose(Loss{ID: "numeric-key", Severity: Danger, Where: where, Message: c.Name + " is a numeric without a scale: 1.0 and 1.00 are the same key in PostgreSQL, and two as text"})
		case c.Type == pgexpr.Interval:
			p.lose(Loss{ID: "interval-key", Severity: Danger, Where: where, Message: c.Name + " is an interval: 1 day and 24:00:00 are the same key in PostgreSQL, and two as text"})
		case c.Type == pgexpr.JSON:
			p.lose(Loss{ID: "jsonb-key", Severity: Warning, Where: where, Message: c.Name + " is jsonb: what is written later is the same key only if its text is that which PostgreSQL would print"})
		}
	}
}

// loose reports whether equal numbers may be different texts.
func loose(c *ColumnPlan) bool {
	return c.Type == pgexpr.Numeric && c.Form.Storage.Form == "text" && c.Form.Storage.Precision == 0
}

// nullKeys are index keys that take NULLs for equal: whether a column is NULL, and what
// stands for it then.
func nullKeys(columns []*ColumnPlan) []string {
	var out []string
	for _, c := range columns {
		name := pgexpr.Ident(c.Name)
		if c.NotNull {
			out = append(out, name)
			continue
		}
		zero := "''"
		if c.Form.Declared == "INTEGER" || c.Form.Declared == "REAL" || c.Form.Declared == "BOOLEAN" {
			zero = "0"
		}
		out = append(out, "("+name+" IS NULL)", "coalesce("+name+", "+zero+")")
	}
	return out
}

// referred reports whether a foreign key refers to just these columns.
func (p *planner) referred(t *TablePlan, columns []string) bool {
	for _, other := range p.plan.Tables {
		for _, c := range other.Source.Constraints {
			if c.Kind == ForeignKey && c.References.Table == t.Source.Name && slices.Equal(slices.Sorted(slices.Values(c.References.Columns)), slices.Sorted(slices.Values(columns))) {
				return true
			}
		}
	}
	return false
}

// index plans an index. One that is not carried costs speed, or, where it is unique, a
// guarantee.
func (p *planner) index(t *TablePlan, i *Index) {
	where := t.Source.String() + "." + pgexpr.PgIdent(i.Name)
	leave := func(reason string) {
		severity := Note
		if i.Unique {
			severity = Danger
		}
		p.leave(Left{Kind: "index", Name: where, Severity: severity, Reason: reason, Definition: i.Definition})
	}
	switch {
	case !i.Valid:
		leave("it is invalid in PostgreSQL, too: its CREATE INDEX CONCURRENTLY failed")
		return
	case i.Method != "btree" && i.Method != "hash":
		leave("SQLite has no " + i.Method + " index")
		return
	}
	keys, nulls, err := p.indexKeys(t, i, where)
	if err != nil {
		leave(err.Error())
		return
	}
	predicate := ""
	if i.Where != "" {
		r, err := pgexpr.Translate(i.Where, p.env(t))
		if err != nil {
			leave("its condition: " + err.Error())
			return
		}
		p.use(*r, where)
		predicate = r.SQL
	}
	if i.Unique && i.NullsNotDistinct {
		keys = nulls
	}
	if !i.Unique {
		if columns, ok := t.columnsOf(i.Include); ok {
			keys = append(keys, identList(columns))
		}
	}
	p.addIndex(t, i.Name, i.Name, i.Unique, keys, predicate)
}

// indexKeys are an index's keys, and those that take NULLs for equal.
func (p *planner) indexKeys(t *TablePlan, i *Index, where string) (keys, nulls []string, err error) {
	for _, k := range i.Keys {
		desc := ""
		if k.Desc {
			desc = " DESC"
		}
		if k.Column != "" {
			columns, ok := t.columnsOf([]string{k.Column})
			if !ok {
				return nil, nil, fmt.Errorf("the column %s is skipped", k.Column)
			}
			if k.Collation != "" && !bytewise(collationName(k.Collation)) {
				p.lose(Loss{ID: "index-collation", Severity: Note, Where: where, Message: "it sorts by bytes, and not as " + k.Collation})
			}
			if i.Unique {
				p.keyForms(columns, where)
			}
			keys = append(keys, pgexpr.Ident(columns[0].Name)+desc)
			nulls = append(nulls, nullKeys(columns)...)
			continue
		}
		r, err := pgexpr.Translate(k.Expr, p.env(t))
		if err != nil {
			return nil, nil, fmt.Errorf("its expression %s: %w", k.Expr, err)
		}
		p.use(*r, where)
		keys = append(keys, r.SQL+desc)
		nulls = append(nulls, "("+r.SQL+" IS NULL)", "coalesce("+r.SQL+", '')")
	}
	return keys, nulls, nil
}

func (p *planner) addIndex(t *TablePlan, source, want string, unique bool, keys []string, predicate string) {
	plan := IndexPlan{Source: source, Name: p.names.take(want)}
	if plan.Name != want {
		p.lose(Loss{ID: "index-name", Severity: Note, Where: t.Source.String() + "." + pgexpr.PgIdent(source), Message: fmt.Sprintf("it is called %q: SQLite has %q already", plan.Name, want)})
	}
	kind := "INDEX "
	if unique {
		kind = "UNIQUE INDEX "
	}
	plan.Create = "CREATE " + kind + pgexpr.Ident(plan.Name) + " ON " + pgexpr.Ident(t.Name) + " (" + strings.Join(keys, ", ") + ")"
	if predicate != "" {
		plan.Create += " WHERE " + predicate
	}
	t.Indexes = append(t.Indexes, plan)
}
