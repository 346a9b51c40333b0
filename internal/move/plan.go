package move

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// Options choose among the ways of a plan. The zero value takes every default. A file
// of them is read by [ReadOptions].
type Options struct {
	// Existing says that the choices are for a schema that an app's migrations have made:
	// [NewExistingPlan] takes them.
	Existing bool `toml:"existing"`

	// Schemas says what a table outside public is called: "prefix", the default, makes
	// audit.log audit_log; "bare" makes it log.
	Schemas string `toml:"schemas"`

	// Special is what becomes of NaN, infinity, years that are not of four digits, and
	// 24:00, where a column says nothing else: "refuse", the default, "keep" or "null".
	Special convert.Special `toml:"special"`

	// Types names a form for all columns of a type that have one of that name, by the
	// type's name without modifiers: numeric = "scaled".
	Types map[string]string `toml:"types"`

	// Tables says more of single tables, by their names as PostgreSQL prints them:
	// "public.orders".
	Tables map[string]TableOptions `toml:"tables"`
}

// TableOptions are the options of one table.
type TableOptions struct {
	Name         string                   `toml:"name"`          // in SQLite
	Skip         bool                     `toml:"skip"`          // it is left out, with what refers to it
	Where        string                   `toml:"where"`         // a condition in PostgreSQL's SQL: only these rows
	WithoutRowID bool                     `toml:"without_rowid"` // stored in the order of its primary key
	Columns      map[string]ColumnOptions `toml:"columns"`
}

// ColumnOptions are the options of one column.
type ColumnOptions struct {
	Name    string          `toml:"name"` // in SQLite
	Skip    bool            `toml:"skip"`
	Form    string          `toml:"form"`    // see Forms
	Special convert.Special `toml:"special"` // as Options.Special
}

// Plan is what becomes of a schema in SQLite. It is the same for the same schema and
// options, to the byte.
type Plan struct {
	Source    Server
	Options   Options
	Tables    []*TablePlan // those that others refer to first
	Views     []*ViewPlan  // each after those that it reads
	Losses    []Loss       // what is carried otherwise than it was
	Left      []Left       // what is not carried
	Functions []string     // of package pgfunc: an app without them cannot write to the database

	// Of a plan for a schema that is there, which [NewExistingPlan] makes.
	Existing   *Existing
	Mismatches []Mismatch
	Truncate   bool // the tables' own rows go first
	Looked     bool // Mismatches has those of the rows, too
}

// TablePlan is what becomes of a table.
type TablePlan struct {
	Source  *Table
	Name    string        // in SQLite
	Columns []*ColumnPlan // without those that are skipped
	Create  string        // CREATE TABLE
	Indexes []IndexPlan   // to be made when the rows are there; unique constraints, too
	Key     []string      // the primary key's columns in SQLite
	Where   string        // of TableOptions

	// Seed is what AUTOINCREMENT has given out at least, where Counts.
	Counts bool
	Seed   int64

	Target *ExistingTable // where Plan.Existing is

	checks, foreign []string // of Create
	parents         []Name   // tables that it refers to
}

// ColumnPlan is what becomes of a column.
type ColumnPlan struct {
	Source    *Column
	Name      string // in SQLite
	Form      Form
	Forms     []string // all that there are
	Type      pgexpr.Type
	Special   convert.Special
	RowID     bool   // it is the INTEGER PRIMARY KEY
	NotNull   bool   // a domain's, too
	Default   string // SQLite's; "" where there is none
	Generated string // SQLite's; such a column is not copied

	// Of a schema that is there: the column, and whether PostgreSQL's rows may hold what
	// it does not take.
	Target *ExistingColumn
	Look   bool
}

// IndexPlan is an index of SQLite's.
type IndexPlan struct {
	Source string // PostgreSQL's name of the index or constraint
	Name   string
	Create string
}

// ViewPlan is what becomes of a view.
type ViewPlan struct {
	Source *View
	Name   string // in SQLite
	Create string

	columns []pgexpr.Column
}

// Left is something that is not carried.
type Left struct {
	Kind       string   `json:"kind"` // "trigger", "check", "materialized view", ...
	Name       string   `json:"name"`
	Severity   Severity `json:"severity"`
	Reason     string   `json:"reason"`
	Definition string   `json:"definition,omitempty"`
}

// String returns it in one line.
func (l Left) String() string {
	return fmt.Sprintf("%s %s is not carried (%s): %s", l.Kind, l.Name, l.Severity, l.Reason)
}

// Before returns the statements that make the tables, in order.
func (p *Plan) Before() []string {
	var out []string
	for _, t := range p.Tables {
		out = append(out, t.Create)
	}
	return out
}

// Sequences returns the statements by which AUTOINCREMENT goes on where PostgreSQL's
// sequences stand.
func (p *Plan) Sequences() []string {
	var out []string
	for _, t := range p.Tables {
		if t.Counts {
			name := pgexpr.Literal(t.Name)
			out = append(out, fmt.Sprintf("UPDATE sqlite_sequence SET seq = max(seq, %d) WHERE name = %s", t.Seed, name),
				fmt.Sprintf("INSERT INTO sqlite_sequence (name, seq) SELECT %s, %d WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = %s)", name, t.Seed, name))
		}
	}
	return out
}

// After returns the statements that are left when the rows have been copied: sequences,
// indexes, then views.
func (p *Plan) After() []string {
	out := p.Sequences()
	for _, t := range p.Tables {
		for _, i := range t.Indexes {
			out = append(out, i.Create)
		}
	}
	for _, v := range p.Views {
		out = append(out, v.Create)
	}
	return out
}

// DDL returns Before and After: what makes the database without rows.
func (p *Plan) DDL() []string { return append(p.Before(), p.After()...) }

// CopySQL returns the COPY that gives the table's rows, the columns that are copied in
// the plan's order.
func (t *TablePlan) CopySQL() string {
	var columns []string
	for _, c := range t.Copied() {
		columns = append(columns, pgexpr.PgIdent(c.Source.Name))
	}
	only := "ONLY " // the rows of children by inheritance are copied with them
	if t.Source.Kind == PartitionedTable {
		only = ""
	}
	where := ""
	if t.Where != "" {
		where = " WHERE " + t.Where
	}
	return "COPY (SELECT " + strings.Join(columns, ", ") + " FROM " + only + t.Source.String() + where + ") TO STDOUT"
}

// Copied are the columns whose values come from PostgreSQL.
func (t *TablePlan) Copied() []*ColumnPlan {
	return slices.DeleteFunc(slices.Clone(t.Columns), func(c *ColumnPlan) bool { return c.Generated != "" })
}

// planner makes a plan.
type planner struct {
	schema *Schema
	plan   *Plan
	names  *names
	tables map[Name]*TablePlan // those that are carried

	bytewise  bool // the database's collation orders text by bytes
	fold      pgexpr.Fold
	functions map[string]bool
}

// NewPlan plans what becomes of a schema. An error names all options that do not fit
// the schema.
func NewPlan(s *Schema, o Options) (*Plan, error) {
	p := &planner{schema: s, plan: &Plan{Source: s.Server, Options: o}, names: newNames(), tables: map[Name]*TablePlan{}, functions: map[string]bool{}}
	if err := checkOptions(s, o, Forms); err != nil {
		return nil, err
	}
	p.bytewise = bytewise(s.Server.Collation) && s.Server.Provider != "icu"
	p.fold = folds(s.Server.Ctype)
	if s.Server.Provider == "icu" {
		p.fold = pgexpr.FoldFull
	}
	if !p.bytewise {
		p.lose(Loss{ID: "collation-order", Severity: Warning, Where: cmp.Or(s.Server.Database, "the database"),
			Message: "text sorts by its bytes, and not as " + cmp.Or(s.Server.Collation, "the database's collation may have it, which a dump does not tell") + ": capitals before small letters, é after z"})
	}
	p.nameTables()
	var errs []error
	for _, t := range p.plan.Tables {
		errs = append(errs, p.columns(t))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, t := range p.plan.Tables {
		p.table(t)
	}
	p.plan.Tables = parentsFirst(p.plan.Tables)
	for _, t := range p.plan.Tables {
		p.indexes(t)
	}
	p.views()
	p.leftOvers()
	p.plan.Functions = slices.Sorted(maps.Keys(p.functions))
	return p.plan, nil
}

// bytewise reports whether a collation orders text by its bytes.
func bytewise(collation string) bool {
	switch strings.ToLower(collation) {
	case "c", "posix", "c.utf-8", "c.utf8", "ucs_basic", "pg_c_utf8":
		return true
	}
	return false
}

func (p *planner) lose(l Loss)  { p.plan.Losses = append(p.plan.Losses, l) }
func (p *planner) leave(l Left) { p.plan.Left = append(p.plan.Left, l) }

func (p *planner) use(r pgexpr.Result, where string) {
	for _, f := range r.Functions {
		p.functions[f] = true
	}
	for _, n := range r.Notes {
		p.lose(Loss{ID: "expression", Severity: Note, Where: where, Message: n})
	}
}

// nameTables decides which tables are carried, and their names: those of public first,
// which keep theirs.
func (p *planner) nameTables() {
	tables := slices.Clone(p.schema.Tables)
	slices.SortStableFunc(tables, func(a, b *Table) int {
		public := func(t *Table) int { return map[bool]int{true: 0, false: 1}[t.Schema == "public"] }
		return public(a) - public(b)
	})
	for _, t := range tables {
		o := p.plan.Options.Tables[t.String()]
		switch {
		case t.PartitionOf != nil:
			continue // its rows are its parent's
		case t.Kind == ForeignTable:
			p.leave(Left{Kind: "foreign table", Name: t.String(), Severity: Danger, Reason: "its rows are on the server " + t.ForeignServer})
			continue
		case o.Skip:
			p.leave(Left{Kind: "table", Name: t.String(), Severity: Note, Reason: "skip = true"})
			continue
		}
		want := p.plan.Options.NameOf(t)
		plan := &TablePlan{Source: t, Name: p.names.take(want), Where: o.Where}
		if plan.Name != want {
			p.lose(Loss{ID: "table-name", Severity: Warning, Where: t.String(), Message: fmt.Sprintf("it is called %q: SQLite has %q already, or keeps such names for itself", plan.Name, want), Switch: "name"})
		}
		p.tables[t.Name] = plan
		p.plan.Tables = append(p.plan.Tables, plan)
	}
}

// NameOf is what a table is to be called.
func (o Options) NameOf(t *Table) string {
	switch name := o.Tables[t.String()].Name; {
	case name != "":
		return name
	case t.Schema != "public" && o.Schemas != "bare":
		return t.Schema + "_" + t.Name.Name
	}
	return t.Name.Name
}

// parentsFirst orders tables so that each comes after those that it refers to, as far as
// there are no rings, and by schema and name otherwise.
func parentsFirst(tables []*TablePlan) []*TablePlan {
	inOrder(tables, func(t *TablePlan) Name { return t.Source.Name })
	byName := map[Name]*TablePlan{}
	for _, t := range tables {
		byName[t.Source.Name] = t
	}
	var out []*TablePlan
	state := map[*TablePlan]int{} // 1: under way, 2: placed
	type frame struct {
		t    *TablePlan
		next int
	}
	for _, t := range tables {
		if state[t] != 0 {
			continue
		}
		state[t] = 1
		for stack := []frame{{t, 0}}; len(stack) > 0; {
			top := &stack[len(stack)-1]
			if top.next == len(top.t.parents) {
				state[top.t] = 2
				out = append(out, top.t)
				stack = stack[:len(stack)-1]
				continue
			}
			parent := byName[top.t.parents[top.next]]
			top.next++
			if parent != nil && state[parent] == 0 {
				state[parent] = 1
				stack = append(stack, frame{parent, 0})
			}
		}
	}
	return out
}
