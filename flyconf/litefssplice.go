package flyconf

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// replace writes a value over the one at a place.
func (d *litefsYAML) replace(at litefsPlace, v litefsValue) (litefsSplice, error) {
	n := at.node()
	parent := at.nodes[len(at.nodes)-2]
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		return litefsSplice{}, fmt.Errorf("the value is used elsewhere too, by an anchor (&) or alias (*): make the change by hand")
	}
	flow := parent.Style&yaml.FlowStyle != 0
	i := at.index[len(at.index)-1]
	if isYAMLAbsent(n) {
		if parent.Kind != yaml.MappingNode {
			return litefsSplice{}, errLiteFSByHand
		}
		_, colon, err := d.colon(parent.Content[i-1])
		text := " " + v.out.flow()
		if !flow && !v.out.oneLine() {
			text = strings.TrimSuffix(v.out.behindKey(d.indentOf(parent.Content[i-1]), d.step()), "\n")
		}
		return litefsSplice{colon, colon, text}, err
	}
	start := d.offset(n)
	end, err := d.end(n)
	if err != nil {
		return litefsSplice{}, err
	}
	switch {
	case v.out.scalar != nil && n.Kind == yaml.ScalarNode:
		return litefsSplice{start, end, v.out.scalarText(n)}, nil
	case flow:
		return litefsSplice{start, end, v.out.flow()}, nil
	case parent.Kind == yaml.SequenceNode:
		indent := d.indentOf(n)
		text := v.out.flow()
		if v.out.keys != nil && n.Style&yaml.FlowStyle == 0 {
			text = strings.TrimSuffix(strings.TrimPrefix(v.out.block(indent, d.step()), indent), "\n")
		}
		return litefsSplice{start, end, text}, nil
	}
	_, colon, err := d.colon(parent.Content[i-1])
	if err != nil {
		return litefsSplice{}, err
	}
	text := v.out.behindKey(d.indentOf(parent.Content[i-1]), d.step())
	if n.Kind == yaml.SequenceNode && v.out.scalar == nil {
		if n.Style&yaml.FlowStyle != 0 {
			return litefsSplice{start, end, v.out.flow()}, nil
		}
		text = "\n" + v.out.block(d.indentOf(n), d.step())
	}
	return litefsSplice{colon, end, strings.TrimSuffix(text, "\n")}, nil
}

// add writes a value at a place that the file does not have.
func (d *litefsYAML) add(at litefsPlace, v litefsValue) (litefsSplice, error) {
	if len(at.nodes) == 0 || len(at.nodes) == 1 && isYAMLAbsent(d.root) {
		if i, ok := at.steps[len(at.steps)-1].(int); ok && i > 0 {
			return litefsSplice{}, fmt.Errorf("there is no list with %d elements to add to", i)
		}
		return d.atEnd(len(d.text.text), v.out.under(at.steps).block("", d.step()), false), nil
	}
	parent := at.node()
	rest := at.steps[len(at.nodes)-1:]
	if err := d.fits(parent, rest); err != nil {
		return litefsSplice{}, err
	}
	out := v.out.under(rest)
	switch {
	case isYAMLAbsent(parent) && len(at.nodes) > 1:
		return d.fill(at, out)
	case parent.Style&yaml.FlowStyle != 0:
		return d.addFlow(parent, out)
	}
	end, err := d.end(parent)
	if err != nil {
		return litefsSplice{}, err
	}
	first := parent // of a list, which begins at its first -
	if parent.Kind == yaml.MappingNode {
		first = parent.Content[0]
	}
	spaced := len(at.nodes) == 1 && strings.Contains(strings.ReplaceAll(d.text.text, "\r", ""), "\n\n")
	return d.atEnd(end, out.block(d.indentOf(first), d.step()), spaced), nil
}

// fits checks that something can be added to a node, and that lists grow by one.
func (d *litefsYAML) fits(parent *yaml.Node, rest []any) error {
	for i, step := range rest {
		index, ok := step.(int)
		length := 0
		if i == 0 && parent.Kind == yaml.SequenceNode {
			length = len(parent.Content)
		}
		if ok && index != length {
			return fmt.Errorf("the list has %d elements: add [%d] first", length, length)
		}
	}
	if isYAMLAbsent(parent) {
		return nil
	}
	want := yaml.MappingNode
	if _, ok := rest[0].(int); ok {
		want = yaml.SequenceNode
	}
	if parent.Kind != want || parent.Anchor != "" {
		return fmt.Errorf("it belongs below a value that is %s: make the change by hand", describeYAML(parent))
	}
	return nil
}

// fill gives a key that has no value its first entries, on the lines below.
func (d *litefsYAML) fill(at litefsPlace, out yamlOut) (litefsSplice, error) {
	parent := at.nodes[len(at.nodes)-2]
	if parent.Kind != yaml.MappingNode || parent.Style&yaml.FlowStyle != 0 {
		return litefsSplice{}, errLiteFSByHand
	}
	key := parent.Content[at.index[len(at.index)-1]-1]
	_, colon, err := d.colon(key)
	if err != nil {
		return litefsSplice{}, err
	}
	return d.atEnd(colon, out.block(d.indentOf(key)+d.step(), d.step()), false), nil
}

func (d *litefsYAML) addFlow(parent *yaml.Node, out yamlOut) (litefsSplice, error) {
	end, err := d.end(parent)
	if err != nil {
		return litefsSplice{}, err
	}
	text := out.flow()
	text = text[1 : len(text)-1] // without the brackets
	if len(parent.Content) == 0 {
		return litefsSplice{end - 1, end - 1, text}, nil
	}
	last := parent.Content[len(parent.Content)-1]
	if isYAMLAbsent(last) {
		return litefsSplice{}, errLiteFSByHand
	}
	end, err = d.end(last)
	return litefsSplice{end, end, ", " + text}, err
}

// atEnd puts lines below the line of a place.
func (d *litefsYAML) atEnd(at int, lines string, spaced bool) litefsSplice {
	text := d.text.text
	end := d.lineEnd(at)
	if spaced {
		lines = "\n" + lines
	}
	if end < len(text) {
		return litefsSplice{end + 1, end + 1, lines}
	}
	if rest := strings.TrimPrefix(text, string(byteOrderMark)); rest != "" && !strings.HasSuffix(rest, "\n") {
		lines = "\n" + strings.TrimSuffix(lines, "\n")
	}
	return litefsSplice{end, end, lines}
}

// remove takes a key with its value, or an element, out.
func (d *litefsYAML) remove(at litefsPlace) (litefsSplice, error) {
	parent, n := at.nodes[len(at.nodes)-2], at.node()
	i := at.index[len(at.index)-1]
	if n.Anchor != "" {
		return litefsSplice{}, fmt.Errorf("the value is used elsewhere too, by an anchor (&): make the change by hand")
	}
	first, next := i, i+1 // what goes begins with, and what comes after it
	if parent.Kind == yaml.MappingNode {
		first = i - 1
	}
	var end int
	var err error
	switch {
	case !isYAMLAbsent(n):
		end, err = d.end(n)
	case parent.Kind == yaml.MappingNode:
		_, end, err = d.colon(parent.Content[first])
	default:
		end = d.offset(n)
	}
	if err != nil {
		return litefsSplice{}, err
	}
	start := d.offset(parent.Content[first])
	if parent.Style&yaml.FlowStyle != 0 {
		switch {
		case next < len(parent.Content):
			return litefsSplice{start, d.offset(parent.Content[next]), ""}, nil
		case first > 0:
			before, err := d.end(parent.Content[first-1])
			return litefsSplice{before, end, ""}, err
		}
		return litefsSplice{start, end, ""}, nil
	}
	if len(at.nodes) == 2 && len(parent.Content) == 2 {
		return litefsSplice{}, fmt.Errorf("it is all there is in the file: remove the file")
	}
	if parent.Kind == yaml.SequenceNode {
		if start, err = d.dash(n); err != nil {
			return litefsSplice{}, err
		}
	}
	line := d.lineStart(start)
	if strings.Trim(d.text.text[line:start], " ") == "" {
		return litefsSplice{line, min(d.lineEnd(end)+1, len(d.text.text)), ""}, nil
	}
	// The first key behind a dash: the next takes its place.
	if next >= len(parent.Content) {
		return litefsSplice{}, fmt.Errorf("it is all there is in its list's element: remove that")
	}
	to := d.offset(parent.Content[next])
	if strings.Contains(d.text.text[end:to], "#") {
		return litefsSplice{}, errLiteFSByHand
	}
	return litefsSplice{start, to, ""}, nil
}

// indentOf is the white space that puts a line below a node.
func (d *litefsYAML) indentOf(n *yaml.Node) string {
	at := d.offset(n)
	return strings.Repeat(" ", at-d.lineStart(at))
}

// step is by how much the file indents a section's keys.
func (d *litefsYAML) step() string {
	if d.root != nil && d.root.Kind == yaml.MappingNode && d.root.Style&yaml.FlowStyle == 0 {
		for i := 1; i < len(d.root.Content); i += 2 {
			section := d.root.Content[i]
			if section.Kind == yaml.MappingNode && section.Style&yaml.FlowStyle == 0 && len(section.Content) > 0 {
				if n := section.Content[0].Column - d.root.Content[i-1].Column; n > 0 && n <= 8 {
					return strings.Repeat(" ", n)
				}
			}
		}
	}
	return "  "
}

// yamlTree is what a document says, to be compared.
type yamlTree struct {
	kind     yaml.Kind
	value    string // a scalar's, with its type; an alias's name
	keys     []string
	children []*yamlTree
}

func (d *litefsYAML) tree(n *yaml.Node) *yamlTree {
	if n == nil {
		return &yamlTree{kind: yaml.ScalarNode, value: "!!null "}
	}
	t := &yamlTree{kind: n.Kind, value: n.Anchor}
	switch n.Kind {
	case yaml.ScalarNode, yaml.AliasNode:
		value, _ := d.text.restore(n.Value)
		t.value = n.ShortTag() + " " + value
	}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			key, _ := d.text.restore(child.Value)
			t.keys = append(t.keys, fmt.Sprint(child.Kind, child.ShortTag(), " ", key))
			continue
		}
		t.children = append(t.children, d.tree(child))
	}
	return t
}

func (t *yamlTree) empty() bool {
	return t.kind == yaml.ScalarNode && strings.HasPrefix(t.value, "!!null") || t.kind != yaml.ScalarNode && len(t.children) == 0
}

func sameYAML(a, b *yamlTree) bool {
	return a.kind == b.kind && a.value == b.value && slices.Equal(a.keys, b.keys) && slices.EqualFunc(a.children, b.children, sameYAML)
}

// step returns the index of what a step of a path leads to, or -1.
func (t *yamlTree) step(step any) int {
	switch step := step.(type) {
	case int:
		if t.kind == yaml.SequenceNode && step < len(t.children) {
			return step
		}
	case string:
		return slices.IndexFunc(t.keys, func(k string) bool {
			_, name, _ := strings.Cut(k, " ") // behind its type
			return name == step
		})
	}
	return -1
}

// sameYAMLExcept reports whether b is a, but for what a path leads to, which b
// has.
func sameYAMLExcept(a, b *yamlTree, steps []any) bool {
	if len(steps) == 0 {
		return true
	}
	i := b.step(steps[0])
	if i < 0 {
		return false
	}
	if a.empty() { // all of b is new
		return len(b.children) == 1 && sameYAMLExcept(&yamlTree{}, b.children[0], steps[1:])
	}
	if a.kind != b.kind {
		return false
	}
	was := a.step(steps[0])
	if was < 0 {
		return len(a.children) == i && len(b.children) == i+1 && slices.Equal(a.keys, b.keys[:len(a.keys)]) &&
			slices.EqualFunc(a.children, b.children[:i], sameYAML) && sameYAMLExcept(&yamlTree{}, b.children[i], steps[1:])
	}
	return was == i && slices.Equal(a.keys, b.keys) && len(a.children) == len(b.children) &&
		slices.EqualFunc(a.children[:i], b.children[:i], sameYAML) &&
		slices.EqualFunc(a.children[i+1:], b.children[i+1:], sameYAML) &&
		sameYAMLExcept(a.children[i], b.children[i], steps[1:])
}

// sameYAMLWithout reports whether b is a without what a path leads to.
func sameYAMLWithout(a, b *yamlTree, steps []any) bool {
	i := a.step(steps[0])
	if i < 0 {
		return false
	}
	if len(steps) == 1 {
		rest := *a
		rest.children = slices.Delete(slices.Clone(a.children), i, i+1)
		if a.keys != nil {
			rest.keys = slices.Delete(slices.Clone(a.keys), i, i+1)
		}
		return sameYAML(&rest, b) || rest.empty() && b.empty()
	}
	return a.kind == b.kind && a.value == b.value && slices.Equal(a.keys, b.keys) && len(a.children) == len(b.children) &&
		slices.EqualFunc(a.children[:i], b.children[:i], sameYAML) &&
		slices.EqualFunc(a.children[i+1:], b.children[i+1:], sameYAML) &&
		sameYAMLWithout(a.children[i], b.children[i], steps[1:])
}
