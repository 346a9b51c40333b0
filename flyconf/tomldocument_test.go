package flyconf

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDocumentRefused(t *testing.T) {
	type doc = *Document
	set := func(path string, value any) func(doc) error {
		return func(d doc) error { return d.Set(path, value) }
	}
	remove := func(path string) func(doc) error { return func(d doc) error { return d.Remove(path) } }
	comment := func(path, text string) func(doc) error {
		return func(d doc) error { return d.Comment(path, text) }
	}
	deep := any("x")
	for range 40 {
		deep = []any{deep}
	}
	tests := []struct {
		name, text, want string
		edit             func(doc) error
	}{
		{"no path", "", `set  in fly.toml: "" is not a path: write it as in app, mounts[0].source or env."a.b"`, set("", 1)},
		{"broken path", "", `remove a[x] from fly.toml: "a[x]" is not a path: write it as in app, mounts[0].source or env."a.b"`, remove("a[x]")},
		{"type", "", "set a in fly.toml: takes strings, booleans, numbers, durations, lists and tables of them, not struct {}", set("a", struct{}{})},
		{"nil", "", "set a in fly.toml: takes strings, booleans, numbers, durations, lists and tables of them, not <nil>", set("a", nil)},
		{"not text", "", "set a in fly.toml: the new value is not UTF-8 text", set("a", "\xff")},
		{"key that is not text", "", "set a in fly.toml: a key of the new value is not UTF-8 text", set("a", map[string]any{"\xff": 1})},
		{"deep value", "", "set a in fly.toml: the new value is nested more than 32 deep", set("a", deep)},
		{"deep file", "[a]\nb = [[[[1]]]]\n", "set a.b in fly.toml: the file is written in a way that this edit would break: make the change by hand", set("a.b", deep.([]any)[0].([]any)[0].([]any)[0].([]any)[0].([]any)[0].([]any)[0].([]any)[0].([]any)[0].([]any)[0])},
		{"large value", "", "set a in fly.toml: the file would be larger than 1 MB", set("a", strings.Repeat("x", maxFileBytes))},
		{"large value in a list", "a = []", "set a in fly.toml: the new value is larger than 1 MB", set("a", []string{strings.Repeat("x", maxFileBytes)})},
		{"below a value", "a = 1", "set a.b in fly.toml: a is a value, which has no keys: remove it first", set("a.b", 1)},
		{"below a list", "[[vm]]", "set vm.size in fly.toml: vm is a list: say which element, as in vm[0]", set("vm.size", "x")},
		{"gap in a list", "[[vm]]", "set vm[2].size in fly.toml: vm has no element [1]: add that first", set("vm[2].size", "x")},
		{"gap in a list of values", "a = [1]", "set a[2] in fly.toml: a has no element [1]: add that first", set("a[2]", 1)},
		{"gap behind one table", "[mounts]", "set mounts[2].source in fly.toml: mounts has no element [1]: add that first", set("mounts[2].source", "x")},
		{"gap in a new list", "", "set vm[1].size in fly.toml: there is no list yet: add its element [0] first", set("vm[1].size", "x")},
		{"index of a value", "a = 1", "set a[0] in fly.toml: a is not a list", set("a[0]", 1)},
		{"index of a table", "[env]", "set env[0] in fly.toml: env is not a list", set("env[0]", 1)},
		{"table for a list", "[http_service.checks]", "set http_service.checks[0].path in fly.toml: http_service.checks is a table where flyctl wants a list: set http_service.checks to a list first", set("http_service.checks[0].path", "/")},
		{"element as a value", "[[vm]]", "set vm[0] in fly.toml: is a table of a list: it takes a table, not a string", set("vm[0]", "x")},
		{"one table as a value", "[mounts]", "set mounts[0] in fly.toml: is a table of a list: it takes a table, not an integer", set("mounts[0]", 1)},
		{"new element as a value", "[[vm]]", "set vm[1] in fly.toml: is a list of tables: its elements are no other values", set("vm[1]", "x")},
		{"two names of one key", "[mount]\n[[mounts]]", "set mounts[0].source in fly.toml: the file has both mounts and mount, which flyctl reads as the same: keep one of them by hand", set("mounts[0].source", "x")},
		{"two names, removed", "[mount]\n[[mounts]]", "remove mount from fly.toml: the file has both mount and mounts, which flyctl reads as the same: keep one of them by hand", remove("mount")},
		{"memory_mb with a unit", "[vm]\nmemory_mb = 512", "set vm[0].memory in fly.toml: the file says memory_mb, which takes a number of megabytes: set that, or remove it first", set("vm[0].memory", "1gb")},
		{"a second beside dotted keys", "mounts.source = 'a'", "set mounts[1].source in fly.toml: the table is written without a header of its own, so it cannot have a second beside it: give each element a header [[...]] by hand", set("mounts[1].source", "x")},
		{"a second where a table stands above", "[mounts.x]\n[mounts]\nsource = 'a'", "set mounts[1].source in fly.toml: a table in it stands above its header: move it below by hand", set("mounts[1].source", "x")},
		{"comment on nothing", "", "comment a in fly.toml: it is not in the file", comment("a", "x")},
		{"comment that is not text", "a = 1", "comment a in fly.toml: the comment is not UTF-8 text", comment("a", "\xff")},
		{"comment that moves the cursor", "a = 1", "comment a in fly.toml: the comment holds a control character", comment("a", "\x1b[2J")},
		{"comment with a carriage return", "a = 1", "comment a in fly.toml: the comment holds a control character", comment("a", "x\rb = 2")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseDocument("fly.toml", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			err = tt.edit(d)
			if err == nil {
				t.Fatalf("made the edit:\n%.500s", d.Bytes())
			}
			if err.Error() != tt.want {
				t.Errorf("\n got %v\nwant %s", err, tt.want)
			}
			if string(d.Bytes()) != tt.text {
				t.Errorf("text changed to %q", d.Bytes())
			}
		})
	}
}

func TestParseDocumentRefused(t *testing.T) {
	tests := []struct{ file, text, want string }{
		{"fly.json", "{}", "fly.json: only TOML is edited: make the change by hand, or turn the file into a fly.toml"},
		{"fly.yaml", "", "fly.yaml: only TOML is edited: make the change by hand, or turn the file into a fly.toml"},
		{"fly.toml", "a = 1\na = 2\n", "fly.toml:2:1: key a is already defined"},
		{"fly.toml", "[mounts]\n[[mounts]]\n", "fly.toml:2:3: key mounts already exists as a table, but should be an array table: write its first header with two brackets too, or put both into one table"},
		{"fly.toml", "a = 1 b = 2\n", "fly.toml:1:7: expected newline but got U+0062 'b'"},
		{"fly.toml", "a = \x00", "fly.toml:1:5: holds a NUL byte: it is binary, or not saved as UTF-8"},
		{"fly.toml", "\ufeffa = 1", "fly.toml:1:1: begins with a byte order mark, which flyctl does not read: save it as UTF-8 without one"},
		{"fly.toml", strings.Repeat("#", maxFileBytes+1), "fly.toml: is larger than 1 MB (1048577 bytes): is it the right file?"},
	}
	for _, tt := range tests {
		d, err := ParseDocument(tt.file, []byte(tt.text))
		var p *Problem
		if d != nil || !errors.As(err, &p) || err.Error() != tt.want {
			t.Errorf("%s %.20q: err = %v, want %s", tt.file, tt.text, err, tt.want)
		}
	}
}

func TestDocumentGet(t *testing.T) {
	d, err := ParseDocument("fly.toml", []byte(`app = "shop"
list = [1, 2.5, [true]]

[mount]
  source = "data"

[[compute]]
  memory_mb = 512

[checks.up]
  "a.b" = {c.d = 'x'}
`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		value any
		at    string
	}{
		"app":                 {"shop", "1:1"},
		"list":                {[]any{int64(1), 2.5, []any{true}}, "2:1"},
		"list[2][0]":          {true, "2:18"},
		"mounts":              {map[string]any{"source": "data"}, "4:2"},
		"mounts[0]":           {map[string]any{"source": "data"}, "4:2"},
		"mounts[0].source":    {"data", "5:3"},
		"mount.source":        {"data", "5:3"},
		"vm":                  {[]any{map[string]any{"memory_mb": int64(512)}}, "7:3"},
		"vm[0]":               {map[string]any{"memory_mb": int64(512)}, "7:3"},
		"vm[0].memory":        {int64(512), "8:3"},
		"checks":              {map[string]any{"up": map[string]any{"a.b": map[string]any{"c": map[string]any{"d": "x"}}}}, "10:2"},
		`checks.up."a.b".c`:   {map[string]any{"d": "x"}, "11:12"},
		`checks.'up'."a.b"`:   {map[string]any{"c": map[string]any{"d": "x"}}, "11:3"},
		`"checks"."up".'a.b'`: {map[string]any{"c": map[string]any{"d": "x"}}, "11:3"},
	} {
		got, ok := d.Get(path)
		if diff := cmp.Diff(want.value, got); diff != "" || !ok || !d.Has(path) {
			t.Errorf("Get(%s), %t (-want +got):\n%s", path, ok, diff)
		}
		line, col, ok := d.Position(path)
		if at := fmt.Sprintf("%d:%d", line, col); at != want.at || !ok {
			t.Errorf("Position(%s) = %s, want %s", path, at, want.at)
		}
	}
	for _, path := range []string{"nothing", "app.x", "app[0]", "list[3]", "list.x", "mounts[1]", "mounts[0].x", "vm.memory_mb", "checks[0]", "", "a..b", `"a`, "'a", "a[", "a[1]b", "a[9999999]", `"\xff"`} {
		if got, ok := d.Get(path); ok || d.Has(path) {
			t.Errorf("Get(%s) = %v", path, got)
		}
		if _, _, ok := d.Position(path); ok {
			t.Errorf("%s has a position", path)
		}
	}
	got, _ := d.Get("mounts[0]")
	got.(map[string]any)["source"] = "changed"
	if again, _ := d.Get("mounts[0].source"); again != "data" {
		t.Errorf("what Get returned is the document's own: %v", again)
	}
}

// TestDocumentPositions: a Document and Parse say the same places.
func TestDocumentPositions(t *testing.T) {
	for _, text := range documentTexts(t) {
		d, err := ParseDocument("fly.toml", []byte(text))
		if err != nil {
			continue
		}
		doc, err := readDocument("fly.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range doc.src.keys {
			if line, col, ok := d.Position(key); ok && line != want.line {
				t.Errorf("%s: %d:%d, want %v:\n%s", key, line, col, want, text)
			}
		}
	}
}

func TestPathOf(t *testing.T) {
	for want, steps := range map[string][]any{
		"app": {"app"}, "mounts[0].source": {"mounts", 0, "source"}, `env."a.b"`: {"env", "a.b"},
		`a[1][2]."é\n\"\\\u0001[0]"[3]`: {"a", 1, 2, "é\n\"\\\x01[0]", 3}, `""."it's"`: {"", "it's"},
	} {
		got := PathOf(steps...)
		if got != want {
			t.Errorf("PathOf(%q) = %s, want %s", steps, got, want)
		}
		again, err := parsePath(got)
		if err != nil || !slices.Equal(again, steps) {
			t.Errorf("parsePath(%s) = %q, %v, want %q", got, again, err, steps)
		}
	}
}

func TestDocumentValues(t *testing.T) {
	d, err := ParseDocument("fly.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		value any
		want  string
	}{
		{"a\t\"b\"\\\r\n\x00", `"a\t\"b\"\\\r\n\u0000"`},
		{true, "true"},
		{7, "7"},
		{int64(math.MinInt64), "-9223372036854775808"},
		{1.0, "1.0"},
		{1e300, "1e+300"},
		{math.Inf(-1), "-inf"},
		{90 * time.Second, `"1m30s"`},
		{5 * time.Minute, `"5m"`},
		{[]string{"a", "b"}, `["a", "b"]`},
		{[]any{1, []any{}, map[string]any{"b": 1, "a c": "x"}}, `[1, [], {"a c" = "x", b = 1}]`},
	} {
		if err := d.Set("a", tt.value); err != nil {
			t.Fatal(err)
		}
		if got := string(d.Bytes()); got != "a = "+tt.want+"\n" {
			t.Errorf("%v is written %q, want %s", tt.value, got, tt.want)
		}
	}
}

// TestDocumentConfig: a Document is read as Parse reads its text.
func TestDocumentConfig(t *testing.T) {
	d, err := ParseDocument("app/fly.toml", []byte("app = \"shop\"\n[mount]\nsource = \"data\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Set("mounts[0].auto_extend_size_increment", 5); err != nil {
		t.Fatal(err)
	}
	c, err := d.Config()
	const want = "app/fly.toml:4:1: mounts[0].auto_extend_size_increment: is an integer, which flyctl cannot load: write a quoted size, as in \"1GB\""
	if c == nil || c.App != "shop" || err == nil || err.Error() != want {
		t.Errorf("Config() = %v, %v, want %s", c, err, want)
	}
}

// documentTexts are files to edit: the corpus, and texts made to be hard.
func documentTexts(t testing.TB) []string {
	t.Helper()
	texts := slices.Clone(nastyTOML)
	for _, file := range corpus(t) {
		if formOf(file) != formTOML {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(data))
	}
	return texts
}

// TestDocumentEverywhere edits everything in every file, and everything that is
// missing from it. None of that has to be made by hand.
func TestDocumentEverywhere(t *testing.T) {
	count := 0
	for _, text := range documentTexts(t) {
		d, err := ParseDocument("fly.toml", []byte(text))
		if err != nil {
			continue
		}
		for i, path := range append(slices.Sorted(maps.Keys(tomlPaths(d.tree.root))), tomlFuzzPaths...) {
			for _, op := range []int{0, 2 + i%2} {
				e := fuzzEdit{op: op, path: path, value: tomlFuzzValues[i%len(tomlFuzzValues)], comment: "one\n\ntwo "}
				edited := &Document{name: d.name, tree: d.tree}
				err := e.do(edited)
				switch {
				case errors.Is(err, errTOMLByHand):
					t.Errorf("%v: %v:\n%s", e, err, text)
				case err == nil:
					count++
					e.check(t, []byte(text), edited)
				}
			}
		}
	}
	if count < 3000 {
		t.Errorf("%d edits were made, want at least 3000", count)
	}
}

// largeTOML are files near the limits of what is read, each with a path to edit.
func largeTOML() map[string][2]string {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	comments := strings.Repeat("# a line of comment that is here only to be long\n", 15_000)
	return map[string][2]string{
		"keys":          {many(2_500, "key_%d = \"a value\" # and a comment\n") + comments, "key_7"},
		"tables":        {many(1_500, "[table_%d]\n  key = 1 # c\n\n") + comments, "table_7.key"},
		"elements":      {many(1_500, "[[services]] # %d\n  [[services.ports]]\n  port = 1\n") + comments, "services[7].ports[0].port"},
		"list":          {"a = [\n" + many(9_900, "  \"item %d\", # c\n") + comments + "]\n", "a[7]"},
		"tables inside": {"a = [\n" + many(3_200, "  {x = %d, y = 'b'}, # c\n") + comments + "]\n", "a[7].x"},
		"one line":      {"a = [" + many(9_900, "\"item %d\", ") + "] # " + strings.Repeat("x", 800_000) + "\n", "a[7]"},
		"one table":     {"a = {" + many(2_500, "k%d = 1, ") + "}\n", "a.k7"},
		"comments":      {comments + "a = 1\n", "a"},
		"string":        {"a = \"\"\"" + strings.Repeat("\n# x", 200_000) + "\"\"\"\n", "a"},
		"blank":         {"a = 1\n" + strings.Repeat("\n", 1_000_000) + "[b]\nc = 1\n", "b.c"},
	}
}

// BenchmarkDocumentEdit makes edits of the largest files that are read.
func BenchmarkDocumentEdit(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(largeTOML())) {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			file := largeTOML()[name]
			d, err := ParseDocument("fly.toml", []byte(file[0]))
			if err != nil {
				b.Fatal(err)
			}
			for i := 0; b.Loop(); i++ {
				if err := d.Set(file[1], i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestDocumentLarge: the largest files that are read are edited, too.
func TestDocumentLarge(t *testing.T) {
	for name, file := range largeTOML() {
		t.Run(name, func(t *testing.T) {
			text, path := file[0], file[1]
			d, err := ParseDocument("fly.toml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(d.Set(path, "x"), d.Set("env.A", "1"), d.Comment(path, "why")); err != nil {
				t.Error(err)
			}
			whole, _, _ := strings.Cut(path, "[")
			whole, _, _ = strings.Cut(whole, ".")
			if value, ok := d.Get(path); value != "x" || !ok {
				t.Errorf("%s = %v", path, value)
			}
			if err := errors.Join(d.Remove(path), d.Remove(whole), d.Remove("env")); err != nil || d.Has(whole) {
				t.Errorf("remove %s: %v", path, err)
			}
		})
	}
}
