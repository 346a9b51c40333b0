package flyconf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestDocumentGolden makes the edits of testdata/edit. A case has a text before, a
// script of edits, and the text after, which -update writes. A script's line is an
// edit, "set PATH VALUE" with a value in TOML, "remove PATH" or "comment PATH TEXT",
// or says how the texts are: "crlf", "open" for no line break at the end, "once"
// for edits that do something else the second time.
func TestDocumentGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "edit", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out := &txtar.Archive{Comment: archive.Comment}
		cases := map[string]map[string]string{}
		for _, f := range archive.Files {
			name, part, _ := strings.Cut(f.Name, "/")
			if cases[name] == nil {
				cases[name] = map[string]string{}
			}
			cases[name][part] = string(f.Data)
			if part != "after" {
				out.Files = append(out.Files, f)
			}
			if part != "edits" {
				continue
			}
			count++
			after := goldenEdit(t, filepath.Base(file)+"/"+name, cases[name])
			out.Files = append(out.Files, txtar.File{Name: name + "/after", Data: []byte(after)})
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(out))); diff != "" {
			t.Errorf("%s; if that is meant, run go test ./flyconf -update (-want +got):\n%s", file, diff)
		}
	}
	if count < 60 {
		t.Errorf("%d cases in testdata/edit, want at least 60", count)
	}
}

// goldenEdit makes the edits of a case, twice, and returns the text with plain
// line breaks.
func goldenEdit(t *testing.T, name string, parts map[string]string) string {
	t.Helper()
	text := parts["before"]
	var edits []string
	flags := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSpace(parts["edits"]), "\n") {
		if strings.Contains(line, " ") {
			edits = append(edits, line)
		} else {
			flags[line] = true
		}
	}
	if flags["open"] {
		text = strings.TrimSuffix(text, "\n")
	}
	if flags["crlf"] {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	d, err := ParseDocument("fly.toml", []byte(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, edit := range edits {
		before := d.Bytes()
		scriptedEdit(t, name, d, edit, before)
		once := string(d.Bytes())
		if flags["once"] {
			continue
		}
		if scriptedEdit(t, name, d, edit, d.Bytes()); string(d.Bytes()) != once {
			t.Errorf("%s: %s, again, changed\n%s\nto\n%s", name, edit, once, d.Bytes())
		}
	}
	text = string(d.Bytes())
	if flags["crlf"] {
		if plain := strings.ReplaceAll(text, "\r\n", ""); strings.ContainsAny(plain, "\r\n") {
			t.Errorf("%s: mixed line breaks: %q", name, text)
		}
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	if flags["open"] {
		if strings.HasSuffix(text, "\n") {
			t.Errorf("%s: a line break at the end: %q", name, text)
		}
		text += "\n"
	}
	return text
}

// scriptedEdit makes an edit and checks that it did no more.
func scriptedEdit(t *testing.T, name string, d *Document, edit string, before []byte) {
	t.Helper()
	verb, rest, _ := strings.Cut(edit, " ")
	e := fuzzEdit{path: rest}
	if verb != "remove" {
		_, n := scriptPath(rest)
		e.path, rest = rest[:n], rest[n+1:]
	}
	var err error
	switch verb {
	case "set":
		e.value = decodeTOML(t, []byte("v = "+rest))["v"]
		err = d.Set(e.path, e.value)
	case "remove":
		e.op = 2
		err = d.Remove(e.path)
	case "comment":
		e.op = 3
		err = d.Comment(e.path, strings.ReplaceAll(rest, `\n`, "\n"))
	default:
		err = fmt.Errorf("no such edit")
	}
	if err != nil {
		t.Errorf("%s: %s: %v", name, edit, err)
		return
	}
	if e.op != 3 {
		e.checkValues(t, before, d)
	}
}

// scriptPath is the path that a script's line goes on with: names with spaces are
// in quotes.
func scriptPath(s string) (string, int) {
	quoted := false
	for i, r := range s {
		if r == '"' {
			quoted = !quoted
		}
		if r == ' ' && !quoted {
			return s[:i], i
		}
	}
	return s, len(s)
}
