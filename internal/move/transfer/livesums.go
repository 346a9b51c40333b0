package transfer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/flysql/flysql/internal/move"
)

var _ other = (*Live)(nil)

// errHash is that the server does not hash as this package does.
var errHash = errors.New("its hash functions are not those of PostgreSQL on a little-endian machine: the rows cannot be compared")

// sums asks PostgreSQL for the sums of all tables.
func (l *Live) sums(ctx context.Context, plan *move.Plan) (out sums) {
	const probe = "a text that is longer than twelve bytes"
	var got int64
	if err := l.conn.QueryRow(ctx, "SELECT hashtextextended($1 COLLATE \"C\", 7)", probe).Scan(&got); err != nil {
		return sums{err: fmt.Errorf("compare: %w", err)}
	}
	if got != hashText(probe, 7) {
		return sums{err: errHash}
	}
	for _, t := range plan.Tables {
		h, err := l.tableSums(ctx, t)
		if err != nil {
			why := ""
			if pg := new(pgconn.PgError); errors.As(err, &pg) {
				why = hint(err)
			}
			return sums{err: fmt.Errorf("compare %s: %w%s", t.Source, err, why)}
		}
		out.tables = append(out.tables, h)
	}
	return out
}

func (l *Live) tableSums(ctx context.Context, t *move.TablePlan) (h hashes, err error) {
	q, _ := newQuery(t, l.schema.Server.Encoding)
	list := []string{"count(*)", "coalesce(sum(" + q.hash(q.all()) + "), 0)::text"}
	dest := []any{&h.rows, &h.row}
	h.values, h.columns = make([]int64, len(q.columns)), make([]string, len(q.columns))
	counts, hashed := "ARRAY[", "ARRAY["
	for i := range q.columns {
		if i > 0 {
			counts, hashed = counts+", ", hashed+", "
		}
		counts += fmt.Sprintf("count(c%d)", i)
		hashed += fmt.Sprintf("coalesce(sum(hashtextextended(c%d, 0)), 0)::text", i)
	}
	list = append(list, counts+"]::int8[]", hashed+"]::text[]")
	dest = append(dest, &h.values, &h.columns)
	// The extended protocol would prepare a statement for each table.
	err = l.conn.QueryRow(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+q.from, pgx.QueryExecModeExec).Scan(dest...)
	return h, err
}

func (l *Live) buckets(ctx context.Context, q query, n int64) (map[int64]bucket, error) {
	rows, err := l.conn.Query(ctx, fmt.Sprintf("SELECT %s & %d, count(*), sum(%s)::text FROM %s GROUP BY 1", q.hash(q.identity()), n-1, q.hash(q.all()), q.from), pgx.QueryExecModeExec)
	if err != nil {
		return nil, err
	}
	out := map[int64]bucket{}
	var at int64
	var b bucket
	_, err = pgx.ForEachRow(rows, []any{&at, &b.rows, &b.sum}, func() error { out[at] = b; return nil })
	return out, err
}

func (l *Live) rowsOf(ctx context.Context, q query, n int64, buckets []int64) (map[string]*found, error) {
	keys, hashed := []string{}, []string{}
	for _, i := range q.key {
		keys = append(keys, fmt.Sprintf("c%d", i))
	}
	for i := range q.columns {
		hashed = append(hashed, q.hash([]int{i}))
	}
	rows, err := l.conn.Query(ctx, fmt.Sprintf("SELECT ARRAY[%s]::text[], ARRAY[%s]::int8[], %s FROM %s WHERE %[3]s & %[5]d = ANY ($1)",
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
