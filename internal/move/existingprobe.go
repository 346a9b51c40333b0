package move

import (
	"errors"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// samples are values that a check of a column's form lets pass, where the form is meant.
var samples = map[pgexpr.Type][]string{
	pgexpr.Bool:        {"t", "f"},
	pgexpr.UUID:        {"6ba7b810-9dad-41d1-80b4-00c04fd430c8"},
	pgexpr.Timestamp:   {"2026-02-03 04:05:06"},
	pgexpr.TimestampTZ: {"2026-02-03 04:05:06+00"},
	pgexpr.Numeric:     {"1"},
}

// takes reports whether a column's own checks take a form's values.
func (m *matcher) takes(t *ExistingTable, c *ColumnPlan, f Form) bool {
	for _, s := range samples[c.Type] {
		v, err := f.Conversion.To([]byte(s), nil)
		if err == nil && !m.takesValue(t, c, v) {
			return false
		}
	}
	return true
}

// takesValue asks SQLite itself, by a table that has that column alone. A check that it
// cannot make, such as one with a function of the app's, takes all.
func (m *matcher) takesValue(t *ExistingTable, c *ColumnPlan, v convert.Value) bool {
	checks := t.checksOn(c.Target)
	if len(checks) == 0 {
		return true
	}
	create := "CREATE TABLE probe (" + pgexpr.Ident(c.Target.Name) + " " + c.Target.Declared
	for _, expr := range checks {
		create += ", CHECK (" + expr + "\n)"
	}
	create += ")"
	if t.Strict {
		create += " STRICT"
	}
	if m.probe == nil {
		var err error
		if m.probe, err = m.open(); err != nil {
			return true
		}
	}
	if m.probe.Exec(create) != nil {
		return true
	}
	err := insertOne(m.probe, v)
	var refused *lite.Error
	return m.probe.Exec("DROP TABLE probe") == nil && !(errors.As(err, &refused) && refused.Code&0xff == constraintCode)
}

// constraintCode is SQLITE_CONSTRAINT.
const constraintCode = 19

func insertOne(db *lite.Conn, v convert.Value) error {
	insert, err := db.Prepare("INSERT INTO probe VALUES (?)")
	if err != nil {
		return err
	}
	if err = insert.Bind(1, v); err == nil {
		_, err = insert.Step()
	}
	return errors.Join(err, insert.Close())
}

// noCase reports whether a column is compared without regard to case.
func (m *matcher) noCase(t *ExistingTable, c *ExistingColumn) bool {
	tokens, at := sqlTokens(t.SQL), -1
	for i, k := range tokens {
		switch {
		case k.depth == 1 && k.name && pgexpr.FoldName(k.text) == pgexpr.FoldName(c.Name) && i > 0 && (tokens[i-1].text == "," || tokens[i-1].text == "("):
			at = i
		case at >= 0 && k.depth == 1 && k.text == ",":
			return false
		case at >= 0 && k.is("collate") && i+1 < len(tokens):
			return strings.EqualFold(tokens[i+1].text, "nocase")
		}
	}
	return false
}
