package flyconf

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// nastyTOML are texts that an editor by lines or patterns would break.
var nastyTOML = []string{
	"",
	"# only a comment",
	"a = 1",
	"a = \"\"\"\n[b]\n# no comment\nc = 1 \\\"\"\"\"\"\"  # c\n\n[b]\n",
	"a = '''\r\n# x\r\n'''\r\n[t] # t\r\n  k   =   1 # c\r\n  kk  =   2   # d\r\n",
	"\"\" = 1\n\"a.b\".\"c d\" . e = 2\n['x'.\"y\\\"\"]\n'#' = 3\n",
	"[a.b]\nx = 1\n[a]\ny = 2\n[a.c]\n[[a.d]]\n[[a.d.e]]\nz = 1\n[[a.d]]\n",
	"[[a]] # 1\n# in a\nx = [\n  1, # one\n  # two\n  2\n  , 3 ]\n\n\n# above\n[a.b]\n[[a]]\n\n\n",
	"m = {} # c\nn = { a = 1, b.c = [ { d = 'x' }, {} ], b.e = 2 }\no = [ [], [ ], [[1],[2,],], ]\n",
	"m = {\n  a = 1, # one\n  # b\n  b = \"x\",\n}\n",
	"x.y.z = 1 # c\nx.y.w = 2\nx.v = 3\n\n[x.u]\nt = 1\n\n[q]\nx.y.z = 1\n",
	"f = nan\ng = -inf\nh = 0x1F\ni = 1979-05-27T07:32:00Z\nj = 07:32:00\nk = 1_000\nl = -0.0\n",
	"[mounts]\nsource = \"a\"\n[mounts.x]\ny = 1\n\n[env]\nA = \"1\"\n",
	"[mount]\n  source='a'\n[[compute]]\n  memory_mb = 512\n[[services]]\n  [[services.ports]]\n  port = 80\n  [services.tcp_checks]\n  interval = 1\n",
	"mounts = {source = \"a\", destination = \"/b\"}\nservices = [{ports = [{port = 80}]}]\n",
	"mounts = [ # c\n# d\n{source = \"a\"}, # e\n]\n",
	"[ http_service ] # h\ninternal_port=8080\n\t[[ http_service . checks ]] # i\n\tpath='/'\n# end",
	"[http_service.checks.x]\na = 1\n[env]\n\n\n\nB = 2 # b\n# after b\n# [mounts]\n",
	"a = [\"x\", # first\n\"x\" # second\n]\nb = [ # only\n]\nc = [1\n# dangling\n]",
	"a = [\n# c\n1]\nd = {b = [\n# e\n1]}\n",
}

var tomlFuzzValues = []any{
	"x", "", "it's \"q\"\\\n\tz\x00\u007fé", "a\nb", "a\r\nb\r\n", true, 7, int64(math.MinInt64), 0.5, math.Inf(1), math.NaN(),
	90 * time.Second, []string{}, []string{"a", "b"}, []any{1, "x", []any{2.0}, map[string]any{"k": 1}},
	map[string]any{}, map[string]string{"A": "1", "b c": "2"},
	map[string]any{"x": 1, "source": "data", "y": map[string]any{"z": []any{}, "w": map[string]any{}}},
	[]map[string]any{{"source": "a"}}, []map[string]any{{"b": 1, "c": []map[string]any{{"d": 1}, {}}}, {}},
}

var tomlFuzzPaths = []string{
	"app", "env", "env.A", `env."a.b"`, "mounts", "mounts[0]", "mounts[1]", "mounts[0].source", "mounts[1].source", "mounts[2].x",
	"http_service.checks", "http_service.checks[0].path", "http_service.concurrency.type", "services[0].ports[0].port", "services[0].ports[1]",
	"services[0].tcp_checks[0].interval", "services[1]", "vm[0].memory", "vm[0].memory_mb", "a", "a.b", "a.b.x", "a[0]", "a[0].b", "a[1]", "x.y", "x.y.new",
	"x.u.new", "n.b.c[0].d", "n.b.new", "m.new", "o[3]", "new", "new.a.b[0].c", "", `""`, "a[9]", "checks.up.port",
}

// FuzzDocument makes edits of any text that go-toml takes. An edit that is made
// leaves all other values and all comments, and made again changes no byte; one
// that is refused changes nothing.
func FuzzDocument(f *testing.F) {
	for i, text := range documentTexts(f) {
		for j := range 20 {
			f.Add([]byte(text), uint8(i+j), uint16(7*i+13*j), uint8(j), "a.\"b\" # '\n")
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, op uint8, path uint16, value uint8, text string) {
		d, err := ParseDocument("fly.toml", data)
		if err != nil {
			return
		}
		sameTree(t, d.tree)
		paths := slices.Concat(slices.Sorted(maps.Keys(tomlPaths(d.tree.root))), tomlFuzzPaths, []string{text, PathOf("env", text)})
		values := slices.Concat(tomlFuzzValues, []any{text, []string{text, ""}, map[string]string{text: text}})
		e := fuzzEdit{op: int(op % 4), path: paths[int(path)%len(paths)], value: values[int(value)%len(values)], comment: text}
		if err := e.do(d); err != nil {
			if string(d.Bytes()) != string(data) {
				t.Fatalf("%v: refused with %v, but changed\n%q\nto\n%q", e, err, data, d.Bytes())
			}
			return
		}
		e.check(t, data, d)
	})
}

type fuzzEdit struct {
	op      int // 0 and 1 set, 2 removes, 3 comments
	path    string
	value   any
	comment string
}

func (e fuzzEdit) do(d *Document) error {
	switch e.op {
	case 2:
		return d.Remove(e.path)
	case 3:
		return d.Comment(e.path, e.comment)
	}
	return d.Set(e.path, e.value)
}

// check holds an edit that was made against what Document promises, by means of
// its own.
func (e fuzzEdit) check(t *testing.T, data []byte, d *Document) {
	t.Helper()
	once := d.Bytes()
	place := e.checkValues(t, data, d)
	e.checkComments(t, data, once, place)
	if _, index := place.steps[len(place.steps)-1].(int); e.op == 2 && index {
		return // another element has its index now
	}
	if err := e.do(d); err != nil || string(d.Bytes()) != string(once) {
		t.Fatalf("%v again (%v) changed\n%q\nto\n%q", e, err, once, d.Bytes())
	}
}

// checkValues wants the value as asked and all others as they were.
func (e fuzzEdit) checkValues(t *testing.T, data []byte, d *Document) *tomlPlace {
	t.Helper()
	once := d.Bytes()
	before, after := decodeTOML(t, data), decodeTOML(t, once)
	steps, err := parsePath(e.path)
	if err != nil {
		t.Fatal(err)
	}
	old, err := parseTOMLTree("fly.toml", data)
	if err != nil {
		t.Fatal(err)
	}
	place := old.find(steps)
	touched, now := leavesPath(place.steps), leaves(after)
	if e.op != 3 {
		for path, want := range leaves(before) {
			if strings.HasPrefix(path, touched) || strings.HasPrefix(touched, path) {
				continue
			}
			if i := strings.LastIndexByte(touched, '['); e.op == 2 && i > 0 && strings.HasPrefix(path, touched[:i]) {
				continue // behind an element that is gone
			}
			got, ok := now[path]
			if list := strings.LastIndexByte(touched, '['); !ok && list > 0 && strings.HasPrefix(path, touched[:list]) {
				got, ok = now[touched[:list]+"[0]"+path[list:]] // one table has become a list
			}
			if !ok || !samePlain(got, want) {
				t.Fatalf("%v changed %s from %v to %v:\n%q\n%q", e, path, want, got, data, once)
			}
		}
	} else if !samePlain(any(before), any(after)) {
		t.Fatalf("%v changed a value:\n%q\n%q", e, data, once)
	}
	got, has := d.Get(e.path)
	switch e.op {
	case 2:
		if _, index := steps[len(steps)-1].(int); has && !index {
			t.Fatalf("%v left it:\n%q\n%q", e, data, once)
		}
	case 0, 1:
		want, err := plainValue(e.value, 0)
		if err != nil || !has || !samePlain(oneOf(got), oneOf(want)) {
			t.Fatalf("%v made it %v (%v):\n%q\n%q", e, got, err, data, once)
		}
	}
	return place
}

// checkComments wants all comments kept, but those of what is removed or replaced.
func (e fuzzEdit) checkComments(t *testing.T, data, once []byte, place *tomlPlace) {
	t.Helper()
	exempt := tomlSpan{}
	if place.found() && e.op != 3 {
		n := place.node()
		exempt = tomlSpan{n.start, n.end}
		if lines := n.allLines(nil); len(lines) > 0 && (e.op == 2 || n.kind <= tomlTables) {
			exempt = tomlSpan{n.firstLine().start, n.lastLine().end}
		}
		if i := strings.IndexByte(string(data[exempt.end:]), '\n'); i >= 0 {
			exempt.end += i
		} else {
			exempt.end = len(data)
		}
		if n.line == nil { // an element: its comma may stand lines below
			exempt.end = max(exempt.end, place.nodes[max(0, place.outer())].end)
		}
	}
	count, there := map[string]int{}, map[string]bool{}
	for _, c := range tomlComments(once) {
		text := string(once[c.start:c.end])
		count[text]++
		there[strings.TrimRight(text, " \t")] = true
	}
	for _, c := range tomlComments(data) {
		if c.start >= exempt.start && c.start < exempt.end {
			continue
		}
		text := string(data[c.start:c.end])
		if count[text]--; count[text] < 0 {
			t.Fatalf("%v lost %q of\n%q\nin\n%q", e, text, data, once)
		}
	}
	for line := range strings.Lines(e.comment) {
		line = strings.TrimRight("# "+strings.TrimRight(line, "\r\n"), " \t")
		if e.op == 3 && !there[line] {
			t.Fatalf("%v: no comment %q in\n%q", e, line, once)
		}
	}
}

// oneOf is the element of a list of one table.
func oneOf(v any) any {
	if list, ok := v.([]any); ok && len(list) == 1 && hasTables(v) {
		return list[0]
	}
	return v
}

func decodeTOML(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := toml.Unmarshal(data, &out); err != nil {
		t.Fatalf("%v:\n%q", err, data)
	}
	return out
}

// leaves lists values by path. What is empty is no leaf: tables without header go
// with the last key in them.
func leaves(v any) map[string]any {
	out := map[string]any{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, item := range v {
				walk(path+"/"+quote(name), item)
			}
		case []any:
			for i, item := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), item)
			}
		default:
			out[path] = v
		}
	}
	walk("", v)
	return out
}

func leavesPath(steps []any) string {
	var b strings.Builder
	for _, step := range steps {
		switch s := step.(type) {
		case string:
			b.WriteString("/" + quote(s))
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		}
	}
	return b.String()
}

// tomlPaths lists the paths of everything in a tree.
func tomlPaths(root *tomlNode) map[string]bool {
	out := map[string]bool{}
	var walk func(n *tomlNode, steps []any)
	walk = func(n *tomlNode, steps []any) {
		if len(steps) > 0 {
			out[PathOf(steps...)] = true
		}
		for i, child := range n.list {
			if n.isTable() {
				walk(child, append(slices.Clip(steps), child.key))
			} else {
				walk(child, append(slices.Clip(steps), i))
			}
		}
	}
	walk(root, nil)
	return out
}

// sameTree wants the tree to have what the decoder says.
func sameTree(t *testing.T, tree *tomlTree) {
	t.Helper()
	var shape func(n *tomlNode) any
	shape = func(n *tomlNode) any {
		switch {
		case n.isTable():
			out := map[string]any{}
			for name, child := range n.names {
				out[name] = shape(child)
			}
			return out
		case n.isList():
			out := []any{}
			for _, child := range n.list {
				out = append(out, shape(child))
			}
			return out
		}
		return decodeTOML(t, []byte("v = "+string(tree.data[n.start:n.end])))["v"]
	}
	if diff := cmp.Diff(any(tree.values), shape(tree.root), cmpopts.EquateNaNs()); diff != "" {
		t.Fatalf("(-values +tree):\n%s\n%q", diff, tree.data)
	}
	if comments := tomlComments(tree.data); !slices.Equal(comments, tree.comments) {
		t.Fatalf("comments %v, want %v:\n%q", tree.comments, comments, tree.data)
	}
}

// tomlComments lists the comments by go-toml's own reading.
func tomlComments(data []byte) []tomlSpan {
	var out []tomlSpan
	p := &unstable.Parser{KeepComments: true}
	p.Reset(data)
	var walk func(n *unstable.Node)
	walk = func(n *unstable.Node) {
		for ; n != nil; n = n.Next() {
			if n.Kind == unstable.Comment {
				out = append(out, tomlSpan{int(n.Raw.Offset), int(n.Raw.Offset + n.Raw.Length)})
			}
			walk(n.Child())
		}
	}
	for p.NextExpression() {
		walk(p.Expression())
	}
	slices.SortFunc(out, func(a, b tomlSpan) int { return a.start - b.start })
	return out
}
