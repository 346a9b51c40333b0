package follow

import (
	"context"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/testkit"
)

// BenchmarkFollow writes to PostgreSQL at full speed, in transactions of 900 changes, a
// third of each kind, while a file follows; then it waits until the file has all of them.
// lag-ms is that wait. Each iteration is 100,000 changes, made and applied.
func BenchmarkFollow(b *testing.B) {
	for _, mode := range []Mode{Logical, Triggers} {
		b.Run(string(mode), func(b *testing.B) {
			db := testkit.OwnPostgres(b, "shared_buffers=256MB", "max_wal_size=4GB")
			db.Exec(`CREATE TABLE reads (id uuid PRIMARY KEY, user_id int NOT NULL, at timestamptz NOT NULL DEFAULT now(), note text);
				CREATE INDEX ON reads (user_id); CREATE SEQUENCE n;
				CREATE PROCEDURE work(rounds int) LANGUAGE plpgsql AS $$ BEGIN FOR r IN 1..rounds LOOP
					INSERT INTO reads SELECT md5(i::text)::uuid, i % 1000, now(), 'a note of some length' FROM (SELECT nextval('n') AS i FROM generate_series(1, 300)) AS s;
					UPDATE reads SET note = 'another note', user_id = user_id + 1 WHERE id IN (SELECT md5(i::text)::uuid FROM generate_series(currval('n') - 299, currval('n')) AS i);
					DELETE FROM reads WHERE id IN (SELECT md5(i::text)::uuid FROM generate_series(currval('n') - 20299, currval('n') - 20000) AS i);
					COMMIT; END LOOP; END $$;
				CALL work(100)`)
			source := sourceOf(b, db, move.Options{})
			begun(b, source, Options{Mode: mode})
			follow, _ := startChild(b, job{URL: db.URL, Path: source.Path, Mode: mode, Do: "run"})
			var made, lag time.Duration
			before, n, ctx, conn := rowsOf(b, source), int64(0), context.Background(), db.Conn()
			for b.Loop() {
				start := time.Now()
				if _, err := conn.Exec(ctx, "CALL work(111)"); err != nil {
					b.Fatal(err)
				}
				made += time.Since(start)
				start = time.Now()
				n += 111 * 900
				testkit.Poll(b, "the file has all", func() bool { return rowsOf(b, source) >= before+n })
				lag += time.Since(start)
			}
			b.ReportMetric(float64(n)/(made+lag).Seconds(), "changes/s")
			b.ReportMetric(float64(n)/made.Seconds(), "made/s")
			b.ReportMetric(float64(lag.Milliseconds())/float64(b.N), "lag-ms")
			usage(b, follow)
		})
	}
}

// usage ends the follower, and reports what it has taken: processor time is steady on a
// busy machine, where the clock is not.
func usage(b *testing.B, cmd *exec.Cmd) {
	cmd.Process.Kill()
	cmd.Wait()
	b.ReportMetric(float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)/1024, "MB")
	b.ReportMetric((cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()).Seconds()/float64(b.N), "cpu-s/op")
}
