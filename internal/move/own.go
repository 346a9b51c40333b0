package move

import (
	"slices"
	"strings"
)

// What package follow makes in PostgreSQL for a while, and what is no part of anybody's
// database.
const (
	OwnSchema  = "flysql_follow_" // a schema's name begins with it
	OwnTrigger = "!flysql"        // the first of a table's triggers to fire
	OwnName    = "flysql_"        // a publication's name begins with it
)

func ownSchema(name string) bool { return strings.HasPrefix(name, OwnSchema) }

// withoutOwn leaves out what is flysql's own.
func (s *Schema) withoutOwn() {
	s.Namespaces = slices.DeleteFunc(s.Namespaces, func(n Namespace) bool { return ownSchema(n.Name) })
	s.Tables = slices.DeleteFunc(s.Tables, func(t *Table) bool { return ownSchema(t.Schema) })
	s.Sequences = slices.DeleteFunc(s.Sequences, func(q *Sequence) bool { return ownSchema(q.Schema) })
	s.Functions = slices.DeleteFunc(s.Functions, func(f *Function) bool { return ownSchema(f.Schema) })
	for _, t := range s.Tables {
		t.Triggers = slices.DeleteFunc(t.Triggers, func(g *Trigger) bool { return ownSchema(g.Function.Schema) })
	}
	s.Others = slices.DeleteFunc(s.Others, func(o Object) bool {
		return strings.HasPrefix(o.Kind, "publication") && strings.Contains(o.Identity, OwnName) || strings.HasPrefix(o.Identity, OwnSchema)
	})
}
