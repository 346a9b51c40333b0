package move

import (
	"fmt"
	"strings"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

// names gives out names that SQLite tells apart: it takes A to Z and a to z for the same.
type names struct{ taken map[string]bool }

func newNames() *names { return &names{taken: map[string]bool{}} }

// take returns a name, or one made of it where it is taken or SQLite's own.
func (n *names) take(want string) string {
	name := want
	if strings.HasPrefix(pgexpr.FoldName(name), "sqlite_") {
		name = "pg_" + name
	}
	for i := 2; n.taken[pgexpr.FoldName(name)]; i++ {
		name = fmt.Sprintf("%s_%d", want, i)
	}
	n.taken[pgexpr.FoldName(name)] = true
	return name
}
