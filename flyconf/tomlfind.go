package flyconf

import (
	"fmt"
	"reflect"
	"slices"
)

// modelSpot is where a path stands in the model, which says what other names a
// key has, and where flyctl takes one table for a list. Its zero value is a place
// that the model does not know.
type modelSpot struct {
	t reflect.Type
	f field // whose type t is, or that of its elements
}

func modelRoot() modelSpot { return modelSpot{t: reflect.TypeFor[Config]()} }

// fields are those of the table at m, in the model's order.
func (m modelSpot) fields() []field {
	if m.t == nil || m.t.Kind() != reflect.Struct {
		return nil
	}
	return fieldsOf(m.t)
}

// key follows a name, and returns all names that flyctl reads as the same.
func (m modelSpot) key(name string) (modelSpot, []string) {
	if m.t != nil && m.t.Kind() == reflect.Map {
		return modelSpot{t: m.t.Elem()}, []string{name}
	}
	for _, f := range m.fields() {
		names := append([]string{f.name}, f.aliases...)
		if !slices.Contains(names, name) {
			continue
		}
		t := m.t.Field(f.index).Type
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		return modelSpot{t: t, f: f}, names
	}
	return modelSpot{}, []string{name}
}

// element follows an index.
func (m modelSpot) element() modelSpot {
	if m.t == nil || m.t.Kind() != reflect.Slice {
		return modelSpot{}
	}
	return modelSpot{t: m.t.Elem()}
}

// tables reports whether the model has a list of tables here.
func (m modelSpot) tables() bool {
	return m.t != nil && m.t.Kind() == reflect.Slice && m.t.Elem().Kind() == reflect.Struct
}

// single reports whether flyctl takes one table for this list.
func (m modelSpot) single() bool { return m.tables() && m.f.is("single") }

// onlyTable is the step from a table to itself, where it stands for a list of one.
type onlyTable struct{}

// tomlPlace is where a path leads: the first i steps to nodes[i] and models[i],
// as far as the file has it.
type tomlPlace struct {
	steps  []any // string, int or onlyTable, in the file's words
	nodes  []*tomlNode
	models []modelSpot // for all steps
	twice  error       // the file has two names of one key on the way
}

func (p *tomlPlace) found() bool      { return len(p.nodes) == len(p.steps)+1 }
func (p *tomlPlace) node() *tomlNode  { return p.nodes[len(p.nodes)-1] }
func (p *tomlPlace) model() modelSpot { return p.models[len(p.nodes)-1] }
func (p *tomlPlace) rest() []any      { return p.steps[len(p.nodes)-1:] }

// outer is the index in nodes of the value that all further nodes stand in, or -1.
func (p *tomlPlace) outer() int { return slices.IndexFunc(p.nodes, (*tomlNode).inline) }

// find follows a path in the model's words or the file's.
func (t *tomlTree) find(path []any) *tomlPlace {
	p := &tomlPlace{nodes: []*tomlNode{t.root}, models: []modelSpot{modelRoot()}}
	lost := false
	for i, step := range path {
		n, model := p.node(), p.models[i]
		var child *tomlNode
		switch s := step.(type) {
		case string:
			next, names := model.key(s)
			p.models = append(p.models, next)
			for _, name := range append([]string{s}, names...) {
				switch {
				case lost || n.names[name] == nil || n.names[name] == child:
				case child == nil:
					child, step = n.names[name], name
				default:
					p.twice = fmt.Errorf("the file has both %s and %s, which flyctl reads as the same: keep one of them by hand", child.key, name)
				}
			}
		case int:
			p.models = append(p.models, model.element())
			switch {
			case lost:
			case n.isList() && s < len(n.list):
				child = n.list[s]
			case s == 0 && n.isTable() && model.single():
				child, step = n, onlyTable{}
			}
		}
		p.steps = append(p.steps, step)
		if lost = lost || child == nil; !lost {
			p.nodes = append(p.nodes, child)
		}
	}
	return p
}

// check reports why nothing can be put where a path leads to.
func (p *tomlPlace) check() error {
	if p.twice != nil || p.found() {
		return p.twice
	}
	n, model, at := p.node(), p.model(), len(p.nodes)-1
	here := pathOfSteps(p.steps[:at])
	switch s := p.steps[at].(type) {
	case string:
		switch {
		case n.isList():
			return fmt.Errorf("%s is a list: say which element, as in %s[0]", here, here)
		case !n.isTable():
			return fmt.Errorf("%s is a value, which has no keys: remove it first", here)
		}
	case int:
		switch {
		case n.isTable() && model.single() && s == 1, n.isList() && s == len(n.list):
		case n.isTable() && model.single():
			return fmt.Errorf("%s has no element [1]: add that first", here)
		case n.isTable() && model.tables():
			return fmt.Errorf("%s is a table where flyctl wants a list: set %s to a list first", here, here)
		case n.isList():
			return fmt.Errorf("%s has no element [%d]: add that first", here, len(n.list))
		default:
			return fmt.Errorf("%s is not a list", here)
		}
	}
	for _, step := range p.rest()[1:] {
		if index, ok := step.(int); ok && index > 0 {
			return fmt.Errorf("there is no list yet: add its element [0] first")
		}
	}
	return nil
}

// pathOfSteps writes the steps of a place as a path.
func pathOfSteps(steps []any) string {
	var plain []any
	for _, step := range steps {
		if _, only := step.(onlyTable); !only {
			plain = append(plain, step)
		}
	}
	if len(plain) == 0 {
		return "the file"
	}
	return printable(PathOf(plain...))
}
