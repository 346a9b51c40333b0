package dump

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
)

// finish brings all into the order that a schema has, and counts rows.
func (d *ddl) finish(s *section) {
	for _, t := range d.unresolved {
		d.settle(t, 0)
	}
	c := d.schema
	sortBy(c.Tables, func(t *move.Table) move.Name { return t.Name })
	sortBy(c.Views, func(v *move.View) move.Name { return v.Name })
	sortBy(c.Sequences, func(q *move.Sequence) move.Name { return q.Name })
	sortBy(c.Enums, func(e *move.Enum) move.Name { return e.Name })
	sortBy(c.Domains, func(m *move.Domain) move.Name { return m.Name })
	sortBy(c.Composites, func(m *move.Composite) move.Name { return m.Name })
	sortBy(c.Ranges, func(r *move.Range) move.Name { return r.Name })
	slices.SortStableFunc(c.Functions, func(a, b *move.Function) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name.Name, b.Name.Name), cmp.Compare(a.Arguments, b.Arguments))
	})
	slices.SortStableFunc(c.Namespaces, func(a, b move.Namespace) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.Extensions, func(a, b move.Extension) int { return strings.Compare(a.Name, b.Name) })
	for _, m := range c.Domains {
		slices.SortStableFunc(m.Checks, func(a, b *move.Constraint) int { return strings.Compare(a.Name, b.Name) })
	}
	for _, v := range c.Views {
		sortIndexes(v.Indexes)
		sortTriggers(v.Triggers, v.Rules)
	}
	for _, t := range c.Tables {
		d.finishTable(t, s)
	}
	if c.Server.Encoding == "" {
		c.Server.Encoding = d.encoding
	}
	d.finishOthers()
}

func sortBy[T any](list []T, name func(T) move.Name) {
	slices.SortStableFunc(list, func(a, b T) int {
		return cmp.Or(cmp.Compare(name(a).Schema, name(b).Schema), cmp.Compare(name(a).Name, name(b).Name))
	})
}

// settle fills in a type that has been made after it was used.
func (d *ddl) settle(t *move.Type, depth int) {
	if t == nil || depth > 100 {
		return
	}
	if made := d.types[t.Name]; made != nil && t.Kind == move.BaseType {
		t.Kind, t.Elem, t.Base = made.Kind, made.Elem, made.Base
	}
	d.settle(t.Elem, depth+1)
	d.settle(t.Base, depth+1)
}

func (d *ddl) finishTable(t *move.Table, s *section) {
	slices.SortStableFunc(t.Constraints, func(a, b *move.Constraint) int {
		return cmp.Or(compareBool(a.Kind == move.ForeignKey, b.Kind == move.ForeignKey), compareBool(a.Kind != move.PrimaryKey, b.Kind != move.PrimaryKey), cmp.Compare(a.Name, b.Name))
	})
	sortIndexes(t.Indexes)
	sortTriggers(t.Triggers, t.Rules)
	slices.SortStableFunc(t.Policies, func(a, b *move.Policy) int { return strings.Compare(a.Name, b.Name) })
	for _, name := range s.withPartitions(t.Name) {
		for _, b := range s.data[name] {
			t.Rows += b.rows
			if name == t.Name {
				t.Bytes += b.end - b.start
			}
		}
	}
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func sortIndexes(list []*move.Index) {
	slices.SortStableFunc(list, func(a, b *move.Index) int { return strings.Compare(a.Name, b.Name) })
}

func sortTriggers(triggers []*move.Trigger, rules []*move.Rule) {
	slices.SortStableFunc(triggers, func(a, b *move.Trigger) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(rules, func(a, b *move.Rule) int { return strings.Compare(a.Name, b.Name) })
}

// finishOthers puts objects before what has no name of its own, as the catalog does.
func (d *ddl) finishOthers() {
	if d.large > 0 {
		d.other("large objects", fmt.Sprint(d.large), "")
	}
	for _, o := range d.settings {
		d.other(o.Kind, o.Identity, o.Detail)
	}
	last := func(o move.Object) bool {
		return slices.Contains([]string{"large objects", "privileges", "setting", "security label", "subscription"}, o.Kind)
	}
	slices.SortStableFunc(d.schema.Others, func(a, b move.Object) int {
		return cmp.Or(compareBool(last(a), last(b)), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Identity, b.Identity), cmp.Compare(a.Detail, b.Detail))
	})
}
