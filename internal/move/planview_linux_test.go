package move_test

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/testkit"
)

const viewSchema = `CREATE SCHEMA audit;
CREATE TABLE users (id int PRIMARY KEY, name text, "Odd name" text, balance numeric(10,2), born date, at timestamptz);
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users, total numeric(12,4), tags text[], open boolean);
CREATE TABLE base (a int); CREATE TABLE sub () INHERITS (base);
INSERT INTO users VALUES (1, 'Ann', 'x', 10.50, '2000-02-29', '2024-01-01 00:00:00+00'), (2, 'Éva', NULL, -1, NULL, NULL), (3, NULL, 'z', NULL, '1970-01-01', '2030-01-01 12:00:00.5+00');
INSERT INTO orders VALUES (1, 1, 99.9900, '{a,b}', true), (2, 1, 0.0001, NULL, false), (3, 3, 5, '{}', NULL), (4, NULL, NULL, NULL, true);
CREATE VIEW plain AS SELECT id, name FROM users;
CREATE VIEW chosen AS SELECT u.*, upper(u.name) AS loud, u.balance * 2 AS twice, extract(year FROM u.born) AS year FROM users u WHERE u.balance > 0 OR u.name IS NULL;
CREATE VIEW inner_join AS SELECT u.name, o.total, o.tags FROM users u JOIN orders o ON o.user_id = u.id WHERE o.open IS NOT FALSE;
CREATE VIEW left_join AS SELECT u.id AS uid, o.id AS oid, coalesce(o.total, 0) AS total FROM users u LEFT JOIN orders o ON o.user_id = u.id AND o.total > 1;
CREATE VIEW full_join AS SELECT u."Odd name", o.id FROM users u FULL JOIN orders o ON o.user_id = u.id;
CREATE VIEW mixed AS SELECT a.id AS a, b.id AS b, o.id AS o FROM users a, users b RIGHT JOIN orders o ON o.user_id = b.id WHERE a.id < 3;
CREATE VIEW a_view_of_views AS SELECT p.name, c.loud FROM plain p CROSS JOIN chosen c WHERE c.twice > 1;
CREATE VIEW constants AS SELECT 1 AS one, 'x' AS x, NULL AS nothing, true AS yes;
CREATE VIEW audit.other AS SELECT name AS "quoted ""name" FROM users WHERE name LIKE 'A%';
COMMENT ON VIEW audit.other IS E'two\nlines';
CREATE VIEW grouped AS SELECT user_id, count(*) FROM orders GROUP BY user_id;
CREATE VIEW sorted AS SELECT id FROM users ORDER BY name;
CREATE VIEW united AS SELECT id FROM users UNION SELECT id FROM orders;
CREATE VIEW nested AS SELECT s.id FROM (SELECT id FROM users) s;
CREATE VIEW with_exists AS SELECT id FROM users WHERE EXISTS (SELECT FROM orders WHERE user_id = users.id);
CREATE VIEW of_grouped AS SELECT user_id FROM grouped;
CREATE VIEW of_parent AS SELECT a FROM base;
CREATE VIEW same_names AS SELECT id AS x, name AS "X" FROM users;
CREATE VIEW today AS SELECT id FROM users WHERE at < now();`

// A view that is carried has the rows that it has in PostgreSQL; the others are named.
func TestPlanViews(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(viewSchema)
	s := readSchema(t, db)
	p := newPlan(t, s, move.Options{})
	target := openSQLite(t, p)
	fill(t, db, p, target)
	var carried []string
	for _, v := range p.Views {
		carried = append(carried, v.Name)
		want, got := rowsOf(t, db, v), viewRows(t, target, s, v)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s\n-PostgreSQL +SQLite:\n%s", v.Create, d)
		}
	}
	slices.Sort(carried)
	if d := cmp.Diff([]string{"a_view_of_views", "audit_other", "chosen", "constants", "full_join", "inner_join", "left_join", "mixed", "plain"}, carried); d != "" {
		t.Errorf("carried, -want +got:\n%s", d)
	}
	var left []string
	for _, l := range p.Left {
		if l.Kind == "view" {
			left = append(left, strings.TrimPrefix(l.Name, "public."))
		}
	}
	slices.Sort(left)
	if d := cmp.Diff([]string{"grouped", "nested", "of_grouped", "of_parent", "same_names", "sorted", "today", "united", "with_exists"}, left); d != "" {
		t.Errorf("left, -want +got:\n%s", d)
	}
}

// rowsOf are a view's rows in PostgreSQL, sorted.
func rowsOf(t *testing.T, db *testkit.PostgresDB, v *move.ViewPlan) []string {
	t.Helper()
	conn, ctx := db.Conn(), context.Background()
	if _, err := conn.Exec(ctx, "SET timezone = 'UTC'"); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if _, err := conn.PgConn().CopyTo(ctx, &b, "COPY (SELECT * FROM "+v.Source.String()+") TO STDOUT"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	slices.Sort(lines)
	return lines
}

// viewRows are its rows in SQLite, as PostgreSQL prints them.
func viewRows(t *testing.T, db *sql.DB, s *move.Schema, v *move.ViewPlan) []string {
	t.Helper()
	names := make([]string, len(v.Source.Columns))
	for i, c := range v.Source.Columns {
		names[i] = `CASE WHEN 1 THEN "` + strings.ReplaceAll(c.Name, `"`, `""`) + `" END`
	}
	rows, err := db.Query("SELECT " + strings.Join(names, ", ") + ` FROM "` + v.Name + `"`)
	if err != nil {
		t.Fatalf("%s: %v", v.Create, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var fields []string
		for i, value := range values {
			if value == nil {
				fields = append(fields, `\N`)
				continue
			}
			forms, _ := move.Forms(v.Source.Columns[i].Type, s, convert.Refuse)
			text, err := forms[0].Conversion.Back(fromNative(t, value))
			if err != nil {
				t.Fatalf("%s.%s: %v", v.Name, v.Source.Columns[i].Name, err)
			}
			fields = append(fields, text)
		}
		out = append(out, strings.Join(fields, "\t"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}
