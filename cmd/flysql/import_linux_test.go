package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/flysql/flysql/internal/testkit"
)

// shop is a database in PostgreSQL with a secret in its users' table and in its address.
const shop = `
CREATE TABLE users (id bigserial PRIMARY KEY, name text NOT NULL, secret text);
INSERT INTO users (name, secret) SELECT 'user ' || i, 'row-secret' FROM generate_series(1, 3000) AS i;
CREATE TABLE orders (id int PRIMARY KEY, user_id bigint REFERENCES users, total numeric(10,2));
INSERT INTO orders SELECT i, 1 + i % 3000, i / 100.0 FROM generate_series(1, 5000) AS i;
ANALYZE`

// quiet runs flysql, and fails where what it says has a secret in it.
func quiet(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	code, stdout, stderr = output(t.Context(), nil, args...)
	for _, secret := range []string{"postgres-secret", "hunter2", "row-secret"} {
		if strings.Contains(stdout+stderr, secret) {
			t.Errorf("%q: a secret is shown:\n%s%s", args, stdout, stderr)
		}
	}
	return code, stdout, stderr
}

// fails wants an exit code, words on stderr, and that dir stays as it is.
func fails(t *testing.T, dir string, want int, words []string, args ...string) {
	t.Helper()
	check := unchanged(t, dir)
	code, stdout, stderr := quiet(t, args...)
	if code != want || stdout != "" {
		t.Errorf("%q: exit code %d, want %d; stdout %q", args, code, want, stdout)
	}
	for _, w := range words {
		if !strings.Contains(stderr, w) {
			t.Errorf("%q: stderr lacks %q:\n%s", args, w, stderr)
		}
	}
	check()
}

func TestImportLive(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(shop)
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	code, stdout, stderr := quiet(t, "import", db.URL, path, "--yes", "--where", "orders=total > 10", "--report", filepath.Join(dir, "report.json"))
	if code != 0 || !strings.Contains(stdout, "are the same in PostgreSQL and in the file") || !strings.Contains(stderr, "only rows with total > 10") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if want := "\n         4,000  orders\n"; !strings.Contains(stdout, want) {
		t.Errorf("lacks %q:\n%s", want, stdout)
	}
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report importReportJSON
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	if !report.Done || report.Rows != 7000 || !report.Verified.Equal || report.Source.Kind != "postgres" || report.FileBytes == 0 || strings.Contains(string(data), "secret\":") {
		t.Errorf("%s", data)
	}
	if code, stdout, stderr = quiet(t, "verify", db.URL, path); code != 0 || !strings.Contains(stdout, "the same: 2 tables\n") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	db.Exec("UPDATE orders SET total = 0.5 WHERE id = 2000; UPDATE users SET secret = NULL WHERE id = 7")
	code, stdout, stderr = quiet(t, "verify", db.URL, path)
	for _, want := range []string{"row 7 has changed in secret\n", "row 2000 is only in SQLite\n", "  column secret: NULLs 1 and 0, values differ\n", "different: 2 of 2 tables\n"} {
		if code != 1 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, lacks %q\n%s%s", code, want, stdout, stderr)
		}
	}
}

// Whatever is wrong with the server or the user is said with what to do, and no password.
func TestImportRefused(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(shop)
	role := db.Name + "_reader"
	db.Exec("CREATE ROLE " + role + " LOGIN PASSWORD 'hunter2'; GRANT SELECT ON users TO " + role)
	t.Cleanup(func() { db.Exec("DROP OWNED BY " + role + "; DROP ROLE " + role) })
	as := strings.Replace(db.URL, "postgres:postgres-secret@", role+":hunter2@", 1)
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	other := func(from, to string) string { return strings.Replace(as, from, to, 1) }
	for name, c := range map[string]struct {
		url   string
		code  int
		words []string
	}{
		"wrong password":    {other("hunter2", "hunter22"), 1, []string{"password authentication failed for user", "the password is wrong, or the user's name"}},
		"no such database":  {as + "x", 1, []string{"does not exist", "psql --list"}},
		"nobody listens":    {"postgres://u:hunter2@127.0.0.1:1/shop", 1, []string{"connection refused", "fly proxy 5432"}},
		"no such host":      {"postgres://u:hunter2@nosuch.invalid/shop", 1, []string{"there is no host of that name"}},
		"not encoded #":     {other("hunter2", "hunter2#x"), 2, []string{"encoded (@ is %40"}},
		"not encoded /":     {other("hunter2", "5432/hunter2"), 2, []string{"encoded (@ is %40"}},
		"not encoded ?":     {other("hunter2", "5432?hunter2"), 2, []string{"encoded (@ is %40"}},
		"not encoded %":     {other("hunter2", "hunter2%zz"), 2, []string{"encoded (@ is %40"}},
		"sslmode":           {as + "?sslmode=hunter", 2, []string{"sslmode is invalid"}},
		"in the query":      {"postgres://127.0.0.1:1/shop?user=u&password=hunter2&sslmode=x", 2, []string{"sslmode is invalid"}},
		"key=value":         {"host=127.0.0.1 port=1 user=u password=hunter2 dbname=shop", 1, []string{"connection refused"}},
		"wrong key=value":   {"host=127.0.0.1 port=x password=hunter2", 2, []string{"cannot be read as an address"}},
		"no right to a one": {as, 1, []string{"copy public.orders: ERROR: permission denied for table orders", "; grant SELECT on it", "nothing was written"}},
	} {
		t.Run(name, func(t *testing.T) {
			fails(t, dir, c.code, c.words, "import", c.url, path, "--yes")
		})
	}
	t.Run("without the table", func(t *testing.T) {
		if code, stdout, stderr := quiet(t, "import", as, path, "--yes", "--exclude", "orders"); code != 0 {
			t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
		}
	})
}

// Where the file cannot be made, nothing is left of it.
func TestImportNoRoom(t *testing.T) {
	t.Parallel()
	testkit.NeedRoot(t)
	db := testkit.Postgres(t)
	db.Exec(shop)
	full, readOnly := t.TempDir(), t.TempDir()
	for dir, options := range map[string]string{full: "size=100k", readOnly: ""} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
			testkit.NotRun(t, "tmpfs", err.Error())
		}
		t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	}
	if err := unix.Mount("", readOnly, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	fails(t, full, 1, []string{"no room for " + full, "nothing was written"}, "import", db.URL, filepath.Join(full, "app.db"), "--yes")
	fails(t, readOnly, 1, []string{"read-only file system", "nothing was written"}, "import", db.URL, filepath.Join(readOnly, "app.db"), "--yes")
	fails(t, "/proc/sys/kernel/keys", 1, []string{"make a file beside"}, "import", db.URL, "/proc/sys/kernel/keys/app.db", "--yes")
}

// A report that cannot be written does not undo the import, and is an error.
func TestImportReportFails(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(shop)
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	code, stdout, stderr := quiet(t, "import", db.URL, path, "--yes", "--report", filepath.Join(dir, "nosuch", "report.json"))
	if code != 1 || !strings.Contains(stderr, "the import is done, and its report could not be written") || !strings.Contains(stdout, "verified: ") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// silent is the address of a server that takes connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return "postgres://u:hunter2@" + listener.Addr().String() + "/shop?sslmode=disable"
}

// Names that somebody has chosen to be obeyed by a terminal are shown instead.
func TestImportOddNames(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(`CREATE TABLE U&"esc\001b[31m\000aflysql: forged" (U&"a\001b[0m\000ab" text PRIMARY KEY, "We""ird; col" text);
		INSERT INTO U&"esc\001b[31m\000aflysql: forged" VALUES ('x', 'y'); CREATE VIEW U&"v\001b\000a" AS SELECT 1 AS U&"a\001b"`)
	path := filepath.Join(t.TempDir(), "app.db")
	for _, args := range [][]string{{"import", db.URL, "--dry-run"}, {"import", db.URL, path, "--yes"}, {"verify", db.URL, path}, {"import", db.URL, path + "2", "--yes", "--json"}} {
		code, stdout, stderr := quiet(t, args...)
		if text := stdout + stderr; code != 0 || strings.Contains(text, "\x1b") || strings.Contains(text, "\nflysql: forged") {
			t.Errorf("%q: exit code %d\n%s", args, code, text)
		}
	}
	db.Exec(`UPDATE U&"esc\001b[31m\000aflysql: forged" SET U&"a\001b[0m\000ab" = U&'key\001b'`)
	if code, stdout, _ := quiet(t, "verify", db.URL, path); code != 1 || strings.Contains(stdout, "\x1b") || !strings.Contains(stdout, `row key\x1b is missing`) {
		t.Errorf("exit code %d\n%q", code, stdout)
	}
}
