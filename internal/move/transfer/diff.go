package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

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
func (s *Source) differences(ctx context.Context, q query, path string, rows int64) (out []Difference, more bool, err error) {
	db, err := lite.Open(ctx, path, true)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	n := int64(16)
	for n < mostBuckets && n*bucketRows < rows {
		n *= 2
	}
	theirs, err := s.buckets(ctx, q, n)
	if err != nil {
		return nil, false, err
	}
	ours, err := q.buckets(db, s.Schema.Server.Encoding, n)
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
	a, err := s.rowsOf(ctx, q, n, odd)
	if err != nil {
		return nil, false, err
	}
	b, err := q.rowsOf(db, s.Schema.Server.Encoding, n, odd)
	if err != nil {
		return nil, false, err
	}
	out = q.differ(a, b)
	return out[:min(len(out), mostDifferences)], more || len(out) > mostDifferences, nil
}

func (s *Source) buckets(ctx context.Context, q query, n int64) (map[int64]bucket, error) {
	rows, err := s.conn.Query(ctx, fmt.Sprintf("SELECT %s & %d, count(*), sum(%s)::text FROM %s GROUP BY 1", q.hash(q.identity()), n-1, q.hash(q.all()), q.from), pgx.QueryExecModeExec)
	if err != nil {
		return nil, err
	}
	out := map[int64]bucket{}
	var at int64
	var b bucket
	_, err = pgx.ForEachRow(rows, []any{&at, &b.rows, &b.sum}, func() error { out[at] = b; return nil })
	return out, err
}

func (q query) buckets(db *lite.Conn, encoding string, n int64) (map[int64]bucket, error) {
	counts, totals := make([]int64, n), make([]sum, n)
	err := q.each(db, encoding, func(r *rowHash) {
		at := r.of(q.identity()) & (n - 1)
		counts[at]++
		totals[at].add(r.of(q.all()))
	})
	out := map[int64]bucket{}
	for at, rows := range counts {
		if rows > 0 {
			out[int64(at)] = bucket{rows, totals[at].String()}
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

func (s *Source) rowsOf(ctx context.Context, q query, n int64, buckets []int64) (map[string]*found, error) {
	keys, hashed := []string{}, []string{}
	for _, i := range q.key {
		keys = append(keys, fmt.Sprintf("c%d", i))
	}
	for i := range q.columns {
		hashed = append(hashed, q.hash([]int{i}))
	}
	rows, err := s.conn.Query(ctx, fmt.Sprintf("SELECT ARRAY[%s]::text[], ARRAY[%s]::int8[], %s FROM %s WHERE %[3]s & %[5]d = ANY ($1)",
		strings.Join(keys, ", "), strings.Join(hashed, ", "), q.hash(q.identity()), q.from, n-1), pgx.QueryExecModeExec, buckets)
	if err != nil {
		return nil, err
	}
	out := map[string]*found{}
	var key []string
	var columns []int64
	var identity int64
	_, err = pgx.ForEachRow(rows, []any{&key, &columns, &identity}, func() error {
		note(out, key, columns, identity)
		return nil
	})
	return out, err
}

func (q query) rowsOf(db *lite.Conn, encoding string, n int64, buckets []int64) (map[string]*found, error) {
	out := map[string]*found{}
	return out, q.each(db, encoding, func(r *rowHash) {
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
