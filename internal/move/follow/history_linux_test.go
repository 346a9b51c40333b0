package follow

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/testkit"
)

// historyVariable is how long TestHistory goes on: 5m, say.
const historyVariable = "FLYSQL_TEST_FOLLOW_HISTORY"

// statements are what writers do, at random: n is a small number, m another.
var statements = []string{
	"INSERT INTO t (id, v, n) VALUES (%[1]d, 'v%[2]d', %[2]d / 7.0) ON CONFLICT (id) DO UPDATE SET v = excluded.v || 'again', n = NULL",
	"INSERT INTO t (id, v) SELECT i, 'many' FROM generate_series(%[1]d, %[1]d + %[2]d %% 20) AS i ON CONFLICT DO NOTHING",
	"UPDATE t SET v = 'w%[2]d' WHERE id %% 13 = %[1]d %% 13",
	"UPDATE t SET id = id + 1000 WHERE id = %[1]d AND NOT EXISTS (SELECT FROM t WHERE id = %[1]d + 1000)",
	"DELETE FROM t WHERE id = %[1]d OR id > 2000",
	"INSERT INTO two VALUES ('k%[1]d', md5('%[2]d')::uuid, %[2]d %% 2 = 0, NULL, '\\x%02[2]d') ON CONFLICT DO NOTHING",
	"UPDATE two SET a = a || 'x' WHERE a LIKE 'k%[1]d%%' AND length(a) < 8",
	"DELETE FROM two WHERE a LIKE '%%x%%' AND b < md5('%[2]d')::uuid",
	"INSERT INTO log VALUES ('same', %[1]d %% 3), ('same', %[1]d %% 3), (NULL, %[2]d)",
	"UPDATE log SET n = %[1]d %% 3 WHERE ctid IN (SELECT ctid FROM log LIMIT 2)",
	"DELETE FROM log WHERE ctid IN (SELECT ctid FROM log ORDER BY ctid DESC LIMIT 1)",
	"INSERT INTO parent (name) VALUES ('p%[1]d'); INSERT INTO child (parent_id) SELECT max(id) FROM parent",
	"DELETE FROM parent WHERE id IN (SELECT id FROM parent ORDER BY id LIMIT 1)",
	"UPDATE parent SET id = id + 100000 WHERE id = (SELECT max(id) FROM parent WHERE id < 100000)",
	"UPDATE swap SET place = 4 - place",
	"UPDATE swap SET id = -id WHERE id = %[1]d %% 3 + 1",
	"UPDATE events SET at = date '2024-01-01' + %[1]d, v = '%[2]d' WHERE id = %[1]d %% 5",
	"INSERT INTO events VALUES (date '2024-06-01' + %[1]d, %[2]d %% 5, 'e') ON CONFLICT DO NOTHING",
	"UPDATE big SET small = %[1]d; UPDATE big SET body = repeat('%[2]d', 3000) WHERE id = %[1]d %% 2 + 1",
	"INSERT INTO emptied VALUES (%[1]d) ON CONFLICT DO NOTHING",
	"TRUNCATE emptied",
	"TRUNCATE parent, child",
	"SAVEPOINT s; DELETE FROM t; INSERT INTO emptied VALUES (%[1]d) ON CONFLICT DO NOTHING; ROLLBACK TO s",
	"SAVEPOINT s; UPDATE t SET n = 1 WHERE id = %[1]d; RELEASE s",
	"CREATE INDEX IF NOT EXISTS t_v ON t (v)", "DROP INDEX IF EXISTS t_v", "ANALYZE log",
}

// aWriter writes until it is told to stop, whatever becomes of its connections, and
// counts its transactions.
func aWriter(url string, seed uint64, stop <-chan struct{}, done *atomic.Int64) {
	ctx, random := context.Background(), rand.New(rand.NewPCG(seed, 1))
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			conn.Close(ctx)
		}
	}()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if conn == nil || conn.IsClosed() {
			var err error
			if conn, err = pgx.Connect(ctx, url); err != nil {
				wait(ctx, 20*time.Millisecond) // PostgreSQL is down
				continue
			}
		}
		script := "BEGIN; "
		for range 1 + random.IntN(5) {
			script += fmt.Sprintf(statements[random.IntN(len(statements))], random.IntN(100), 10+random.IntN(90)) + "; "
		}
		if random.IntN(5) == 0 {
			script += "ROLLBACK"
		} else {
			script += "COMMIT"
		}
		if _, err := conn.Exec(ctx, script); err != nil && !conn.IsClosed() { // deadlocks, keys that are taken, PostgreSQL is down
			conn.Exec(ctx, "ROLLBACK")
		} else {
			done.Add(1)
		}
	}
}

// cutter is a way to PostgreSQL that can be cut.
type cutter struct {
	l  net.Listener
	to string

	mu    sync.Mutex
	conns []net.Conn
}

// newCutter returns a URL that goes through a cutter.
func newCutter(t testing.TB, address string) (*cutter, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{to: u.Host}
	if c.l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.l.Close(); c.cut() })
	go c.serve() // until the listener is closed
	u.Host = c.l.Addr().String()
	return c, u.String()
}

func (c *cutter) serve() {
	for {
		in, err := c.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", c.to)
		if err != nil {
			in.Close()
			continue
		}
		c.mu.Lock()
		c.conns = append(c.conns, in, out)
		c.mu.Unlock()
		for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
			go func() { io.Copy(pair[0], pair[1]); pair[0].Close() }()
		}
	}
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// Whatever is killed, crashed and cut while writers are at work, the file has in the end
// what PostgreSQL has: nothing is lost, and nothing comes twice.
func TestHistory(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			history(t, mode)
		})
	}
}

func history(t *testing.T, mode Mode) {
	rounds, end := 6, time.Time{}
	if long, err := time.ParseDuration(os.Getenv(historyVariable)); err == nil {
		rounds, end = 1<<30, time.Now().Add(long)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	db := testkit.OwnPostgres(t, "max_wal_senders=10")
	db.Exec(things)
	db.Exec(siblings)
	cut, through := newCutter(t, db.URL)
	source := sourceOf(t, db, move.Options{})
	if _, err := Begin(context.Background(), source, Options{Mode: mode}); err != nil {
		t.Fatal(err)
	}

	stop, done := make(chan struct{}), new(atomic.Int64)
	var writers sync.WaitGroup
	for i := range 3 {
		writers.Go(func() { aWriter(db.URL, seed+uint64(i), stop, done) })
	}
	stopped := false
	defer func() {
		if !stopped {
			close(stop)
			writers.Wait()
		}
	}()

	follow := job{URL: through, Path: source.Path, Mode: mode, Do: "run"}
	child, out := startChild(t, follow)
	what := map[string]int{}
	for n := 0; n < rounds && (end.IsZero() || time.Now().Before(end)); n++ {
		more := done.Load() + 20 + int64(random.IntN(60))
		testkit.Poll(t, "writers write", func() bool { return done.Load() >= more })
		before := rowsOf(t, source)
		fault := []string{"kill", "killed at flush", "crash", "cut", "killed at flushed", "restart"}[(n+int(seed%6))%6]
		what[fault]++
		switch fault {
		case "crash":
			db.Crash()
		case "restart":
			db.Restart()
		case "cut":
			cut.cut()
		default:
			syscall.Kill(child.Process.Pid, syscall.SIGKILL)
			child.Wait()
			j := follow
			if _, at, ok := strings.Cut(fault, " at "); ok {
				j.KillAt, j.After = at, random.IntN(3)
				killed(t, j)
			}
			child, out = startChild(t, follow)
		}
		testkit.Poll(t, "changes come again", func() bool {
			if strings.Contains(out.String(), "ended") {
				t.Fatalf("behind %s: %s", fault, out)
			}
			return rowsOf(t, source) > before
		})
	}
	close(stop)
	writers.Wait()
	stopped = true
	syscall.Kill(child.Process.Pid, syscall.SIGKILL)
	child.Wait()
	t.Logf("%d transactions, %v, %d rows applied", done.Load(), what, rowsOf(t, source))
	if _, err := Cutover(context.Background(), source, quick); err != nil {
		t.Fatal(err)
	}
	verified(t, source)
	sameTexts(t, db, source)
}

// rowsOf is how many changes the file has had.
func rowsOf(t testing.TB, source Source) int64 {
	t.Helper()
	s, err := Load(context.Background(), source.Path)
	if err != nil {
		t.Fatal(err)
	}
	return s.Rows
}

// sameTexts compares some columns by a way of its own.
func sameTexts(t testing.TB, db *testkit.PostgresDB, source Source) {
	t.Helper()
	for _, table := range []string{"t (id, v, n)", "log (v, n)", "child (id, parent_id)", "swap (id, place, v)", "events (at, id, v)", "big (id, small, body, other)"} {
		name, columns, _ := strings.Cut(strings.TrimSuffix(table, ")"), " (")
		list := "coalesce(" + strings.ReplaceAll(columns, ", ", "::text, '') || '|' || coalesce(") + "::text, '')"
		rows, err := db.Conn().Query(context.Background(), "SELECT "+list+" FROM "+name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSuffix(query(t, source.Path, "SELECT "+columns+" FROM "+name), "\n"), "\n")
		if len(want) == 0 {
			want = []string{""}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d rows, want %d", table, len(got), len(want))
		}
	}
}

// siblings is a trigger of an app's that changes rows which its statement has changed.
const siblings = `CREATE TABLE ranked (id int PRIMARY KEY, rank int, v text); INSERT INTO ranked SELECT i, i, 'r' FROM generate_series(1, 10) AS i;
	CREATE FUNCTION rerank() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		UPDATE ranked SET rank = rank + 1, v = v || NEW.id WHERE id > NEW.id AND length(v) < 30; RETURN NULL; END $$;
	CREATE TRIGGER a_rerank AFTER UPDATE OF v ON ranked FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION rerank();`

// A trigger of the app's that changes the rows of its own statement has the changes
// written down in another order than they were made in.
func TestTriggersOfTheApp(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t)
			db.Exec(siblings)
			source := sourceOf(t, db, move.Options{})
			begun(t, source, Options{Mode: mode})
			db.Exec("UPDATE ranked SET v = 's' WHERE id < 6; UPDATE ranked SET v = 't', id = id + 100 WHERE id > 3; DELETE FROM ranked WHERE id = 1")
			if err := drain(t, source); err != nil {
				t.Fatal(err)
			}
			verified(t, source)
		})
	}
}
