package migrate

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/fstest"
)

func manyFiles(tool Tool, n int) fstest.MapFS {
	scripts := make([]string, n)
	for i := range scripts {
		scripts[i] = fmt.Sprintf("CREATE TABLE t%d (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\nINSERT INTO t%d (name) VALUES ('x');", i, i)
	}
	return simple(tool, scripts...)
}

// BenchmarkUp compares a first migration with the tool's own library alone on the same files. dbmate alone
// would need cgo.
func BenchmarkUp(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		for _, tool := range tools {
			files := manyFiles(tool, n)
			b.Run(fmt.Sprintf("tool=%s/n=%d/by=here", tool, n), func(b *testing.B) {
				dir := b.TempDir()
				for i := range b.N {
					up(b, files, filepath.Join(dir, fmt.Sprint(i)))
				}
			})
			if alone[tool] == nil {
				continue
			}
			b.Run(fmt.Sprintf("tool=%s/n=%d/by=tool", tool, n), func(b *testing.B) {
				dir := b.TempDir()
				for i := range b.N {
					alone[tool](b, files, filepath.Join(dir, fmt.Sprint(i)))
				}
			})
		}
	}
}

// BenchmarkNothingPending is what every boot pays.
func BenchmarkNothingPending(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		for _, tool := range tools {
			for _, journal := range []string{"DELETE", "WAL"} {
				files := manyFiles(tool, n)
				db := newDB(b)
				execSQL(b, db, "PRAGMA journal_mode="+journal)
				up(b, files, db)
				b.Run(fmt.Sprintf("tool=%s/n=%d/journal=%s", tool, n, journal), func(b *testing.B) {
					for b.Loop() {
						if st := status(b, files, db); len(st.Pending) > 0 {
							b.Fatal("pending")
						}
					}
				})
			}
		}
	}
}
