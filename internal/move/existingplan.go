package move

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// ExistingOptions say how a schema that is there is filled.
type ExistingOptions struct {
	Options
	Truncate bool // rows that its tables hold go first; without it they are a mismatch

	// ToolTable is where a migration tool records what it has applied, where that is not
	// a usual name.
	ToolTable string
}

// matcher makes a plan for a schema that is there.
type matcher struct {
	planner
	existing *Existing
	taken    map[*ExistingTable]*TablePlan
	open     func() (*lite.Conn, error)
	probe    *lite.Conn // in memory; nil before it is needed
	tool     string     // ExistingOptions.ToolTable
}

// NewExistingPlan plans how the rows of a schema come into another one, made by an app's
// own migrations: matched by name, each value in the form that its column declares and
// checks. What does not fit is in the plan's Mismatches, all of it; [Plan.Fits] tells
// whether something blocks. An error names all options that do not fit the schema.
func NewExistingPlan(ctx context.Context, s *Schema, e *Existing, o ExistingOptions) (_ *Plan, err error) {
	if err := checkOptions(s, o.Options, existingForms); err != nil {
		return nil, err
	}
	m := &matcher{existing: e, taken: map[*ExistingTable]*TablePlan{}, tool: o.ToolTable}
	m.schema, m.tables = s, map[Name]*TablePlan{}
	m.plan = &Plan{Source: s.Server, Options: o.Options, Existing: e, Truncate: o.Truncate}
	m.open = func() (*lite.Conn, error) { return lite.Open(ctx, ":memory:", false) }
	defer func() {
		if m.probe != nil {
			err = errors.Join(err, m.probe.Close())
		}
	}()
	var errs []error
	for _, t := range s.Tables {
		if plan := m.table(t); plan != nil {
			errs = append(errs, m.columns(plan))
			m.keys(plan)
			m.counts(plan)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	m.order()
	m.others()
	return m.plan, nil
}

func (m *matcher) tell(id string, severity Severity, source, target, message, hint string) {
	m.plan.Mismatches = append(m.plan.Mismatches, Mismatch{ID: id, Severity: severity, Source: source, Target: target, Message: message, Hint: hint})
}

// toolTables are those that migration tools keep to themselves.
var toolTables = []string{"goose_db_version", "schema_migrations", "gorp_migrations", "flyway_schema_history", "databasechangelog", "databasechangeloglock",
	"alembic_version", "django_migrations", "ar_internal_metadata", "_prisma_migrations", "atlas_schema_revisions", "bun_migrations", "bun_migration_locks",
	"gopg_migrations", "knex_migrations", "knex_migrations_lock", "__drizzle_migrations", "_sqlx_migrations", "sequelizemeta", "darwin_migrations", "tern_version"}

func (m *matcher) toolTable(name string) bool {
	return slices.Contains(toolTables, strings.ToLower(name)) || m.tool != "" && strings.EqualFold(name, m.tool)
}

// table finds a table's counterpart; nil where it has none.
func (m *matcher) table(t *Table) *TablePlan {
	o, where := m.plan.Options.Tables[t.String()], t.String()
	switch {
	case t.PartitionOf != nil:
		return nil // its rows are its parent's
	case t.Kind == ForeignTable:
		m.leave(Left{Kind: "foreign table", Name: where, Severity: Danger, Reason: "its rows are on the server " + t.ForeignServer})
		return nil
	case o.Skip:
		m.leave(Left{Kind: "table", Name: where, Severity: Note, Reason: "skip = true"})
		return nil
	case o.Name == "" && m.toolTable(t.Name.Name):
		m.leave(Left{Kind: "table", Name: where, Severity: Note, Reason: "it is a migration tool's, and SQLite has its own"})
		return nil
	}
	name := m.plan.Options.NameOf(t)
	target := m.existing.Table(name)
	switch {
	case target == nil && containsFold(m.existing.Virtual, name), target == nil && containsFold(m.existing.Views, name):
		m.tell("table-virtual", Danger, where, name, "it is a view or a virtual table in SQLite, which is not filled", "skip = true leaves it out")
		return nil
	case target == nil:
		m.tell("table-missing", Danger, where, "", fmt.Sprintf("SQLite has no table %q", name), m.elsewhere(name)+"make it in a migration, or skip = true leaves it out")
		return nil
	case m.taken[target] != nil:
		m.tell("table-twice", Danger, where, target.Name, m.taken[target].Source.String()+" is for the same table", "give one of them another name")
		return nil
	case target.HasRows && !m.plan.Truncate:
		m.tell("table-rows", Danger, where, target.Name, "the table holds rows already", "empty it, or have them replaced (--truncate)")
	}
	plan := &TablePlan{Source: t, Name: target.Name, Where: o.Where, Create: target.SQL, Target: target}
	m.taken[target], m.tables[t.Name] = plan, plan
	m.plan.Tables = append(m.plan.Tables, plan)
	return plan
}

func containsFold(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return pgexpr.FoldName(s) == pgexpr.FoldName(name) })
}

// elsewhere names a table that may be meant.
func (m *matcher) elsewhere(name string) string {
	var names []string
	for _, t := range m.existing.Tables {
		if !slices.ContainsFunc(m.schema.Tables, func(other *Table) bool {
			return pgexpr.FoldName(m.plan.Options.NameOf(other)) == pgexpr.FoldName(t.Name)
		}) {
			names = append(names, t.Name)
		}
	}
	if s := alike(name, names); s != "" {
		return s + " name = says so; else "
	}
	return ""
}

// columns matches a table's columns.
func (m *matcher) columns(t *TablePlan) error {
	o := m.plan.Options.Tables[t.Source.String()]
	taken := map[*ExistingColumn]bool{}
	var errs []error
	for _, c := range t.Source.Columns {
		where := t.Source.String() + "." + pgexpr.PgIdent(c.Name)
		co := o.Columns[c.Name]
		if co.Skip {
			m.leave(Left{Kind: "column", Name: where, Severity: Danger, Reason: "skip = true"})
			continue
		}
		name := cmp.Or(co.Name, c.Name)
		target := t.Target.Column(name)
		if target == nil {
			m.missing(t, c, name, where)
			continue
		}
		at := t.Name + "." + target.Name
		switch {
		case taken[target]:
			m.tell("column-twice", Danger, where, at, "another column is for the same", "give one of them another name")
			continue
		case target.Generated && c.Generated != "":
			m.tell("generated", Note, where, at, "SQLite computes it anew", "")
			taken[target] = true
			continue
		case target.Generated:
			m.tell("generated", Danger, where, at, "SQLite computes it, and takes no value", "make it an ordinary column in a migration, or skip = true leaves PostgreSQL's values out")
			taken[target] = true
			continue
		}
		taken[target] = true
		plan := &ColumnPlan{Source: c, Name: target.Name, NotNull: target.NotNull, RowID: target.RowID, Target: target, Special: cmp.Or(co.Special, m.plan.Options.Special, convert.Refuse)}
		ok, err := m.form(t, plan, co.Form, where)
		errs = append(errs, err)
		if ok {
			m.nulls(t, plan, where)
			t.Columns = append(t.Columns, plan)
		}
	}
	m.extra(t, taken)
	return errors.Join(errs...)
}

func (m *matcher) missing(t *TablePlan, c *Column, name, where string) {
	if c.Generated != "" {
		m.tell("column-missing", Note, where, "", "SQLite has no such column; PostgreSQL computes it", "")
		return
	}
	var names []string
	for _, other := range t.Target.Columns {
		if t.Source.Column(other.Name) == nil {
			names = append(names, other.Name)
		}
	}
	hint := "add it in a migration, or skip = true leaves its values out"
	if s := alike(name, names); s != "" {
		hint = s + " name = says so; else " + hint
	}
	m.tell("column-missing", Danger, where, "", fmt.Sprintf("%s has no column %q in SQLite", t.Name, name), hint)
}

// extra tells of columns that PostgreSQL has not.
func (m *matcher) extra(t *TablePlan, taken map[*ExistingColumn]bool) {
	for _, c := range t.Target.Columns {
		at := t.Name + "." + c.Name
		switch {
		case taken[c] || c.Generated:
		case c.RowID:
			m.tell("column-extra", Note, t.Source.String(), at, "PostgreSQL has no such column: SQLite numbers the rows", "")
		case c.Default != "" && !strings.EqualFold(c.Default, "null"):
			m.tell("column-extra", Note, t.Source.String(), at, "PostgreSQL has no such column: each row gets its default, "+c.Default, "")
		case c.NotNull:
			m.tell("column-extra", Danger, t.Source.String(), at, "PostgreSQL has no such column, and it is NOT NULL without a default", "give it a default in a migration")
		default:
			m.tell("column-extra", Note, t.Source.String(), at, "PostgreSQL has no such column: it is NULL in each row", "")
		}
	}
}

// nulls has rows looked at where PostgreSQL takes NULL and SQLite does not. For a rowid,
// it makes a number of it.
func (m *matcher) nulls(t *TablePlan, c *ColumnPlan, where string) {
	if !c.NotNull && !c.RowID {
		return
	}
	c.NotNull = true
	null := !c.Source.NotNull
	for _, d := range m.chain(c.Source.Type) {
		null = null && !d.NotNull
	}
	for _, k := range t.Source.Constraints {
		null = null && (k.Kind != PrimaryKey || !slices.Contains(k.Columns, c.Source.Name))
	}
	if null {
		c.Look = true
		m.tell("not-null", Note, where, t.Name+"."+c.Name, "it may be NULL in PostgreSQL, and not in SQLite: the rows are looked at", "")
	}
}

// order puts tables after those that they refer to.
func (m *matcher) order() {
	for _, t := range m.plan.Tables {
		for _, f := range t.Target.Foreign {
			if p := m.taken[m.existing.Table(f.Table)]; p != nil && p != t {
				t.parents = append(t.parents, p.Source.Name)
			}
		}
	}
	m.plan.Tables = parentsFirst(m.plan.Tables)
}
