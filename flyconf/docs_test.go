package flyconf

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var docsExample = regexp.MustCompile("(?s)<!-- (Example\\w+) -->\n(?:```go\n.*?\n```\n\nprints\n\n```\n.*?```\n)?")

// TestDocsSnippets: what docs/fly-toml.md shows are the Examples, with what they
// print; -update writes them there.
func TestDocsSnippets(t *testing.T) {
	file := filepath.Join("..", "docs", "fly-toml.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sources := exampleSources(t)
	count := 0
	want := docsExample.ReplaceAllStringFunc(string(text), func(found string) string {
		count++
		name := docsExample.FindStringSubmatch(found)[1]
		snippet, err := docsSnippet(sources, name)
		if err != nil {
			t.Error(err)
			return found
		}
		return "<!-- " + name + " -->\n" + snippet
	})
	if count == 0 {
		t.Errorf("%s shows no Example", file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("%s differs from the Examples: run go test ./flyconf -update (-want +got):\n%s", file, diff)
	}
}

func exampleSources(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("*example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(data)
	}
	return b.String()
}

// docsSnippet is an Example's code and output as the page shows them.
func docsSnippet(sources, name string) (string, error) {
	_, body, found := strings.Cut(sources, "\nfunc "+name+"() {\n")
	body, _, ended := strings.Cut(body, "\n}\n")
	code, output, prints := strings.Cut(body, "\t// Output:")
	if !found || !ended || !prints {
		return "", fmt.Errorf("there is no %s with an output", name)
	}
	code = strings.ReplaceAll("\n"+code, "\n\t", "\n")
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(output), "\n") {
		line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "//"), " ")
		lines = append(lines, line)
	}
	return fmt.Sprintf("```go\n%s\n```\n\nprints\n\n```\n%s\n```\n", strings.TrimSpace(code), strings.Join(lines, "\n")), nil
}
