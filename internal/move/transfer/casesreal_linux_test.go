package transfer_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

// realWays are those by which a real database is brought over.
var realWays = []int{0, 1, 3}

func importsReal(t *testing.T, file string, f func(t *testing.T, db *testkit.PostgresDB, path string)) {
	db := testkit.Postgres(t)
	db.Load(testkit.Data(t, file))
	for _, i := range realWays {
		t.Run(ways[i].name, func(t *testing.T) {
			source := sourceOf(t, db, ways[i].args)
			plan, err := move.NewPlan(source.Schema(), move.Options{})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "app.db")
			if _, err := transfer.Import(context.Background(), source, plan, path, transfer.Options{}); err != nil {
				t.Fatal(err)
			}
			f(t, db, path)
		})
	}
}

// Chinook's makers have made a SQLite file of it, too: it has the same rows.
func TestCasesChinook(t *testing.T) {
	t.Parallel()
	official := testkit.Data(t, "chinook.sqlite")
	importsReal(t, "chinook_postgres.sql", func(t *testing.T, _ *testkit.PostgresDB, path string) {
		db := sqlite(t, path)
		db.SetMaxOpenConns(1)
		if _, err := db.Exec("ATTACH " + literal("file:"+official+"?mode=ro&immutable=1") + " AS official"); err != nil {
			t.Fatal(err)
		}
		tables := queryRows(t, db, "SELECT name FROM official.sqlite_schema WHERE type = 'table' ORDER BY name")
		if len(tables) != 11 {
			t.Errorf("tables %v", tables)
		}
		for _, table := range tables {
			var theirs, ours []string
			for _, c := range queryRows(t, db, "SELECT name || ' ' || type FROM pragma_table_info("+literal(table)+", 'official') ORDER BY cid") {
				name, typ, _ := strings.Cut(c, " ")
				value := "quote(" + name + ")"
				switch {
				case typ == "DATETIME":
					value = "quote(" + name + " || '+00:00')"
				case strings.HasSuffix(name, "City"): // PostgreSQL itself cuts the blank of N'Edinburgh '
					value = "quote(rtrim(" + name + "))"
				case strings.HasPrefix(typ, "NUMERIC"):
					value = "quote(printf('%.2f', " + name + "))"
				}
				theirs, ours = append(theirs, value), append(ours, "quote("+snake(name)+")")
			}
			a := "SELECT " + strings.Join(theirs, " || '|' || ") + " FROM official." + table
			b := "SELECT " + strings.Join(ours, " || '|' || ") + " FROM main." + snake(table)
			for _, query := range []string{a + " EXCEPT " + b, b + " EXCEPT " + a} {
				if rows := queryRows(t, db, query); len(rows) > 0 {
					t.Errorf("%s: %d rows differ: %.500q", table, len(rows), rows)
				}
			}
			if got := text(t, db, "SELECT (SELECT count(*) FROM official."+table+") - (SELECT count(*) FROM main."+snake(table)+")"); got != "0" {
				t.Errorf("%s: %s rows more", table, got)
			}
		}
	})
}

// snake is invoice_line of InvoiceLine.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// What a person would ask of Northwind has the same answer on both sides.
func TestCasesNorthwind(t *testing.T) {
	t.Parallel()
	importsReal(t, "northwind_postgres.sql", func(t *testing.T, pg *testkit.PostgresDB, path string) {
		db, conn := sqlite(t, path), pg.Conn()
		for _, q := range []struct{ postgres, sqlite, want string }{
			{"SELECT count(*) || ' ' || sum(quantity) FROM order_details", "SELECT count(*) || ' ' || sum(quantity) FROM order_details", "2155 51317"},
			{"SELECT round(sum(unit_price::numeric * quantity * (1 - discount::numeric)), 2)::text FROM order_details", "SELECT printf('%.2f', sum(unit_price * quantity * (1 - discount))) FROM order_details", "1265793.04"},
			{"SELECT count(*) || ' ' || count(shipped_date) || ' ' || min(order_date) || ' ' || max(shipped_date) FROM orders", "SELECT count(*) || ' ' || count(shipped_date) || ' ' || min(order_date) || ' ' || max(shipped_date) FROM orders", "830 809 1996-07-04 1998-05-06"},
			{"SELECT round(sum(freight::numeric), 2)::text FROM orders", "SELECT printf('%.2f', sum(freight)) FROM orders", ""},
			{`SELECT string_agg(c, ',' ORDER BY c COLLATE "C") FROM (SELECT DISTINCT country AS c FROM customers) AS s`, "SELECT group_concat(c) FROM (SELECT DISTINCT country AS c FROM customers ORDER BY c)", ""},
			{"SELECT count(*) || ' ' || count(region) || ' ' || sum(length(company_name)) || ' ' || sum(octet_length(address)) FROM customers", "SELECT count(*) || ' ' || count(region) || ' ' || sum(length(company_name)) || ' ' || sum(length(CAST(address AS BLOB))) FROM customers", ""},
			{"SELECT sum(octet_length(photo)) || ' ' || sum(length(notes)) FROM employees", "SELECT sum(length(photo)) || ' ' || sum(length(notes)) FROM employees", ""},
			{"SELECT c.company_name FROM orders AS o JOIN customers AS c USING (customer_id) GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1", "SELECT c.company_name FROM orders AS o JOIN customers AS c USING (customer_id) GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1", "Save-a-lot Markets"},
			{"SELECT m.last_name || ' ' || count(*) FROM employees AS e JOIN employees AS m ON m.employee_id = e.reports_to GROUP BY m.last_name ORDER BY count(*) DESC LIMIT 1", "SELECT m.last_name || ' ' || count(*) FROM employees AS e JOIN employees AS m ON m.employee_id = e.reports_to GROUP BY m.last_name ORDER BY count(*) DESC LIMIT 1", "Fuller 5"},
			{"SELECT sum(units_in_stock) || ' ' || sum(discontinued) FROM products", "SELECT sum(units_in_stock) || ' ' || sum(discontinued) FROM products", "3119 10"},
		} {
			var want string
			if err := conn.QueryRow(context.Background(), q.postgres).Scan(&want); err != nil {
				t.Fatalf("%s: %v", q.postgres, err)
			}
			if got := text(t, db, q.sqlite); got != want || q.want != "" && got != q.want {
				t.Errorf("%s: %s; PostgreSQL has %s; want %s", q.sqlite, got, want, q.want)
			}
		}
	})
}
