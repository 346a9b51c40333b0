package move

import (
	"fmt"
	"strings"
)

// names gives out names that SQLite tells apart: it takes A to Z and a to z for the same.
type names struct{ taken map[string]bool }

func newNames() *names { return &names{taken: map[string]bool{}} }

// take returns a name, or one made of it where it is taken or SQLite's own.
func (n *names) take(want string) string {
	name := want
	if strings.HasPrefix(foldName(name), "sqlite_") {
		name = "pg_" + name
	}
	for i := 2; n.taken[foldName(name)]; i++ {
		name = fmt.Sprintf("%s_%d", want, i)
	}
	n.taken[foldName(name)] = true
	return name
}

// foldName is what SQLite compares names by.
func foldName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 32
		}
		return r
	}, s)
}
