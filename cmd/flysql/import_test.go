package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/transfer"
)

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
