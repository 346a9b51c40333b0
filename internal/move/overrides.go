package move

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// Overrides are options as a command line has them, which win over those of a file.
// Tables are named as PostgreSQL prints them, or without the quotes where that is
// plain, or without a schema where only one has a table of that name, public before others.
type Overrides struct {
	Only    []string // patterns with * and ?: of "schema.table", or of a table's name where they have no dot
	Exclude []string
	Where   []string // table=condition
	Map     []string // table=name, table.column=name
	Forms   []string // type=form, table.column=form
	Schemas string
	Special convert.Special
}

// Apply returns o as it is with overrides. Each of them must be about something that is
// in the schema; an error names all that are not.
func (v Overrides) Apply(s *Schema, o Options) (Options, error) {
	a := &overriding{schema: s, out: o.clone()}
	if v.Schemas != "" {
		a.out.Schemas = v.Schemas
	}
	if v.Special != "" {
		a.out.Special = v.Special
	}
	errs := []error{a.choose(v.Only, v.Exclude)}
	for _, w := range v.Where {
		errs = append(errs, a.assign("where", w, a.where))
	}
	for _, m := range v.Map {
		errs = append(errs, a.assign("map", m, a.rename))
	}
	for _, f := range v.Forms {
		errs = append(errs, a.assign("form", f, a.form))
	}
	if err := errors.Join(errs...); err != nil {
		return o, err
	}
	return a.out, a.out.validate()
}

// clone copies the maps, so that they can be changed.
func (o Options) clone() Options {
	o.Types, o.Tables = maps.Clone(o.Types), maps.Clone(o.Tables)
	if o.Types == nil {
		o.Types = map[string]string{}
	}
	if o.Tables == nil {
		o.Tables = map[string]TableOptions{}
	}
	for name, t := range o.Tables {
		t.Columns = maps.Clone(t.Columns)
		o.Tables[name] = t
	}
	return o
}

// overriding is overrides under way.
type overriding struct {
	schema *Schema
	out    Options
}

// choose skips the tables that are not wanted.
func (a *overriding) choose(only, exclude []string) error {
	used := map[string]bool{}
	matches := func(patterns []string, n Name) (found bool) {
		for _, p := range patterns {
			if matchName(p, n) {
				found, used[p] = true, true
			}
		}
		return found
	}
	for _, t := range a.schema.Tables {
		if t.PartitionOf != nil {
			continue // it goes with its parent
		}
		o := a.out.Tables[t.String()]
		if len(only) > 0 && !matches(only, t.Name) || matches(exclude, t.Name) {
			o.Skip = true
		} else if len(only) > 0 {
			o.Skip = false
		}
		if o.Skip {
			a.out.Tables[t.String()] = TableOptions{Skip: true}
		} else {
			a.set(t, o)
		}
	}
	var errs []error
	for i, p := range slices.Concat(only, exclude) {
		if !used[p] {
			flag := map[bool]string{true: "only", false: "exclude"}[i < len(only)]
			errs = append(errs, fmt.Errorf("--%s %s: no table is called so%s", flag, p, a.meant(p)))
		}
	}
	return errors.Join(errs...)
}

// set has options only where they say something.
func (a *overriding) set(t *Table, o TableOptions) {
	if o.Name == "" && !o.Skip && o.Where == "" && !o.WithoutRowID && len(o.Columns) == 0 {
		delete(a.out.Tables, t.String())
		return
	}
	a.out.Tables[t.String()] = o
}

// meant is a table whose name is near, or the parent of a partition.
func (a *overriding) meant(name string) string {
	var names []string
	for _, t := range a.schema.Tables {
		if t.PartitionOf != nil && matchName(name, t.Name) {
			return "; it is a partition of " + t.PartitionOf.String() + ", and comes with it"
		}
		names = append(names, t.String(), t.Name.Name)
	}
	return meant(name, names)
}

// matchName matches a pattern with a table's name.
func matchName(pattern string, n Name) bool {
	if matchPattern(pattern, n.Schema+"."+n.Name) || matchPattern(pattern, n.String()) {
		return true
	}
	return !strings.Contains(pattern, ".") && matchPattern(pattern, n.Name)
}

// matchPattern matches * with anything, and ? with one character.
func matchPattern(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	star, from := -1, 0
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, from = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i++
			j++
		case star >= 0: // the last * takes one more
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// assign takes apart what stands to the left and to the right of the first = that no
// quotes hold.
func (a *overriding) assign(flag, text string, set func(left, right string) error) error {
	quoted := false
	for i, r := range text {
		if r == '"' {
			quoted = !quoted
		}
		if r != '=' || quoted {
			continue
		}
		left, right := strings.TrimSpace(text[:i]), strings.TrimSpace(text[i+1:])
		if left == "" || right == "" {
			break
		}
		if err := set(left, right); err != nil {
			return fmt.Errorf("--%s %s: %w", flag, left, err)
		}
		return nil
	}
	example := map[string]string{"where": "orders=total > 0", "map": "orders=purchases", "form": "numeric=scaled"}[flag]
	return fmt.Errorf("--%s %q: write it as in --%s '%s'", flag, text, flag, example)
}

func (a *overriding) where(table, condition string) error {
	t, err := a.table(table)
	if err != nil {
		return err
	}
	o := a.out.Tables[t.String()]
	o.Where = condition
	a.out.Tables[t.String()] = o
	return nil
}

func (a *overriding) rename(what, name string) error {
	if t, err := a.table(what); err == nil {
		o := a.out.Tables[t.String()]
		o.Name = name
		a.out.Tables[t.String()] = o
		return nil
	}
	return a.column(what, func(c *ColumnOptions) { c.Name = name })
}

func (a *overriding) form(what, form string) error {
	for _, t := range a.schema.Tables {
		for _, c := range t.Columns {
			if key := typeKey(c.Type); key == what || c.Type.Root().SQL == what || key == "public."+what {
				a.out.Types[key] = form
				return nil
			}
		}
	}
	if !strings.Contains(what, ".") {
		return fmt.Errorf("no column is of that type%s", meant(what, a.schema.typeKeys()))
	}
	return a.column(what, func(c *ColumnOptions) { c.Form = form })
}

// typeKeys are the types of all columns, as Options.Types calls them.
func (s *Schema) typeKeys() []string {
	keys := map[string]bool{}
	for _, t := range s.Tables {
		for _, c := range t.Columns {
			keys[typeKey(c.Type)] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// table finds a table by its name.
func (a *overriding) table(name string) (*Table, error) {
	var near []*Table
	for _, t := range a.schema.Tables {
		if t.String() == name || t.Schema+"."+t.Name.Name == name {
			return t, nil
		}
		if t.Name.Name == name || pgexpr.PgIdent(t.Name.Name) == name {
			near = append(near, t)
		}
	}
	for _, t := range near {
		if t.Schema == "public" || len(near) == 1 {
			return t, nil
		}
	}
	if len(near) > 1 {
		return nil, fmt.Errorf("there are %s and %s: name the schema, too", near[0], near[1])
	}
	return nil, fmt.Errorf("there is no such table%s", a.meant(name))
}

// column changes the options of a column; its name stands behind the last dot that is in
// no quotes.
func (a *overriding) column(name string, change func(*ColumnOptions)) error {
	table, column := cutColumn(name)
	if table == "" {
		return fmt.Errorf("there is no such table%s", a.meant(name))
	}
	t, err := a.table(table)
	if err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	var names []string
	for _, c := range t.Columns {
		names = append(names, c.Name)
		if c.Name != column && pgexpr.PgIdent(c.Name) != column {
			continue
		}
		o := a.out.Tables[t.String()]
		if o.Columns == nil {
			o.Columns = map[string]ColumnOptions{}
		}
		co := o.Columns[c.Name]
		change(&co)
		o.Columns[c.Name] = co
		a.out.Tables[t.String()] = o
		return nil
	}
	return fmt.Errorf("%s has no column %s%s", t, column, meant(column, names))
}

func cutColumn(name string) (table, column string) {
	quoted, last := false, -1
	for i, r := range name {
		switch {
		case r == '"':
			quoted = !quoted
		case r == '.' && !quoted:
			last = i
		}
	}
	if last < 0 {
		return "", name
	}
	return name[:last], name[last+1:]
}
