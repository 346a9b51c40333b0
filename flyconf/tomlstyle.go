package flyconf

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// tomlStyle is how a file is laid out, so that new lines look like the others.
type tomlStyle struct {
	keys   string // how far keys are indented below their header
	tables string // how far a table is indented below the one around it
	apart  bool   // blank lines stand before tables
	inner  bool   // and before tables in tables
}

func newTOMLStyle(e *tomlEdit) tomlStyle {
	s := tomlStyle{keys: "  ", tables: "  ", apart: true}
	keys, tables := false, false
	var outer, inner [2]int // headers without and with a blank line above them
	for i, line := range e.tree.lines {
		if !line.header {
			if above := headerAbove(e.tree.lines, i); above != nil && !keys {
				keys, s.keys = true, deeper(e.indent(above.start), e.indent(line.start))
			}
			continue
		}
		count := &outer
		if len(line.keys) > 1 {
			count = &inner
		}
		if at := e.blockStart(line); at > 0 && e.blank(e.lineStart(at-1)) {
			count[1]++
		} else if i > 0 {
			count[0]++
		}
		if len(line.keys) > 1 && !tables {
			indent := e.indent(line.start)
			tables, s.tables = true, indent[:len(indent)/(len(line.keys)-1)]
		}
	}
	if keys && !tables {
		s.tables = s.keys
	}
	s.apart = outer[1] > 0 || outer[0] == 0
	s.inner = inner[1] > 0 || inner[0] == 0 && s.apart
	return s
}

// between reports whether a blank line belongs before the table of a path.
func (s tomlStyle) between(path string) bool {
	if depthOf(path) > 0 {
		return s.inner
	}
	return s.apart
}

// headerAbove is the header just above a key, or nil.
func headerAbove(lines []*tomlLine, i int) *tomlLine {
	if i > 0 && lines[i-1].header {
		return lines[i-1]
	}
	return nil
}

// deeper is how far inner is indented below outer.
func deeper(outer, inner string) string {
	if rest, ok := strings.CutPrefix(inner, outer); ok {
		return rest
	}
	return ""
}

// blockStart is where the comments directly above a line begin, or the line itself.
func (e *tomlEdit) blockStart(line *tomlLine) int {
	limit := 0
	if line.index > 0 {
		limit = e.lineEnd(e.tree.lines[line.index-1].end)
	}
	at := e.lineStart(line.start)
	for at > limit {
		above := e.lineStart(at - 1)
		if !e.isComment(above) {
			break
		}
		at = above
	}
	return at
}

// after is where a table can be put behind a line: below comments that stand
// directly under it, unless they belong to what follows.
func (e *tomlEdit) after(line *tomlLine) int {
	end := e.lineEnd(line.end)
	at := end
	for at < len(e.buf) && e.isComment(at) {
		at = e.lineEnd(at)
	}
	if at == len(e.buf) || e.blank(at) {
		return at
	}
	return end
}

// keyText writes a key and its value as those beside it are written.
func (e *tomlEdit) keyText(key, value string, beside []*tomlLine) string {
	beside = slices.DeleteFunc(slices.Clone(beside[max(0, len(beside)-2):]), func(l *tomlLine) bool { return l.header })
	if len(beside) == 0 {
		return key + " = " + value
	}
	last := beside[len(beside)-1]
	left, right := e.aroundEquals(last)
	if len(beside) == 2 && e.column(beside[0].eq) == e.column(last.eq) && beside[0].eq-beside[0].start > 0 {
		firstLeft, _ := e.aroundEquals(beside[0])
		if len(left) != len(firstLeft) { // a column of equals signs
			width := e.column(last.eq) - e.column(last.start)
			left = strings.Repeat(" ", max(1, width-utf8.RuneCountInString(key)))
		}
	}
	if len(left) > 1 && len(beside) == 1 {
		left = " "
	}
	if len(right) > 1 {
		right = " "
	}
	return key + left + "=" + right + value
}

// aroundEquals is the space before and behind a line's "=".
func (e *tomlEdit) aroundEquals(l *tomlLine) (left, right string) {
	data := e.tree.data
	return string(data[l.keys[len(l.keys)-1].end:l.eq]), string(data[l.eq+1 : l.value.start])
}

// column counts the letters before an offset on its line.
func (e *tomlEdit) column(at int) int { return utf8.RuneCount(e.buf[e.lineStart(at):at]) }

// replaceValue replaces the value of a top-level key. A comment behind it stays in
// its column where one on the line above or below stands in the same.
func (e *tomlEdit) replaceValue(n *tomlNode, text string) {
	old := tomlSpan{n.start, n.end}
	i, trailing := slices.BinarySearchFunc(e.tree.comments, old.end, func(c tomlSpan, at int) int {
		if c.start < at {
			return -1
		}
		return 0
	})
	if !trailing || strings.Contains(text, "\n") || bytes.IndexByte(e.buf[old.start:old.end], '\n') >= 0 {
		e.replace(old, text)
		return
	}
	c := e.tree.comments[i]
	start, end := e.lineStart(old.start), e.lineEnd(old.end)
	if c.start >= end {
		e.replace(old, text)
		return
	}
	aligned := i > 0 && e.lineEnd(e.tree.comments[i-1].start) == start && e.column(e.tree.comments[i-1].start) == e.column(c.start) ||
		i+1 < len(e.tree.comments) && e.lineStart(e.tree.comments[i+1].start) == end && e.column(e.tree.comments[i+1].start) == e.column(c.start)
	if gap := string(e.buf[old.end:c.start]); aligned && strings.Trim(gap, " ") == "" {
		grown := utf8.RuneCountInString(text) - utf8.RuneCount(e.buf[old.start:old.end])
		text += strings.Repeat(" ", max(1, len(gap)-grown))
		old.end = c.start
	}
	e.replace(old, text)
}
