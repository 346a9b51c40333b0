package migrate

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestShrinks(t *testing.T) {
	for _, test := range []struct {
		script string
		want   []Shrinking
	}{
		{"VACUUM;", []Shrinking{{0, 1, "VACUUM"}}},
		{"\xef\xbb\xbfvacuum", []Shrinking{{3, 1, "VACUUM"}}},
		{"VACUUM main;", []Shrinking{{0, 1, "VACUUM"}}},
		{"-- +goose Up\nSELECT 1; /* now */ vacuum\n;", []Shrinking{{33, 2, "VACUUM"}}},
		{"PRAGMA auto_vacuum = FULL;", []Shrinking{{0, 1, AutoVacuumFull}}},
		{"pragma main.auto_vacuum(1)", []Shrinking{{0, 1, AutoVacuumFull}}},
		{"PRAGMA auto_vacuum='full';\nVACUUM", []Shrinking{{0, 1, AutoVacuumFull}, {27, 2, "VACUUM"}}},
		{"PRAGMA auto_vacuum = 001", []Shrinking{{0, 1, AutoVacuumFull}}},
		{"PRAGMA \"main\".incremental_vacuum(100);", []Shrinking{{0, 1, "PRAGMA incremental_vacuum"}}},
		{"VACUUM INTO 'x.db'; VACUUM", []Shrinking{{20, 1, "VACUUM"}}},
		{"CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END; VACUUM", []Shrinking{{66, 1, "VACUUM"}}},
		{"VACUUM INTO 'x.db';", nil},
		{"VACUUM main INTO 'x.db';", nil},
		{"PRAGMA auto_vacuum = INCREMENTAL; PRAGMA auto_vacuum = 0; PRAGMA auto_vacuum = 10; PRAGMA auto_vacuum; PRAGMA auto_vacuum =", nil},
		{"-- VACUUM\n-- ; VACUUM;\n/*\n; VACUUM */ SELECT 1", nil},
		{"INSERT INTO t VALUES ('it''s; VACUUM', \"; VACUUM\", `;VACUUM`)", nil},
		{"CREATE TABLE vacuum (vacuum)", nil},
		{"SELECT 'open; VACUUM", nil},
		{"/* open; VACUUM", nil},
		{"PRAGMA", nil},
		{"", nil},
	} {
		if got := Shrinks(test.script); !slices.Equal(got, test.want) {
			t.Errorf("%q: %v, want %v", test.script, got, test.want)
		}
	}
}

// What only the way down runs does not count.
func TestSetShrinks(t *testing.T) {
	set, err := Open(fstest.MapFS{
		"1_a.sql": {Data: []byte("-- +goose Up\nSELECT 1;\n-- +goose Down\nVACUUM;\n")},
		"2_b.sql": {Data: []byte("-- +goose Up\n-- +goose NO TRANSACTION\nSELECT 1;\nVACUUM;\n")},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []Shrinking
	for _, m := range set.migrations {
		found, err := set.Shrinks(m)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, found...)
	}
	if len(got) != 1 || got[0].Line != 4 || got[0].What != "VACUUM" {
		t.Errorf("%v, want VACUUM in line 4", got)
	}
	if _, err := set.Shrinks(Migration{File: "3_c.sql"}); err == nil {
		t.Error("a file that is not there shrinks nothing, and is no error")
	}
}

// FuzzShrinks: whatever the script holds, the places are in it, in order.
func FuzzShrinks(f *testing.F) {
	f.Add("VACUUM; PRAGMA main.auto_vacuum(FULL); -- x\nPRAGMA incremental_vacuum")
	f.Fuzz(func(t *testing.T, script string) {
		last := -1
		for _, s := range Shrinks(script) {
			if s.Offset <= last || s.Offset >= len(script) || s.Line < 1 {
				t.Fatalf("%q: %+v", script, s)
			}
			last = s.Offset
		}
	})
}
