package entrypoint

import (
	"os"
	"path/filepath"
	"testing"
)

// A volume that LiteFS has the database on is not given an empty one beside it.
func TestLeftInLiteFS(t *testing.T) {
	const litefs = "litefs/dbs/app.db/database"
	tests := []struct {
		name  string
		files map[string]string
		env   []string
		left  string // in the message; empty: the app is started
	}{
		{"a directory of LiteFS's", map[string]string{litefs: "rows"}, nil, "litefs/dbs/app.db has the database of LiteFS"},
		{"LiteFS's data in the volume's root", map[string]string{"dbs/app.db/database": "rows"}, nil, "dbs/app.db has the database of LiteFS"},
		{"an empty file of the name", map[string]string{litefs: "rows", "app.db": ""}, nil, "litefs/dbs/app.db has the database of LiteFS"},
		{"LiteFS off, its data not", map[string]string{litefs: "rows"}, []string{"FLYSQL_LITEFS=off"}, "is not there, and"},
		{"an empty one is meant", map[string]string{litefs: "rows"}, []string{"FLYSQL_LITEFS_IMPORT=off"}, ""},
		{"another database", map[string]string{"litefs/dbs/other.db/database": "rows"}, nil, ""},
		{"an empty database of LiteFS's", map[string]string{litefs: ""}, nil, ""},
		{"moved away", map[string]string{"litefs/dbs.old/app.db/database": "rows"}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := files(t, tt.files)
			r := entry{db: filepath.Join(dir, "app.db"), env: tt.env, app: []string{"echo", "ran"}}.run(t)
			if tt.left == "" {
				if r.expect(t, 0); r.stdout != "ran\n" {
					t.Errorf("stdout %q", r.stdout)
				}
				return
			}
			r.expect(t, 78)
			contains(t, r.text("guard", "err"), filepath.Join(dir, "app.db"), tt.left)
			contains(t, r.text("guard", "hint"), "litefs export -name app.db "+filepath.Join(dir, "app.db"), "FLYSQL_LITEFS_IMPORT=off")
			if r.stdout != "" {
				t.Errorf("the app ran: %q", r.stdout)
			}
			if _, err := os.Stat(filepath.Join(dir, stateDir)); err == nil {
				t.Error("something was written")
			}
		})
	}
	t.Run("exported", func(t *testing.T) {
		dir := files(t, map[string]string{litefs: "rows"})
		run(t, filepath.Join(dir, "app.db"), "CREATE TABLE t (id INTEGER)")
		entry{db: filepath.Join(dir, "app.db"), app: []string{"true"}}.run(t).expect(t, 0)
	})
}
