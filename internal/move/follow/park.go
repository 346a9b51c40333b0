package follow

import (
	"bytes"
	"errors"
	"slices"

	"github.com/flysql/flysql/internal/move/convert"
)

// Two rows of PostgreSQL's may have one value of a deferrable key until their transaction
// ends; SQLite looks at once. A row that SQLite does not take yet is parked: it is held
// here until the transaction's other changes have been applied.

// parked is a row that is not in the file yet.
type parked struct {
	t      *table
	values []convert.Value
}

// park holds a row.
func (a *applier) park(t *table, values []convert.Value) {
	a.parked = append(a.parked, parked{t, owned(values)})
}

func owned(values []convert.Value) []convert.Value {
	out := slices.Clone(values)
	for i := range out {
		out[i].Bytes = bytes.Clone(out[i].Bytes)
	}
	return out
}

// parkUpdated takes the row of t.keys out of the file, and parks it as it is to be.
func (a *applier) parkUpdated(t *table, set []byte) error {
	values, err := t.findRow(a.db)
	if err != nil {
		return err
	}
	for i, v := range t.values {
		if set[i] == 1 {
			values[i] = v
		}
	}
	if err := t.deleteRow(a.db); err != nil {
		return err
	}
	a.park(t, values)
	return nil
}

// parkedAt is the place of the row of t.keys among the parked; -1 where it is not.
func (a *applier) parkedAt(t *table) int {
	if len(a.parked) == 0 {
		return -1
	}
	return slices.IndexFunc(a.parked, func(p parked) bool {
		if p.t.plan != t.plan {
			return false
		}
		for n, i := range t.key {
			if !same(p.values[i], t.keys[n]) {
				return false
			}
		}
		return true
	})
}

func same(a, b convert.Value) bool {
	return a.Kind == b.Kind && a.Int == b.Int && a.Real == b.Real && bytes.Equal(a.Bytes, b.Bytes)
}

func (a *applier) parkedDelete(t *table) bool {
	i := a.parkedAt(t)
	if i >= 0 {
		a.parked = slices.Delete(a.parked, i, i+1)
	}
	return i >= 0
}

func (a *applier) parkedUpdate(t *table, set []byte) bool {
	i := a.parkedAt(t)
	if i < 0 {
		return false
	}
	for n, v := range owned(t.values) {
		if set[n] == 1 {
			a.parked[i].values[n] = v
		}
	}
	return true
}

func (a *applier) parkedEmpty(t *table) {
	a.parked = slices.DeleteFunc(a.parked, func(p parked) bool { return p.t.plan == t.plan })
}

// unpark puts the parked rows into the file, at a transaction's end.
func (a *applier) unpark() error {
	for _, p := range a.parked {
		if err := p.t.insertRow(a.db, p.values); err != nil {
			return &ChangeError{Table: p.t.plan.Source.String(), Err: errors.Join(err, errors.New("PostgreSQL has both rows"))}
		}
	}
	a.parked = nil
	return nil
}
