package flyconf

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestHostileFiles: what is far from any fly.toml is refused with its reason, and
// without being read whole.
func TestHostileFiles(t *testing.T) {
	many := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < maxFileBytes-100; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	const deep = 100_000
	tests := []struct {
		file, text, want string
	}{
		{"fly.toml", strings.Repeat("#", maxFileBytes+1), "is larger than 1 MB (1048577 bytes)"},
		{"fly.json", strings.Repeat(" ", maxFileBytes+1), "is larger than 1 MB"},
		{"fly.toml", "a = '\x00'", "fly.toml:1:6: holds a NUL byte"},
		{"fly.toml", many("[a%d]\n"), "holds more than 10000 keys"},
		{"fly.toml", many("a%d = 1\n"), "holds more than 10000 keys"},
		{"fly.toml", "a = [" + many("{b%d=1},") + "]", "holds more than 10000 keys"},
		{"fly.toml", "[[services]]\n" + many("[[services.ports]]\nport=%d\n"), "holds more than 10000 keys"},
		{"fly.toml", "a = " + strings.Repeat("[", deep) + strings.Repeat("]", deep), "nested more than"},
		{"fly.toml", strings.Repeat("a.", deep) + "a = 1", "nested more than 32"},
		{"fly.toml", "[" + strings.Repeat("a.", deep) + "a]", "nested more than 32"},
		{"fly.toml", "a = " + strings.Repeat("{a=", 40) + "1" + strings.Repeat("}", 40), "nested more than 32"},
		{"fly.json", strings.Repeat(`{"a":`, deep), "nested more than 32"},
		{"fly.json", strings.Repeat(`[`, deep), "nested more than 32"},
		{"fly.json", `{"a":[` + many("%d,") + "1]}", "holds more than 10000"},
		{"fly.yaml", many("a%d: 1\n"), "holds more than 10000"},
		{"fly.yaml", strings.Repeat("[", 1000), "fly.yaml:1:1"},
		{"fly.yaml", strings.Repeat("- ", 40) + "1", "nested more than 32"},
		{"fly.yaml", "a: &a [1,1,1,1,1,1,1,1,1]\n" + bomb(9), "holds more than 10000"},
		{"fly.yaml", "a: &a\n  b: *a\n", "fly.yaml"},
		{"fly.yaml", "? [a]\n: b\n", "is a key that is no plain word"},
		{"fly.yaml", "a: 1\n---\nb: 1\n", "holds a second document"},
	}
	for _, tt := range tests {
		name := tt.text[:min(len(tt.text), 30)]
		c, err := Parse(tt.file, []byte(tt.text))
		var p *Problem
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &p) || p.File != tt.file {
			t.Errorf("%s %q: err = %.200v, want a *Problem with %q", tt.file, name, err, tt.want)
		}
		if c != nil {
			t.Errorf("%s %q: a Config beside the error", tt.file, name)
		}
	}
}

// bomb is YAML in which each line stands for nine times the one before.
func bomb(lines int) string {
	var b strings.Builder
	for i := range lines {
		from, to := string(rune('a'+i)), string(rune('b'+i))
		fmt.Fprintf(&b, "%s: &%s [*%s%s]\n", to, to, from, strings.Repeat(",*"+from, 8))
	}
	return b.String()
}

func TestFormOf(t *testing.T) {
	for name, want := range map[string]form{
		"fly.toml": formTOML, "fly.json": formJSON, "fly.yaml": formYAML, "a/b.YML": formYAML,
		"fly": formTOML, "fly.json/fly.toml": formTOML, "": formTOML, `c:\app\fly.json`: formJSON,
	} {
		if got := formOf(name); got != want {
			t.Errorf("formOf(%q) = %d, want %d", name, got, want)
		}
	}
}

// FuzzParse: no text in any form makes Parse panic or hang, problems point into
// the text, and what Parse and Validate take, Render writes, and Parse takes again
// with the same meaning.
func FuzzParse(f *testing.F) {
	forms := []string{"fly.toml", "fly.json", "fly.yaml"}
	for _, file := range corpus(f) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(formOf(file)), data)
	}
	f.Add(uint8(0), []byte("a.b = [{c = 1}, [2]]\n[[x.y]]\n[x.y.z]\nw = 1979-05-27\n"))
	f.Add(uint8(1), []byte(`{"a\"b\\": [1e400, -0, null, {"c": null}]}`))
	f.Add(uint8(2), []byte("a: !!binary aGk=\nb: 0o7\nc: .nan\nd: 2001-01-01\n"))
	f.Fuzz(func(t *testing.T, form uint8, data []byte) {
		c, err := Parse(forms[int(form)%len(forms)], data)
		list := Problems(err)
		if c != nil {
			list = c.Problems()
		}
		for _, p := range list {
			if p.Line > 0 && p.Excerpt(data) == "" {
				t.Fatalf("points behind the text: %v", p)
			}
			if strings.ContainsRune(p.Error(), 0x1b) || strings.ContainsRune(p.Excerpt(data), 0x1b) {
				t.Fatalf("an escape sequence reaches the terminal: %q", p.Error())
			}
		}
		if err != nil || c.Validate() != nil {
			return
		}
		text, err := Render(c, nil)
		if err != nil {
			t.Fatalf("valid, but: %v", err)
		}
		again, err := Parse("fly.toml", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(c, again, sameModel, cmpopts.EquateNaNs()); diff != "" {
			t.Fatalf("(-first +again):\n%s\n%s", diff, text)
		}
	})
}
