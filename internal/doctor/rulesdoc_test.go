package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// section is what docs/rules.md says of one rule.
type section struct {
	id, title string
	bad, good []string // examples, each a txtar archive
}

var (
	sectionHead  = regexp.MustCompile(`(?m)^## (FLY\d+) (.+)$`)
	exampleBlock = regexp.MustCompile("(?ms)^(Bad|Good):\n\n```txtar\n(.*?)^```$")
)

func readSections(t testing.TB) []section {
	t.Helper()
	data, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	var out []section
	heads := sectionHead.FindAllStringSubmatchIndex(text, -1)
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		s := section{id: text[h[2]:h[3]], title: text[h[4]:h[5]]}
		for _, m := range exampleBlock.FindAllStringSubmatch(text[h[1]:end], -1) {
			if m[1] == "Bad" {
				s.bad = append(s.bad, m[2])
			} else {
				s.good = append(s.good, m[2])
			}
		}
		out = append(out, s)
	}
	return out
}

// TestRulesHaveSections holds docs/rules.md to the rules, in their order.
func TestRulesHaveSections(t *testing.T) {
	var got, want []string
	for _, s := range readSections(t) {
		got = append(got, s.id+" "+s.title)
	}
	for _, r := range Rules() {
		want = append(want, r.ID+" "+r.Title)
	}
	if !slices.Equal(got, want) {
		t.Errorf("docs/rules.md has the sections\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestExamples runs the examples of docs/rules.md: a bad one breaks its rule, a good
// one does not, and has no errors at all.
func TestExamples(t *testing.T) {
	for _, s := range readSections(t) {
		t.Run(s.id, func(t *testing.T) {
			if len(s.bad) == 0 || len(s.good) == 0 {
				t.Fatalf("%d bad and %d good examples, want one of each at least", len(s.bad), len(s.good))
			}
			for i, archive := range s.bad {
				r := checkArchive(t, archive)
				if !slices.ContainsFunc(r.Findings, func(f *Finding) bool { return f.Rule.ID == s.id }) {
					t.Errorf("bad example %d does not break the rule; it has\n%s", i+1, summaryOf(r))
				}
			}
			for i, archive := range s.good {
				r := checkArchive(t, archive)
				if slices.ContainsFunc(r.Findings, func(f *Finding) bool { return f.Rule.ID == s.id || f.Severity == Error }) {
					t.Errorf("good example %d has\n%s", i+1, summaryOf(r))
				}
			}
		})
	}
}

// checkArchive checks a repository given as a txtar archive.
func checkArchive(t *testing.T, archive string) *Report {
	t.Helper()
	return checkDir(t, unpack(t, archive))
}

func unpack(t *testing.T, archive string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	if err := txtar.Write(txtar.Parse([]byte(archive)), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func checkDir(t *testing.T, dir string) *Report {
	t.Helper()
	r, err := check(t.Context(), dir, remoteIn(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func summaryOf(r *Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %s: %s %s: %s\n", f.Place, f.Rule.ID, f.Severity, f.Message)
	}
	if b.Len() == 0 {
		return "  no findings"
	}
	return b.String()
}
