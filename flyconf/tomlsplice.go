package flyconf

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// tomlEdit gathers what to change in a text, to be made in one pass.
type tomlEdit struct {
	tree    *tomlTree
	style   tomlStyle
	eol     string
	buf     []byte // the text, with a line break at its end
	open    bool   // the text has none
	splices []tomlSplice
	lost    []tomlSpan // whose comments go
}

// tomlSplice replaces a part of the text. Text to insert consists of whole lines.
type tomlSplice struct {
	start, end    int
	text          string
	cut           bool // lines go, and blank lines with them that would pile up
	before, after bool // a blank line belongs between this and what is there
}

func newTOMLEdit(t *tomlTree) *tomlEdit {
	e := &tomlEdit{tree: t, buf: t.data, eol: "\n"}
	if i := bytes.IndexByte(t.data, '\n'); i > 0 && t.data[i-1] == '\r' {
		e.eol = "\r\n"
	}
	if n := len(t.data); n > 0 && t.data[n-1] != '\n' {
		e.open = true
		e.buf = append(slices.Clip(t.data), e.eol...)
	}
	e.style = newTOMLStyle(e)
	return e
}

// lineStart is where the line of an offset begins, lineEnd where the next does.
func (e *tomlEdit) lineStart(at int) int { return bytes.LastIndexByte(e.buf[:at], '\n') + 1 }

func (e *tomlEdit) lineEnd(at int) int {
	if i := bytes.IndexByte(e.buf[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(e.buf)
}

// indent is the space before the first thing on a line.
func (e *tomlEdit) indent(at int) string {
	start := e.lineStart(at)
	end := start
	for end < at && (e.buf[end] == ' ' || e.buf[end] == '\t') {
		end++
	}
	return string(e.buf[start:end])
}

// blank reports whether the line that begins at an offset is empty.
func (e *tomlEdit) blank(at int) bool {
	return at < len(e.buf) && len(bytes.TrimSpace(e.buf[at:e.lineEnd(at)])) == 0
}

// isComment reports whether the line that begins at an offset is a comment.
func (e *tomlEdit) isComment(at int) bool {
	end := e.lineEnd(at)
	return bytes.HasPrefix(bytes.TrimLeft(e.buf[at:end], " \t"), []byte("#"))
}

func (e *tomlEdit) replace(at tomlSpan, text string) {
	e.splices = append(e.splices, tomlSplice{start: at.start, end: at.end, text: text})
}

func (e *tomlEdit) insert(at int, before, after bool, lines ...string) {
	text := strings.Join(lines, e.eol) + e.eol
	e.splices = append(e.splices, tomlSplice{start: at, end: at, text: text, before: before, after: after})
}

// cut takes out whole lines of a node, and the comments between them.
func (e *tomlEdit) cut(n *tomlNode) {
	lines := n.allLines(nil)
	slices.SortFunc(lines, func(a, b *tomlLine) int { return cmp.Compare(a.index, b.index) })
	for i := 0; i < len(lines); {
		j := i + 1
		for j < len(lines) && lines[j].index == lines[j-1].index+1 {
			j++
		}
		span := tomlSpan{e.lineStart(lines[i].start), e.lineEnd(lines[j-1].end)}
		e.splices = append(e.splices, tomlSplice{start: span.start, end: span.end, cut: true})
		e.lost = append(e.lost, span)
		i = j
	}
}

// allLines lists the headers and keys of a node and what is in it.
func (n *tomlNode) allLines(lines []*tomlLine) []*tomlLine {
	if n.line != nil {
		lines = append(lines, n.line)
	}
	if !n.inline() {
		for _, child := range n.list {
			lines = child.allLines(lines)
		}
	}
	return lines
}

// apply makes the splices. Lines that are new go before what is replaced behind them.
func (e *tomlEdit) apply() ([]byte, error) {
	slices.SortStableFunc(e.splices, func(a, b tomlSplice) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(min(1, a.end-a.start), min(1, b.end-b.start)))
	})
	w := &tomlSplicer{edit: e}
	for _, s := range e.splices {
		if s.start < w.pos && s.end > s.start && !s.cut {
			return nil, errTOMLByHand // in what another splice takes
		}
		w.copyTo(s.start)
		if s.before && len(w.out) > 0 && !endsBlank(w.out) {
			w.out = append(w.out, e.eol...)
		}
		w.out = append(w.out, s.text...)
		if s.text != "" {
			w.cut = false
		}
		w.pos = max(w.pos, s.end)
		w.cut = w.cut || s.cut
		w.apart = s.after
	}
	w.copyTo(len(e.buf))
	out := w.out
	if w.cut { // what was last is gone
		out = trimBlank(out)
	}
	if e.open {
		out = bytes.TrimSuffix(out, []byte(e.eol))
	}
	return out, nil
}

// tomlSplicer writes the new text.
type tomlSplicer struct {
	edit  *tomlEdit
	out   []byte
	pos   int  // what is before has been copied or taken out
	cut   bool // lines were just cut
	apart bool // a blank line belongs here
}

// copyTo copies the text up to an offset.
func (w *tomlSplicer) copyTo(to int) {
	for w.cut && w.pos < to && w.edit.blank(w.pos) && (len(w.out) == 0 || endsBlank(w.out)) {
		w.pos = min(to, w.edit.lineEnd(w.pos))
	}
	if w.pos >= to {
		return
	}
	if w.apart && !w.edit.blank(w.pos) {
		w.out = append(w.out, w.edit.eol...)
	}
	w.out = append(w.out, w.edit.buf[w.pos:to]...)
	w.pos, w.cut, w.apart = to, false, false
}

// endsBlank reports whether a text ends with an empty line.
func endsBlank(text []byte) bool {
	text, ok := bytes.CutSuffix(text, []byte("\n"))
	if !ok {
		return false
	}
	text = bytes.TrimRight(text, " \t\r")
	return len(text) == 0 || text[len(text)-1] == '\n'
}

// trimBlank takes the empty lines off the end of a text.
func trimBlank(text []byte) []byte {
	for len(text) > 0 && endsBlank(text) {
		text = bytes.TrimRight(bytes.TrimSuffix(text, []byte("\n")), " \t\r")
	}
	return text
}
