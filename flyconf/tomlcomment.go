package flyconf

import (
	"slices"
	"strings"
)

// lineOf is where the line begins above which a comment on a place can stand: that
// of its key or header, or, where that is in the middle of a value's line, that of
// the whole value.
func (e *tomlEdit) lineOf(p *tomlPlace) int {
	n := p.node()
	at := n.at
	switch {
	case n.kind == tomlTables:
		at = n.list[0].line.start
	case n.line != nil:
		at = n.line.start
	case n.kind == tomlTable && p.outer() < 0:
		at = n.firstLine().start
	}
	if start := e.lineStart(at); len(strings.TrimSpace(e.text(start, at))) == 0 {
		return start
	}
	return e.lineStart(p.nodes[p.outer()].line.start)
}

// indentAt is the space at the start of a line.
func (e *tomlEdit) indentAt(at int) string {
	end := at
	for end < len(e.buf) && (e.buf[end] == ' ' || e.buf[end] == '\t') {
		end++
	}
	return e.text(at, end)
}

// commented reports whether comments stand directly above a line.
func (e *tomlEdit) commented(at int, comments []string) bool {
	for _, want := range slices.Backward(comments) {
		if at == 0 {
			return false
		}
		at = e.lineStart(at - 1)
		start := at + len(e.indentAt(at))
		_, real := slices.BinarySearchFunc(e.tree.comments, start, func(c tomlSpan, at int) int { return c.start - at })
		if line := strings.TrimRight(e.text(start, e.lineEnd(at)), "\r\n"); !real || strings.TrimRight(line, " \t") != want {
			return false
		}
	}
	return true
}
