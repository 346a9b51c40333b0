package follow

import (
	"errors"
	"fmt"

	"github.com/flysql/flysql/internal/move/lite"
)

// applier writes changes into the file, in transactions of its own.
type applier struct {
	db    *lite.Conn
	state *State

	open     bool  // a transaction is
	rows     int64 // changed in it
	parked   parking
	debts    map[string]debt // rows that were to go, and are not there yet
	save     *lite.Stmt
	version  *lite.Stmt
	seen     int64 // PRAGMA data_version
	intruded bool  // another has written to the file
}

func newApplier(db *lite.Conn, state *State) (a *applier, err error) {
	a = &applier{db: db, state: state}
	if a.save, err = db.Prepare("UPDATE " + Table + ` SET position = ?1, "rows" = ?2`); err != nil {
		return nil, err
	}
	if a.version, err = db.Prepare("PRAGMA data_version"); err != nil {
		return nil, errors.Join(err, a.save.Close())
	}
	if a.seen, err = a.dataVersion(); err != nil {
		return a, err
	}
	on, err := load(db)
	if err == nil { // planning has taken a while
		a.state.Position, a.state.Rows = on.Position, on.Rows
	}
	return a, err
}

func (a *applier) close() error { return errors.Join(a.rollback(), a.save.Close(), a.version.Close()) }

// dataVersion changes when another connection has written to the file.
func (a *applier) dataVersion() (v int64, err error) {
	for more := true; more && err == nil; {
		if more, err = a.version.Step(); more {
			v = a.version.Column(0).Int
		}
	}
	return v, err
}

// begin opens a transaction, if none is.
func (a *applier) begin() error {
	if a.open {
		return nil
	}
	if err := a.db.Exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("write to the file: %w", err)
	}
	a.open, a.rows = true, 0
	v, err := a.dataVersion()
	if err != nil || v == a.seen {
		return err
	}
	on, err := load(a.db)
	switch {
	case err != nil:
		return err
	case on.Position != a.state.Position: // what comes now may be in the file already
		return fmt.Errorf("the file has come to %s: %w", on.Position, ErrBusy)
	}
	a.seen, a.intruded = v, true
	return nil
}

// reread takes the position from the file, where another follower may have brought it on
// since. It is that which counts: what PostgreSQL was told comes behind it.
func (a *applier) reread() error {
	v, err := a.dataVersion()
	if err != nil || v == a.seen {
		return err
	}
	on, err := load(a.db)
	if err == nil && on.Position != a.state.Position {
		a.seen, a.state.Position, a.state.Rows = v, on.Position, on.Rows
	}
	return err
}

// commit ends the transaction, with the position that it leads to; it is on disk then.
func (a *applier) commit(position string) error {
	if err := a.begin(); err != nil {
		return err
	}
	if err := errors.Join(a.unpark(), a.owing()); err != nil {
		return err
	}
	if err := a.save.Bind(1, textValue(position)); err != nil {
		return err
	}
	if err := a.save.Bind(2, intValue(a.state.Rows+a.rows)); err != nil {
		return err
	}
	if _, err := a.save.Step(); err != nil {
		return fmt.Errorf("write the position: %w", err)
	}
	if a.db.Changes() != 1 {
		return fmt.Errorf("%s is empty: somebody has written to it", Table)
	}
	if err := a.db.Exec("COMMIT"); err != nil {
		return fmt.Errorf("write to the file: %w", err)
	}
	a.open = false
	a.state.Position, a.state.Rows, a.rows = position, a.state.Rows+a.rows, 0
	return nil
}

// rollback undoes what is not committed.
func (a *applier) rollback() error {
	a.parked, a.debts = parking{}, nil
	if !a.open {
		return nil
	}
	a.open = false
	err := a.db.Exec("ROLLBACK")
	var refused *lite.Error
	if errors.As(err, &refused) && refused.Code == 1 { // SQLite has rolled back by itself
		return nil
	}
	return err
}

// apply applies a change of a table.
func (a *applier) apply(t *table, c *change) error {
	if err := a.begin(); err != nil {
		return err
	}
	for _, fields := range [][]field{c.old, c.new} {
		if fields != nil && len(fields) != t.fields {
			return &ChangeError{Table: t.plan.Source.String(), Err: fmt.Errorf("a row of %d columns, where there were %d", len(fields), t.fields)}
		}
	}
	key := c.old
	if key == nil {
		key = c.new
	}
	var err error
	if c.op != inserted {
		err = a.makeFinder(t)
	}
	if err == nil {
		err = a.change(t, c, key)
	}
	if err != nil {
		err = t.explain(err, key)
	}
	a.rows++
	return err
}

func (a *applier) change(t *table, c *change, key []field) error {
	if t.exact {
		return a.image(t, c)
	}
	if c.op == inserted {
		if _, err := t.readRow(c.new); err != nil {
			return err
		}
		return a.insert(t)
	}
	if err := t.readKey(key); err != nil {
		return err
	}
	if c.op == deleted {
		if _, ok := a.parked.take(t); ok {
			return nil
		}
		return t.deleteRow(a.db)
	}
	set, err := t.readRow(c.new)
	if err != nil || a.updateParked(t, set) {
		return err
	}
	return a.update(t, set)
}

func (a *applier) insert(t *table) error {
	err := t.insertRow(a.db, t.values)
	if twice(err) {
		a.parked.put(t, owned(t.values))
		return nil
	}
	return err
}

func (a *applier) update(t *table, set []byte) error {
	err := t.updateRow(a.db, set)
	if twice(err) {
		return a.parkUpdated(t, set)
	}
	return err
}

func twice(err error) bool {
	var refused *lite.Error
	return errors.As(err, &refused) && refused.Twice()
}

// explain says of which row an error is.
func (t *table) explain(err error, key []field) error {
	var changed *ChangeError
	if !errors.As(err, &changed) {
		changed = &ChangeError{Table: t.plan.Source.String(), Err: err}
	}
	if changed.Key == "" {
		changed.Key = t.describe(key)
	}
	return changed
}

// empty deletes all rows of a table.
func (a *applier) empty(t *table) error {
	if err := a.begin(); err != nil {
		return err
	}
	a.parked.empty(t)
	a.forgive(t)
	if err := a.db.Exec(t.emptySQL()); err != nil {
		return t.explain(err, nil)
	}
	a.rows++
	return nil
}
