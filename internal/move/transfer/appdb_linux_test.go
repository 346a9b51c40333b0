package transfer_test

import (
	"context"
	"database/sql"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/testkit"
)

// What has been imported, what defaults give and what an app writes later compare and sort
// as one: times above all.
func TestAppWritesOn(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(`CREATE TABLE visits (id serial PRIMARY KEY, at timestamptz UNIQUE DEFAULT now(), local timestamp DEFAULT LOCALTIMESTAMP, whole timestamptz(0) DEFAULT now(), day date, name text CHECK (lower(name) = name), CHECK (at > '1999-01-01 00:00:00+00'), CHECK (local >= '1999-01-01'));
		CREATE UNIQUE INDEX visits_day ON visits (((at AT TIME ZONE 'UTC')::date), name); CREATE INDEX visits_late ON visits (at) WHERE at >= '2024-01-01 00:00:00+00'; CREATE VIEW late AS SELECT id, at FROM visits WHERE at >= '2024-01-01 00:00:00+00' AND local > day;
		INSERT INTO visits (at, local, whole, day, name) SELECT t, t AT TIME ZONE 'UTC', t, (t - interval '1 day')::date, 'é' || i FROM unnest(ARRAY['2024-01-01 00:00:00+00', '2024-01-01 00:00:00.000001+00', '2024-01-01 00:00:00.1+00', '2024-01-01 00:00:00.12+00', '2024-01-01 00:00:01+00', '2023-12-31 23:59:59.999999+00']::timestamptz[]) WITH ORDINALITY AS u(t, i)`)
	_, _, path, _ := imported(t, db.URL, move.Options{})
	app, err := appdb.Open(t.Context(), "file://"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	put := func(at time.Time, name string) error {
		return app.Update(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec("INSERT INTO visits (at, local, whole, day, name) VALUES (?, ?, ?, ?, ?)", at, at, at.Truncate(time.Second), at.AddDate(0, 0, -1).Format(time.DateOnly), name)
			return err
		})
	}
	base := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, at := range []time.Duration{time.Nanosecond, 50 * time.Millisecond, 110 * time.Millisecond, 500 * time.Millisecond, -time.Millisecond} {
		if err := put(base.Add(at).In(time.FixedZone("", 3600)), "n"+string(rune('a'+i))); err != nil {
			t.Errorf("%v: %v", at, err)
		}
	}
	for _, at := range []time.Duration{0, time.Microsecond, 100 * time.Millisecond} {
		if err := put(base.Add(at), "again"); err == nil || !strings.Contains(err.Error(), "UNIQUE constraint failed: visits.at") {
			t.Errorf("%v is not what was there: %v", at, err)
		}
	}
	for at, want := range map[time.Time]string{time.Date(1998, 1, 1, 0, 0, 0, 0, time.UTC): "CHECK constraint failed: visits_at_check", base.Add(2 * time.Second): "CHECK constraint failed: visits_name_check"} {
		if err := put(at, "É"); err == nil || !strings.Contains(err.Error(), "CHECK constraint failed") || at.Year() == 2024 && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", at, err, want)
		}
	}
	if err := put(base.Add(3*time.Second), "na"); err == nil || !strings.Contains(err.Error(), "UNIQUE constraint failed: index 'visits_day'") {
		t.Errorf("a second of the day: %v", err)
	}
	var got []string
	rows, err := app.Reader().Query("SELECT at FROM visits ORDER BY at")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var at, before time.Time
	for rows.Next() {
		if err := rows.Scan(&at); err != nil {
			t.Fatal(err)
		}
		if at.Before(before) {
			t.Errorf("%v after %v", at, before)
		}
		before = at
		got = append(got, at.Sub(base).String())
	}
	if d := cmp.Diff([]string{"-1ms", "-1µs", "0s", "1ns", "1µs", "50ms", "100ms", "110ms", "120ms", "500ms", "1s"}, got); d != "" || rows.Err() != nil {
		t.Errorf("%v, -want +got:\n%s", rows.Err(), d)
	}
	var late, since, defaults int
	if err := app.Reader().QueryRow("SELECT count(*), (SELECT count(*) FROM visits WHERE at >= ?) FROM late", base).Scan(&late, &since); err != nil || late != 9 || since != 9 {
		t.Errorf("%d and %d, %v", late, since, err)
	}
	err = app.Update(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO visits DEFAULT VALUES"); err != nil {
			return err
		}
		return tx.QueryRow("SELECT count(*) FROM visits WHERE at BETWEEN ? AND ? AND local BETWEEN ? AND ? AND whole BETWEEN ? AND ?", time.Now().Add(-time.Hour), time.Now().Add(time.Second),
			time.Now().Add(-time.Hour), time.Now().Add(time.Second), time.Now().Add(-time.Hour), time.Now().Add(time.Second)).Scan(&defaults)
	})
	if err != nil || defaults != 1 {
		t.Errorf("defaults: %d, %v", defaults, err)
	}
}

// What a program that has not the functions can do with a database that calls them, and what
// it says otherwise.
func TestOthersWithoutFunctions(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		testkit.NotRun(t, "sqlite3", "apt-get install sqlite3")
	}
	db := testkit.Postgres(t)
	db.Exec("CREATE TABLE calls (id int PRIMARY KEY, name text CHECK (lower(name) = name)); INSERT INTO calls VALUES (1, 'é'); CREATE TABLE plain (id int PRIMARY KEY, name text); INSERT INTO plain VALUES (1, 'x')")
	for functions, fails := range map[string]string{"appdb": "function: pg_lower", "none": ""} {
		_, _, path, _ := imported(t, db.URL, move.Options{Functions: functions})
		for query, want := range map[string]string{"SELECT name FROM calls": "é\n", "DELETE FROM plain WHERE id = 9; INSERT INTO plain VALUES (2, 'y'); SELECT count(*) FROM plain": "2\n", "ANALYZE": "",
			"INSERT INTO calls VALUES (2, 'a')": fails, "VACUUM": fails, "PRAGMA quick_check": fails} {
			out, err := exec.CommandContext(context.Background(), program, path, query).CombinedOutput()
			if failed := strings.Contains(want, "function"); failed != (err != nil) || failed && !strings.Contains(string(out), want) || !failed && functions == "appdb" && string(out) != want {
				t.Errorf("%s, %s: %v, %s", functions, query, err, out)
			}
		}
	}
}

// A number that is kept as text takes numbers only, from the app too.
func TestAppWritesNumbers(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec("CREATE TABLE prices (id serial PRIMARY KEY, price numeric(10,2) NOT NULL); INSERT INTO prices (price) VALUES (0), (-1.5), (12345678.90)")
	_, _, path, _ := imported(t, db.URL, move.Options{})
	app := sqlite(t, path)
	for _, price := range []string{"", "-", ".", "1.", "1.2.3", "1-2", "--1", "1e3", " 1", "1,5", "NaN", "x"} {
		if _, err := app.Exec("UPDATE prices SET price = ? WHERE id = 1", price); err == nil || !strings.Contains(err.Error(), "CHECK constraint failed") {
			t.Errorf("%q: %v", price, err)
		}
	}
	for _, price := range []string{"0", "-0.01", "12345678901234567890.12"} {
		if _, err := app.Exec("UPDATE prices SET price = ? WHERE id = 1", price); err != nil {
			t.Errorf("%q: %v", price, err)
		}
	}
}
