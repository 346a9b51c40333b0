package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
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
