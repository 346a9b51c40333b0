package flyconf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// LiteFSDocument is the text of a litefs.yml, of which edits change only what
// they must: comments, order, layout, quotes and unknown keys stay. It is not
// safe for edits by several goroutines.
//
// Keys are given by their path: "lease.consul.url", "exec[0].cmd".
//
// Every edit is checked by reading its result: it changes nothing where the file
// says the same already, and is refused with an error, and not made, where
// another value would change or a comment be lost.
type LiteFSDocument struct {
	name string
	data []byte
}

// ParseLiteFSDocument takes the text of a litefs.yml that is valid YAML, whatever
// its keys are, or an empty one; name is what errors call the file.
func ParseLiteFSDocument(name string, data []byte) (*LiteFSDocument, error) {
	d := &LiteFSDocument{name: name, data: bytes.Clone(data)}
	if _, err := d.parse(d.data); err != nil {
		return nil, err
	}
	return d, nil
}

// Bytes returns the text.
func (d *LiteFSDocument) Bytes() []byte { return bytes.Clone(d.data) }

func (d *LiteFSDocument) parse(data []byte) (*litefsYAML, error) {
	if err := checkSourceText(d.name, data); err != nil {
		return nil, err
	}
	text, err := expandLiteFS(d.name, data, nil)
	if err != nil {
		return nil, err
	}
	return parseLiteFSYAML(d.name, text)
}

// Get returns a value as it is written, without quotes, variables not replaced;
// false where the key is not in the file or has a section or a list.
func (d *LiteFSDocument) Get(path string) (string, bool) {
	steps, err := parseLiteFSPath(path)
	if err != nil {
		return "", false
	}
	doc, err := d.parse(d.data)
	if err != nil {
		return "", false
	}
	at, err := doc.find(steps)
	if err != nil || !at.found() || at.node().Kind != yaml.ScalarNode {
		return "", false
	}
	value, _ := doc.text.restore(at.node().Value)
	return value, true
}

// Set gives a key of LiteFS a value: a string, bool, int, time.Duration or
// []string, as the key takes it, and for exec a string or a []LiteFSExec. A
// string may hold variables, ${FLY_REGION == PRIMARY_REGION}, whatever the key
// takes; LiteFS has no way to write a $ that begins none.
//
// What exists is replaced in its own style; a new key is put at the end of its
// section, a new section at the end of the file, and an element whose index is
// the length of its list at the end of that.
func (d *LiteFSDocument) Set(path string, value any) error {
	fail := func(err error) error { return fmt.Errorf("set %s in %s: %w", path, d.name, err) }
	steps, err := parseLiteFSPath(path)
	if err != nil {
		return fail(err)
	}
	target, err := litefsTarget(steps)
	if err != nil {
		return fail(err)
	}
	want, err := newLiteFSValue(target, value)
	if err != nil {
		return fail(err)
	}
	doc, err := d.parse(d.data)
	if err != nil {
		return err
	}
	at, err := doc.find(steps)
	if err != nil {
		return fail(err)
	}
	if at.found() && want.isIn(doc, at.node()) {
		return nil
	}
	var s litefsSplice
	if at.found() {
		s, err = doc.replace(at, want)
	} else {
		s, err = doc.add(at, want)
	}
	if err != nil {
		return fail(err)
	}
	changed, after, err := d.spliced(doc, s)
	if err != nil {
		return fail(err)
	}
	there, err := after.find(steps)
	if err != nil || !there.found() || !want.isIn(after, there.node()) ||
		!sameYAMLExcept(doc.tree(doc.root), after.tree(after.root), steps) {
		return fail(errLiteFSByHand)
	}
	if err := keepsYAMLComments(doc, after, 0, 0); err != nil {
		return fail(err)
	}
	d.data = changed
	return nil
}

// Remove takes a key, known to LiteFS or not, or an element of a list out, with
// its lines and the comments between and behind them. Comments above it stay.
// What is not there is no error.
func (d *LiteFSDocument) Remove(path string) error {
	fail := func(err error) error { return fmt.Errorf("remove %s from %s: %w", path, d.name, err) }
	steps, err := parseLiteFSPath(path)
	if err != nil {
		return fail(err)
	}
	doc, err := d.parse(d.data)
	if err != nil {
		return err
	}
	at, err := doc.find(steps)
	if err != nil {
		return fail(err)
	}
	if !at.found() {
		return nil
	}
	s, err := doc.remove(at)
	if err != nil {
		return fail(err)
	}
	changed, after, err := d.spliced(doc, s)
	if err != nil {
		return fail(err)
	}
	if !sameYAMLWithout(doc.tree(doc.root), after.tree(after.root), steps) {
		return fail(errLiteFSByHand)
	}
	if err := keepsYAMLComments(doc, after, s.start, s.end); err != nil {
		return fail(err)
	}
	d.data = changed
	return nil
}

var errLiteFSByHand = errors.New("the file is written in a way that this edit would break: make the change by hand")

// litefsSplice replaces a part of the text.
type litefsSplice struct {
	start, end int
	text       string
}

func (d *LiteFSDocument) spliced(doc *litefsYAML, s litefsSplice) ([]byte, *litefsYAML, error) {
	start, end := doc.text.source(s.start), doc.text.source(s.end)
	if end < start {
		return nil, nil, errLiteFSByHand
	}
	text := s.text
	if eol := doc.lineBreak(); eol != "\n" {
		text = strings.ReplaceAll(text, "\n", eol)
	}
	changed := slices.Concat(d.data[:start], []byte(text), d.data[end:])
	after, err := d.parse(changed)
	if err != nil {
		return nil, nil, errLiteFSByHand
	}
	return changed, after, nil
}

// lineBreak is the file's own, by its first line.
func (d *litefsYAML) lineBreak() string {
	if i := strings.IndexByte(d.text.src, '\n'); i > 0 && d.text.src[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// keepsYAMLComments checks that every comment of before, but those from start to
// end, is in after.
func keepsYAMLComments(before, after *litefsYAML, start, end int) error {
	old, err := before.comments()
	if err != nil {
		return errLiteFSByHand
	}
	kept, err := after.comments()
	if err != nil {
		return errLiteFSByHand
	}
	count := map[string]int{}
	for _, c := range kept {
		count[c.text]++
	}
	for _, c := range old {
		if c.start >= start && c.start < end {
			continue
		}
		if count[c.text]--; count[c.text] < 0 {
			return fmt.Errorf("the comment %q would be lost: move it, or make the change by hand", c.text)
		}
	}
	return nil
}

// litefsPlace is where a path leads: nodes[i] is what the first i steps lead to,
// as far as the file has it.
type litefsPlace struct {
	steps []any // string or int
	nodes []*yaml.Node
	index []int // of nodes[i+1] in nodes[i].Content
}

func (p litefsPlace) found() bool      { return len(p.nodes) == len(p.steps)+1 }
func (p litefsPlace) node() *yaml.Node { return p.nodes[len(p.nodes)-1] }

// find follows a path. It does not follow aliases and merges: what they lead to
// stands elsewhere, and may be used by others.
func (d *litefsYAML) find(steps []any) (litefsPlace, error) {
	p := litefsPlace{steps: steps}
	if d.root == nil {
		return p, nil
	}
	p.nodes = append(p.nodes, d.root)
	for _, step := range steps {
		n := p.node()
		if n.Kind == yaml.AliasNode {
			return p, errors.New("the value is an alias (*" + n.Value + "): make the change by hand")
		}
		i, err := d.child(n, step)
		if err != nil {
			return p, err
		}
		if i < 0 {
			return p, nil
		}
		p.nodes = append(p.nodes, n.Content[i])
		p.index = append(p.index, i)
	}
	return p, nil
}

// child returns the index in n.Content of a key's value, or of an element; -1
// where there is none.
func (d *litefsYAML) child(n *yaml.Node, step any) (int, error) {
	found := -1
	switch step := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && step < len(n.Content) {
			return step, nil
		}
	case string:
		if n.Kind != yaml.MappingNode {
			return -1, nil
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, _ := d.text.restore(n.Content[i].Value)
			switch {
			case n.Content[i].Tag == "!!merge":
				return -1, errors.New("the section has keys from elsewhere (<<): make the change by hand")
			case n.Content[i].Kind != yaml.ScalarNode || key != step:
			case found >= 0:
				return -1, fmt.Errorf("%s is in the file twice: remove one of them by hand", step)
			default:
				found = i + 1
			}
		}
	}
	return found, nil
}
