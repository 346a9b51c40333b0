package move

import (
	"maps"
	"slices"
)

// BuiltinTypes are the types of PostgreSQL's own that have forms of their own.
func BuiltinTypes() []string { return slices.Sorted(maps.Keys(builtins)) }
