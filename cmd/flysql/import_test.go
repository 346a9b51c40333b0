package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/dump"
	"github.com/flysql/flysql/internal/move/transfer"
)

var update = flag.Bool("update", false, "rewrite what testdata/import compares with")

// TestImportScripts runs flysql import and verify on a dump, which every script has as
// shop.sql.
func TestImportScripts(t *testing.T) {
	dump, err := os.ReadFile("testdata/import/shop.sql")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/import",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			return os.WriteFile(filepath.Join(env.WorkDir, "shop.sql"), dump, 0o644)
		},
		Cmds: scriptCommands,
	})
}

// docs/from-postgres.md has every flag, every key of the JSON and of the plan file.
func TestImportDocs(t *testing.T) {
	const file = "../../docs/from-postgres.md"
	documented(t, file, new(cli).importCommand(), progressJSON{}, importReportJSON{}, mismatchJSON{}, importSourceJSON{}, importedJSON{}, planLossJSON{}, planLeftJSON{}, givenJSON{},
		verdictJSON{}, tableVerdictJSON{}, columnVerdictJSON{}, rowDifferenceJSON{}, transfer.Pair{}, importPlanJSON{}, planTableJSON{}, planColumnJSON{}, planIndexJSON{}, planViewJSON{}, followJSON{}, warningJSON{}, cutoverJSON{})
	documented(t, file, new(cli).verifyCommand(), verifyJSON{})
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{move.Options{}, move.TableOptions{}, move.ColumnOptions{}} {
		for i := range reflect.TypeOf(v).NumField() {
			if key := reflect.TypeOf(v).Field(i).Tag.Get("toml"); !strings.Contains(string(data), "| `"+key+"` | ") {
				t.Errorf("the plan file: %s is not told of", key)
			}
		}
	}
}

// The forms that a shell completes are forms that there are.
func TestImportFormCompletion(t *testing.T) {
	for _, completion := range formCompletions {
		typ, form, _ := strings.Cut(completion, "=")
		forms, _ := move.Forms(&move.Type{Name: move.Name{Schema: "pg_catalog", Name: typ}, Kind: move.BaseType, Mod: 10<<16 | 2 + 4}, &move.Schema{}, convert.Refuse)
		if !slices.ContainsFunc(forms[1:], func(f move.Form) bool { return f.Name == form }) {
			t.Errorf("%s: %s has no such form beside its default", completion, typ)
		}
	}
}

// A file that differs is told with its rows, as text and as JSON, and is not there.
func TestImportDifferent(t *testing.T) {
	different := &transfer.DifferenceError{Verification: &transfer.Verification{Tables: []transfer.TableVerdict{
		{Source: "public.orders", Name: "orders", Rows: transfer.Pair{PostgreSQL: 9, SQLite: 8}, Differences: []transfer.Difference{{Key: []string{"7"}, Kind: "missing", Count: 1}}},
	}}}
	source, err := dump.Open(t.Context(), "testdata/import/shop.sql", dump.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	dir := t.TempDir()
	job := &importJob{from: &importSource{file: "shop.sql", shown: "shop.sql"}, source: source, plan: &move.Plan{}, target: filepath.Join(dir, "app.db")}
	done := &importResult{job: job, err: undone(t.Context(), different, job.target)}
	want := "the file differs from PostgreSQL: public.orders: 9 rows in PostgreSQL, 8 in SQLite, row 7 is missing\nnothing was written; the file that was made is gone"
	if got := done.err.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var stdout bytes.Buffer
	report := filepath.Join(dir, "report.json")
	if err := (&cli{stdout: &stdout}).tellImport(&importFlags{json: true, report: report}, done); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{stdout.String(), string(file)} {
		var got importReportJSON
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if got.Done || got.Error != want || got.Verified == nil || got.Verified.Equal || len(got.Verified.Tables[0].Differences) != 1 {
			t.Errorf("%s", text)
		}
	}
}
