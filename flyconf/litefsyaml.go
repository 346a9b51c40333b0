package flyconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

const (
	maxYAMLDepth = 50   // far above the four levels of a litefs.yml
	maxYAMLMerge = 1000 // keys and mappings that << may bring into one mapping
)

var errYAMLMerge = errors.New("merges (<<) too much: write the keys out")

// litefsYAML is the YAML of a litefs.yml: its first document, which is the one
// that LiteFS reads.
type litefsYAML struct {
	name string
	text *litefsText
	root *yaml.Node // nil where the document is empty

	lines []litefsLine
	// The last place that was looked up: places are asked for in the order of
	// the text, and a line may be long.
	last struct{ line, col, offset int }
}

// litefsLine is a line as YAML counts them. Its columns are characters.
type litefsLine struct {
	start int // byte
	ascii bool
}

var yamlErrorLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// parseLiteFSYAML reads the YAML with the library that LiteFS reads it with.
func parseLiteFSYAML(name string, text *litefsText) (*litefsYAML, error) {
	d := &litefsYAML{name: name, text: text}
	if i := invalidUTF8(text.src); i >= 0 {
		at := text.position(i)
		return nil, &Problem{File: name, Line: at.line, Col: at.col, Message: "is not UTF-8 text"}
	}
	d.indexLines()
	dec := yaml.NewDecoder(strings.NewReader(text.text))
	var root yaml.Node
	switch err := decodeYAML(dec, &root); {
	case errors.Is(err, io.EOF):
		return d, nil
	case err != nil:
		return nil, d.syntaxProblem(err)
	}
	if len(root.Content) == 1 {
		d.root = root.Content[0]
	}
	if problem := d.tooDeep(d.root, 1); problem != nil {
		return nil, problem
	}
	var second yaml.Node
	if err := decodeYAML(dec, &second); err == nil {
		return nil, d.problem(&second, "begins a second document, which LiteFS does not read: remove the ---")
	}
	return d, nil
}

// decodeYAML turns a panic of the library, which is to read files that anybody
// wrote, into an error.
func decodeYAML(dec *yaml.Decoder, node *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("yaml: the library that reads it cannot")
		}
	}()
	return dec.Decode(node)
}

func invalidUTF8(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, width := utf8.DecodeRuneInString(s[i:]); width == 1 {
				return i
			}
		}
	}
	return -1
}

// syntaxProblem gives an error of the library its place, of which it has only
// the line.
func (d *litefsYAML) syntaxProblem(err error) error {
	p := &Problem{File: d.name}
	m := yamlErrorLine.FindStringSubmatch(err.Error())
	if m == nil {
		p.Message = err.Error()
		return p
	}
	message := err.Error()[len(m[0]):]
	if strings.HasPrefix(message, "unknown anchor") {
		message = "an alias (*) of an anchor (&) that is not in the file" // its name may be a variable's value
	}
	p.Message = "is not valid YAML: " + message
	if n, _ := strconv.Atoi(m[1]); n >= 1 {
		line := d.lines[min(n, len(d.lines))-1]
		rest := d.text.text[line.start:]
		rest, _, _ = strings.Cut(rest, "\n")
		indent := len(rest) - len(strings.TrimLeft(rest, " \t"))
		at := d.text.position(d.text.source(line.start + indent))
		p.Line, p.Col = at.line, at.col
	}
	return p
}

func (d *litefsYAML) tooDeep(n *yaml.Node, depth int) *Problem {
	if n == nil {
		return nil
	}
	if depth > maxYAMLDepth {
		return d.problem(n, fmt.Sprintf("is nested more than %d levels deep", maxYAMLDepth))
	}
	for _, child := range n.Content {
		if p := d.tooDeep(child, depth+1); p != nil {
			return p
		}
	}
	return nil
}

func (d *litefsYAML) problem(n *yaml.Node, message string) *Problem {
	at := d.position(n)
	return &Problem{File: d.name, Line: at.line, Col: at.col, Message: message}
}

// indexLines finds the lines as YAML counts them: other line ends than \n and
// \r\n are line ends too.
func (d *litefsYAML) indexLines() {
	text := d.text.text
	start := len(text) - len(bytes.TrimPrefix([]byte(text), byteOrderMark))
	line := litefsLine{start: start, ascii: true}
	for i := start; i < len(text); {
		r, width := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, width = utf8.DecodeRuneInString(text[i:])
			line.ascii = false
		}
		i += width
		if r == '\r' && i < len(text) && text[i] == '\n' {
			continue
		}
		if isYAMLBreak(r) {
			d.lines = append(d.lines, line)
			line = litefsLine{start: i, ascii: true}
		}
	}
	d.lines = append(d.lines, line)
}

func isYAMLBreak(r rune) bool {
	switch r {
	case '\n', '\r', '\u0085', '\u2028', '\u2029':
		return true
	}
	return false
}

// offset is where a node begins in the text.
func (d *litefsYAML) offset(n *yaml.Node) int {
	text := d.text.text
	if n.Line < 1 || n.Line > len(d.lines) {
		return len(text)
	}
	line := d.lines[n.Line-1]
	if line.ascii {
		return min(line.start+n.Column-1, len(text))
	}
	col, at := 1, line.start
	if d.last.line == n.Line && d.last.col <= n.Column {
		col, at = d.last.col, d.last.offset
	}
	for ; col < n.Column && at < len(text); col++ {
		_, width := utf8.DecodeRuneInString(text[at:])
		at += width
	}
	d.last.line, d.last.col, d.last.offset = n.Line, col, at
	return at
}

// position is where a node begins in the file.
func (d *litefsYAML) position(n *yaml.Node) position {
	return d.text.position(d.text.source(d.offset(n)))
}

// variableAt returns the variable in whose value a node begins, as it is written;
// "" where it begins in none. The value itself may be a secret.
func (d *litefsYAML) variableAt(n *yaml.Node) string {
	at := d.offset(n)
	i, exact := slices.BinarySearchFunc(d.text.marks, at, func(m litefsMark, at int) int { return m.start - at })
	if !exact {
		i--
	}
	if i < 0 || !d.text.marks[i].resolved || at >= d.text.marks[i].end {
		return ""
	}
	return d.text.src[d.text.marks[i].srcStart:d.text.marks[i].srcEnd]
}

// litefsEntry is one key of a mapping.
type litefsEntry struct{ key, value *yaml.Node }

// litefsEntries returns the keys of a mapping with those that a merge key (<<) brings
// in, as YAML has it: the mapping's own win, and then the first. It returns an
// error where the file takes this too far.
func litefsEntries(n *yaml.Node) ([]litefsEntry, error) {
	m := litefsMerger{seen: map[string]bool{}, active: map[*yaml.Node]bool{}}
	if err := m.add(n); err != nil {
		return nil, err
	}
	return m.out, nil
}

type litefsMerger struct {
	out    []litefsEntry
	seen   map[string]bool
	active map[*yaml.Node]bool
	steps  int
}

func (m *litefsMerger) add(n *yaml.Node) error {
	if len(m.active) > 0 {
		m.steps += 1 + len(n.Content)
	}
	if m.steps > maxYAMLMerge || m.active[n] {
		return errYAMLMerge
	}
	m.active[n] = true
	defer delete(m.active, n)
	merging := len(m.active) > 1
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			merges = append(merges, value)
			continue
		}
		if merging && m.seen[key.Value] {
			continue
		}
		m.seen[key.Value] = true
		m.out = append(m.out, litefsEntry{key, value})
	}
	for len(merges) > 0 {
		from := litefsAlias(merges[0])
		merges = merges[1:]
		switch {
		case from.Kind == yaml.MappingNode:
			if err := m.add(from); err != nil {
				return err
			}
		case from.Kind == yaml.SequenceNode && len(from.Content) < 100:
			merges = append(slices.Clone(from.Content), merges...)
			if m.steps++; m.steps > maxYAMLMerge {
				return errYAMLMerge
			}
		default:
			return errors.New("merges (<<) what is not a mapping")
		}
	}
	return nil
}

// litefsAlias follows *name.
func litefsAlias(n *yaml.Node) *yaml.Node {
	for i := 0; n.Kind == yaml.AliasNode && n.Alias != nil && i < 100; i++ {
		n = n.Alias
	}
	return n
}

// variables lists those in the values and keys of the document; what the marks of
// text say of them counts.
func (d *litefsYAML) variables(text *litefsText) []LiteFSVariable {
	var out []LiteFSVariable
	var walk func(n *yaml.Node, key string)
	walk = func(n *yaml.Node, key string) {
		switch {
		case n == nil || n.Kind == yaml.AliasNode:
		case n.Kind == yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				walk(n.Content[i], key)
				walk(n.Content[i+1], join(key, n.Content[i].Value))
			}
		case n.Kind == yaml.SequenceNode:
			for i, child := range n.Content {
				walk(child, fmt.Sprintf("%s[%d]", key, i))
			}
		default:
			_, marks := d.text.restore(n.Value)
			for _, i := range marks {
				out = append(out, text.use(text.marks[i], key)...)
			}
		}
	}
	walk(d.root, "")
	return out
}
