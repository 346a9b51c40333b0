package move

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

// keys compares what must be unique.
func (m *matcher) keys(t *TablePlan) {
	where := t.Source.String()
	var theirs [][]string // of PostgreSQL's, as SQLite's columns
	for _, k := range t.Source.Constraints {
		if k.Kind != PrimaryKey && k.Kind != Unique {
			continue
		}
		columns, ok := t.columnsOf(k.Columns)
		if !ok {
			continue // a mismatch already, or skipped
		}
		var names []string
		for _, c := range columns {
			names = append(names, c.Name)
		}
		if k.Kind == PrimaryKey {
			t.Key = names
		}
		theirs = append(theirs, names)
		if !slices.ContainsFunc(t.Target.Uniques, func(u ExistingUnique) bool { return !u.Partial && sameNames(u.Columns, names) }) {
			m.tell("key-missing", Warning, where+"."+pgexpr.PgIdent(k.Name), t.Name, fmt.Sprintf("nothing keeps (%s) unique in SQLite", strings.Join(names, ", ")), "a unique index in a migration does")
		}
	}
	if len(t.Key) == 0 { // rows are named by something
		for _, u := range t.Target.Uniques {
			if u.Primary && !slices.ContainsFunc(u.Columns, func(name string) bool { return !t.fills(name) }) {
				t.Key = u.Columns
			}
		}
	}
	for _, i := range t.Source.Indexes {
		var names []string
		for _, k := range i.Keys {
			if c, ok := t.columnsOf([]string{k.Column}); ok {
				names = append(names, c[0].Name)
			}
		}
		if i.Unique && i.Where == "" && len(names) == len(i.Keys) {
			theirs = append(theirs, names)
		}
	}
	for _, u := range t.Target.Uniques {
		noCase := slices.Contains(u.Collations, "NOCASE")
		stricter := !slices.ContainsFunc(theirs, func(names []string) bool { return subset(names, u.Columns) }) || noCase
		numbered := len(u.Columns) == 1 && t.Target.Column(u.Columns[0]) != nil && t.Target.Column(u.Columns[0]).RowID && !slices.ContainsFunc(t.Columns, func(c *ColumnPlan) bool { return c.RowID })
		if !stricter || numbered {
			continue
		}
		message := fmt.Sprintf("(%s) is unique in SQLite, and need not be in PostgreSQL", strings.Join(u.Columns, ", "))
		if noCase {
			message += ", without regard to case"
		}
		m.tell("unique", Note, where, t.Name, message+": it is looked at when the rows are there", "")
	}
}

// references compares the foreign keys of PostgreSQL's with SQLite's: an app that leaves it
// to ON DELETE CASCADE must hear where none is.
func (m *matcher) references(t *TablePlan) {
	for _, k := range t.Source.Constraints {
		if k.Kind != ForeignKey || m.tables[k.References.Table] == nil {
			continue // the table that it refers to is a mismatch already, or left out
		}
		columns, ok := t.columnsOf(k.Columns)
		if !ok {
			continue
		}
		var names []string
		for _, c := range columns {
			names = append(names, c.Name)
		}
		parent := m.tables[k.References.Table].Name
		where, list := t.Source.String()+"."+pgexpr.PgIdent(k.Name), strings.Join(names, ", ")
		i := slices.IndexFunc(t.Target.Foreign, func(f ExistingForeign) bool {
			return pgexpr.FoldName(f.Table) == pgexpr.FoldName(parent) && sameNames(f.Columns, names)
		})
		if i < 0 {
			m.tell("foreign-key-missing", Warning, where, t.Name, fmt.Sprintf("nothing keeps (%s) to the rows of %s in SQLite", list, parent), "a foreign key in a migration does")
			continue
		}
		f := t.Target.Foreign[i]
		for _, action := range []struct{ event, theirs, ours string }{{"ON UPDATE", k.References.OnUpdate, f.OnUpdate}, {"ON DELETE", k.References.OnDelete, f.OnDelete}} {
			if refuses(action.theirs) && refuses(action.ours) || action.theirs == action.ours {
				continue
			}
			m.tell("foreign-key-action", Warning, where, t.Name, fmt.Sprintf("(%s) has %s %s in PostgreSQL, and %[2]s %[4]s in SQLite", list, action.event, action.theirs, action.ours), "a migration changes it")
		}
	}
}

// refuses reports whether an action is to refuse what would leave an orphan.
func refuses(action string) bool { return action == "NO ACTION" || action == "RESTRICT" }

// fills reports whether a column of SQLite's gets values.
func (t *TablePlan) fills(name string) bool {
	return slices.ContainsFunc(t.Columns, func(c *ColumnPlan) bool { return c.Name == name })
}

func sameNames(a, b []string) bool { return len(a) == len(b) && subset(a, b) }

// subset reports whether b has all names of a.
func subset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(name string) bool { return !containsFold(b, name) })
}

// counts plans what AUTOINCREMENT counts from.
func (m *matcher) counts(t *TablePlan) {
	for _, c := range t.Columns {
		if !c.RowID || c.Type == pgexpr.Numeric {
			continue
		}
		if t.Target.AutoIncrement {
			m.planner.counts(t, c)
			continue
		}
		if d, err := pgexpr.TranslateDefault(m.defaultExpr(c), pgexpr.Env{}, m.column(c)); c.Source.Identity != "" || c.Source.Sequence != nil || err == nil && d.Sequence != "" {
			m.tell("autoincrement", Note, t.Source.String()+"."+pgexpr.PgIdent(c.Source.Name), t.Name+"."+c.Name,
				"its sequence is not carried: without AUTOINCREMENT the next number is one more than the largest there is, and numbers of deleted rows may come again", "")
		}
	}
}

// others tells of what is on one side only and is no data.
func (m *matcher) others() {
	for _, t := range m.existing.Tables {
		switch plan := m.taken[t]; {
		case plan != nil:
			m.triggers(plan)
			m.references(plan)
			if n := len(t.Checks); n > 0 {
				m.tell("checks", Note, plan.Source.String(), t.Name, fmt.Sprintf("its CHECKs (%d) are looked at when the rows are there", n), "")
			}
		case !m.toolTable(t.Name):
			m.tell("table-extra", Note, "", t.Name, "PostgreSQL has no such table: it stays as it is", "")
		}
	}
	for _, v := range m.existing.Virtual {
		m.tell("table-virtual", Warning, "", v, "a virtual table is not filled", "an FTS5 index of another table's rows is made anew by INSERT INTO "+pgexpr.Ident(v)+"("+pgexpr.Ident(v)+") VALUES ('rebuild')")
	}
	m.code()
	for _, o := range m.schema.Others {
		if severityOf(o) == Danger {
			m.leave(Left{Kind: o.Kind, Name: o.Identity, Severity: Danger, Reason: "SQLite has nothing like it" + detail(o.Detail)})
		}
	}
}

// code tells of what runs in PostgreSQL.
func (m *matcher) code() {
	s := m.schema
	triggers, policies := 0, 0
	for _, t := range s.Tables {
		triggers, policies = triggers+len(t.Triggers), policies+len(t.Policies)
	}
	var parts []string
	for _, c := range []struct {
		n   int
		one string
		all string
	}{{len(s.Views), "view", "views"}, {len(s.Functions), "function", "functions"}, {triggers, "trigger", "triggers"}, {policies, "policy", "policies"}} {
		switch {
		case c.n == 1:
			parts = append(parts, "1 "+c.one)
		case c.n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.all))
		}
	}
	if len(parts) > 0 {
		m.tell("code", Note, cmp.Or(s.Server.Database, "the database"), "", strings.Join(parts, ", ")+" of PostgreSQL's: not compared, for the schema is the app's", "")
	}
}

func (m *matcher) triggers(t *TablePlan) {
	for _, name := range t.Target.Triggers {
		m.tell("trigger", Warning, t.Source.String(), t.Name, fmt.Sprintf("its trigger %s does not fire for the rows that come", name), "what it would have written to other tables, write yourself")
	}
}
