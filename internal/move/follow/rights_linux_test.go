package follow

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/testkit"
)

// as is a database's URL for another user.
func as(t testing.TB, db *testkit.PostgresDB, user string) string {
	t.Helper()
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, "hunter2")
	return u.String()
}

// A user needs some rights, and each that is missing is said.
func TestRights(t *testing.T) {
	t.Parallel()
	db := testkit.OwnPostgres(t) // roles are of the server
	db.Exec(`CREATE ROLE app LOGIN PASSWORD 'hunter2'; CREATE ROLE mover LOGIN PASSWORD 'hunter2'; CREATE SCHEMA shop AUTHORIZATION app; SET ROLE app;
		CREATE TABLE shop.t (id serial PRIMARY KEY, v text); INSERT INTO shop.t (v) VALUES ('a'); GRANT USAGE ON SCHEMA shop TO mover; GRANT SELECT ON ALL TABLES IN SCHEMA shop TO mover`)
	source, ctx := sourceOf(t, db, move.Options{}), context.Background()
	source.URL = as(t, db, "mover")
	refused := func(o Options, words string) {
		t.Helper()
		_, err := Begin(ctx, source, o)
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %v, want %q", err, words)
		}
		made(t, db, source)
	}
	refused(Options{}, "ALTER ROLE ... REPLICATION")
	refused(Options{Mode: Triggers}, "GRANT CREATE ON DATABASE")
	db.Exec("ALTER ROLE mover REPLICATION")
	refused(Options{Name: "flysql_mine"}, `run "CREATE PUBLICATION flysql_mine FOR TABLE ONLY shop.t`)
	db.Exec("GRANT CREATE ON DATABASE own TO mover, app")
	refused(Options{Mode: Triggers}, "permission denied")

	// By a publication that somebody else has made.
	db.Exec("CREATE PUBLICATION flysql_mine FOR TABLE ONLY shop.t WITH (publish = 'insert')")
	if _, err := Begin(ctx, source, Options{Name: "flysql_mine"}); err == nil || !strings.Contains(err.Error(), "is not of what is to be followed") {
		t.Error(err)
	}
	db.Exec("ALTER PUBLICATION flysql_mine SET (publish = 'insert, update, delete, truncate')")
	if _, err := Begin(ctx, source, Options{Name: "flysql_mine"}); err != nil {
		t.Fatal(err)
	}
	db.Exec("INSERT INTO shop.t (v) VALUES ('b')")
	// It may neither lock the table nor see what others' sessions are, and must know of them.
	writer, err := connect(ctx, as(t, db, "app"))
	if err != nil {
		t.Fatal(err)
	}
	defer closing(writer)
	if _, err := writer.Exec(ctx, "BEGIN; INSERT INTO shop.t (v) VALUES ('under way')"); err != nil {
		t.Fatal(err)
	}
	var writes *WritersError
	if _, err := Cutover(ctx, source, quick); !errors.As(err, &writes) || len(writes.Sessions) != 1 {
		t.Errorf("error %v while another writes, want a *WritersError", err)
	}
	if err := rollback(ctx, writer); err != nil {
		t.Fatal(err)
	}
	r, err := Cutover(ctx, source, quick)
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "may not lock shop.t") || !strings.Contains(notes, "DROP PUBLICATION flysql_mine") {
		t.Error(notes)
	}
	verified(t, source)
	db.Exec("DROP PUBLICATION flysql_mine")
	nothingLeft(t, db, source)

	// The tables' owner needs no more than that for triggers; others write as before.
	db.Exec("GRANT INSERT ON shop.t TO mover; GRANT USAGE ON SEQUENCE shop.t_id_seq TO mover")
	mover := source.URL
	source = sourceOf(t, db, move.Options{})
	source.URL = as(t, db, "app")
	begun(t, source, Options{Mode: Triggers})
	conn, err := connect(ctx, mover)
	if err != nil {
		t.Fatal(err)
	}
	defer closing(conn)
	if _, err := conn.Exec(ctx, "INSERT INTO shop.t (v) VALUES ('c')"); err != nil {
		t.Error(err)
	}
	if err := drain(t, source); err != nil {
		t.Fatal(err)
	}
	verified(t, source)
	if _, err := Cutover(ctx, source, quick); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, db, source)
}
