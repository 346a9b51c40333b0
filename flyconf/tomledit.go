package flyconf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Document is the text of a fly.toml, of which edits change only what they must:
// comments, order, layout, quotes and unknown keys stay. It is not safe for edits
// by several goroutines.
//
// Keys are given by their path, as Problem.Key has it: "app",
// "http_service.checks[0].path", `env."a.b"`; PathOf writes one. As in flyctl, a
// path in the model's words finds the other names of a key, and mounts[0] finds
// [mounts], [mount] and [[mounts]] alike.
//
// Every edit is checked by reading its result: it changes nothing where the file
// says the same already, and is refused with an error, and not made, where
// another value would change or a comment be lost.
type Document struct {
	name string
	tree *tomlTree
}

// ParseDocument takes the text of a fly.toml that is valid TOML, whatever its keys
// are, or an empty one; name is what errors call the file. fly.json and fly.yaml
// are refused.
func ParseDocument(name string, data []byte) (*Document, error) {
	if formOf(name) != formTOML {
		return nil, &Problem{File: name, Message: "only TOML is edited: make the change by hand, or turn the file into a fly.toml"}
	}
	tree, err := parseTOMLTree(name, bytes.Clone(data))
	if err != nil {
		return nil, err
	}
	return &Document{name: name, tree: tree}, nil
}

// Bytes returns the text.
func (d *Document) Bytes() []byte { return bytes.Clone(d.tree.data) }

// Config reads the text as Parse does.
func (d *Document) Config() (*Config, error) { return Parse(d.name, d.tree.data) }

// Get returns a copy of the value of a key, table or element: a string, bool,
// int64, float64, []any, map[string]any, or a date or time of go-toml; false where
// it is not in the file.
func (d *Document) Get(path string) (any, bool) {
	p, ok := d.find(path)
	if !ok {
		return nil, false
	}
	return clonePlain(plainAt(d.tree.values, p.steps)), true
}

// Has reports whether a key, table or element is in the file.
func (d *Document) Has(path string) bool {
	_, ok := d.find(path)
	return ok
}

// Position returns where a key or the header of its table stands, from 1, col
// counting bytes.
func (d *Document) Position(path string) (line, col int, ok bool) {
	p, ok := d.find(path)
	if !ok {
		return 0, 0, false
	}
	before := d.tree.data[:p.node().place()]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n'), true
}

// place is where a node's key or header stands first.
func (n *tomlNode) place() int {
	if n.kind == tomlTable && n.line != nil {
		return n.line.keys[0].start
	}
	return n.at
}

func (d *Document) find(path string) (*tomlPlace, bool) {
	steps, err := parsePath(path)
	if err != nil {
		return nil, false
	}
	p := d.tree.find(steps)
	return p, p.found()
}

// Set gives a key, table or element a value: a string, bool, int, int64, float64,
// time.Duration (written as "30s"), a []string, []any or []map[string]any, or a
// map[string]string or map[string]any of these.
//
// A value is replaced in its own quotes. A new key is put behind the others of its
// table, a new table behind those of the table around it, or at the end of the
// file, and an element whose index is the length of its list behind the last. A
// table is made to hold exactly what the map holds; what is equal keeps its lines.
//
// mounts[1] beside a single [mounts] makes that [[mounts]], as TOML wants it.
func (d *Document) Set(path string, value any) error {
	fail := func(err error) error { return fmt.Errorf("set %s in %s: %w", printable(path), d.name, err) }
	steps, err := parsePath(path)
	if err != nil {
		return fail(err)
	}
	want, err := plainValue(value, 0)
	if err != nil {
		return fail(err)
	}
	p := d.tree.find(steps)
	if err := errors.Join(p.check(), p.takes(steps, want)); err != nil {
		return fail(err)
	}
	if p.found() {
		want = p.asWritten(want)
		if samePlain(plainAt(d.tree.values, p.steps), want) {
			return nil
		}
	}
	e := newTOMLEdit(d.tree)
	if err := e.set(p, want); err != nil {
		return fail(err)
	}
	if err := d.commit(e, plainWith(d.tree.values, p.steps, want), nil); err != nil {
		return fail(err)
	}
	return nil
}

// takes refuses a value that what the file has cannot become.
func (p *tomlPlace) takes(path []any, want any) error {
	if _, table := want.(map[string]any); p.steps[len(p.steps)-1] == (onlyTable{}) && !table {
		return errors.New("is a table of a list: it takes a table, not " + describe(want))
	}
	asked, _ := path[len(path)-1].(string)
	used, _ := p.steps[len(p.steps)-1].(string)
	if _, text := want.(string); p.found() && text && asked != used && used != p.model().f.name && p.model().f.is("mb") {
		return fmt.Errorf("the file says %s, which takes a number of megabytes: set that, or remove it first", used)
	}
	return nil
}

// asWritten puts a table for a list of one, or the other way round, where flyctl
// takes both and the file has the other.
func (p *tomlPlace) asWritten(want any) any {
	n := p.node()
	if !p.model().single() {
		return want
	}
	switch v := want.(type) {
	case []any:
		if n.isTable() && len(v) == 1 && hasTables(v) {
			return v[0]
		}
	case map[string]any:
		if n.isList() {
			return []any{v}
		}
	}
	return want
}

// Remove takes a key, a table with the tables in it, or an element of a list out,
// with its lines and the comments between and behind them. Comments above it stay.
// What is not there is no error.
func (d *Document) Remove(path string) error {
	fail := func(err error) error { return fmt.Errorf("remove %s from %s: %w", printable(path), d.name, err) }
	steps, err := parsePath(path)
	if err != nil {
		return fail(err)
	}
	p := d.tree.find(steps)
	if !p.found() {
		return nil
	}
	if p.twice != nil {
		return fail(p.twice)
	}
	for p.steps[len(p.steps)-1] == (onlyTable{}) {
		p.steps, p.nodes = p.steps[:len(p.steps)-1], p.nodes[:len(p.nodes)-1]
	}
	e := newTOMLEdit(d.tree)
	if i := p.outer(); i >= 0 && i < len(p.nodes)-1 {
		text, err := e.inlineAt(p.nodes[i], plainAt(d.tree.values, p.steps[:i]), p.steps[i:], p.models[i], removed{})
		if err != nil {
			return fail(err)
		}
		e.replaceValue(p.nodes[i], text)
	} else {
		e.cut(p.node())
	}
	bare := make([]bool, len(p.steps))
	for i := range bare {
		n := p.nodes[i]
		bare[i] = n.parent != nil && (n.kind == tomlTables || n.kind == tomlTable && n.line == nil)
	}
	want, _ := plainWithout(d.tree.values, p.steps, bare)
	if err := d.commit(e, want, nil); err != nil {
		return fail(err)
	}
	return nil
}

// Comment puts a comment of one or more lines directly above the line of a key,
// or of a table's header; text has no "#". It changes nothing where that comment
// stands there already.
func (d *Document) Comment(path, text string) error {
	fail := func(err error) error { return fmt.Errorf("comment %s in %s: %w", printable(path), d.name, err) }
	p, ok := d.find(path)
	if !ok {
		return fail(errors.New("it is not in the file"))
	}
	if !utf8.ValidString(text) {
		return fail(errors.New("the comment is not UTF-8 text"))
	}
	var comments []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight("# "+strings.TrimRight(line, "\r\n"), " \t")
		if strings.ContainsFunc(line, isControl) {
			return fail(errors.New("the comment holds a control character"))
		}
		comments = append(comments, line)
	}
	e := newTOMLEdit(d.tree)
	at := e.lineOf(p)
	if len(comments) == 0 || e.commented(at, comments) {
		return nil
	}
	var lines []string
	for _, c := range comments {
		lines = append(lines, e.indentAt(at)+c)
	}
	e.insert(at, false, false, lines...)
	if err := d.commit(e, d.tree.values, comments); err != nil {
		return fail(err)
	}
	return nil
}

// commit makes an edit if its result says want, and holds all comments but those
// that the edit takes out, and the new ones.
func (d *Document) commit(e *tomlEdit, want any, comments []string) error {
	data, err := e.apply()
	if err != nil {
		return err
	}
	if len(data) > maxFileBytes {
		return errors.New("the file would be larger than 1 MB")
	}
	after, err := parseTOMLTree(d.name, data)
	if err != nil || !samePlain(after.values, want) {
		return errTOMLByHand
	}
	if err := keepsTOMLComments(e, after, comments); err != nil {
		return err
	}
	d.tree = after
	return nil
}

// keepsTOMLComments checks that the comments of the text before an edit are there
// behind it.
func keepsTOMLComments(e *tomlEdit, after *tomlTree, added []string) error {
	count := map[string]int{}
	for _, c := range after.comments {
		count[string(after.data[c.start:c.end])]++
	}
	lost := newSpans(e.lost)
	for _, c := range e.tree.comments {
		if !lost.contain(c.start) {
			added = append(added, e.spanText(c))
		}
	}
	for _, text := range added {
		if count[text]--; count[text] < 0 {
			return fmt.Errorf("the comment %q would be lost: move it, or make the change by hand", text)
		}
	}
	return nil
}

// tomlSpans are spans in order, of which none holds another's start.
type tomlSpans []tomlSpan

func newSpans(list []tomlSpan) tomlSpans {
	slices.SortFunc(list, func(a, b tomlSpan) int { return a.start - b.start })
	var out tomlSpans
	for _, s := range list {
		if n := len(out); n > 0 && s.start < out[n-1].end {
			out[n-1].end = max(out[n-1].end, s.end)
		} else {
			out = append(out, s)
		}
	}
	return out
}

func (s tomlSpans) contain(at int) bool {
	i, found := slices.BinarySearchFunc(s, at, func(s tomlSpan, at int) int { return s.start - at })
	return found || i > 0 && at < s[i-1].end
}
