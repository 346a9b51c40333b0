package flyconf

import (
	"errors"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// The YAML library says where a node begins, and not where it ends. These find
// the end, in bytes of the text. What they get wrong, an edit's check of its
// result finds.

var errYAMLSpan = errors.New("its end cannot be found")

// end is where a node ends. A value that is not there has no end.
func (d *litefsYAML) end(n *yaml.Node) (int, error) {
	switch n.Kind {
	case yaml.AliasNode:
		return d.offset(n) + 1 + len(n.Value), nil
	case yaml.ScalarNode:
		return d.scalarEnd(n)
	}
	if n.Style&yaml.FlowStyle != 0 {
		return d.flowEnd(n)
	}
	if len(n.Content) == 0 {
		return 0, errYAMLSpan
	}
	last := n.Content[len(n.Content)-1]
	if isYAMLAbsent(last) {
		if n.Kind == yaml.SequenceNode {
			return d.offset(last), nil // behind the -
		}
		_, colon, err := d.colon(n.Content[len(n.Content)-2])
		return colon, err
	}
	return d.end(last)
}

// isYAMLAbsent reports whether a value is null because nothing is written.
func isYAMLAbsent(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && !isYAMLQuoted(n) && n.Anchor == "" && n.Style&yaml.TaggedStyle == 0
}

// properties skips an anchor and a tag.
func (d *litefsYAML) properties(n *yaml.Node) int {
	text, at := d.text.text, d.offset(n)
	if n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 {
		return at
	}
	for at < len(text) && (text[at] == '&' || text[at] == '!') {
		for at < len(text) && !strings.ContainsRune(" \t\r\n", rune(text[at])) {
			at++
		}
		for at < len(text) && strings.ContainsRune(" \t\r\n", rune(text[at])) {
			at++
		}
	}
	return at
}

func (d *litefsYAML) scalarEnd(n *yaml.Node) (int, error) {
	text, at := d.text.text, d.properties(n)
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i := at + 1; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case '"':
				return i + 1, nil
			}
		}
		return 0, errYAMLSpan
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i := at + 1; i < len(text); i++ {
			if text[i] != '\'' {
				continue
			}
			if i+1 < len(text) && text[i+1] == '\'' {
				i++
				continue
			}
			return i + 1, nil
		}
		return 0, errYAMLSpan
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return d.blockEnd(n, at), nil
	}
	// A plain scalar has no escapes: only its white space may be written in
	// another way than its value has it.
	blank := func(r rune) bool { return r == ' ' || r == '\t' || isYAMLBreak(r) }
	for _, word := range strings.FieldsFunc(n.Value, blank) {
		at = len(text) - len(strings.TrimLeftFunc(text[at:], blank))
		if !strings.HasPrefix(text[at:], word) {
			return 0, errYAMLSpan
		}
		at += len(word)
	}
	return at, nil
}

// blockEnd is the end of a | or > scalar, without the line end of its last line.
func (d *litefsYAML) blockEnd(n *yaml.Node, at int) int {
	text := d.text.text
	end := d.lineEnd(at)
	if strings.TrimSpace(n.Value) == "" {
		return end
	}
	indent := -1
	for i := end; i < len(text); {
		start := i + 1 // behind \n
		i = d.lineEnd(start)
		if start > i {
			break
		}
		line := strings.TrimRight(text[start:i], "\r")
		spaces := len(line) - len(strings.TrimLeft(line, " "))
		if spaces == len(line) {
			continue
		}
		if indent < 0 {
			indent = spaces
		}
		if spaces < indent {
			break
		}
		end = start + len(line)
	}
	return end
}

// lineEnd is where the line of a place ends: at \n, or the end of the text.
func (d *litefsYAML) lineEnd(at int) int {
	if at > len(d.text.text) {
		return len(d.text.text)
	}
	if i := strings.IndexByte(d.text.text[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(d.text.text)
}

func (d *litefsYAML) lineStart(at int) int {
	start := strings.LastIndexByte(d.text.text[:at], '\n') + 1
	if start == 0 && strings.HasPrefix(d.text.text, string(byteOrderMark)) {
		return len(byteOrderMark)
	}
	return start
}

// flowEnd is behind the bracket that closes a list or mapping in brackets.
func (d *litefsYAML) flowEnd(n *yaml.Node) (int, error) {
	text, at := d.text.text, d.properties(n)
	if at >= len(text) || text[at] != '{' && text[at] != '[' {
		return 0, errYAMLSpan // a: b in a list, without brackets
	}
	closing := byte('}')
	if text[at] == '[' {
		closing = ']'
	}
	at++
	for _, child := range slices.Backward(n.Content) {
		if isYAMLAbsent(child) {
			continue
		}
		end, err := d.end(child)
		if err != nil {
			return 0, err
		}
		at = end
		break
	}
	for ; at < len(text); at++ {
		switch c := text[at]; {
		case c == closing:
			return at + 1, nil
		case c == '#' && strings.IndexByte(" \t\n", text[at-1]) >= 0:
			at = d.lineEnd(at)
		case strings.IndexByte(" \t\r\n,:?", c) < 0:
			return 0, errYAMLSpan
		}
	}
	return 0, errYAMLSpan
}

// colon returns where a key ends, and the place behind the : that follows on the
// same line.
func (d *litefsYAML) colon(key *yaml.Node) (keyEnd, after int, err error) {
	keyEnd, err = d.end(key)
	if err != nil {
		return 0, 0, err
	}
	text, at := d.text.text, keyEnd
	for at < len(text) && (text[at] == ' ' || text[at] == '\t') {
		at++
	}
	if at == len(text) || text[at] != ':' {
		return 0, 0, errYAMLSpan
	}
	return keyEnd, at + 1, nil
}

// dash is where the - of an element stands.
func (d *litefsYAML) dash(element *yaml.Node) (int, error) {
	before := strings.TrimRight(d.text.text[:d.offset(element)], " \t\r\n")
	if !strings.HasSuffix(before, "-") {
		return 0, errYAMLSpan
	}
	return len(before) - 1, nil
}

// yamlComment is one comment, without the line's end.
type yamlComment struct {
	text  string
	start int
}

// comments finds every comment: a # at the start of a line or behind white space,
// and not inside of a scalar.
func (d *litefsYAML) comments() ([]yamlComment, error) {
	type span struct{ start, end int }
	var scalars []span
	var walk func(n *yaml.Node) error
	walk = func(n *yaml.Node) error {
		for _, child := range n.Content {
			if err := walk(child); err != nil {
				return err
			}
		}
		if n.Kind != yaml.ScalarNode || isYAMLAbsent(n) {
			return nil
		}
		start := d.properties(n)
		end, err := d.scalarEnd(n)
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			start = d.lineEnd(start) // the header's line may end in a comment
		}
		scalars = append(scalars, span{start, end})
		return err
	}
	if d.root != nil {
		if err := walk(d.root); err != nil {
			return nil, err
		}
	}
	var out []yamlComment
	text := d.text.text
	for i := 0; i < len(text); i++ {
		if len(scalars) > 0 && i >= scalars[0].start {
			i = max(i, scalars[0].end) - 1
			scalars = scalars[1:]
			continue
		}
		if text[i] == '#' && (i == 0 || strings.IndexByte(" \t\r\n", text[i-1]) >= 0 || i == len(byteOrderMark)) {
			end := d.lineEnd(i)
			comment, _ := d.text.restore(strings.TrimRight(text[i:end], " \t\r"))
			out = append(out, yamlComment{text: comment, start: i})
			i = end
		}
	}
	return out, nil
}
