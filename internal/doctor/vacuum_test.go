package doctor

import "testing"

func TestShrinks(t *testing.T) {
	for _, test := range []struct {
		script string
		at     int
		want   string
	}{
		{"VACUUM;", 0, "VACUUM"},
		{"\xef\xbb\xbfvacuum", 3, "VACUUM"},
		{"VACUUM main;", 0, "VACUUM"},
		{"-- +goose Up\nSELECT 1; /* now */ vacuum\n;", 33, "VACUUM"},
		{"PRAGMA auto_vacuum = FULL;", 0, "PRAGMA auto_vacuum = FULL"},
		{"pragma main.auto_vacuum(1)", 0, "PRAGMA auto_vacuum = FULL"},
		{"PRAGMA auto_vacuum='full'", 0, "PRAGMA auto_vacuum = FULL"},
		{"PRAGMA incremental_vacuum(100);", 0, "PRAGMA incremental_vacuum"},
		{"VACUUM INTO 'x.db'; VACUUM", 20, "VACUUM"},
		{script: "VACUUM INTO 'x.db';"},
		{script: "VACUUM main INTO 'x.db';"},
		{script: "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA auto_vacuum = 0; PRAGMA auto_vacuum = 10; PRAGMA auto_vacuum;"},
		{script: "-- VACUUM\n-- ; VACUUM;\n/*\n; VACUUM */ SELECT 1"},
		{script: "INSERT INTO t VALUES ('it''s; VACUUM', \"; VACUUM\", `;VACUUM`)"},
		{script: "CREATE TABLE vacuum (vacuum)"},
		{script: "SELECT 'open; VACUUM"},
		{script: "/* open; VACUUM"},
		{script: ""},
	} {
		at, got := shrinks(test.script)
		if at != test.at || got != test.want {
			t.Errorf("%q: %q at %d, want %q at %d", test.script, got, at, test.want, test.at)
		}
	}
}
