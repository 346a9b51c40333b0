package flyconf

import (
	"errors"

	"github.com/pelletier/go-toml/v2/unstable"
)

var errTOMLByHand = errors.New("the file is written in a way that this edit would break: make the change by hand")

// tomlTree is a TOML text with the place of everything in it.
type tomlTree struct {
	data     []byte
	values   map[string]any // what it says
	root     *tomlNode
	lines    []*tomlLine // headers and keys, in the order of the file
	comments []tomlSpan
}

type tomlSpan struct{ start, end int }

type tomlKind int

const (
	tomlTable  tomlKind = iota // the root, and what headers and dotted keys make
	tomlTables                 // elements of [[...]]
	tomlInline                 // {...}
	tomlArray                  // [...]
	tomlScalar
)

// tomlNode is a table, an array or a value.
type tomlNode struct {
	kind   tomlKind
	parent *tomlNode
	key    string               // its name in its table; empty for an element
	at     int                  // where its key or header stands first
	names  map[string]*tomlNode // of a table, by name
	list   []*tomlNode          // of a table or array, in the order of the file
	line   *tomlLine            // its header, or where its value stands; nil for a table without header, and for elements of [...]
	lines  []*tomlLine          // the keys that stand in a table
	dotted bool                 // a table made by a dotted key
	start  int                  // the bytes of a value
	end    int
}

// inline reports whether a node is a value, and not made of headers and lines.
func (n *tomlNode) inline() bool { return n.kind >= tomlInline }

func (n *tomlNode) isTable() bool { return n.kind == tomlTable || n.kind == tomlInline }

func (n *tomlNode) isList() bool { return n.kind == tomlTables || n.kind == tomlArray }

// tomlLine is a header, or a key with its value, at the top level or between braces.
type tomlLine struct {
	index      int // in tree.lines
	start, end int
	keys       []tomlSpan
	header     bool
	eq         int       // where "=" stands
	value      *tomlNode // of a key
}

// parseTOMLTree reads a text that readTOML takes.
func parseTOMLTree(name string, data []byte) (*tomlTree, error) {
	doc, err := readDocument(name, data)
	if err != nil {
		return nil, err
	}
	t := &tomlTree{data: data, values: doc.values, root: &tomlNode{names: map[string]*tomlNode{}}}
	b := &tomlBuilder{tree: t, table: t.root}
	p := &unstable.Parser{}
	p.Reset(data)
	for p.NextExpression() {
		line := b.expression(p.Expression())
		if b.broken {
			return nil, &Problem{File: name, Message: errTOMLByHand.Error()}
		}
		line.index = len(t.lines)
		t.lines = append(t.lines, line)
	}
	b.skip(len(data))
	return t, nil
}

// tomlBuilder walks the text beside the parser's nodes, which do not say where
// arrays, headers and comments are.
type tomlBuilder struct {
	tree   *tomlTree
	table  *tomlNode // in which keys stand
	pos    int       // what is before has been read
	broken bool      // the text is not what the parser says
}

// skip passes by spaces, line breaks, commas and comments, up to limit.
func (b *tomlBuilder) skip(limit int) {
	data := b.tree.data
	for b.pos < limit {
		switch data[b.pos] {
		case ' ', '\t', '\r', '\n', ',':
			b.pos++
		case '#':
			start := b.pos
			for b.pos < len(data) && data[b.pos] != '\n' {
				b.pos++
			}
			end := b.pos
			if data[end-1] == '\r' {
				end--
			}
			b.tree.comments = append(b.tree.comments, tomlSpan{start, end})
		default:
			return
		}
	}
}

func (b *tomlBuilder) spaces() {
	for b.pos < len(b.tree.data) && (b.tree.data[b.pos] == ' ' || b.tree.data[b.pos] == '\t') {
		b.pos++
	}
}

// expect passes by a byte.
func (b *tomlBuilder) expect(c byte) {
	if b.pos >= len(b.tree.data) || b.tree.data[b.pos] != c {
		b.broken = true
		return
	}
	b.pos++
}

func (b *tomlBuilder) expression(node *unstable.Node) *tomlLine {
	b.skip(len(b.tree.data))
	line := &tomlLine{start: b.pos}
	if node.Kind == unstable.KeyValue {
		b.keyValue(line, b.table, node)
		return line
	}
	line.header = true
	brackets := 1
	if node.Kind == unstable.ArrayTable {
		brackets = 2
	}
	for range brackets {
		b.expect('[')
	}
	names := b.keys(line, node.Key())
	b.spaces()
	for range brackets {
		b.expect(']')
	}
	line.end = b.pos
	if !b.broken {
		b.table = b.open(line, names, node.Kind == unstable.ArrayTable)
	}
	return line
}

// keys reads the parts of a key.
func (b *tomlBuilder) keys(line *tomlLine, it unstable.Iterator) []string {
	var names []string
	for it.Next() {
		key := it.Node()
		start := int(key.Raw.Offset)
		if start < b.pos {
			b.broken = true
			return nil
		}
		b.pos = start + int(key.Raw.Length)
		line.keys = append(line.keys, tomlSpan{start, b.pos})
		names = append(names, string(key.Data))
	}
	return names
}

// open makes the table of a header, and those around it.
func (b *tomlBuilder) open(line *tomlLine, names []string, array bool) *tomlNode {
	n := b.tree.root
	for i, name := range names {
		child := n.names[name]
		last := i == len(names)-1
		switch {
		case child == nil && last && array:
			child = n.add(name, &tomlNode{kind: tomlTables, at: line.keys[0].start})
		case child == nil:
			child = n.add(name, &tomlNode{at: line.keys[0].start})
		}
		if child.kind == tomlTables {
			if last {
				element := &tomlNode{parent: child, at: line.keys[0].start, names: map[string]*tomlNode{}}
				child.list = append(child.list, element)
			}
			child = child.list[len(child.list)-1]
		}
		if child.kind != tomlTable {
			b.broken = true
			return n
		}
		n = child
	}
	n.line = line
	return n
}

// add puts a child into a table.
func (n *tomlNode) add(name string, child *tomlNode) *tomlNode {
	child.parent, child.key = n, name
	if child.isTable() && child.names == nil {
		child.names = map[string]*tomlNode{}
	}
	n.names[name] = child
	n.list = append(n.list, child)
	return child
}

// keyValue reads a key and its value into a table.
func (b *tomlBuilder) keyValue(line *tomlLine, table *tomlNode, node *unstable.Node) {
	line.start = b.pos
	names := b.keys(line, node.Key())
	b.spaces()
	line.eq = b.pos
	b.expect('=')
	b.spaces()
	n := table
	for i, name := range names {
		if b.broken {
			return
		}
		child := n.names[name]
		last := i == len(names)-1
		switch {
		case child == nil && last:
			child = n.add(name, b.value(node.Value()))
			child.line, child.at, line.value = line, line.keys[i].start, child
		case child == nil:
			child = n.add(name, &tomlNode{dotted: true, at: line.keys[i].start})
		case last || child.kind != tomlTable:
			b.broken = true
		}
		n = child
	}
	line.end = b.pos
	table.lines = append(table.lines, line)
}

// value reads a value, which begins at pos.
func (b *tomlBuilder) value(node *unstable.Node) *tomlNode {
	n := &tomlNode{kind: tomlScalar, at: b.pos, start: b.pos}
	it := node.Children()
	switch node.Kind {
	case unstable.InlineTable:
		n.kind, n.names = tomlInline, map[string]*tomlNode{}
		b.expect('{')
		for !b.broken && it.Next() {
			b.skip(len(b.tree.data))
			b.keyValue(&tomlLine{}, n, it.Node())
		}
		b.skip(len(b.tree.data))
		b.expect('}')
	case unstable.Array:
		n.kind = tomlArray
		b.expect('[')
		for !b.broken && it.Next() {
			b.skip(len(b.tree.data))
			child := b.value(it.Node())
			child.parent = n
			n.list = append(n.list, child)
		}
		b.skip(len(b.tree.data))
		b.expect(']')
	default:
		if int(node.Raw.Offset) != b.pos {
			b.broken = true
		}
		b.pos = int(node.Raw.Offset) + int(node.Raw.Length)
	}
	n.end = b.pos
	return n
}
