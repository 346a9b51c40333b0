package move

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

// Declaration is how CREATE TABLE declares a column, with its name.
func (t *TablePlan) Declaration(c *ColumnPlan) string {
	if c.Target != nil {
		return pgexpr.Ident(c.Name) + " " + c.Target.describe()
	}
	return c.define(t)
}

// Declared is Declaration without the name, and without the check of the column's form
// where that is longer than a person wants to read, or only says that a key is in range.
func (t *TablePlan) Declared(c *ColumnPlan) string {
	const long = 60
	name := pgexpr.Ident(c.Name)
	if c.Target != nil {
		return c.Target.describe()
	}
	s := strings.TrimPrefix(c.define(t), name+" ")
	check := c.Form.Check
	if c.RowID {
		_, check, _ = strings.Cut(check, " AND ")
	}
	if check == "" {
		return s
	}
	if check = fmt.Sprintf(check, name); c.RowID || len(check) > long {
		s = strings.TrimSuffix(s, " CHECK ("+check+")")
	}
	return s
}

// describe is a column as SQLite has it, without its checks.
func (c *ExistingColumn) describe() string {
	s := c.Declared
	switch {
	case c.RowID:
		s += " PRIMARY KEY"
	case c.NotNull:
		s += " NOT NULL"
	}
	if c.Default != "" {
		s += " DEFAULT " + c.Default
	}
	return strings.TrimSpace(s)
}

// Constraints are the checks and foreign keys of CREATE TABLE that are no column's form.
func (t *TablePlan) Constraints() []string { return slices.Concat(t.checks, t.foreign) }

// Describe is a column as PostgreSQL has it: "numeric(10,2) NOT NULL DEFAULT 0".
func (c *Column) Describe() string {
	s := c.Type.SQL
	if c.Collation != "" {
		s += " COLLATE " + c.Collation
	}
	if c.NotNull {
		s += " NOT NULL"
	}
	switch {
	case c.Generated != "":
		s += " GENERATED ALWAYS AS (" + c.Generated + ")"
	case c.Identity != "":
		s += " GENERATED " + strings.ToUpper(c.Identity) + " AS IDENTITY"
	case c.Default != "":
		s += " DEFAULT " + c.Default
	}
	return s
}

// Dangers are the losses of that severity, and what is not carried and as bad: what a
// person must have agreed to, a line each.
func (p *Plan) Dangers() []string {
	var out []string
	for _, l := range p.Losses {
		if l.Severity == Danger {
			out = append(out, l.Where+": "+l.Message)
		}
	}
	for _, l := range p.Left {
		if l.Severity == Danger {
			out = append(out, l.Kind+" "+l.Name+": "+l.Reason)
		}
	}
	return out
}
