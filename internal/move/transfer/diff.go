package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/lite"
)

// Difference is a row that is not the same on both sides.
type Difference struct {
	Key     []string `json:"key,omitempty"`     // the row's, as PostgreSQL prints it; at most 20 characters of each
	Kind    string   `json:"kind"`              // "missing" in SQLite, "extra" there, or "changed"
	Columns []string `json:"columns,omitempty"` // those that have changed
	Count   int      `json:"count"`             // rows without a key may be several
}

// String says it in a few words.
func (d Difference) String() string {
	row := "a row"
	if d.Count > 1 {
		row = fmt.Sprintf("%d rows", d.Count)
	}
	if len(d.Key) > 0 {
		row = "row " + strings.Join(d.Key, ", ")
	}
	if len(d.Columns) > 0 {
		return row + " has changed in " + strings.Join(d.Columns, ", ")
	}
	return row + map[string]string{"missing": " is missing", "extra": " is only in SQLite"}[d.Kind]
}

// Bounds of the search for rows.
const (
	mostDifferences = 20
	bucketRows      = 1000 // about
	mostBuckets     = 1 << 16
	bucketsSearched = 4
)

// bucket is the rows whose identity has the same hash modulo something.
type bucket struct {
	rows int64
	sum  string
}

// differences finds rows that differ: first the buckets, then the rows in some of them.
func differences(ctx context.Context, o other, q query, path, encoding string, rows int64) (out []Difference, more bool, err error) {
	db, err := lite.Open(ctx, path, true)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	n := int64(16)
	for n < mostBuckets && n*bucketRows < rows {
		n *= 2
	}
	theirs, err := o.buckets(ctx, q, n)
	if err != nil {
		return nil, false, err
	}
	ours, err := q.buckets(q.stored(db, encoding, nil), n)
	if err != nil {
		return nil, false, err
	}
	var odd []int64
	for b := range n {
		if theirs[b] != ours[b] {
			odd = append(odd, b)
		}
	}
	more = len(odd) > bucketsSearched
	odd = odd[:min(len(odd), bucketsSearched)]
	if len(odd) == 0 {
		return nil, false, nil
	}
	a, err := o.rowsOf(ctx, q, n, odd)
	if err != nil {
		return nil, false, err
	}
	b, err := q.rowsOf(q.stored(db, encoding, nil), n, odd)
	if err != nil {
		return nil, false, err
	}
	out = q.differ(a, b)
	return out[:min(len(out), mostDifferences)], more || len(out) > mostDifferences, nil
}

func (q query) buckets(rows each, n int64) (map[int64]bucket, error) {
	counts, totals := make([]int64, n), make([]sum, n)
	err := rows(func(r *rowHash) {
		at := r.of(q.identity()) & (n - 1)
		counts[at]++
		totals[at].add(r.of(q.all()))
	})
	out := map[int64]bucket{}
	for at, count := range counts {
		if count > 0 {
			out[int64(at)] = bucket{count, totals[at].String()}
		}
	}
	return out, err
}

// found is a row, or several with the same identity.
type found struct {
	key     []string
	columns []int64 // hashes of each column
	count   int
}

func (q query) rowsOf(rows each, n int64, buckets []int64) (map[string]*found, error) {
	out := map[string]*found{}
	return out, rows(func(r *rowHash) {
		identity := r.of(q.identity())
		if !slices.Contains(buckets, identity&(n-1)) {
			return
		}
		var key []string
		for _, i := range q.key {
			key = append(key, r.texts[i])
		}
		columns := make([]int64, len(q.columns))
		for i := range columns {
			columns[i] = r.of([]int{i})
		}
		note(out, key, columns, identity)
	})
}

// note counts a row by its identity.
func note(out map[string]*found, key []string, columns []int64, identity int64) {
	name := strings.Join(key, "\x00")
	if len(key) == 0 {
		name = fmt.Sprint(identity)
	}
	if f := out[name]; f != nil {
		f.count++
		return
	}
	out[name] = &found{key: slices.Clone(key), columns: slices.Clone(columns), count: 1}
}

// differ compares rows, in the order of their keys.
func (q query) differ(theirs, ours map[string]*found) (out []Difference) {
	names := map[string]bool{}
	for n := range theirs {
		names[n] = true
	}
	for n := range ours {
		names[n] = true
	}
	list := make([]string, 0, len(names))
	for n := range names {
		list = append(list, n)
	}
	slices.Sort(list)
	for _, n := range list {
		a, b := theirs[n], ours[n]
		switch {
		case b == nil:
			out = append(out, Difference{Key: short(a.key), Kind: "missing", Count: a.count})
		case a == nil:
			out = append(out, Difference{Key: short(b.key), Kind: "extra", Count: b.count})
		case a.count > b.count:
			out = append(out, Difference{Key: short(a.key), Kind: "missing", Count: a.count - b.count})
		case a.count < b.count:
			out = append(out, Difference{Key: short(a.key), Kind: "extra", Count: b.count - a.count})
		case !slices.Equal(a.columns, b.columns):
			d := Difference{Key: short(a.key), Kind: "changed", Count: 1}
			for i, c := range q.columns {
				if a.columns[i] != b.columns[i] {
					d.Columns = append(d.Columns, c.Name)
				}
			}
			out = append(out, d)
		}
	}
	return out
}

// short is a key that an error may show.
func short(key []string) (out []string) {
	for _, k := range key {
		if r := []rune(k); len(r) > longestSample {
			k = string(r[:longestSample]) + "..."
		}
		out = append(out, k)
	}
	return out
}
