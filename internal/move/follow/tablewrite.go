package follow

import (
	"fmt"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// bind binds values from the parameter first on.
func bind(s *lite.Stmt, first int, values []convert.Value) error {
	for i, v := range values {
		if err := s.Bind(first+i, v); err != nil {
			return err
		}
	}
	return nil
}

// prepared prepares a statement once.
func prepared(db *lite.Conn, s **lite.Stmt, sql func() string) (err error) {
	if *s == nil {
		*s, err = db.Prepare(sql())
	}
	return err
}

// insertRow inserts t.values.
func (t *table) insertRow(db *lite.Conn, values []convert.Value) error {
	if err := prepared(db, &t.insert, t.insertSQL); err != nil {
		return err
	}
	if err := bind(t.insert, 1, values); err != nil {
		return err
	}
	_, err := t.insert.Step()
	return err
}

func (t *table) insertSQL() string {
	into := "INSERT INTO " + pgexpr.Ident(t.plan.Name)
	if len(t.columns) == 0 {
		return into + " DEFAULT VALUES"
	}
	var names []string
	for _, c := range t.columns {
		names = append(names, pgexpr.Ident(c.Name))
	}
	return into + " (" + strings.Join(names, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(names)-1) + ")"
}

// deleteRow deletes the row of t.keys.
func (t *table) deleteRow(db *lite.Conn) error {
	if err := prepared(db, &t.delete, func() string { return "DELETE FROM " + pgexpr.Ident(t.plan.Name) + " WHERE " + t.where(1) }); err != nil {
		return err
	}
	if err := bind(t.delete, 1, t.keys); err != nil {
		return err
	}
	if _, err := t.delete.Step(); err != nil {
		return err
	}
	if db.Changes() != 1 {
		return errAbsent
	}
	return nil
}

// updateRow sets the columns of the row of t.keys that have been sent.
func (t *table) updateRow(db *lite.Conn, set []byte) error {
	s := t.updates[string(set)]
	if s == nil {
		sql := t.updateSQL(set)
		if sql == "" {
			return nil // nothing of what is copied has changed
		}
		var err error
		if s, err = db.Prepare(sql); err != nil {
			return err
		}
		if len(t.updates) >= 100 { // a table may have many large columns
			for k, old := range t.updates {
				delete(t.updates, k)
				if err := old.Close(); err != nil {
					return err
				}
			}
		}
		t.updates[string(set)] = s
	}
	if err := bind(s, 1, t.keys); err != nil {
		return err
	}
	n := len(t.keys)
	for i, v := range t.values {
		if set[i] == 0 {
			continue
		}
		n++
		if err := s.Bind(n, v); err != nil {
			return err
		}
	}
	if _, err := s.Step(); err != nil {
		return err
	}
	if db.Changes() != 1 {
		return errAbsent
	}
	return nil
}

func (t *table) updateSQL(set []byte) string {
	var parts []string
	n := len(t.key)
	for i, c := range t.columns {
		if set[i] == 1 {
			n++
			parts = append(parts, fmt.Sprintf("%s = ?%d", pgexpr.Ident(c.Name), n))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "UPDATE " + pgexpr.Ident(t.plan.Name) + " SET " + strings.Join(parts, ", ") + " WHERE " + t.where(1)
}

// findRow reads the row of t.keys.
func (t *table) findRow(db *lite.Conn) (values []convert.Value, err error) {
	if err := prepared(db, &t.find, func() string {
		var names []string
		for _, c := range t.columns {
			names = append(names, pgexpr.Ident(c.Name))
		}
		return "SELECT " + strings.Join(names, ", ") + " FROM " + pgexpr.Ident(t.plan.Name) + " WHERE " + t.where(1)
	}); err != nil {
		return nil, err
	}
	if err := bind(t.find, 1, t.keys); err != nil {
		return nil, err
	}
	for {
		more, err := t.find.Step()
		switch {
		case err != nil:
			return nil, err
		case !more && values == nil:
			return nil, errAbsent
		case !more:
			return values, nil
		}
		values = nil
		for i := range t.columns {
			values = append(values, t.find.Column(i))
		}
		values = owned(values)
	}
}

func (t *table) emptySQL() string { return "DELETE FROM " + pgexpr.Ident(t.plan.Name) }
