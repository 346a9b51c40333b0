package flyconf

import (
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// source is where the keys of a parsed file stand. Its zero value knows none.
type source struct {
	file string
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

// rename gives a key, and all below it, another path: the one by which the model
// calls it, where the file used an alias.
func (s source) rename(from, to string) {
	if from == to {
		return
	}
	moved := map[string]position{}
	for key, at := range s.keys {
		rest, ok := strings.CutPrefix(key, from)
		if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			moved[to+rest] = at
			delete(s.keys, key)
		}
	}
	for key, at := range moved {
		s.keys[key] = at
	}
}

// locate finds the place of every key of a document that is known to be valid.
// Elements of arrays are counted from 0: "http_service.checks[0].path".
func locate(file string, data []byte) source {
	s := source{file: file, keys: map[string]position{}}
	p := &unstable.Parser{}
	p.Reset(data)
	l := locator{p: p, keys: s.keys, tables: map[string]int{}}
	table := ""
	for p.NextExpression() {
		switch node := p.Expression(); node.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = l.header(node)
		case unstable.KeyValue:
			l.keyValue(table, node)
		}
	}
	return s
}

type locator struct {
	p      *unstable.Parser
	keys   map[string]position
	tables map[string]int // how many [[tables]] of a path there were
}

// header notes a [table] or [[table]] and returns its path. A table below an
// array of tables belongs to that array's last element.
func (l locator) header(node *unstable.Node) string {
	path := ""
	var at position
	it := node.Key()
	for it.Next() {
		key := it.Node()
		if at.line == 0 {
			at = l.at(key)
		}
		path = join(path, string(key.Data))
		last := it.IsLast()
		if last && node.Kind == unstable.ArrayTable {
			l.note(path, at)
			l.tables[path]++
		}
		if n := l.tables[path]; n > 0 {
			path = fmt.Sprintf("%s[%d]", path, n-1)
		}
	}
	l.note(path, at)
	return path
}

func (l locator) keyValue(table string, node *unstable.Node) {
	path := table
	it := node.Key()
	for it.Next() {
		path = join(path, string(it.Node().Data))
		l.note(path, l.at(it.Node()))
	}
	l.value(path, node.Value())
}

// value notes the keys inside inline tables and arrays.
func (l locator) value(path string, node *unstable.Node) {
	it := node.Children()
	switch node.Kind {
	case unstable.InlineTable:
		for it.Next() {
			l.keyValue(path, it.Node())
		}
	case unstable.Array:
		for i := 0; it.Next(); i++ {
			l.value(fmt.Sprintf("%s[%d]", path, i), it.Node())
		}
	}
}

// note keeps the first place of a path.
func (l locator) note(path string, at position) {
	if _, ok := l.keys[path]; !ok {
		l.keys[path] = at
	}
}

func (l locator) at(node *unstable.Node) position {
	start := l.p.Shape(node.Raw).Start
	return position{line: start.Line, col: start.Column}
}

// join makes the path of a key in a table.
func join(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}
