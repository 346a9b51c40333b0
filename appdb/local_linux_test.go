package appdb_test

import (
	"strings"
	"testing"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/internal/testkit"
)

// A database of one machine alone cannot be where LiteFS copies it to the others.
func TestLocalOnLiteFS(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	n.Start()
	db, err := appdb.Local{Dir: n.Mount}.Open(t.Context(), "cache.db")
	if err == nil {
		err = db.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "is LiteFS's") {
		t.Errorf("%v, want a refusal", err)
	}
}
