package appdb_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/flysql/flysql/appdb"
)

func TestPathAccepts(t *testing.T) {
	for in, want := range map[string]string{
		// Plain paths are literal.
		"/data/app.db":        "/data/app.db",
		"app.db":              "app.db",
		"./app.db":            "./app.db",
		"../x/app.db":         "../x/app.db",
		"/data/my app.db":     "/data/my app.db",
		"/data/what?.db":      "/data/what?.db",
		"/data/a?b=c.db":      "/data/a?b=c.db",
		"/data/#1.db":         "/data/#1.db",
		"/data/100%.db":       "/data/100%.db",
		"/data/a%20b.db":      "/data/a%20b.db",
		"./app:v1.db":         "./app:v1.db",
		"/data/a@b(1)/x.db":   "/data/a@b(1)/x.db",
		"/data/naïve/日本.db":   "/data/naïve/日本.db",
		"file":                "file",
		"memory":              "memory",
		"/data/:memory:":      "/data/:memory:",
		"/data/.hidden":       "/data/.hidden",
		"-x.db":               "-x.db",
		"/data/a&mode=x/a.db": "/data/a&mode=x/a.db",

		// file: URLs.
		"file:///data/app.db":              "/data/app.db",
		"file:/data/app.db":                "/data/app.db",
		"file:////data/app.db":             "/data/app.db",
		"file:data/app.db":                 "data/app.db",
		"file:app.db":                      "app.db",
		"file:./app.db":                    "./app.db",
		"file:../app.db":                   "../app.db",
		"file://localhost/data/app.db":     "/data/app.db",
		"FILE:///data/app.db":              "/data/app.db",
		"file:///data/a%20b%3Fc%23d%25.db": "/data/a b?c#d%.db",
		"file:///data/a+b.db":              "/data/a+b.db",
		"file:///data/me@home/app.db":      "/data/me@home/app.db",
		"file:///data/app.db?":             "/data/app.db",

		// What other languages' tools write.
		"sqlite:///data/app.db":          "/data/app.db",
		"sqlite3:///data/app.db":         "/data/app.db",
		"sqlite:////data/app.db":         "/data/app.db",
		"sqlite:/data/app.db":            "/data/app.db",
		"sqlite:app.db":                  "app.db",
		"sqlite3:db/app.db":              "db/app.db",
		"sqlite://localhost/data/app.db": "/data/app.db",

		// Options that agree with what appdb does, or set what it passes on.
		"file:a.db?mode=rwc":                                        "a.db",
		"file:a.db?mode=rw":                                         "a.db",
		"file:a.db?mode=ro":                                         "a.db",
		"file:a.db?cache=private":                                   "a.db",
		"file:a.db?_busy_timeout=9000":                              "a.db",
		"file:a.db?_timeout=9000&_busy_timeout=9000":                "a.db",
		"file:a.db?_foreign_keys=on&_fk=1":                          "a.db",
		"file:a.db?_fk=0":                                           "a.db",
		"file:a.db?_journal_mode=WAL&_journal=wal":                  "a.db",
		"file:a.db?_synchronous=NORMAL&_sync=1":                     "a.db",
		"file:a.db?_sync=FULL":                                      "a.db",
		"file:a.db?_txlock=immediate":                               "a.db",
		"file:a.db?_loc=UTC&_timezone=UTC":                          "a.db",
		"file:a.db?_time_format=sqlite&_inttotime=1":                "a.db",
		"file:a.db?_locking=normal":                                 "a.db",
		"file:a.db?_pragma=foreign_keys(1)&_pragma=busy_timeout(5)": "a.db",
		"file:a.db?_pragma=cache_size(-20000)":                      "a.db",
		"file:a.db?_pragma=cache_size%3D-20000":                     "a.db",
		"file:a.db?_pragma=cache_size=-20000":                       "a.db",
		"file:a.db?_pragma=%20MMAP_SIZE%20(%20268435456%20)":        "a.db",
		"file:a.db?_pragma=temp_store(MEMORY)&_rt=on":               "a.db",
		"file:a.db?_secure_delete=fast&_cslike=false":               "a.db",
	} {
		got, err := appdb.Path(in)
		if got != want || err != nil {
			t.Errorf("Path(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestPathRefuses(t *testing.T) {
	for in, wants := range map[string][]string{
		"":                  {"empty", "file:///data/app.db"},
		" \n":               {"empty"},
		"/data/app.db\n":    {"white space", "remove"},
		" /data/app.db":     {"white space"},
		"/data/a\x00b.db":   {"control character"},
		"/data/":            {"directory", "/data/"},
		"/":                 {"directory"},
		"file:///data/":     {"directory"},
		"file:/":            {"directory"},
		"file:":             {"names no file"},
		"file:///":          {"directory"},
		"file://":           {"names no file"},
		"sqlite://":         {"names no file"},
		"file://localhost":  {"names no file"},
		"file:?mode=rw":     {"names no file"},
		"file:a.db#x":       {"#", "%23"},
		"file:a%zz.db":      {"%25"},
		"file:a%00b.db":     {"control character"},
		"file:a.db?_fk=%zz": {"name=value"},
		"file:a.db?a=1;b=2": {"name=value"},

		// Two slashes: both likely meanings are named.
		"file://data/app.db":     {`"data"`, "host name", "file:///data/app.db (absolute)", "file:data/app.db (relative"},
		"sqlite://data/app.db":   {`"data"`, "sqlite:///data/app.db", "sqlite:data/app.db"},
		"sqlite3://app.db":       {`"app.db"`, "sqlite3:///app.db", "sqlite3:app.db"},
		"file://./app.db":        {"file:///app.db (absolute)", "file:app.db (relative"},
		"file://../app.db":       {"file:../app.db (relative"},
		"sqlite:///./app.db":     {"begins with a dot", "sqlite:./app.db", "sqlite:///app.db"},
		"file:///../app.db":      {"begins with a dot", "file:../app.db"},
		"file://fly.io:80/a.db":  {`"fly.io:80"`},
		"file://data/":           {`"data"`, "file:///data", "file:data"},
		"sqlite://db?_pragma=xx": {`"db"`},

		// No memory.
		":memory:":                           {"in-memory", "appdbtest"},
		":memory:?cache=shared":              {"in-memory", "appdbtest"},
		"file::memory:":                      {"in-memory", "appdbtest"},
		"file::memory:?cache=shared":         {"in-memory"},
		"sqlite::memory:":                    {"in-memory"},
		"sqlite://:memory:":                  {"in-memory"},
		"sqlite:///:memory:":                 {"in-memory"},
		"file:%3Amemory%3A":                  {"in-memory"},
		"file:test?cache=shared&mode=memory": {"in-memory"},

		// Other databases.
		"postgres://h/db":       {"postgres: URL", "SQLite file first"},
		"PostgreSQL://h/db":     {"PostgreSQL: URL", "SQLite file first"},
		"host=h dbname=db":      {"PostgreSQL connection string", "SQLite file first"},
		"mysql://h/db":          {"MySQL"},
		"root@tcp(h:3306)/db":   {"MySQL"},
		"u:p@unix(/run/my)/db":  {"MySQL"},
		"libsql://x.turso.io":   {"libSQL"},
		"https://example.com/x": {"web address"},
		"redis://h":             {"redis:", "sqlite:"},
		"jdbc:sqlite:/a.db":     {"jdbc:", "./"},
		"app:v1.db":             {"app:", "./"},
		`C:\data\app.db`:        {"C:"},

		// Options of other drivers on a plain path.
		"app.db?_busy_timeout=5000":               {"driver options", "file:app.db", "%3F"},
		"/data/app.db?_pragma=busy_timeout(5000)": {"driver options", "file:///data/app.db"},
		"/data/app.db?cache=shared&mode=rwc":      {"driver options"},
		"/data/a b.db?mode=ro":                    {"driver options", "file:///data/a%20b.db"},

		// Options that would break a promise, or have no effect.
		"file:a.db?mode=rwx":                                 {"mode", `"rwx"`, "rwc"},
		"file:a.db?cache=shared":                             {"cache", "shared cache"},
		"file:a.db?_journal_mode=DELETE":                     {"_journal_mode", "always uses WAL"},
		"file:a.db?_journal=off":                             {"_journal", "WAL"},
		"file:a.db?_pragma=journal_mode(TRUNCATE)":           {"_pragma=journal_mode", "WAL"},
		"file:a.db?_pragma=journal_mode=delete":              {"_pragma=journal_mode", "WAL"},
		"file:a.db?_pragma=JOURNAL_MODE(memory)":             {"journal_mode", "WAL"},
		"file:a.db?_pragma=query_only(0)":                    {"query_only", "mode=ro"},
		"file:a.db?_query_only=1":                            {"_query_only", "mode=ro"},
		"file:a.db?_pragma=locking_mode(exclusive)":          {"locking_mode", "readers"},
		"file:a.db?_locking=EXCLUSIVE":                       {"_locking", "readers"},
		"file:a.db?_synchronous=OFF":                         {"_synchronous", "power failure", "full"},
		"file:a.db?_sync=0":                                  {"_sync", "power failure"},
		"file:a.db?_pragma=synchronous(9)":                   {"synchronous", "normal, full or extra"},
		"file:a.db?_txlock=deferred":                         {"_txlock", "immediate"},
		"file:a.db?_loc=auto":                                {"_loc", "UTC"},
		"file:a.db?_timezone=Europe/Berlin":                  {"_timezone", "UTC"},
		"file:a.db?_time_format=datetime":                    {"_time_format"},
		"file:a.db?_time_integer_format=unix":                {"_time_integer_format"},
		"file:a.db?_inttotime=maybe":                         {"_inttotime", "boolean"},
		"file:a.db?_fk=perhaps":                              {"_fk", `"perhaps"`, "on or off"},
		"file:a.db?_timeout=5s":                              {"_timeout", "milliseconds"},
		"file:a.db?_busy_timeout=-1":                         {"_busy_timeout", "milliseconds"},
		"file:a.db?_busy_timeout=99999999999":                {"_busy_timeout", "milliseconds"},
		"file:a.db?_pragma=cache_size(big)":                  {"cache_size", "whole number"},
		"file:a.db?_pragma=temp_store(disk)":                 {"temp_store", "memory"},
		"file:a.db?_pragma=page_size(8192)":                  {"page_size", "lost in silence"},
		"file:a.db?_vacuum=full":                             {"_vacuum", "lost in silence"},
		"file:a.db?_defer_fk=1":                              {"_defer_fk", "one transaction"},
		"file:a.db?_writable_schema=1":                       {"_writable_schema", "safeguard"},
		"file:a.db?_pragma=read_uncommitted(1)":              {"read_uncommitted", "shared cache"},
		"file:a.db?_pragma=key(hunter2)":                     {`"key"`, "not a setting"},
		"file:a.db?_pragma=user_version(3)":                  {"user_version", "Writer()"},
		"file:a.db?_pragma=cache_size":                       {"name(value)"},
		"file:a.db?_pragma=cache_size(1":                     {"name(value)"},
		"file:a.db?_pragma=cache_size(1)%3BDROP TABLE x":     {"name(value)"},
		"file:a.db?_pragma=main.cache_size(1)":               {"name(value)"},
		"file:a.db?_pragma=":                                 {"name(value)"},
		"file:a.db?vfs=unix-none":                            {"vfs", "locks"},
		"file:a.db?immutable=1":                              {"immutable", "locks"},
		"file:a.db?nolock=1":                                 {"nolock", "locks"},
		"file:a.db?_mutex=no":                                {"_mutex"},
		"file:a.db?_auth_user=me&_auth_pass=hunter2":         {`"_auth_pass"`, "unknown"},
		"file:a.db?_foreignkeys=1":                           {`"_foreignkeys"`, "unknown"},
		"file:a.db?_timeout=1&_busy_timeout=2":               {"busy_timeout twice"},
		"file:a.db?_fk=1&_pragma=foreign_keys(off)":          {"foreign_keys twice"},
		"file:a.db?mode=ro&mode=rw":                          {"mode twice"},
		"file:a.db?_pragma=cache_size(1)&_cache_size=2":      {"cache_size twice"},
		"file:a.db?_synchronous=1&_pragma=synchronous(full)": {"synchronous twice"},
	} {
		got, err := appdb.Path(in)
		var ue *appdb.URLError
		if !errors.As(err, &ue) {
			t.Errorf("Path(%q) = %q, %v; want a URLError", in, got, err)
			continue
		}
		if got != "" {
			t.Errorf("Path(%q) = %q beside an error", in, got)
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("Path(%q): %v\nwant it to contain %q", in, err, want)
			}
		}
		if _, oerr := appdb.Open(t.Context(), in); oerr == nil || oerr.Error() != err.Error() {
			t.Errorf("Open(%q) = %v; want the error of Path, %v", in, oerr, err)
		}
	}
}

func TestRefusalsHideCredentials(t *testing.T) {
	for _, in := range []string{
		"postgres://app:hunter2@db.internal:5432/app?sslmode=disable",
		"postgresql://app:hunter2@db.internal/app",
		"postgres://app:hun/hunter2?#x@db.internal/app",
		" postgres://app:hunter2@db.internal/app\n",
		"postgres:app:hunter2",
		"host=db user=app password=hunter2",
		"password = hunter2 host=db",
		"mysql://app:hunter2@db/app",
		"app:hunter2@tcp(db:3306)/app",
		"app:hunter2@db/app",
		"libsql://db.turso.io?authToken=hunter2",
		"https://app:hunter2@example.com/db",
		"http://example.com/?token=hunter2",
		"redis://:hunter2@cache:6379",
		"file://app:hunter2@data/app.db",
		"sqlite://app:hunter2@localhost/data/app.db",
		"sqlite://app:x/hunter2@host/app.db",
		"sqlite://app:x?hunter2@host/app.db",
		"sqlite://app:x#hunter2@host/app.db",
		"sqlite://app:hunter2@host/app.db\n",
		"file:a.db?_auth_user=me&_auth_pass=hunter2",
		"file:a.db?_auth_pass=hunter2%zz",
		"file:a.db?key=hunter2",
		"file:a.db?_pragma=key(hunter2)",
		"file:a.db?_pragma=key('hunter2')",
		"file://data/app.db?key=hunter2",
		"file:a.db?key=hunter2#x",
		"app.db?_auth_user=me&_auth_pass=hunter2",
	} {
		path, err := appdb.Path(in)
		if err == nil {
			t.Errorf("Path(%q) = %q; want an error", in, path)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Path(%q) shows the password: %v", in, err)
		}
		if _, err := appdb.Open(t.Context(), in); strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) shows the password: %v", in, err)
		}
	}
}

// FuzzPath holds that a path survives being written as a URL, that a plain
// path is never changed, and that nothing in it panics.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/data/app.db", "a b?#%.db", "file:///x", "sqlite://a/b", "x?_y=1", ":memory:", "日本", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := appdb.Path(s)
		if err != nil {
			if got != "" {
				t.Errorf("Path(%q) = %q beside %v", s, got, err)
			}
			return
		}
		if got == "" || strings.ContainsRune(got, 0) {
			t.Errorf("Path(%q) = %q", s, got)
		}
		if !strings.HasPrefix(got, "/") {
			got = "/" + got
		}
		asURL := "file://" + (&url.URL{Path: got}).EscapedPath()
		back, err := appdb.Path(asURL)
		if strings.HasPrefix(got, "/./") || strings.HasPrefix(got, "/../") || got == "/:memory:" {
			return // refused as URLs
		}
		if want := "/" + strings.TrimLeft(got, "/"); err != nil || back != want {
			t.Errorf("Path(%q) = %q, %v; want %q", asURL, back, err, want)
		}
	})
}
