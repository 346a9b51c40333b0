package move

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

// Mismatch is where PostgreSQL's schema, or its rows, and a SQLite schema that is there
// do not fit. Where it is a Danger, nothing is copied.
type Mismatch struct {
	ID       string   `json:"id"` // "column-missing"; never given to another
	Severity Severity `json:"severity"`
	Source   string   `json:"source,omitempty"` // "public.orders.total"
	Target   string   `json:"target,omitempty"` // "orders.total"
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"` // what to do
	Rows     int64    `json:"rows,omitempty"` // how many it is about
}

// String returns it in one line.
func (m Mismatch) String() string {
	s := fmt.Sprintf("%s: %s (%s): %s", m.Where(), m.Severity, m.ID, m.Message)
	if m.Hint != "" {
		s += ": " + m.Hint
	}
	return s
}

// Where names both sides, as far as there are any: "public.orders.total -> orders.total".
func (m Mismatch) Where() string {
	switch {
	case m.Source == "":
		return m.Target
	case m.Target == "":
		return m.Source
	}
	return m.Source + " -> " + m.Target
}

// MismatchError is that a database does not fit into the schema that is there.
type MismatchError struct{ Mismatches []Mismatch } // all of them, those that block nothing, too

func (e *MismatchError) Error() string {
	var lines []string
	for _, m := range e.Mismatches {
		if m.Severity == Danger {
			lines = append(lines, m.String())
		}
	}
	return "PostgreSQL's data does not fit into the schema:\n  " + strings.Join(lines, "\n  ")
}

// Fits returns a *MismatchError where something blocks.
func (p *Plan) Fits() error {
	if slices.ContainsFunc(p.Mismatches, func(m Mismatch) bool { return m.Severity == Danger }) {
		return &MismatchError{p.Mismatches}
	}
	return nil
}

// alike finds the name that is meant by another: in another case, with other or no
// underscores, in the singular or plural, or nearly written so.
func alike(name string, candidates []string) string {
	key := bareName(name)
	for _, c := range candidates {
		if bareName(c) == key {
			return fmt.Sprintf("%q is meant?", c)
		}
	}
	if s := flyconf.Nearest(name, candidates); s != "" {
		return fmt.Sprintf("%q is meant?", s)
	}
	return ""
}

// bareName is orderitem of OrderItems, order_items and order-item.
func bareName(name string) string {
	s := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
	switch {
	case strings.HasSuffix(s, "ies"):
		return strings.TrimSuffix(s, "ies") + "y"
	case strings.HasSuffix(s, "sses"), strings.HasSuffix(s, "xes"):
		return strings.TrimSuffix(s, "es")
	case strings.HasSuffix(s, "s") && !strings.HasSuffix(s, "ss"):
		return strings.TrimSuffix(s, "s")
	}
	return s
}

// Looks reports whether the table has columns that rows of PostgreSQL's may not fit.
func (t *TablePlan) Looks() bool {
	return slices.ContainsFunc(t.Columns, func(c *ColumnPlan) bool { return c.Look })
}
