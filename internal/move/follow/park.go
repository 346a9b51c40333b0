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

// parking holds rows that are not in the file yet, in the order in which they came.
type parking struct {
	rows []parked
	at   map[string][]int // places in rows, by what a row is found by
	here int              // how many there are
}

// parked is such a row; without values, it has gone.
type parked struct {
	t      *table
	values []convert.Value
}

func owned(values []convert.Value) []convert.Value {
	out := slices.Clone(values)
	for i := range out {
		out[i].Bytes = bytes.Clone(out[i].Bytes)
	}
	return out
}

// put parks a row, whose values are its own.
func (p *parking) put(t *table, values []convert.Value) {
	if p.at == nil {
		p.at = map[string][]int{}
	}
	var key []convert.Value
	for _, i := range t.key {
		key = append(key, values[i])
	}
	k := imageOf(t, key)
	p.at[k] = append(p.at[k], len(p.rows))
	p.rows = append(p.rows, parked{t, values})
	p.here++
}

// take takes the row of t.keys out, if it is there.
func (p *parking) take(t *table) (values []convert.Value, ok bool) {
	if p.here == 0 {
		return nil, false
	}
	k := imageOf(t, t.keys)
	places := p.at[k]
	if len(places) == 0 {
		return nil, false
	}
	row := &p.rows[places[len(places)-1]]
	p.at[k] = places[:len(places)-1]
	values, row.values = row.values, nil
	p.here--
	return values, true
}

// empty takes all rows of a table out.
func (p *parking) empty(t *table) {
	kept := p.rows
	*p = parking{}
	for _, row := range kept {
		if row.values != nil && row.t.plan != t.plan {
			p.put(row.t, row.values)
		}
	}
}

// parkUpdated takes the row of t.keys out of the file, and parks it as it is to be.
func (a *applier) parkUpdated(t *table, set []byte) error {
	values, err := t.findRow(a.db)
	if err != nil {
		return err
	}
	if err := t.deleteRow(a.db); err != nil {
		return err
	}
	a.parked.put(t, t.updated(values, set))
	return nil
}

// updateParked changes the row of t.keys, if it is parked.
func (a *applier) updateParked(t *table, set []byte) bool {
	values, ok := a.parked.take(t)
	if ok {
		a.parked.put(t, t.updated(values, set))
	}
	return ok
}

// updated is a row with what has been sent of t.values.
func (t *table) updated(values []convert.Value, set []byte) []convert.Value {
	for i, v := range t.values {
		if set[i] == 1 {
			v.Bytes = bytes.Clone(v.Bytes)
			values[i] = v
		}
	}
	return values
}

// unpark puts the parked rows into the file, at a transaction's end.
func (a *applier) unpark() error {
	for _, p := range a.parked.rows {
		if p.values == nil {
			continue
		}
		if err := p.t.insertRow(a.db, p.values); err != nil {
			return &ChangeError{Table: p.t.plan.Source.String(), Err: errors.Join(err, errors.New("PostgreSQL has both rows"))}
		}
	}
	a.parked = parking{}
	return nil
}
