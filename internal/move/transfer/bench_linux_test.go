package transfer_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// benchTables are 620,000 rows, about 140 MB: what has been read, by a uuid; blobs,
// booleans and json; users.
func benchTables(db *testkit.PostgresDB) (rows int) {
	reads, things, users := 500_000, 100_000, 20_000
	if testing.Short() {
		reads, things, users = reads/20, things/20, users/20
	}
	db.Exec(fmt.Sprintf(`CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, email varchar(80) NOT NULL UNIQUE, created_at timestamptz NOT NULL);
		INSERT INTO users (name, email, created_at) SELECT 'user ' || i, 'user' || i || '@example.com', timestamptz '2024-01-01' + i * interval '1 minute' FROM generate_series(1, %[3]d) AS i;
		CREATE TABLE post_reads (id uuid PRIMARY KEY, user_id int NOT NULL REFERENCES users, post_id int NOT NULL, read_at timestamptz NOT NULL);
		INSERT INTO post_reads SELECT md5(i::text)::uuid, 1 + i %% %[3]d, i %% 1000, timestamptz '2024-01-01' + i * interval '1 second' FROM generate_series(1, %[1]d) AS i;
		CREATE INDEX ON post_reads (user_id);
		CREATE TABLE things (id bigserial PRIMARY KEY, body bytea NOT NULL, done boolean NOT NULL, data jsonb, price numeric(10,2));
		INSERT INTO things (body, done, data, price) SELECT decode(repeat(md5(i::text), 16), 'hex'), i %% 2 = 0, jsonb_build_object('n', i, 'text', repeat('x', 200)), i / 100.0 FROM generate_series(1, %[2]d) AS i;
		VACUUM ANALYZE`, reads, things, users))
	return reads + things + users
}

// BenchmarkImport compares whole imports, from the server to the file. flysql's has types,
// checks and indexes, is checked, compared with the server and on disk; the others' are not:
//
//   - csv is COPY to files and sqlite3's .import, without a journal and without syncing, into
//     tables with their keys and indexes;
//   - csv-tuned has a cache of 64 MB besides, and its index made afterwards;
//   - csv-checked has flysql's checks besides, and ANALYZE, foreign_key_check and
//     integrity_check at the end, which still compare nothing with the server;
//   - inserts is pg_dump --inserts into sqlite3, in one transaction;
//   - upserts is the script of every tutorial: rows are read in batches by their key, and
//     each is written in a transaction of its own. Two seconds of it are enough to tell.
//
// cpu-s is what the import's own processes take, pg-cpu-s what PostgreSQL's do: on two cores
// they share, that tells more than the clock. MB is the most that one of them has held.
func BenchmarkImport(b *testing.B) {
	db := testkit.Postgres(b)
	rows := benchTables(db)
	for _, rival := range []struct {
		name string
		run  func(b *testing.B, db *testkit.PostgresDB, dir string) *exec.Cmd
	}{{"flysql", runFlysql}, {"csv", runCSV}, {"csv-tuned", runTunedCSV}, {"csv-checked", runCheckedCSV}, {"inserts", runInserts}} {
		b.Run("by="+rival.name, func(b *testing.B) {
			var most int64
			before, server := ownTime(b), serverTime(b, db)
			for b.Loop() {
				cmd := rival.run(b, db, b.TempDir())
				most = max(most, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
			}
			n := float64(b.N)
			b.ReportMetric(float64(rows)*n/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(most)/1024, "MB")
			b.ReportMetric((ownTime(b)-before).Seconds()/n, "cpu-s")
			b.ReportMetric((serverTime(b, db)-server).Seconds()/n, "pg-cpu-s")
		})
	}
	b.Run("by=upserts", func(b *testing.B) {
		n, elapsed := 0, time.Duration(0)
		for b.Loop() {
			more, took := runUpserts(b, db, b.TempDir())
			n, elapsed = n+more, elapsed+took
		}
		b.ReportMetric(float64(n)/elapsed.Seconds(), "rows/s")
		b.ReportMetric(0, "ns/op") // it does not end
	})
}

func runFlysql(b *testing.B, db *testkit.PostgresDB, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+db.URL+" "+filepath.Join(dir, "app.db"))
	out, err := cmd.Output()
	if err != nil || string(out) != "ended: <nil>\n" {
		b.Fatalf("%s%v", out, err)
	}
	return cmd
}

// ownTime is the processor time of this process and of the children that have ended.
func ownTime(b *testing.B) (t time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		t += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return t
}

// serverTime is the processor time of PostgreSQL's processes, those that have ended among
// them.
func serverTime(b *testing.B, db *testkit.PostgresDB) (t time.Duration) {
	var pid int
	if err := db.Conn().QueryRow(context.Background(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		b.Fatal(err)
	}
	postmaster := procStat(b, fmt.Sprint(pid))[1]
	list, err := os.ReadFile("/proc/" + postmaster + "/task/" + postmaster + "/children")
	if err != nil {
		b.Fatal(err)
	}
	for n, process := range append([]string{postmaster}, strings.Fields(string(list))...) {
		times := procStat(b, process)
		if times == nil && n > 0 {
			continue // it has ended since, and is the postmaster's the next time
		}
		for _, ticks := range times[11:15] { // its own in user and kernel mode, its children's
			n, err := strconv.Atoi(ticks)
			if err != nil {
				b.Fatal(err)
			}
			t += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return t
}

// procStat are the fields of /proc/PID/stat from the state on; nil where it has ended.
func procStat(b *testing.B, pid string) []string {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		b.Fatal(err)
	}
	return strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
}
