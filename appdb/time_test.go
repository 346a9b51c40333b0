package appdb_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/appdb"
)

func openTimes(t *testing.T) *appdb.DB {
	t.Helper()
	db := open(t, appdb.Config{}, filepath.Join(t.TempDir(), "app.db"))
	exec(t, db.Writer(), `CREATE TABLE times (
		id INTEGER PRIMARY KEY, at DATETIME, ts TIMESTAMP, day DATE,
		txt TEXT, tz TIMESTAMPTZ, made DATETIME DEFAULT CURRENT_TIMESTAMP)`)
	return db
}

// tokyo is a zone that no machine running the tests is likely to be in.
var tokyo = time.FixedZone("JST", 9*60*60)

func TestTimesAreStoredAsUTCText(t *testing.T) {
	db := openTimes(t)
	for _, c := range []struct {
		in   time.Time
		want string
	}{
		{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02 03:04:05+00:00"},
		{time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC), "2026-01-02 03:04:05.678+00:00"},
		{time.Date(2026, 1, 2, 3, 4, 5, 1, time.UTC), "2026-01-02 03:04:05.000000001+00:00"},
		{time.Date(2026, 1, 2, 3, 4, 5, 0, tokyo), "2026-01-01 18:04:05+00:00"},
		{time.Date(2026, 7, 1, 0, 0, 0, 0, time.FixedZone("", -90*60)), "2026-07-01 01:30:00+00:00"},
		{time.Time{}, "0001-01-01 00:00:00+00:00"},
	} {
		id, err := exec(t, db.Writer(), "INSERT INTO times (at, ts, txt) VALUES (?, ?, ?)", c.in, &c.in, c.in).LastInsertId()
		if err != nil {
			t.Fatal(err)
		}
		for _, col := range []string{"at", "ts", "txt"} {
			// The || makes it an expression, so the driver hands over the text.
			if got := value[string](t, db.Reader(), "SELECT "+col+" || '' FROM times WHERE id = ?", id); got != c.want {
				t.Errorf("%v in %s is stored as %q, want %q", c.in, col, got, c.want)
			}
		}
		for _, col := range []string{"at", "ts"} {
			got := value[time.Time](t, db.Reader(), "SELECT "+col+" FROM times WHERE id = ?", id)
			if !got.Equal(c.in) || got.Location() != time.UTC {
				t.Errorf("%v comes back from %s as %v, want the same moment in UTC", c.in, col, got)
			}
		}
	}
}

func TestTimesWithoutMonotonicReading(t *testing.T) {
	db := openTimes(t)
	now := time.Now() // has a monotonic reading
	if !strings.Contains(now.String(), "m=") {
		t.Fatal("time.Now has no monotonic reading to test with")
	}
	exec(t, db.Writer(), "INSERT INTO times (at) VALUES (?)", now)
	text := value[string](t, db.Reader(), "SELECT at || '' FROM times")
	if want := now.UTC().Format("2006-01-02 15:04:05.999999999-07:00"); text != want {
		t.Errorf("stored %q, want %q", text, want)
	}
	if got := value[time.Time](t, db.Reader(), "SELECT at FROM times"); !got.Equal(now) {
		t.Errorf("read %v, want %v", got, now)
	}
	if n := value[int](t, db.Reader(), "SELECT count(*) FROM times WHERE at = ?", now); n != 1 {
		t.Errorf("%d rows equal the time stored, want 1", n)
	}
}

func TestSQLiteReadsTheTimes(t *testing.T) {
	db := openTimes(t)
	at := time.Date(2026, 3, 1, 8, 30, 15, 250_000_000, tokyo) // 2026-02-28 23:30:15.25 UTC
	exec(t, db.Writer(), "INSERT INTO times (at) VALUES (?)", at)
	for expr, want := range map[string]string{
		"datetime(at)":                             "2026-02-28 23:30:15",
		"date(at)":                                 "2026-02-28",
		"time(at)":                                 "23:30:15",
		"strftime('%Y-%m-%dT%H:%M:%fZ', at)":       "2026-02-28T23:30:15.250Z",
		"unixepoch(at)":                            "1772321415",
		"datetime(at, '+1 day')":                   "2026-03-01 23:30:15",
		"datetime(at, 'start of month')":           "2026-02-01 00:00:00",
		"cast(round(julianday(at)) AS INT)":        "2461100",
		"at < datetime('2026-03-01')":              "1",
		"at BETWEEN '2026-02-28' AND '2026-03-01'": "1",
	} {
		if got := value[string](t, db.Reader(), "SELECT "+expr+" FROM times"); got != want {
			t.Errorf("%s = %q, want %q", expr, got, want)
		}
	}
}

// Text order is the order of time, for what Go wrote and for what SQLite's own
// functions wrote, down to the nanosecond and across zones.
func TestTimesSortAsText(t *testing.T) {
	db := openTimes(t)
	base := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := []time.Time{
		time.Date(999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(2025, 12, 31, 23, 59, 59, 0, time.UTC),
		base,
		base.Add(1),
		base.Add(10),
		base.Add(100 * time.Millisecond),
		base.Add(100*time.Millisecond + 1),
		base.Add(150 * time.Millisecond),
		base.Add(500 * time.Millisecond),
		base.Add(999_999_999),
		base.Add(time.Second),
		base.Add(10 * time.Second),
		base.Add(time.Hour),
	}
	for i := range want { // stored from the last to the first, in changing zones
		at := want[len(want)-1-i]
		if i%2 == 0 {
			at = at.In(tokyo)
		}
		exec(t, db.Writer(), "INSERT INTO times (at) VALUES (?)", at)
	}
	rows, err := db.Reader().QueryContext(t.Context(), "SELECT at FROM times ORDER BY at")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []time.Time
	for rows.Next() {
		var at time.Time
		if err := rows.Scan(&at); err != nil {
			t.Fatal(err)
		}
		got = append(got, at)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		if !got[i].Equal(want[i]) {
			t.Errorf("row %d is %v, want %v", i, got[i], want[i])
		}
	}
	// Comparisons, with the argument in another zone.
	for i, at := range want {
		for op, n := range map[string]int{"<": i, "<=": i + 1, "=": 1, ">": len(want) - i - 1} {
			if got := value[int](t, db.Reader(), "SELECT count(*) FROM times WHERE at "+op+" ?", at.In(tokyo)); got != n {
				t.Errorf("%d rows %s %v, want %d", got, op, at, n)
			}
		}
	}
}

// What SQLite's CURRENT_TIMESTAMP writes has no zone and no fraction. It reads
// back as UTC, and sorts among the times that Go writes, but within the same
// second it is not equal to any of them.
func TestCurrentTimestamp(t *testing.T) {
	db := openTimes(t)
	before := time.Now().Truncate(time.Second)
	exec(t, db.Writer(), "INSERT INTO times (id) VALUES (1)")
	after := time.Now()
	made := value[time.Time](t, db.Reader(), "SELECT made FROM times")
	if made.Before(before) || made.After(after) || made.Location() != time.UTC {
		t.Errorf("CURRENT_TIMESTAMP reads as %v, want it between %v and %v", made, before, after)
	}
	for query, want := range map[string]int{
		"SELECT count(*) FROM times WHERE made = ?":                       0,
		"SELECT count(*) FROM times WHERE made < ?":                       1,
		"SELECT count(*) FROM times WHERE unixepoch(made) = unixepoch(?)": 1,
	} {
		if got := value[int](t, db.Reader(), query, made); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	// A default that agrees with Go's form to the millisecond.
	got := value[string](t, db.Reader(), "SELECT strftime('%Y-%m-%d %H:%M:%f+00:00', '2026-01-02 03:04:05.678')")
	if want := "2026-01-02 03:04:05.678+00:00"; got != want {
		t.Errorf("default %q, want %q", got, want)
	}
}

// What a column must be declared as, and what the driver makes of it.
func TestTimesByDeclaration(t *testing.T) {
	db := openTimes(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	exec(t, db.Writer(), "INSERT INTO times (id, at, day, txt, tz) VALUES (1, ?, '2026-01-02', ?, ?)", at, at, at)
	const text = "2026-01-02 03:04:05.6+00:00"
	for _, c := range []struct {
		expr string
		want any
	}{
		{"at", at},
		{"day", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)},
		{"txt", text},
		{"tz", text}, // only DATE, DATETIME and TIMESTAMP are times to the driver
		{"max(at)", text},
		{"coalesce(at, '')", text},
		{"ts", nil},
	} {
		var got any
		if err := db.Reader().QueryRowContext(t.Context(), "SELECT "+c.expr+" FROM times").Scan(&got); err != nil {
			t.Fatal(err)
		}
		if want, ok := c.want.(time.Time); ok {
			if g, ok := got.(time.Time); !ok || !g.Equal(want) {
				t.Errorf("%s is %T %v, want %v", c.expr, got, got, want)
			}
		} else if got != c.want {
			t.Errorf("%s is %T %v, want %v", c.expr, got, got, c.want)
		}
	}
	if got := value[sql.NullTime](t, db.Reader(), "SELECT ts FROM times"); got.Valid {
		t.Errorf("NULL reads as %v", got)
	}
	// database/sql itself turns a time into text in its own way.
	if got := value[string](t, db.Reader(), "SELECT day FROM times"); got != "2026-01-02T00:00:00Z" {
		t.Errorf("DATE into a string is %q", got)
	}
}

// Files written through the driver without appdb hold time.String's form. It
// still reads.
func TestTimesOfThePlainDriverRead(t *testing.T) {
	db := openTimes(t)
	plain, err := sql.Open("sqlite", db.Path()+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	now := time.Now()
	exec(t, plain, "INSERT INTO times (at) VALUES (?)", now.UTC())
	if text := value[string](t, db.Reader(), "SELECT at || '' FROM times"); !strings.Contains(text, " +0000 UTC") {
		t.Fatalf("the plain driver stored %q", text)
	}
	if got := value[time.Time](t, db.Reader(), "SELECT at FROM times"); !got.Equal(now) {
		t.Errorf("read %v, want %v", got, now)
	}
	// The statement that docs/database.md gives to convert such rows.
	exec(t, db.Writer(), `UPDATE times SET at = substr(at, 1, instr(at, ' +0000 UTC') - 1) || '+00:00' WHERE instr(at, ' +0000 UTC') > 0`)
	if n := value[int](t, db.Reader(), "SELECT count(*) FROM times WHERE at = ?", now); n != 1 {
		t.Errorf("the converted row is %q", value[string](t, db.Reader(), "SELECT at || '' FROM times"))
	}
}

// Integers stay integers, unless the URL asks for the driver's conversion.
func TestIntegersInTimeColumns(t *testing.T) {
	db := openTimes(t)
	exec(t, db.Writer(), "INSERT INTO times (at) VALUES (1767323045)")
	if got := value[int64](t, db.Reader(), "SELECT at FROM times"); got != 1767323045 {
		t.Errorf("read %d", got)
	}
	conv := open(t, appdb.Config{}, "file://"+db.Path()+"?_inttotime=1")
	if got, want := value[time.Time](t, conv.Reader(), "SELECT at FROM times"), time.Unix(1767323045, 0); !got.Equal(want) {
		t.Errorf("read %v, want %v", got, want)
	}
}
