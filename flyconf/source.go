package flyconf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// source is where the keys of a parsed file stand. Its zero value knows none.
type source struct {
	file string
	form form
	keys map[string]position
}

type position struct{ line, col int } // from 1; zero is unknown

// position returns where key stands, or else the nearest table around it, which
// is the place to add a key that is missing.
func (s source) position(key string) position {
	for {
		if at, ok := s.keys[key]; ok {
			return at
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return position{}
		}
		key = key[:i]
	}
}

// note keeps the first place of a path.
func (s source) note(path string, at position) {
	if _, ok := s.keys[path]; !ok {
		s.keys[path] = at
	}
}

// lines turns offsets into lines and columns.
type lines []int // where each begins

func newLines(data []byte) lines {
	starts := lines{0}
	for i, b := range data {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

func (l lines) position(offset int) position {
	i, found := slices.BinarySearch(l, offset)
	if !found {
		i--
	}
	return position{line: i + 1, col: offset - l[i] + 1}
}

// locate finds the place of every key of a TOML document. Elements of arrays are
// counted from 0: "http_service.checks[0].path". It stops where the text is not
// TOML, which is a decoder's to report, and refuses a document that holds too
// much.
func locate(file string, data []byte) (source, *Problem) {
	s := source{file: file, keys: map[string]position{}}
	p := &unstable.Parser{}
	p.Reset(data)
	l := &locator{src: s, lines: newLines(data), count: counter{file: file}, tables: map[string]int{}}
	table, depth := "", 0
	for l.problem == nil && p.NextExpression() {
		switch node := p.Expression(); node.Kind {
		case unstable.Table, unstable.ArrayTable:
			table, depth = l.header(node)
		case unstable.KeyValue:
			l.keyValue(table, depth, node)
		}
	}
	return s, l.problem
}

type locator struct {
	src     source
	lines   lines
	count   counter
	tables  map[string]int // how many [[tables]] of a path there were
	problem *Problem
}

// header notes a [table] or [[table]] and returns its path and how deep it is. A
// table below an array of tables belongs to that array's last element.
func (l *locator) header(node *unstable.Node) (string, int) {
	path, depth := "", 0
	var at position
	it := node.Key()
	for it.Next() {
		key := it.Node()
		if at.line == 0 {
			at = l.at(key)
		}
		depth++
		if !l.counted(at, depth) {
			return path, depth
		}
		path = join(path, string(key.Data))
		last := it.IsLast()
		if last && node.Kind == unstable.ArrayTable {
			l.src.note(path, at)
			l.tables[path]++
		}
		if n := l.tables[path]; n > 0 {
			path = fmt.Sprintf("%s[%d]", path, n-1)
		}
	}
	l.src.note(path, at)
	return path, depth
}

func (l *locator) keyValue(table string, depth int, node *unstable.Node) {
	path := table
	it := node.Key()
	for it.Next() {
		depth++
		at := l.at(it.Node())
		if !l.counted(at, depth) {
			return
		}
		path = join(path, string(it.Node().Data))
		l.src.note(path, at)
	}
	l.value(path, depth, node.Value())
}

// value notes the keys inside inline tables and arrays.
func (l *locator) value(path string, depth int, node *unstable.Node) {
	it := node.Children()
	switch node.Kind {
	case unstable.InlineTable:
		for l.problem == nil && it.Next() {
			l.keyValue(path, depth, it.Node())
		}
	case unstable.Array:
		at := l.src.position(path)
		for i := 0; it.Next(); i++ {
			if !l.counted(at, depth+1) {
				return
			}
			l.value(fmt.Sprintf("%s[%d]", path, i), depth+1, it.Node())
		}
	}
}

func (l *locator) counted(at position, depth int) bool {
	if l.problem == nil {
		l.problem = l.count.key(at, depth)
	}
	return l.problem == nil
}

func (l *locator) at(node *unstable.Node) position { return l.lines.position(int(node.Raw.Offset)) }

// join makes the path of a key in a table.
func join(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}
