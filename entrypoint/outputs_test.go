package entrypoint

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// An app is told where files of its machine alone may be, and only after the steps.
func TestLocalDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	local := filepath.Join(dir, stateDir, "local")
	app := []string{"sh", "-c", "echo $FLYSQL_LOCAL_DIR $FLYSQL_LITEFS_ADDR $FLYSQL_LITEFS_DIR"}
	for _, tt := range []struct {
		what string
		env  []string
		want string
	}{
		{"a boot", nil, local},
		{"a supervised one", []string{"FLYSQL_SUPERVISE=1"}, local},
		{"one that is told", []string{"FLYSQL_LOCAL_DIR=/elsewhere"}, "/elsewhere"},
		{"passed through", []string{"RELEASE_COMMAND=1"}, ""},
	} {
		e := entry{db: filepath.Join(dir, "app.db"), env: tt.env, app: app}
		if got := e.run(t).expect(t, 0).stdout; got != tt.want+"\n" {
			t.Errorf("%s: the app was told %q, want %q", tt.what, got, tt.want)
		}
	}
}

// A function's environment is the process's, which has it back afterwards.
func TestLocalDirOfAFunction(t *testing.T) {
	t.Setenv(outputLocal, "") // put back afterwards
	dir := t.TempDir()
	told := ""
	err := Run(t.Context(), Config{DB: filepath.Join(dir, "app.db"), App: func(context.Context) error {
		told = os.Getenv(outputLocal)
		return nil
	}})
	if want := filepath.Join(dir, stateDir, "local"); err != nil || told != want {
		t.Errorf("the function was told %q, want %q (%v)", told, want, err)
	}
	if left := os.Getenv(outputLocal); left != "" {
		t.Errorf("%q is left", left)
	}
}

// Settings are read, outputs are not.
func TestOutputsAreNoSettings(t *testing.T) {
	t.Parallel()
	if !slices.IsSorted(Outputs()) {
		t.Errorf("%v is not sorted", Outputs())
	}
	for _, name := range Outputs() {
		if slices.Contains(Variables(), name) {
			t.Errorf("%s is a setting too", name)
		}
	}
}
