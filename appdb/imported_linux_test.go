package appdb_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/internal/testkit"
)

// imported is a table as it comes from PostgreSQL, with all that may call a function which
// SQLite has not.
const imported = `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT CHECK (pg_match(name, '^\pL')), folded TEXT GENERATED ALWAYS AS (pg_lower(name)) STORED,
	price TEXT CHECK (pg_numeric_cmp(price, '0') >= 0));
	CREATE UNIQUE INDEX people_name ON people (pg_upper(name));
	CREATE INDEX people_cheap ON people (price) WHERE pg_numeric_cmp(price, '10') < 0;
	CREATE VIEW loud AS SELECT pg_upper(name) AS name FROM people`

// An app writes to a database that came from PostgreSQL, on a disk and on LiteFS.
func TestImported(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]func(*testing.T) string{
		"disk": func(t *testing.T) string { return filepath.Join(t.TempDir(), "app.db") },
		"litefs": func(t *testing.T) string {
			n := testkit.NewNode(t, "a", testkit.NodeOptions{})
			n.Start()
			return n.DB("app.db")
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t, appdb.Config{}, path(t))
			exec(t, db.Writer(), imported)
			exec(t, db.Writer(), "INSERT INTO people (name, price) VALUES ('Émile', '2.50'), ('Öl', '12345678901234567890.01')")
			exec(t, db.Writer(), "UPDATE people SET price = pg_numeric_add(price, '0.50') WHERE name = 'Émile'")
			for statement, want := range map[string]string{
				"INSERT INTO people (name) VALUES ('éMILE')":           "UNIQUE constraint failed",
				"INSERT INTO people (name) VALUES ('1')":               "CHECK constraint failed",
				"UPDATE people SET price = '-0.01'":                    "CHECK constraint failed",
				"INSERT INTO people (name, price) VALUES ('b', '1e5')": "pg_numeric_cmp: not a decimal number",
			} {
				if _, err := db.Writer().Exec(statement); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v, want %s", statement, err, want)
				}
			}
			const all = "SELECT group_concat(folded || ' ' || price, ', ') || ', ' || (SELECT min(name) FROM loud) FROM people"
			if got, want := value[string](t, db.Reader(), all), "émile 3.00, öl 12345678901234567890.01, ÉMILE"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := value[string](t, db.Writer(), "PRAGMA integrity_check"); got != "ok" {
				t.Error(got)
			}
		})
	}
}
