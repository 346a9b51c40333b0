package follow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move"
)

// shape is what the tables of a plan are made of in PostgreSQL: what must stay as it is
// while they are followed.
type shape struct {
	Tables []tableShape `json:"tables"`
}

// tableShape is what must not change of a table.
type tableShape struct {
	ID         uint32        `json:"id"` // the table's oid
	Schema     string        `json:"schema"`
	Name       string        `json:"name"`
	Columns    []columnShape `json:"columns"` // in order
	Partitions []leaf        `json:"partitions,omitempty"`
	Plan       string        `json:"plan"` // what becomes of it
}

// columnShape is a column; generated ones are not replicated, and have only a name.
type columnShape struct {
	Name      string `json:"name"`
	Type      uint32 `json:"type"`
	Mod       int32  `json:"mod"`
	SQL       string `json:"sql"`
	Generated bool   `json:"generated,omitempty"`
}

// leaf is a partition that holds rows.
type leaf struct {
	ID     uint32 `json:"id"`
	Schema string `json:"schema"`
	Name   string `json:"name"`
}

func (t tableShape) source() string { return move.Name{Schema: t.Schema, Name: t.Name}.String() }

// queryer is a connection or a transaction.
type queryer interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// shapeOf is the shape of a plan's tables, in its order.
func shapeOf(ctx context.Context, tx queryer, plan *move.Plan) (shape, error) {
	var names []move.Name
	for _, t := range plan.Tables {
		names = append(names, t.Source.Name)
	}
	s, err := readShape(ctx, tx, names)
	for i, t := range plan.Tables {
		s.Tables[i].Plan = digest(t)
	}
	return s, err
}

// digest is the same for plans by which rows become the same.
func digest(t *move.TablePlan) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q\n", t.Name, t.Key, t.Where)
	for _, c := range t.Columns {
		fmt.Fprintf(h, "%q %q %q %q %v\n", c.Source.Name, c.Name, c.Form.Name, c.Special, c.Generated != "")
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// names are the tables'.
func (s shape) names() (out []move.Name) {
	for _, t := range s.Tables {
		out = append(out, move.Name{Schema: t.Schema, Name: t.Name})
	}
	return out
}

// readShape reads the shape of tables. One that is not there has no ID.
func readShape(ctx context.Context, tx queryer, names []move.Name) (s shape, err error) {
	for _, n := range names {
		s.Tables = append(s.Tables, tableShape{Schema: n.Schema, Name: n.Name})
	}
	at := map[move.Name]*tableShape{}
	byID := map[uint32]*tableShape{}
	for i := range s.Tables {
		t := &s.Tables[i]
		at[move.Name{Schema: t.Schema, Name: t.Name}] = t
	}
	var id uint32
	var name move.Name
	var c columnShape
	if err := each(ctx, tx, `SELECT c.oid, n.nspname::text, c.relname::text, coalesce(a.attname::text, ''), coalesce(a.atttypid, 0)::oid,
		coalesce(a.atttypmod, 0), coalesce(format_type(a.atttypid, a.atttypmod), ''), coalesce(a.attgenerated <> '', false)
		FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
		LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'pg_catalog' ORDER BY c.oid, a.attnum`,
		[]any{&id, &name.Schema, &name.Name, &c.Name, &c.Type, &c.Mod, &c.SQL, &c.Generated}, func() {
			t := at[name]
			if t == nil {
				return
			}
			t.ID, byID[id] = id, t
			if c.Name != "" {
				t.Columns = append(t.Columns, c)
			}
		}); err != nil {
		return s, err
	}
	var l leaf
	err = each(ctx, tx, `SELECT r.root, c.oid, n.nspname::text, c.relname::text
		FROM (SELECT pg_partition_root(oid)::oid AS root, oid FROM pg_catalog.pg_class WHERE relispartition AND relkind = 'r') AS r
		JOIN pg_catalog.pg_class AS c ON c.oid = r.oid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace ORDER BY c.oid`,
		[]any{&id, &l.ID, &l.Schema, &l.Name}, func() {
			if t := byID[id]; t != nil {
				t.Partitions = append(t.Partitions, l)
			}
		})
	return s, err
}

// each calls f for every row of a query, with dest filled.
func each(ctx context.Context, tx queryer, sql string, dest []any, f func(), args ...any) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, dest, func() error { f(); return nil })
	return err
}

// differs says what is not the same in now, in words for a person; "" is nothing. New
// partitions are none: their rows come as changes of theirs.
func (s shape) differs(now shape) string {
	var out []string
	for i, t := range s.Tables {
		if i >= len(now.Tables) {
			break
		}
		n := now.Tables[i]
		switch {
		case n.ID == 0:
			out = append(out, t.source()+" is gone")
			continue
		case n.ID != t.ID:
			out = append(out, t.source()+" is another table than the one that was copied")
			continue
		}
		out = append(out, columnsDiffer(t.source(), t.Columns, n.Columns)...)
		for _, l := range t.Partitions {
			if !slices.ContainsFunc(n.Partitions, func(m leaf) bool { return m.ID == l.ID }) {
				out = append(out, fmt.Sprintf("%s is no partition of %s any more, whose rows are still in the file", move.Name{Schema: l.Schema, Name: l.Name}, t.source()))
			}
		}
	}
	return strings.Join(out, "; ")
}

func columnsDiffer(table string, before, now []columnShape) (out []string) {
	find := func(list []columnShape, name string) *columnShape {
		if i := slices.IndexFunc(list, func(c columnShape) bool { return c.Name == name }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for _, c := range before {
		switch n := find(now, c.Name); {
		case n == nil:
			out = append(out, fmt.Sprintf("%s has no column %s any more", table, c.Name))
		case n.Type != c.Type || n.Mod != c.Mod:
			if n.SQL == "" {
				n.SQL = "another type"
			}
			out = append(out, fmt.Sprintf("%s.%s was %s and is %s", table, c.Name, c.SQL, n.SQL))
		}
	}
	for _, c := range now {
		if find(before, c.Name) == nil {
			out = append(out, fmt.Sprintf("%s has a new column, %s", table, c.Name))
		}
	}
	return out
}
