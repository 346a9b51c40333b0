package frompostgres_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// boot is how the README starts the app.
func (w workshop) boot(t *testing.T, dir, file string) *server {
	t.Helper()
	return serve(t, dir, []string{"DATABASE_URL=" + file, "PATH=" + w.bin + ":" + os.Getenv("PATH")},
		filepath.Join(w.bin, "flysql-entrypoint"), "--migrations", "migrations", "--", "from-postgres")
}

// What the magazine had in PostgreSQL it has in SQLite, and it goes on from there: by the
// entrypoint, which finds all migrations applied.
func TestMove(t *testing.T) {
	t.Parallel()
	pg, w, dir := magazine(t)
	file := w.imported(t, pg, dir)
	w.flysql(t, dir, 0, "verify", pg.URL, file)

	app := w.boot(t, dir, file)
	if !strings.Contains(app.log.String(), "applied=0") {
		t.Errorf("the entrypoint has migrated again:\n%s", app.log)
	}
	app.wants(t, "GET /posts/leaving-postgres", 200, `{"id":1,"slug":"leaving-postgres","title":"Leaving PostgreSQL, calmly","status":"published","featured":true,"price":"4.50","tags":["sqlite","go","two words"],"published_at":"2026-01-02T03:04:05.678901Z"}`)
	app.wants(t, "GET /posts?q=l'aube", 200, `[{"id":2,"slug":"etudes","title":"Études à l'aube","status":"published","featured":false,"price":"0.00","tags":["musique","say \"hi\""],"published_at":"2026-02-01T01:30:00Z"}]`)
	app.wants(t, "GET /posts/taken-back", 200, `{"id":5,"slug":"taken-back","title":"Taken back","status":"withdrawn","featured":false,"price":"999999.99","tags":["{}","a,b"],"published_at":"2025-12-24T18:00:00Z"}`)
	app.wants(t, "GET /readers/GRACE@EXAMPLE.COM", 200, `{"id":"c2aade11-1e2d-4aaa-9d8f-8dd1df5a2c33","email":"grace@example.com","name":"Grace; -- O'Hopper","paying":true,"prefs":{"ratio":1.10,"theme":"light"},"theme":"light","joined_at":"2026-01-15T17:00:00Z"}`)
	app.wants(t, "GET /revenue", 200, `[{"month":"2026-01","paid":"4.50"},{"month":"2026-02","paid":"0.21"},{"month":"2026-03","paid":"0.10"}]`)
	app.wants(t, "GET /stats", 200, `[{"slug":"etudes","reads":667,"finished":17,"last_read_at":"2026-01-03T13:52:19.001999Z"},{"slug":"one-cent","reads":667,"finished":17,"last_read_at":"2026-01-03T13:53:20.002Z"},{"slug":"leaving-postgres","reads":666,"finished":16,"last_read_at":"2026-01-03T13:51:18.001998Z"},{"slug":"taken-back","reads":0,"finished":0,"last_read_at":null},{"slug":"unfinished","reads":0,"finished":0,"last_read_at":null}]`)
	w.flysql(t, dir, 0, "verify", pg.URL, file) // reading has changed nothing

	// What PostgreSQL would refuse, this refuses: keys, checks, the partial indexes.
	const email = `"emile@example.com"`
	app.wants(t, `POST /readers {"email":"EMILE@example.com","name":"Another"}`, 409, `{"error":"it is there already"}`)
	app.wants(t, `POST /posts {"slug":"Études","title":"x"}`, 409, `{"error":"a value is outside what is allowed"}`)
	app.wants(t, "DELETE /posts/one-cent", 409, `{"error":"something still refers to it"}`)
	// And what is written goes on from what is there: 6 was a post's id once.
	app.wants(t, `POST /posts {"slug":"new","title":"New","status":"published","price":"0.10","tags":["go"]}`, 201, `{"id":7}`)
	app.wants(t, `PUT /featured {"slug":"new"}`, 200, `{"slug":"new"}`)
	app.wants(t, `POST /posts/unfinished/tags {"tag":"new"}`, 201, `{"tags":["go","new"]}`)
	app.wants(t, `POST /posts/one-cent/purchases {"reader":`+email+`}`, 201, `{"paid":"0.01"}`)
	app.wants(t, `PUT /readers/emile@example.com/theme {"theme":"dark"}`, 200, `{"theme":"dark"}`)
	app.wants(t, "DELETE /posts/etudes", 200, `{"deleted":true}`)
	if status, body := app.ask(t, `POST /posts/new/reads {"reader":`+email+`,"seconds":30,"finished":true}`); status != 201 || !regexp.MustCompile(`^{"id":"[0-9a-f-]{36}","seconds":30}$`).MatchString(body) {
		t.Errorf("a read: %d %s", status, body)
	}
	app.wants(t, "GET /reads/lately", 200, `{"reads":1}`)
	app.wants(t, "GET /tags", 200, `[{"tag":"go","posts":3},{"tag":"a,b","posts":1},{"tag":"new","posts":1},{"tag":"sqlite","posts":1},{"tag":"two words","posts":1},{"tag":"{}","posts":1}]`)
	app.stop()

	app = w.boot(t, dir, file)
	app.wants(t, "GET /desk", 200, strings.Replace(`[{"slug":"unfinished","status":"draft","published_at":null},{"slug":"new","status":"published","published_at":NOW},{"slug":"one-cent","status":"published","published_at":"2026-02-01T00:00:00Z"},{"slug":"leaving-postgres","status":"published","published_at":"2026-01-02T03:04:05.678901Z"},{"slug":"taken-back","status":"withdrawn","published_at":"2025-12-24T18:00:00Z"}]`, "NOW", published(t, app, "new"), 1))
	app.stop()

	// What has changed since, the comparison names.
	out := w.flysql(t, dir, 1, "verify", pg.URL, file)
	for _, want := range []string{"posts", "post_reads", "readers", "purchases", "b1ffcd00-0d1c-4ff9-8c7e-7cc0ce491b22"} {
		if !strings.Contains(out, want) {
			t.Errorf("verify does not say %q:\n%s", want, out)
		}
	}
}

// published is when a post was, as JSON.
func published(t *testing.T, app *server, slug string) string {
	t.Helper()
	_, body := app.ask(t, "GET /posts/"+slug)
	_, at, found := strings.Cut(body, `"published_at":`)
	if !found {
		t.Fatalf("%s: %s", slug, body)
	}
	return strings.TrimSuffix(at, "}")
}

// What does not fit is named, with what to do, and nothing is made or changed.
func TestRefused(t *testing.T) {
	t.Parallel()
	pg, w, dir := magazine(t)
	pg.Exec("INSERT INTO posts (slug, title, price) VALUES ('nan', 'Not a number', 'NaN')")
	whole := t.TempDir()
	dump := filepath.Join(whole, "magazine.sql")
	if out, err := pg.Program("pg_dump", "-f", "-", pg.URL).Output(); err != nil {
		t.Fatal(err)
	} else if err := os.WriteFile(dump, out[:len(out)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	strict := filepath.Join(whole, "from-postgres")
	if err := os.CopyFS(strict, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(strict, "migrations", "00001_magazine.sql"), "CHECK (paying IN (0, 1))", "CHECK (paying = 0)")
	for _, tt := range []struct {
		what, dir, source string
		code              int
		args, want        []string
	}{
		{"NaN", dir, pg.URL, 1, nil, []string{"posts", "price", "NaN"}},
		{"a dump that breaks off", dir, dump, 1, nil, []string{"magazine.sql"}},
		{"a schema that is stricter", strict, pg.URL, 1, []string{"--exclude", "posts,post_reads,purchases"}, []string{"readers", "42 rows break CHECK (paying = 0)"}},
		{"a table that is not there", dir, pg.URL, 2, []string{"--exclude", "reader"}, []string{"reader", "readers"}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			made := t.TempDir()
			out := w.flysql(t, tt.dir, tt.code, append([]string{"import", tt.source, filepath.Join(made, "magazine.db"), "--migrations", "migrations", "--yes"}, tt.args...)...)
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
			if left, err := os.ReadDir(made); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// edit replaces a text that stands in a file once.
func edit(t *testing.T, file, from, to string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(data), from) != 1 {
		t.Fatalf("%s has %q %d times", file, from, strings.Count(string(data), from))
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), from, to, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}
