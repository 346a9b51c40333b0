package flyconf

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLiteFSEdit(t *testing.T) {
	type doc = *LiteFSDocument
	set := func(path string, value any) func(doc) error {
		return func(d doc) error { return d.Set(path, value) }
	}
	remove := func(path string) func(doc) error { return func(d doc) error { return d.Remove(path) } }
	tests := []struct {
		name, before, after string
		edit                func(doc) error
	}{
		{"plain", "lease:\n  type: static # c\n", "lease:\n  type: consul # c\n", set("lease.type", "consul")},
		{"double quotes", "fuse: # f\n  dir:   \"/a\"   # c\n", "fuse: # f\n  dir:   \"/b \\\"x\\\"\"   # c\n", set("fuse.dir", `/b "x"`)},
		{"single quotes", "fuse: {dir: '/a'}\n", "fuse: {dir: '/b''s'}\n", set("fuse.dir", "/b's")},
		{"plain that needs quotes", "fuse:\n  dir: /a\n", "fuse:\n  dir: \"a: #b\"\n", set("fuse.dir", "a: #b")},
		{"plain that would be a number", "proxy:\n  db: a\n", "proxy:\n  db: \"5\"\n", set("proxy.db", "5")},
		{"says the same in another way", "lease:\n  candidate: yes\n  reconnect-delay: 1000ms\n", "lease:\n  candidate: yes\n  reconnect-delay: 1000ms\n", func(d doc) error {
			if err := d.Set("lease.candidate", true); err != nil {
				return err
			}
			return d.Set("lease.reconnect-delay", time.Second)
		}},
		{"bool", "lease:\n  promote: true\n", "lease:\n  promote: false\n", set("lease.promote", false)},
		{"bool in quotes, which LiteFS refuses", "lease:\n  promote: \"true\"\n", "lease:\n  promote: true\n", set("lease.promote", true)},
		{"duration", "data:\n  retention: 1m # c\n", "data:\n  retention: 5m # c\n", set("data.retention", 5*time.Minute)},
		{"duration as text", "data:\n  retention: \"1m\"\n", "data:\n  retention: \"90s\"\n", func(d doc) error { return d.Set("data.retention", "90s") }},
		{"number", "tracing: {max-size: 1}", "tracing: {max-size: 2}", set("tracing.max-size", 2)},
		{"variable for a bool", "lease:\n  candidate: true # c\n", "lease:\n  candidate: ${FLY_REGION == PRIMARY_REGION} # c\n", set("lease.candidate", "${FLY_REGION == PRIMARY_REGION}")},
		{"variable with quotes in a new text", "lease:\n", "lease:\n  hostname: \"a\\\\${X == \"b\"}\"\n", set("lease.hostname", `a\${X == "b"}`)},
		{"value behind a variable", "lease: {hostname: ${A}, type: $B}\n", "lease: {hostname: ${A}, type: static}\n", set("lease.type", "static")},
		{"new variable, plain", "lease:\n  consul:\n    url: ${A}\n    key: k\n", "lease:\n  consul:\n    url: ${B}\n    key: k\n", set("lease.consul.url", "${B}")},
		{"empty value", "fuse:\n  dir: # c\ndata:\n", "fuse:\n  dir: \"/x\" # c\ndata:\n", set("fuse.dir", "/x")},
		{"null", "fuse:\n  dir: ~\n", "fuse:\n  dir: /x\n", set("fuse.dir", "/x")},
		{"block text", "exec: |\n  a\n  b\n\n# c\nlog:\n", "exec: \"x\"\n\n# c\nlog:\n", set("exec", "x")},
		{"text on lines", "exec: a\n  b # c\nlog:\n", "exec: x y # c\nlog:\n", set("exec", "x y")},
		{"new key", "# f\nfuse:\n    # d\n    dir: /x # e\n    # g\n\ndata:\n", "# f\nfuse:\n    # d\n    dir: /x # e\n    debug: true\n    # g\n\ndata:\n", set("fuse.debug", true)},
		{"new key behind a section", "lease:\n  consul:\n    url: u\n  # c\nlog:\n", "lease:\n  consul:\n    url: u\n  promote: true\n  # c\nlog:\n", set("lease.promote", true)},
		{"new key without a line end", "lease:\n  type: a", "lease:\n  type: a\n  promote: true", set("lease.promote", true)},
		{"new key in braces", "lease: {type: a} # c\n", "lease: {type: a, promote: true} # c\n", set("lease.promote", true)},
		{"new key in braces on lines", "lease: {\n  type: a, # c\n}\n", "lease: {\n  type: a, promote: true, # c\n}\n", set("lease.promote", true)},
		{"new key in empty braces", "lease: {}\n", "lease: {promote: true}\n", set("lease.promote", true)},
		{"new section in braces", "lease: {type: a}\n", "lease: {type: a, consul: {key: \"k\"}}\n", set("lease.consul.key", "k")},
		{"first key of a section", "lease: # c\n# d\nlog:\n", "lease: # c\n  promote: true\n# d\nlog:\n", set("lease.promote", true)},
		{"new section", "fuse:\n  dir: /x\n", "fuse:\n  dir: /x\nlease:\n  consul:\n    key: \"k\"\n", set("lease.consul.key", "k")},
		{"new section, with the file's space and indentation", "fuse:\n    dir: /x\n\ndata:\n    dir: /y\n# end\n", "fuse:\n    dir: /x\n\ndata:\n    dir: /y\n\nlease:\n    consul:\n        key: \"k\"\n# end\n", set("lease.consul.key", "k")},
		{"empty file", "", "lease:\n  type: \"static\"\n", set("lease.type", "static")},
		{"file of comments", "# c", "# c\nlease:\n  type: \"static\"", set("lease.type", "static")},
		{"document marks", "---\nlog:\n  debug: true\n...\n", "---\nlog:\n  debug: false\n...\n", set("log.debug", false)},
		{"new section before the end mark", "---\nlog:\n  debug: true\n...\n", "---\nlog:\n  debug: true\nfuse:\n  debug: true\n...\n", set("fuse.debug", true)},
		{"CRLF", "fuse:\r\n  dir: /x\r\n\r\ndata:\r\n  dir: /y\r\n", "fuse:\r\n  dir: /x\r\n\r\ndata:\r\n  dir: /y\r\n\r\nlease:\r\n  type: \"a\"\r\n", set("lease.type", "a")},
		{"byte order mark", "\ufefflog:\n  debug: true\n", "\ufefflog:\n  debug: false\n", set("log.debug", false)},
		{"behind other letters", "log: {\"é\": ü, debug: true}\n", "log: {\"é\": ü, debug: false}\n", set("log.debug", false)},
		{"list", "proxy:\n  passthrough: [\"/a\"] # c\n", "proxy:\n  passthrough: [\"/a\", \"/b\"] # c\n", set("proxy.passthrough", []string{"/a", "/b"})},
		{"list on lines", "proxy:\n  passthrough:\n  - /a\n  db: x\n", "proxy:\n  passthrough:\n  - \"/b\"\n  - \"/c\"\n  db: x\n", set("proxy.passthrough", []string{"/b", "/c"})},
		{"new list", "proxy:\n  db: x\n", "proxy:\n  db: x\n  passthrough: [\"/a\"]\n", set("proxy.passthrough", []string{"/a"})},
		{"element", "proxy: {passthrough: [/a, /b]}\n", "proxy: {passthrough: [/a, /c]}\n", set("proxy.passthrough[1]", "/c")},
		{"new element", "proxy:\n  passthrough:\n    # a\n    - /a # b\n    # c\n  db: x\n", "proxy:\n  passthrough:\n    # a\n    - /a # b\n    - \"/b\"\n    # c\n  db: x\n", set("proxy.passthrough[1]", "/b")},
		{"new element in brackets", "proxy: {passthrough: [/a]}\n", "proxy: {passthrough: [/a, \"/b\"]}\n", set("proxy.passthrough[1]", "/b")},
		{"first element", "proxy:\n  db: x\n", "proxy:\n  db: x\n  passthrough: [\"/b\"]\n", set("proxy.passthrough[0]", "/b")},
		{"command to commands", "exec: app # c\nlog:\n", "exec:\n  - cmd: \"m\"\n    if-candidate: true\n  - cmd: \"app\" # c\nlog:\n", set("exec", []LiteFSExec{{"m", true}, {"app", false}})},
		{"commands to command", "exec:\n  - cmd: m\n  - cmd: app\nlog:\n", "exec: \"app\"\nlog:\n", set("exec", "app")},
		{"the same commands in another way", "exec:\n  - {cmd: m, if-candidate: on}\n", "exec:\n  - {cmd: m, if-candidate: on}\n", set("exec", []LiteFSExec{{"m", true}})},
		{"new commands", "log:\n", "log:\nexec:\n  - cmd: \"m ${X}\"\n", set("exec", []LiteFSExec{{"m ${X}", false}})},
		{"command's key", "exec:\n- cmd: m # c\n- cmd: app\n", "exec:\n- cmd: m # c\n  if-candidate: true\n- cmd: app\n", set("exec[0].if-candidate", true)},
		{"whole command", "exec:\n  - cmd: m\n    if-candidate: true\n  - cmd: app\n", "exec:\n  - cmd: \"n\"\n  - cmd: app\n", set("exec[0]", LiteFSExec{Cmd: "n"})},
		{"new command", "exec:\n  - cmd: m # c\n", "exec:\n  - cmd: m # c\n  - cmd: \"app\"\n", set("exec[1]", LiteFSExec{Cmd: "app"})},

		{"remove", "fuse:\n  # a\n  dir: /x # b\n  debug: true # c\n  # d\nlog:\n", "fuse:\n  # a\n  dir: /x # b\n  # d\nlog:\n", remove("fuse.debug")},
		{"remove a section", "# a\nproxy: # b\n  # c\n  db: x\n  passthrough:\n  - y\n\n# d\nlog:\n", "# a\n\n# d\nlog:\n", remove("proxy")},
		{"remove the last key", "proxy:\n  db: x\nlog:\n", "proxy:\nlog:\n", remove("proxy.db")},
		{"remove an unknown key", "backup:\n  delay: 1s\n  type: file\n", "backup:\n  type: file\n", remove("backup.delay")},
		{"remove in braces", "lease: {type: a, promote: true, candidate: true}\n", "lease: {type: a, candidate: true}\n", remove("lease.promote")},
		{"remove the last in braces", "lease: {type: a, promote: true}\n", "lease: {type: a}\n", remove("lease.promote")},
		{"remove all in braces", "lease: {type: a}\n", "lease: {}\n", remove("lease.type")},
		{"remove an element", "exec:\n  - cmd: a\n  # b\n  - cmd: b\n    if-candidate: true\n  - cmd: c\n", "exec:\n  - cmd: a\n  # b\n  - cmd: c\n", remove("exec[1]")},
		{"remove the first key behind a dash", "exec:\n  - if-candidate: true\n    cmd: a\n", "exec:\n  - cmd: a\n", remove("exec[0].if-candidate")},
		{"remove an empty value", "lease:\n  hostname:\n  type: a\n", "lease:\n  type: a\n", remove("lease.hostname")},
		{"remove what is not there", "lease:\n  type: a\n", "lease:\n  type: a\n", remove("proxy.db")},
		{"remove at the end of the file", "lease:\n  type: a\nlog:\n  debug: true", "lease:\n  type: a\n", remove("log")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseLiteFSDocument("litefs.yml", []byte(tt.before))
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range []string{"first", "second"} {
				if run == "second" && strings.HasPrefix(tt.name, "remove an element") {
					break // another one has its index now
				}
				if err := tt.edit(d); err != nil {
					t.Fatalf("%s edit: %v", run, err)
				}
				if diff := cmp.Diff(tt.after, string(d.Bytes())); diff != "" {
					t.Fatalf("%s edit (-want +got):\n%s", run, diff)
				}
			}
		})
	}
}

func TestLiteFSEditRefused(t *testing.T) {
	type doc = *LiteFSDocument
	set := func(path string, value any) func(doc) error {
		return func(d doc) error { return d.Set(path, value) }
	}
	remove := func(path string) func(doc) error { return func(d doc) error { return d.Remove(path) } }
	tests := []struct {
		name, text, want string
		edit             func(doc) error
	}{
		{"unknown key", "", "set lease.tpye in litefs.yml: LiteFS has no such key; did you mean lease.type?", set("lease.tpye", "x")},
		{"unknown section", "", "set a.b in litefs.yml: LiteFS has no such key", set("a.b", "x")},
		{"key of older documents", "", "set backup.delay in litefs.yml: LiteFS v0.5 has no such key, and always waits 1 s: remove it", set("backup.delay", time.Second)},
		{"section", "", "set lease in litefs.yml: is a section: set the keys in it, such as lease.type", set("lease", "x")},
		{"no path", "", "set  in litefs.yml: \"\" is not a path: write it as in lease.consul.url or exec[0].cmd", set("", "x")},
		{"broken path", "", "remove a[x] from litefs.yml: \"a[x]\" is not a path: write it as in lease.consul.url or exec[0].cmd", remove("a[x]")},
		{"type", "", "set lease.promote in litefs.yml: takes a bool, or a string with a variable, not string", set("lease.promote", "true")},
		{"duration", "", "set data.retention in litefs.yml: \"5\" is not a duration: write it as in \"10s\"", set("data.retention", "5")},
		{"not text", "", "set lease.type in litefs.yml: the new value is not UTF-8 text", set("lease.type", "\xff")},
		{"no commands", "", "set exec in litefs.yml: takes 1 to 100 commands, not 0: use Remove for none", set("exec", []LiteFSExec{})},
		{"gap in a list", "exec:\n- cmd: a\n", "set exec[2].cmd in litefs.yml: the list has 1 elements: add [1] first", set("exec[2].cmd", "x")},
		{"anchor", "fuse: {dir: &d /x}\ndata: {dir: *d}\n", "set fuse.dir in litefs.yml: the value is used elsewhere too, by an anchor (&) or alias (*): make the change by hand", set("fuse.dir", "/y")},
		{"alias", "fuse: &f {dir: /x}\ndata: *f\n", "set data.dir in litefs.yml: the value is an alias (*f): make the change by hand", set("data.dir", "/y")},
		{"merge", "fuse: &f {dir: /x}\ndata:\n  <<: *f\n", "set data.dir in litefs.yml: the section has keys from elsewhere (<<): make the change by hand", set("data.dir", "/y")},
		{"twice", "log:\n  debug: true\n  debug: true\n", "set log.debug in litefs.yml: debug is in the file twice: remove one of them by hand", set("log.debug", false)},
		{"below a text", "lease: x\n", "set lease.type in litefs.yml: it belongs below a value that is a text: make the change by hand", set("lease.type", "static")},
		{"a comment in what is replaced", "exec:\n  # why\n  - cmd: a\n", "set exec in litefs.yml: the comment \"# why\" would be lost: move it, or make the change by hand", set("exec", "x")},
		{"all of the file", "lease:\n  type: a\n", "remove lease from litefs.yml: it is all there is in the file: remove the file", remove("lease")},
		{"all of an element", "exec:\n  - cmd: a\n", "remove exec[0].cmd from litefs.yml: it is all there is in its list's element: remove that", remove("exec[0].cmd")},
		{"question mark", "? log\n: debug: true\nfuse:\n", "remove log from litefs.yml: the file is written in a way that this edit would break: make the change by hand", remove("log")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseLiteFSDocument("litefs.yml", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			err = tt.edit(d)
			if err == nil {
				t.Fatalf("made the edit:\n%s", d.Bytes())
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

func TestLiteFSGet(t *testing.T) {
	d, err := ParseLiteFSDocument("litefs.yml", []byte("lease:\n  candidate: ${A == B}\n  type: \"con\\x73ul\"\nexec:\n- cmd: a 'b'\nx: {y: 1}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"lease.candidate": "${A == B}", "lease.type": "consul", "exec[0].cmd": "a 'b'", "x.y": "1",
	} {
		if got, ok := d.Get(path); !ok || got != want {
			t.Errorf("Get(%s) = %q, %t, want %q", path, got, ok, want)
		}
	}
	for _, path := range []string{"lease", "exec", "exec[1]", "exec[0].x", "nothing", "x.y.z", "x[0]", "]", ""} {
		if got, ok := d.Get(path); ok {
			t.Errorf("Get(%s) = %q", path, got)
		}
	}
}

// litefsFuzzEdits are what FuzzLiteFS does to a text.
var litefsFuzzEdits = []struct {
	path  string
	value any // nil removes
}{
	{"lease.type", "static"},
	{"lease.candidate", "${FLY_REGION == PRIMARY_REGION}"},
	{"lease.consul.url", "http://x:1 # \"y\" ${URL}"},
	{"fuse.dir", "/litefs"},
	{"fuse.allow-other", true},
	{"data.retention", 90 * time.Second},
	{"tracing.max-size", 7},
	{"proxy.passthrough", []string{"/a", "*.png"}},
	{"proxy.passthrough[1]", "/b"},
	{"exec", "app -x"},
	{"exec", []LiteFSExec{{"migrate", true}, {"app", false}}},
	{"exec[0].cmd", "app"},
	{"lease.type", nil},
	{"lease", nil},
	{"exec[0]", nil},
	{"data.dir", nil},
}

// FuzzLiteFS makes edits of any text. An edit that is made leaves all other
// values and all comments, and made again changes no byte; one that is refused
// changes nothing.
func FuzzLiteFS(f *testing.F) {
	for _, text := range []string{
		fullLiteFS,
		"# a\nlease: # b\n  type: consul # c\n  candidate: ${A == B} # d\n\n# e\nfuse: {dir: '/x', debug: true} # f\nexec:\n# g\n- cmd: m\n  # h\n  if-candidate: true\n- cmd: |\n    app\n    # i\n# j\n",
		"\ufeffdata:\r\n    dir: \"/x\\\"\"\r\n\r\nproxy: {passthrough: [/a, # b\r\n  /c]}\r\n",
		"---\nexec: >-\n  a\n  b\ntracing:\n...\n",
		"? lease\n: {type: a}\ndata: &d\n  dir: !!str /x\nfuse: *d\nlog: {<<: *d, \"é\": $X, debug: }\n",
	} {
		for i := range litefsFuzzEdits {
			f.Add([]byte(text), byte(i))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, edit byte) {
		if c, err := ParseLiteFS("litefs.yml", data, nil); err == nil {
			_ = c.Validate() // it need only return
		}
		d, err := ParseLiteFSDocument("litefs.yml", data)
		if err != nil {
			return
		}
		before, err := d.parse(data)
		if err != nil {
			t.Fatal(err)
		}
		e := litefsFuzzEdits[int(edit)%len(litefsFuzzEdits)]
		do := func() error {
			if e.value == nil {
				return d.Remove(e.path)
			}
			return d.Set(e.path, e.value)
		}
		if err := do(); err != nil {
			if string(d.Bytes()) != string(data) {
				t.Fatalf("refused with %v, but changed\n%q\nto\n%q", err, data, d.Bytes())
			}
			return
		}
		once := string(d.Bytes())
		after, err := d.parse(d.Bytes())
		if err != nil {
			t.Fatalf("%s made\n%q\nfrom\n%q: %v", e.path, once, data, err)
		}
		if e.value == nil {
			for path, value := range litefsLeaves(after) {
				if was, ok := litefsLeaves(before)[path]; !strings.HasPrefix(path, "exec") && (!ok || was != value) && value != "" && value != "!!null " {
					t.Fatalf("removing %s changed %s from %q to %q:\n%q\n%q", e.path, path, was, value, data, once)
				}
			}
			return
		}
		for path, value := range litefsLeaves(before) {
			within := strings.HasPrefix(path, e.path) || strings.HasPrefix(e.path, path)
			if got := litefsLeaves(after)[path]; !within && got != value {
				t.Fatalf("%s changed %s from %q to %q:\n%q\n%q", e.path, path, value, got, data, once)
			}
		}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") && !strings.Contains(once, line) {
				t.Fatalf("%s lost %q of\n%q\nin\n%q", e.path, line, data, once)
			}
		}
		if err := do(); err != nil || string(d.Bytes()) != once {
			t.Fatalf("%s again (%v) changed\n%q\nto\n%q", e.path, err, once, d.Bytes())
		}
	})
}

// litefsLeaves lists the scalars of a document by their path.
func litefsLeaves(d *litefsYAML) map[string]string {
	out := map[string]string{}
	var walk func(path string, t *yamlTree)
	walk = func(path string, t *yamlTree) {
		if len(t.children) == 0 {
			out[path] = t.value
		}
		for i, child := range t.children {
			if t.keys == nil {
				walk(fmt.Sprintf("%s[%d]", path, i), child)
				continue
			}
			_, name, _ := strings.Cut(t.keys[i], " ")
			walk(join(path, name), child)
		}
	}
	walk("", d.tree(d.root))
	return out
}
