package move

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

// table plans a table's constraints, and writes its CREATE TABLE.
func (p *planner) table(t *TablePlan) {
	p.tableNotes(t)
	p.key(t)
	p.fill(t)
	for _, c := range t.Source.Constraints {
		switch c.Kind {
		case Check:
			p.check(t, c, p.env(t), t.Source.String()+"."+pgexpr.PgIdent(c.Name))
		case ForeignKey:
			p.foreignKey(t, c)
		case Exclusion:
			p.leave(Left{Kind: "exclusion constraint", Name: t.Source.String() + "." + pgexpr.PgIdent(c.Name), Severity: Danger, Reason: "SQLite has none: the app, or a trigger, must look", Definition: c.Definition})
		}
	}
	if len(t.Copied()) == 0 {
		p.lose(Loss{ID: "no-columns", Severity: Warning, Where: t.Source.String(), Message: "SQLite has no table without a column to write to: it gets one that is always NULL"})
	}
	t.Create = p.create(t)
}

func (p *planner) tableNotes(t *TablePlan) {
	s, where := t.Source, t.Source.String()
	if s.Kind == PartitionedTable {
		n := 0
		for _, other := range p.schema.Tables {
			if p.under(other, s.Name) {
				n++
			}
		}
		p.lose(Loss{ID: "partitions", Severity: Note, Where: where, Message: fmt.Sprintf("its %d partitions (%s) become one table", n, s.PartitionKey)})
	}
	if len(s.Inherits) > 0 {
		var parents []string
		for _, n := range s.Inherits {
			parents = append(parents, n.String())
		}
		p.lose(Loss{ID: "inheritance", Severity: Warning, Where: where, Message: "a query of " + strings.Join(parents, ", ") + " no longer finds its rows: it is a table of its own"})
	}
	if s.Unlogged {
		p.lose(Loss{ID: "unlogged", Severity: Note, Where: where, Message: "it is as durable as any table; in PostgreSQL a crash empties it"})
	}
	if s.RowSecurity || len(s.Policies) > 0 {
		p.leave(Left{Kind: "row level security", Name: where, Severity: Danger, Reason: "SQLite has no users: whoever opens the file reads all rows"})
	}
}

// under reports whether a table is a partition of another, or of one of its partitions.
func (p *planner) under(t *Table, of Name) bool {
	for range 100 { // a bound for catalogs that lie
		if t.PartitionOf == nil {
			return false
		}
		if *t.PartitionOf == of {
			return true
		}
		i := slices.IndexFunc(p.schema.Tables, func(o *Table) bool { return o.Name == *t.PartitionOf })
		if i < 0 {
			return false
		}
		t = p.schema.Tables[i]
	}
	return false
}

// key plans the primary key: of one integer it is the rowid.
func (p *planner) key(t *TablePlan) {
	for _, c := range t.Source.Constraints {
		if c.Kind != PrimaryKey {
			continue
		}
		columns, ok := t.columnsOf(c.Columns)
		if !ok {
			p.leave(Left{Kind: "primary key", Name: t.Source.String() + "." + pgexpr.PgIdent(c.Name), Severity: Danger, Reason: "a column of it is skipped", Definition: c.Definition})
			return
		}
		p.keyForms(columns, t.Source.String()+"."+pgexpr.PgIdent(c.Name))
		for _, column := range columns {
			t.Key = append(t.Key, column.Name)
			column.NotNull = true
		}
		if len(columns) == 1 && columns[0].Form.Declared == "INTEGER" && slices.Contains([]pgexpr.Type{pgexpr.Int2, pgexpr.Int4, pgexpr.Int8}, columns[0].Type) && columns[0].Source.Generated == "" {
			columns[0].RowID = true
			p.counts(t, columns[0])
		}
	}
}

// counts plans what an INTEGER PRIMARY KEY counts from.
func (p *planner) counts(t *TablePlan, c *ColumnPlan) {
	where := t.Source.String() + "." + pgexpr.PgIdent(c.Source.Name)
	name := c.Source.Sequence
	expr := p.defaultExpr(c)
	if c.Source.Identity == "" {
		d, err := pgexpr.TranslateDefault(expr, pgexpr.Env{}, p.column(c))
		if expr == "" || err != nil || d.Sequence == "" {
			p.lose(Loss{ID: "key-given", Severity: Note, Where: where, Message: "an insert without it gets the next number, where PostgreSQL refuses it"})
			return
		}
		if name == nil || name.String() != d.Sequence {
			name = nil
			for _, s := range p.schema.Sequences {
				if s.String() == d.Sequence {
					name = &s.Name
				}
			}
		}
	}
	t.Counts = true
	for _, s := range p.schema.Sequences {
		if name == nil || s.Name != *name {
			continue
		}
		if s.Increment != 1 || s.Cycle {
			p.lose(Loss{ID: "sequence-step", Severity: Warning, Where: where, Message: fmt.Sprintf("it counts by 1, and not by %d as %s", s.Increment, s.Name)})
		}
		if s.Known {
			if t.Seed = s.Last; !s.Called {
				t.Seed = s.Last - 1
			}
			t.Seed = max(t.Seed, 0)
			return
		}
	}
	p.lose(Loss{ID: "sequence-unknown", Severity: Warning, Where: where, Message: "where its sequence stands could not be read: it counts from the largest number that is there"})
}

// columnsOf are the plans of columns by PostgreSQL's names; false where one is skipped.
func (t *TablePlan) columnsOf(names []string) ([]*ColumnPlan, bool) {
	var out []*ColumnPlan
	for _, n := range names {
		i := slices.IndexFunc(t.Columns, func(c *ColumnPlan) bool { return c.Source.Name == n })
		if i < 0 {
			return nil, false
		}
		out = append(out, t.Columns[i])
	}
	return out, len(out) > 0
}

func identList(columns []*ColumnPlan) string {
	var out []string
	for _, c := range columns {
		out = append(out, pgexpr.Ident(c.Name))
	}
	return strings.Join(out, ", ")
}

func (p *planner) check(t *TablePlan, c *Constraint, env pgexpr.Env, where string) {
	r, err := pgexpr.Translate(c.Expr, env)
	if err == nil && r.Type != pgexpr.Bool {
		err = fmt.Errorf("it is of type %s", r.Type)
	}
	if err != nil {
		p.leave(Left{Kind: "check", Name: where, Severity: Danger, Reason: err.Error(), Definition: c.Expr})
		return
	}
	p.use(*r, where)
	if c.NotValid {
		p.leave(Left{Kind: "check", Name: where, Severity: Warning, Reason: "it is NOT VALID: rows that are there may break it, and SQLite would not take them", Definition: c.Expr})
		return
	}
	t.checks = append(t.checks, "CONSTRAINT "+pgexpr.Ident(c.Name)+" CHECK ("+r.SQL+")")
}

func (p *planner) foreignKey(t *TablePlan, c *Constraint) {
	where, ref := t.Source.String()+"."+pgexpr.PgIdent(c.Name), c.References
	leave := func(reason string) {
		p.leave(Left{Kind: "foreign key", Name: where, Severity: Danger, Reason: reason, Definition: c.Definition})
	}
	parent := p.tables[ref.Table]
	if parent == nil {
		leave(ref.Table.String() + " is not carried as a table of its own")
		return
	}
	from, ok := t.columnsOf(c.Columns)
	to, ok2 := parent.columnsOf(ref.Columns)
	if !ok || !ok2 {
		leave("a column of it is skipped")
		return
	}
	for i := range from {
		if from[i].Form.Name != to[i].Form.Name || from[i].Form.Declared != to[i].Form.Declared {
			leave(fmt.Sprintf("%s and %s are in different forms", from[i].Name, to[i].Name))
			return
		}
		if a, b := from[i].Form.Storage, to[i].Form.Storage; from[i].Type == pgexpr.Numeric && (a.Scale != b.Scale || loose(from[i]) || loose(to[i])) {
			leave(fmt.Sprintf("%s and %s are numbers of different scales, or of none: equal ones may be different texts", from[i].Name, to[i].Name))
			return
		}
	}
	if len(ref.SetColumns) > 0 {
		leave("SQLite sets all columns of a key to NULL, and not some")
		return
	}
	sql := "CONSTRAINT " + pgexpr.Ident(c.Name) + " FOREIGN KEY (" + identList(from) + ") REFERENCES " + pgexpr.Ident(parent.Name) + " (" + identList(to) + ")"
	if ref.OnUpdate != "NO ACTION" {
		sql += " ON UPDATE " + ref.OnUpdate
	}
	if ref.OnDelete != "NO ACTION" {
		sql += " ON DELETE " + ref.OnDelete
	}
	if c.Deferred {
		sql += " DEFERRABLE INITIALLY DEFERRED"
	} else if c.Deferrable {
		sql += " DEFERRABLE"
	}
	if ref.Full && len(from) > 1 {
		t.checks = append(t.checks, "CHECK ("+matchFull(from)+")")
	}
	if c.NotValid {
		p.lose(Loss{ID: "not-valid", Severity: Warning, Where: where, Message: "it is NOT VALID: rows that are there may break it, and a check of the whole database will say so"})
	}
	t.foreign = append(t.foreign, sql)
	t.parents = append(t.parents, ref.Table)
}

// matchFull is the condition of MATCH FULL, which SQLite reads and ignores: all columns
// are NULL, or none is.
func matchFull(columns []*ColumnPlan) string {
	var sum []string
	for _, c := range columns {
		sum = append(sum, "("+pgexpr.Ident(c.Name)+" IS NULL)")
	}
	return strings.Join(sum, " + ") + fmt.Sprintf(" IN (0, %d)", len(columns))
}

// create writes CREATE TABLE. PostgreSQL's comments become SQL's, which SQLite keeps.
func (p *planner) create(t *TablePlan) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE " + pgexpr.Ident(t.Name) + " (\n")
	writeComment(&b, t.Source.Comment)
	var lines []string
	for _, c := range t.Columns {
		lines = append(lines, commented(c.Source.Comment)+"  "+c.define(t))
	}
	if len(t.Copied()) == 0 {
		taken := newNames()
		for _, c := range t.Columns {
			taken.take(c.Name)
		}
		name := pgexpr.Ident(taken.take("nothing"))
		lines = append(lines, "  "+name+" TEXT CHECK ("+name+" IS NULL)")
	}
	if len(t.Key) > 0 && !slices.ContainsFunc(t.Columns, func(c *ColumnPlan) bool { return c.RowID }) {
		var key []string
		for _, k := range t.Key {
			key = append(key, pgexpr.Ident(k))
		}
		lines = append(lines, "  PRIMARY KEY ("+strings.Join(key, ", ")+")")
	}
	for _, c := range append(t.checks, t.foreign...) {
		lines = append(lines, "  "+c)
	}
	b.WriteString(strings.Join(lines, ",\n") + "\n)")
	if o := p.plan.Options.Tables[t.Source.String()]; o.WithoutRowID && len(t.Key) > 0 && !t.Counts {
		b.WriteString(" WITHOUT ROWID")
	}
	return b.String()
}

func commented(text string) string {
	var b strings.Builder
	writeComment(&b, text)
	return b.String()
}

// writeComment writes a comment's lines. A carriage return would end one for a reader, and
// not for SQLite.
func writeComment(b *strings.Builder, text string) {
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n") {
		b.WriteString(strings.TrimRight("  -- "+line, " ") + "\n")
	}
}

// define writes a column's definition.
func (c *ColumnPlan) define(t *TablePlan) string {
	name := pgexpr.Ident(c.Name)
	s := name + " " + c.Form.Declared
	check := c.Form.Check
	switch {
	case c.RowID && t.Counts:
		s += " PRIMARY KEY AUTOINCREMENT"
	case c.RowID:
		s += " PRIMARY KEY"
	case c.NotNull:
		s += " NOT NULL"
	}
	if c.RowID { // which is an integer, or refused
		_, check, _ = strings.Cut(check, " AND ")
	}
	if c.Form.Collation != "" {
		s += " COLLATE " + c.Form.Collation
	}
	if c.Default != "" {
		s += " DEFAULT (" + c.Default + ")"
	}
	if c.Generated != "" {
		s += " GENERATED ALWAYS AS (" + c.Generated + ")"
		if !c.Source.Virtual {
			s += " STORED"
		}
	}
	if check != "" {
		s += " CHECK (" + fmt.Sprintf(check, name) + ")"
	}
	return s
}
