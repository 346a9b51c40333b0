package follow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// ChangeError is a change that the file cannot have.
type ChangeError struct {
	Table  string // as PostgreSQL names it
	Key    string // of the row, what may be shown of it
	Column string // PostgreSQL's name; "" where it is not about one
	Err    error
}

func (e *ChangeError) Error() string {
	s := e.Table
	if e.Key != "" {
		s += ": row " + e.Key
	}
	if e.Column != "" {
		s += ", column " + e.Column
	}
	return s + ": " + e.Err.Error()
}

func (e *ChangeError) Unwrap() error { return e.Err }

// errAbsent is that a row which PostgreSQL has changed is not in the file.
var errAbsent = errors.New("it is not in the file: somebody else has written to the file; begin anew")

// table is a table of the plan's that changes are applied to, for one description of it
// in PostgreSQL.
type table struct {
	plan    *move.TablePlan
	columns []*move.ColumnPlan // that are copied
	from    []int              // where their values stand among a change's fields
	fields  int                // how many there are
	key     []int              // of columns, what a row is found by
	sure    bool               // key is unique
	indexed bool               // the index to find rows by was looked after
	exact   bool               // key is all columns: a row is found only as it was

	insert, delete, find *lite.Stmt            // nil until they are needed
	updates              map[string]*lite.Stmt // by which columns are set
	values, keys         []convert.Value
	buffers              [][]byte
}

// newTable prepares a table whose changes have fields of these names; identity are those
// that tell a row, and whole is that they are all that there are.
func newTable(plan *move.TablePlan, names []string, identity func(string) bool, whole bool) (*table, error) {
	t := &table{plan: plan, columns: plan.Copied(), fields: len(names), updates: map[string]*lite.Stmt{}}
	var told []int
	for i, c := range t.columns {
		at := slices.Index(names, c.Source.Name)
		if at < 0 {
			return nil, fmt.Errorf("%s: changes come without the column %s", plan.Source, c.Source.Name)
		}
		t.from = append(t.from, at)
		if whole || identity(c.Source.Name) {
			told = append(told, i)
		}
	}
	t.key = told
	if at := keyAmong(plan, t.columns, told); at != nil {
		t.key, t.sure = at, true
	} else if !whole {
		t.sure = true // the columns of a unique index, without NULLs
		if n := countIdentity(names, identity); n != len(told) || n == 0 {
			return nil, fmt.Errorf("%s: the columns that tell its rows are not all copied", plan.Source)
		}
	}
	t.values, t.keys = make([]convert.Value, len(t.columns)), make([]convert.Value, len(t.key))
	t.buffers = make([][]byte, len(t.columns)+len(t.key))
	return t, nil
}

// newExactTable is newTable where changes have both rows, the old and the new, whole.
func newExactTable(plan *move.TablePlan, names []string) (*table, error) {
	t, err := newTable(plan, names, nil, true)
	if err != nil {
		return nil, err
	}
	t.exact, t.sure, t.key = true, false, nil
	for i := range t.columns {
		t.key = append(t.key, i)
	}
	t.keys = make([]convert.Value, len(t.key))
	t.buffers = make([][]byte, 2*len(t.columns))
	return t, nil
}

func countIdentity(names []string, identity func(string) bool) (n int) {
	for _, name := range names {
		if identity(name) {
			n++
		}
	}
	return n
}

// keyAmong are the places of the plan's key in columns, if all of them are told.
func keyAmong(plan *move.TablePlan, columns []*move.ColumnPlan, told []int) (out []int) {
	if slices.ContainsFunc(plan.Source.Constraints, func(c *move.Constraint) bool { return c.Kind == move.PrimaryKey && c.Deferrable }) {
		return nil // two rows may have one key for a while
	}
	for _, name := range plan.Key {
		i := slices.IndexFunc(columns, func(c *move.ColumnPlan) bool { return c.Name == name })
		if !slices.Contains(told, i) {
			return nil
		}
		out = append(out, i)
	}
	return out
}

func (t *table) close() (err error) {
	for _, s := range t.updates {
		err = errors.Join(err, s.Close())
	}
	for _, s := range []*lite.Stmt{t.insert, t.delete, t.find} {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	t.insert, t.delete, t.find, t.updates = nil, nil, nil, map[string]*lite.Stmt{} // a parked row may need it yet
	return err
}

// where finds a row by t.key, the parameters from first on. Of rows that are the same
// it is one.
func (t *table) where(first int) string {
	var parts []string
	for n, i := range t.key {
		name := pgexpr.Ident(t.columns[i].Name)
		if t.sure || t.exact && slices.Contains(t.plan.Key, t.columns[i].Name) { // for the index
			parts = append(parts, fmt.Sprintf("%s = ?%d", name, first+n))
		}
		if !t.sure { // NULL, too; and A is not a, whatever the column says
			parts = append(parts, fmt.Sprintf("%s IS ?%d COLLATE BINARY", name, first+n))
		}
	}
	all := strings.Join(parts, " AND ")
	switch {
	case t.sure, len(t.plan.Key) > 0: // which no two rows of the file have
		return all
	case all == "": // a table without columns
		all = "true"
	}
	rowid := t.rowid()
	return rowid + " = (SELECT " + rowid + " FROM " + pgexpr.Ident(t.plan.Name) + " WHERE " + all + " LIMIT 1)"
}

// rowid is a name of the rowid that no column has.
func (t *table) rowid() string {
	for _, name := range []string{"_rowid_", "rowid", "oid"} {
		if !slices.ContainsFunc(t.plan.Columns, func(c *move.ColumnPlan) bool { return strings.EqualFold(c.Name, name) }) {
			return name
		}
	}
	return "_rowid_"
}

// convertField converts the value of a column.
func (t *table) convertField(c *move.ColumnPlan, f field, buffer *[]byte) (convert.Value, error) {
	if f.kind == 'n' {
		return convert.Value{}, nil
	}
	if need := 2*len(f.text) + 64; cap(*buffer) < need {
		*buffer = make([]byte, 0, need)
	}
	v, err := c.Form.Conversion.To(f.text, *buffer)
	if err == nil && v.Kind == convert.Null && c.NotNull {
		err = errors.New(`special = "null" makes it NULL, which the column does not take`)
	}
	if err != nil {
		return v, &ChangeError{Table: t.plan.Source.String(), Column: c.Source.Name, Err: err}
	}
	return v, nil
}

// readKey converts what a row is found by.
func (t *table) readKey(fields []field) error {
	for n, i := range t.key {
		f := fields[t.from[i]]
		if f.kind == 'u' {
			return &ChangeError{Table: t.plan.Source.String(), Column: t.columns[i].Source.Name, Err: errors.New("the value of its key was not sent")}
		}
		v, err := t.convertField(t.columns[i], f, &t.buffers[len(t.columns)+n])
		if err != nil {
			return err
		}
		t.keys[n] = v
	}
	return nil
}

// readRow converts a row; set says which columns have been sent.
func (t *table) readRow(fields []field) (set []byte, err error) {
	set = make([]byte, len(t.columns))
	for i, c := range t.columns {
		f := fields[t.from[i]]
		if f.kind == 'u' {
			continue
		}
		set[i] = 1
		if t.values[i], err = t.convertField(c, f, &t.buffers[i]); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// describe is what an error may say of which row it is: its key, by the beginnings.
func (t *table) describe(fields []field) string {
	if fields == nil || len(fields) != t.fields {
		return ""
	}
	var parts []string
	for i, c := range t.columns {
		if !slices.Contains(t.plan.Key, c.Name) {
			continue
		}
		text := string(fields[t.from[i]].text)
		if r := []rune(text); len(r) > 20 {
			text = string(r[:20]) + "..."
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}
