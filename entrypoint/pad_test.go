package entrypoint

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
)

// A snapshot is made as large as the database is, also one whose own free pages take in what
// is written to make it larger.
func TestPad(t *testing.T) {
	t.Parallel()
	for _, free := range []int{0, 1, 2, 3, 40} {
		for _, more := range []int64{0, 1, 2, 5, 130, 600} {
			file := filepath.Join(t.TempDir(), "app.db")
			db, err := sql.Open("sqlite", dsn(file, "rwc"))
			if err != nil {
				t.Fatal(err)
			}
			db.SetMaxOpenConns(1)
			for _, q := range []string{"PRAGMA journal_mode = wal", "CREATE TABLE kept (v)", "INSERT INTO kept VALUES ('here')",
				"CREATE TABLE gone (v)", fmt.Sprintf("INSERT INTO gone VALUES (zeroblob(%d * 4096))", max(0, free-1)), "DELETE FROM gone WHERE length(v) = 0"} {
				if _, err := db.Exec(q); err != nil {
					t.Fatalf("%s: %v", q, err)
				}
			}
			if free > 0 {
				if _, err := db.Exec("DROP TABLE gone"); err != nil {
					t.Fatal(err)
				}
			}
			var have, size, unused int64
			if err := db.QueryRow("SELECT page_count, page_size, freelist_count FROM pragma_page_count, pragma_page_size, pragma_freelist_count").Scan(&have, &size, &unused); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if unused != int64(free) {
				t.Fatalf("%d free pages, want %d", unused, free)
			}
			if err := pad(t.Context(), file, have+more, size); err != nil {
				t.Fatal(err)
			}
			if got, err := pagesOf(t.Context(), file); err != nil || got < have+more || got > have+more+2 {
				t.Errorf("%d free, %d more: %d pages, want %d: %v", free, more, got, have+more, err)
			}
			if got := query(t, file, "SELECT v FROM kept"); got != "here" {
				t.Errorf("%d free, %d more: kept is %q", free, more, got)
			}
		}
	}
}
