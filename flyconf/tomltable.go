package flyconf

import (
	"errors"
	"slices"
	"strings"
)

// set makes what a place leads to want.
func (e *tomlEdit) set(p *tomlPlace, want any) error {
	if i := p.outer(); i >= 0 {
		n := p.nodes[i]
		text, err := e.inlineAt(n, plainAt(e.tree.values, p.steps[:i]), p.steps[i:], p.models[i], want)
		if err != nil {
			return err
		}
		e.replaceValue(n, text)
		return nil
	}
	n, have := p.node(), plainAt(e.tree.values, p.steps[:len(p.nodes)-1])
	if p.found() {
		anew, err := e.setNode(n, have, want, p.model())
		if err == nil && anew {
			err = e.add(n.parent, []string{n.key}, map[string]any{n.key: want}, p.models[len(p.models)-2])
		}
		return err
	}
	rest := p.rest()
	inner := plainWith(nil, rest[1:], want)
	if name, ok := rest[0].(string); ok {
		return e.add(n, []string{name}, map[string]any{name: inner}, p.model())
	}
	if n.kind == tomlTable { // one table that is to be the first of a list
		if err := e.toList(n); err != nil {
			return err
		}
		return e.addElement(n, inner, p.model().element())
	}
	return e.addElement(n.list[len(n.list)-1], inner, p.model().element())
}

// setNode makes what the file has want. anew says that it took it out, to be added
// as something else.
func (e *tomlEdit) setNode(n *tomlNode, have, want any, model modelSpot) (anew bool, err error) {
	if samePlain(have, want) {
		return false, nil
	}
	table, isTable := want.(map[string]any)
	isList := hasTables(want) && !isTable
	header := n.line != nil || n.parent == nil
	switch {
	case n.inline():
		text, err := e.valueText(n, have, want, model)
		if err != nil {
			return false, err
		}
		e.replaceValue(n, text)
		return false, nil
	case n.kind == tomlTable && isTable && (header || len(table) > 0):
		return false, e.setTable(n, have.(map[string]any), table, model)
	case n.parent.kind == tomlTables:
		return false, errors.New("is a table of a list: it takes a table, not " + describe(want))
	case n.kind == tomlTables && isList:
		return false, e.setElements(n, have.([]any), want.([]any), model.element())
	case n.kind == tomlTable && isList && header:
		return false, e.tableToList(n, have.(map[string]any), want.([]any), model.element())
	case n.kind == tomlTables && isTable:
		return false, e.listToTable(n, have.([]any), table, model)
	}
	e.cut(n)
	return true, nil
}

// tableToList makes the header of a table that of a list's first element.
func (e *tomlEdit) tableToList(n *tomlNode, have map[string]any, want []any, model modelSpot) error {
	if err := e.toList(n); err != nil {
		return err
	}
	if err := e.setTable(n, have, want[0].(map[string]any), model); err != nil {
		return err
	}
	for _, item := range want[1:] {
		if err := e.addElement(n, item, model); err != nil {
			return err
		}
	}
	return nil
}

// listToTable makes the header of a list's first element that of the one table.
func (e *tomlEdit) listToTable(n *tomlNode, have []any, want map[string]any, model modelSpot) error {
	first := n.list[0]
	for _, other := range n.list[1:] {
		e.cut(other)
	}
	header := tomlSpan{first.line.start, first.line.end}
	e.replace(header, e.text(header.start+1, header.end-1))
	return e.setTable(first, have[0].(map[string]any), want, model)
}

// setTable makes a table hold want.
func (e *tomlEdit) setTable(n *tomlNode, have, want map[string]any, model modelSpot) error {
	added := map[string]bool{}
	for _, child := range n.list {
		w, wanted := want[child.key]
		if !wanted {
			e.cut(child)
			continue
		}
		next, _ := model.key(child.key)
		anew, err := e.setNode(child, have[child.key], w, next)
		if err != nil {
			return err
		}
		added[child.key] = anew
	}
	names := slices.DeleteFunc(namesInOrder(want, model), func(name string) bool {
		return n.names[name] != nil && !added[name]
	})
	return e.add(n, names, want, model)
}

// setElements makes an array of tables hold want.
func (e *tomlEdit) setElements(n *tomlNode, have, want []any, model modelSpot) error {
	var last *tomlNode // the element before; nil for the first
	for _, pair := range align(have, want) {
		var err error
		switch {
		case pair.new < 0:
			e.cut(n.list[pair.old])
		case pair.old < 0:
			err = e.addBeside(n, last, want[pair.new], model)
		default:
			last = n.list[pair.old]
			table := want[pair.new].(map[string]any)
			err = e.setTable(last, have[pair.old].(map[string]any), table, model)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// toList makes the header of a table that of an array of tables.
func (e *tomlEdit) toList(n *tomlNode) error {
	if n.line == nil {
		return errors.New("the table is written without a header of its own, so it cannot have a second beside it: give each element a header [[...]] by hand")
	}
	for _, line := range n.allLines(nil) {
		if line.index < n.line.index {
			return errors.New("a table in it stands above its header: move it below by hand")
		}
	}
	e.replace(tomlSpan{n.line.start, n.line.end}, "["+e.text(n.line.start, n.line.end)+"]")
	return nil
}

// addElement puts an element of an array of tables behind another one.
func (e *tomlEdit) addElement(behind *tomlNode, v any, model modelSpot) error {
	return e.addBeside(nil, behind, v, model)
}

// addBeside puts an element of an array of tables behind another one, or before
// all of n.
func (e *tomlEdit) addBeside(n, behind *tomlNode, v any, model modelSpot) error {
	table, ok := v.(map[string]any)
	if !ok {
		return errors.New("is a list of tables: its elements are no other values")
	}
	like := behind
	if like == nil {
		like = n.list[0]
	}
	path, indent, keys := e.pathText(like), e.indent(like.line.start), e.style.keys
	if len(like.lines) > 0 {
		e.style.keys = deeper(indent, e.indent(like.lines[0].start))
	}
	lines := e.sectionTable("[["+path+"]]", path, indent, table, model)
	e.style.keys = keys
	at := e.blockStart(like.line)
	if behind != nil {
		at = e.after(behind.lastLine())
	}
	e.insertTable(at, path, lines)
	return nil
}

// add puts new keys and tables into a table.
func (e *tomlEdit) add(n *tomlNode, names []string, values map[string]any, model modelSpot) error {
	var keys, tables []string
	for _, name := range names {
		if hasTables(values[name]) && !n.dotted {
			tables = append(tables, name)
		} else {
			keys = append(keys, name)
		}
	}
	if len(keys) > 0 {
		e.addKeys(n, keys, values)
	}
	at, path := len(e.buf), ""
	if n.parent != nil && len(tables) > 0 {
		at, path = e.after(n.lastLine()), e.pathText(n)+"."
	}
	for _, name := range tables {
		next, _ := model.key(name)
		inner := path + quoteKey(name)
		e.insertTable(at, inner, e.section(inner, e.tableIndent(n), values[name], next))
	}
	return nil
}

// addKeys puts keys into a table, behind those that it has.
func (e *tomlEdit) addKeys(n *tomlNode, names []string, values map[string]any) {
	at := e.keyPlace(n)
	var lines []string
	if at.header != "" {
		lines = append(lines, at.header)
	}
	for _, name := range names {
		lines = e.flatten(lines, at.indent, e.dottedPrefix(n)+quoteKey(name), values[name], n.dotted, at.beside)
	}
	apart := at.apart && e.style.apart
	e.insert(at.offset, apart && at.header != "", apart, lines...)
}

// tomlKeyPlace is where new keys of a table go.
type tomlKeyPlace struct {
	offset int
	indent string
	header string      // that the table needs first
	beside []*tomlLine // the keys whose layout they take
	apart  bool        // a table follows
}

func (e *tomlEdit) keyPlace(n *tomlNode) tomlKeyPlace {
	behind := func(line *tomlLine, indent string, beside []*tomlLine) tomlKeyPlace {
		return tomlKeyPlace{offset: e.lineEnd(line.end), indent: e.indent(line.start) + indent, beside: beside}
	}
	switch {
	case n.dotted:
		line, _ := n.dottedLine()
		return behind(line, "", []*tomlLine{line})
	case len(n.lines) > 0:
		return behind(n.lines[len(n.lines)-1], "", n.lines)
	case n.line != nil:
		return behind(n.line, e.style.keys, nil)
	case len(e.tree.lines) == 0:
		return tomlKeyPlace{offset: len(e.buf)}
	case n.parent == nil:
		return tomlKeyPlace{offset: e.blockStart(e.tree.lines[0]), apart: true}
	}
	first := n.firstLine() // of a table in it
	indent := strings.TrimSuffix(e.indent(first.start), e.style.tables)
	return tomlKeyPlace{
		offset: e.blockStart(first), apart: true,
		indent: indent + e.style.keys, header: indent + "[" + e.pathText(n) + "]",
	}
}

// flatten writes a key and its value as lines, one for each dotted key.
func (e *tomlEdit) flatten(lines []string, indent, key string, v any, dotted bool, beside []*tomlLine) []string {
	table, ok := v.(map[string]any)
	if !ok || !dotted || len(table) == 0 {
		return append(lines, indent+e.keyText(key, rawText(v), beside))
	}
	for _, name := range namesInOrder(table, modelSpot{}) {
		lines = e.flatten(lines, indent, key+"."+quoteKey(name), table[name], true, beside)
	}
	return lines
}

func (e *tomlEdit) insertTable(at int, path string, lines []string) {
	apart := e.style.between(path)
	e.insert(at, apart, apart, lines...)
}

// tableIndent is how far the header of a new table in n is indented.
func (e *tomlEdit) tableIndent(n *tomlNode) string {
	for _, child := range slices.Backward(n.list) {
		if child.kind == tomlTables {
			child = child.list[0]
		}
		if child.kind == tomlTable && child.line != nil {
			return e.indent(child.line.start)
		}
	}
	if n.parent == nil || n.line == nil {
		return ""
	}
	return e.indent(n.line.start) + e.style.tables
}

// pathText is the path of a table as headers write it.
func (e *tomlEdit) pathText(n *tomlNode) string {
	switch {
	case n.line != nil:
		return e.text(n.line.keys[0].start, n.line.keys[len(n.line.keys)-1].end)
	case n.parent == nil || n.parent.parent == nil:
		return quoteKey(n.key)
	}
	return e.pathText(n.parent) + "." + quoteKey(n.key)
}

// firstLine and lastLine are the first and last that a node has in the file.
func (n *tomlNode) firstLine() *tomlLine {
	return slices.MinFunc(n.allLines(nil), byIndex)
}

func (n *tomlNode) lastLine() *tomlLine {
	return slices.MaxFunc(n.allLines(nil), byIndex)
}

func byIndex(a, b *tomlLine) int { return a.index - b.index }
