package transfer_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/dump"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

// A dump goes the same way as a server, and is compared by what stands in it, whatever the
// session's zone and form of bytes was.
func TestImportDump(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(types + `ALTER DATABASE ` + db.Name + ` SET timezone = 'Asia/Kolkata'; ALTER DATABASE ` + db.Name + ` SET bytea_output = 'escape';
		ALTER TABLE types ADD COLUMN tza timestamptz[];
		INSERT INTO types (id, n, f4, f8, b, c, by, tz, fa, ba, u, mo, tza) SELECT 1000 + i, i / 7.0, i / 3.0, -0.0, i % 2 = 0, 'c' || i, decode('00ff5c41', 'hex'),
			timestamptz '2024-01-01 00:00:00.5+00' + i * interval '1 hour', ARRAY[-0.0, 1.5, -0.0, -0.0], ARRAY[true, NULL], md5(i::text)::uuid, i,
			ARRAY[timestamptz '2024-07-01 00:00+00', NULL] FROM generate_series(1, 100) AS i`)
	for _, how := range []string{"--no-owner", "--inserts"} {
		t.Run(how, func(t *testing.T) {
			d := openDump(t, db, how)
			plan, err := move.NewPlan(d.Schema(), move.Options{})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "app.db")
			r, err := transfer.Import(context.Background(), d, plan, path, transfer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Rows != 106 || !r.Verification.Equal() {
				t.Errorf("%d rows; the same: %v", r.Rows, r.Verification.Equal())
			}
			app := sqlite(t, path)
			if got, want := text(t, app, "SELECT hex(by) || ' ' || datetime(tza->>0) FROM types WHERE id = 1003"), "00FF5C41 2024-07-01 00:00:00"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if _, err := app.Exec("UPDATE types SET tz = '2024-01-01 03:00:00.25+00:00' WHERE id = 1003; DELETE FROM types WHERE id = 1007"); err != nil {
				t.Fatal(err)
			}
			v, err := transfer.Verify(context.Background(), d, plan, path, nil)
			if err != nil {
				t.Fatal(err)
			}
			const want = "public.types: 106 rows in PostgreSQL, 105 in SQLite, row 1003 has changed in tz, row 1007 is missing"
			if got := v.Tables[0].String(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func openDump(t *testing.T, db *testkit.PostgresDB, args ...string) *dump.Dump {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.sql")
	cmd := db.Program("pg_dump", append(args, "-f", path, "-d", db.URL)...)
	cmd.Stderr = os.Stderr
	err := cmd.Run()
	if err != nil {
		t.Fatal(err)
	}
	d, err := dump.Open(context.Background(), path, dump.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}
