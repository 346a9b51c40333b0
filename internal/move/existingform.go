package move

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// form chooses the form in which a column's values come into another; ok is false where
// there is none.
func (m *matcher) form(t *TablePlan, c *ColumnPlan, asked, where string) (ok bool, err error) {
	forms, typ := existingForms(c.Source.Type, m.schema, c.Special)
	c.Type = typ
	var fits []fit
	for _, f := range forms {
		if out, ok := fitOf(f, c.Source.Type, t.Target, c.Target); ok {
			fits = append(fits, out)
			c.Forms = append(c.Forms, f.Name)
		}
	}
	at := t.Name + "." + c.Name
	name := cmp.Or(asked, m.plan.Options.Types[typeKey(c.Source.Type)])
	if asked != "" && !slices.ContainsFunc(forms, func(f Form) bool { return f.Name == asked }) {
		return false, fmt.Errorf("%s: form %q: a column of type %s has %s", where, asked, c.Source.Type.SQL, strings.Join(quotedAll(formNames(forms)), " or "))
	}
	i := slices.IndexFunc(fits, func(f fit) bool { return f.form.Name == name })
	switch {
	case i >= 0:
	case asked != "":
		m.tell("type", Danger, where, at, fmt.Sprintf("the form %q does not stay as it is in a column that is declared %s", asked, declared(t.Target, c.Target)), m.otherForms(c, fits))
		return false, nil
	default:
		if i, ok = m.choose(t, c, fits, where); !ok {
			return false, nil
		}
	}
	m.use(t, c, fits[i], where)
	return true, nil
}

func formNames(forms []Form) (out []string) {
	for _, f := range forms {
		out = append(out, f.Name)
	}
	return out
}

// declared is a column's type as a person has written it.
func declared(t *ExistingTable, c *ExistingColumn) string {
	s := cmp.Or(c.Declared, "without a type")
	if t.Strict {
		s += " in a STRICT table"
	}
	return s
}

func (m *matcher) otherForms(c *ColumnPlan, fits []fit) string {
	hint := "declare it otherwise in a migration, or skip = true leaves its values out"
	if len(fits) > 0 {
		hint = "form = " + strings.Join(quotedAll(c.Forms), " or ") + " is possible; or " + hint
	}
	return hint
}

// choose returns the form that nobody has asked for.
func (m *matcher) choose(t *TablePlan, c *ColumnPlan, fits []fit, where string) (int, bool) {
	var open []int
	for i, f := range fits {
		if !f.asked {
			open = append(open, i)
		}
	}
	at := t.Name + "." + c.Name
	if len(open) == 0 {
		m.tell("type", Danger, where, at, fmt.Sprintf("a value of type %s does not fit into a column that is declared %s", c.Source.Type.SQL, declared(t.Target, c.Target)), m.otherForms(c, fits))
		return 0, false
	}
	if len(open) > 1 {
		// Which of them the checks take, tells what is meant. Where none is, they are about
		// the values, and these are looked at later.
		if taken := slices.DeleteFunc(slices.Clone(open), func(i int) bool { return !m.takes(t.Target, c, fits[i].form) }); len(taken) > 0 {
			open = taken
		}
	}
	first := fits[open[0]].form.Name
	if len(open) == 1 || !slices.Contains([]string{"seconds", "millis", "micros", "true", "t"}, first) {
		return open[0], true
	}
	if i := slices.IndexFunc(open, func(i int) bool { return fits[i].form.Name == "seconds" }); i >= 0 && unixDefault(c.Target.Default) {
		return open[i], true
	}
	var names []string
	for _, i := range open {
		names = append(names, fits[i].form.Name)
	}
	m.tell("form-open", Danger, where, at, fmt.Sprintf("%s in a column that is declared %s may be meant in several ways", c.Source.Type.SQL, declared(t.Target, c.Target)), "say form = "+strings.Join(quotedAll(names), " or "))
	return 0, false
}

// plainDefault is a default without spaces and parentheses, in small letters.
func plainDefault(expr string) string {
	return strings.NewReplacer(" ", "", "(", "", ")", "").Replace(strings.ToLower(expr))
}

// unixDefault reports whether a default is the number of seconds since 1970.
func unixDefault(expr string) bool {
	switch plainDefault(expr) {
	case "unixepoch", "unixepoch'now'", "strftime'%s','now'", "caststrftime'%s','now'asinteger", "caststrftime'%s','now'asint":
		return true
	}
	return false
}

// use takes a form for a column.
func (m *matcher) use(t *TablePlan, c *ColumnPlan, f fit, where string) {
	at := t.Name + "." + c.Name
	c.Form, c.Look = f.form, f.look
	// What a shape means for queries, who has declared the column knows.
	c.Form.Losses = slices.DeleteFunc(slices.Clone(c.Form.Losses), func(l Loss) bool { return l.Severity == Note })
	m.loseBy(c, where)
	if f.trap {
		m.tell("affinity", Warning, where, at, fmt.Sprintf("SQLite makes a number of a text such as 007 or 1e3 in a column that is declared %s: the rows are looked at", declared(t.Target, c.Target)), "declare it TEXT in a migration")
	}
	if c.Type == pgexpr.Enum {
		m.labels(t, c, where)
	}
	if (c.Type == pgexpr.Timestamp || c.Type == pgexpr.TimestampTZ) && f.form.Name != "bare" && f.form.Conversion.Kind == convert.Text && currentTimestamp(c.Target.Default) {
		m.tell("default-time", Warning, where, at, "its default, "+c.Target.Default+", writes times without an offset, and the rows have one: they compare as text", `form = "bare" writes them alike`)
	}
	if c.Type == pgexpr.Citext && !m.noCase(t.Target, c.Target) {
		m.tell("citext", Warning, where, at, "it is compared without regard to case in PostgreSQL, and not in SQLite", "COLLATE NOCASE in a migration does so for A to Z")
	}
}

func currentTimestamp(expr string) bool {
	switch plainDefault(expr) {
	case "current_timestamp", "datetime'now'", "datetime":
		return true
	}
	return false
}

// labels compares an enum's labels with what the column's checks take.
func (m *matcher) labels(t *TablePlan, c *ColumnPlan, where string) {
	all := c.Form.Storage.Labels
	var taken, refused []string
	for _, l := range all {
		if m.takesValue(t.Target, c, convert.Value{Kind: convert.Text, Bytes: []byte(l)}) {
			taken = append(taken, l)
		} else {
			refused = append(refused, l)
		}
	}
	if len(refused) == 0 {
		return
	}
	c.Form.Conversion, c.Look = convert.Among(c.Form.Conversion, taken, "SQLite's CHECK does not take the label"), true
	m.tell("enum-labels", Warning, where, t.Name+"."+c.Name, fmt.Sprintf("SQLite's CHECK does not take %s: the rows are looked at", strings.Join(quotedAll(refused), ", ")), "")
}
