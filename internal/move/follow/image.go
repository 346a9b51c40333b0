package follow

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
)

// Triggers write each change down as the row that was and the row that is. Within what
// became visible together, the order in which they were written is almost that of the
// changes: where a trigger of the app's changes a row that its statement has changed, the
// later change is written down first. What was and what is add up in any order: a row
// that is to go and has not come yet is owed, and paid when it comes.

// debt is a row that was to be deleted before it was there.
type debt struct {
	plan *move.TablePlan
	key  string // what may be shown of it
	n    int
}

// image applies a change with both rows whole.
func (a *applier) image(t *table, c *change) error {
	if c.old != nil {
		if err := t.readKey(c.old); err != nil {
			return err
		}
	}
	if c.new == nil {
		return a.remove(t, c.old)
	}
	set, err := t.readRow(c.new)
	if err != nil {
		return err
	}
	if c.old == nil {
		return a.add(t)
	}
	if len(a.debts) == 0 && a.parked.here == 0 { // almost always
		if err := t.updateRow(a.db, set); err == nil || !errors.Is(err, errAbsent) && !twice(err) {
			return err
		}
	}
	if err := a.remove(t, c.old); err != nil {
		return err
	}
	return a.add(t)
}

// remove takes the row of t.keys away, or owes it.
func (a *applier) remove(t *table, old []field) error {
	if _, ok := a.parked.take(t); ok {
		return nil
	}
	err := t.deleteRow(a.db)
	if !errors.Is(err, errAbsent) {
		return err
	}
	if a.debts == nil {
		a.debts = map[string]debt{}
	}
	key := imageOf(t, t.keys)
	a.debts[key] = debt{t.plan, t.describe(old), a.debts[key].n + 1}
	return nil
}

// add inserts the row of t.values, or pays what is owed by it.
func (a *applier) add(t *table) error {
	if len(a.debts) > 0 {
		key := imageOf(t, t.values)
		if d := a.debts[key]; d.n > 1 {
			a.debts[key] = debt{d.plan, d.key, d.n - 1}
			return nil
		} else if d.n == 1 {
			delete(a.debts, key)
			return nil
		}
	}
	return a.insert(t)
}

// owing is an error where a row that was to go has never come.
func (a *applier) owing() error {
	for _, image := range slices.Sorted(maps.Keys(a.debts)) {
		d := a.debts[image]
		return &ChangeError{Table: d.plan.Source.String(), Key: d.key, Err: errAbsent}
	}
	return nil
}

// forgive forgets the debts of a table that is emptied.
func (a *applier) forgive(t *table) {
	for key, d := range a.debts {
		if d.plan == t.plan {
			delete(a.debts, key)
		}
	}
}

// imageOf is one text for each row of a table.
func imageOf(t *table, values []convert.Value) string {
	b := append([]byte(t.plan.Name), 0)
	for _, v := range values {
		b = append(b, byte(v.Kind))
		b = binary.BigEndian.AppendUint64(b, uint64(v.Int))
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(v.Real))
		b = binary.BigEndian.AppendUint64(b, uint64(len(v.Bytes)))
		b = append(b, v.Bytes...)
	}
	return string(b)
}
