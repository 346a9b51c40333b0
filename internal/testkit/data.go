package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

// DataVariable names the directory of databases that are too large for the repository.
const DataVariable = "FLYSQL_TESTDATA"

// Data returns the path of a file of them, and ends the test where it is not there.
// They are looked for in ../shared/data beside the repository, too.
func Data(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range []string{os.Getenv(DataVariable), filepath.Join(root(t), "..", "shared", "data"), filepath.Join(root(t), "..", "..", "shared", "data")} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); dir != "" && err == nil {
			return path
		}
	}
	NotRun(t, name, "a directory that has it, in "+DataVariable)
	return ""
}
