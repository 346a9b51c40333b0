package migrate

import (
	"fmt"
	"strings"
	"testing"
)

// Migrations change a database that came from PostgreSQL, and whose schema calls functions
// that SQLite has not.
func TestImported(t *testing.T) {
	for _, tool := range tools {
		for _, noTx := range []bool{false, true} {
			t.Run(fmt.Sprint(tool, noTx), func(t *testing.T) {
				db := newDB(t)
				up(t, filesFor(tool,
					script{sql: "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT CHECK (pg_match(name, '^\\pL')), folded TEXT GENERATED ALWAYS AS (pg_lower(name)) STORED);\nCREATE INDEX people_name ON people (pg_upper(name));"},
					script{noTx: noTx, sql: "INSERT INTO people (name) VALUES ('É');\nALTER TABLE people ADD COLUMN price TEXT CHECK (pg_numeric_cmp(price, '0') >= 0);\nUPDATE people SET price = '1.50';"},
				), db)
				if got := query(t, db, "SELECT folded || price FROM people"); got != "é1.50" {
					t.Errorf("%q", got)
				}
				_, err := open(t, filesFor(tool, script{sql: "SELECT 1;"}, script{sql: "SELECT 1;"}, script{sql: "INSERT INTO people (name, price) VALUES ('b', '-1');"})).Up(t.Context(), db)
				if err == nil || !strings.Contains(err.Error(), "CHECK constraint failed") {
					t.Error(err)
				}
			})
		}
	}
}
