package doctor

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden parts of testdata")

// TestArchives checks the repositories of testdata/rules: each archive has its
// findings in a file called want, one a line, with what to do below.
func TestArchives(t *testing.T) {
	names, err := filepath.Glob("testdata/rules/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			archive := txtar.Parse(data)
			i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
			if i < 0 {
				archive.Files = append(archive.Files, txtar.File{Name: "want"})
				i = len(archive.Files) - 1
			}
			want := archive.Files[i].Data
			repo := *archive
			repo.Files = slices.Delete(slices.Clone(archive.Files), i, i+1)
			got := findingLines(checkArchive(t, string(txtar.Format(&repo))))
			if *update {
				archive.Files[i].Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
			checkRepairs(t, string(txtar.Format(&repo)))
		})
	}
}

// findingLines writes what TestArchives compares.
func findingLines(r *Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %s %s %s\n", f.Place, f.Rule.ID, f.Severity, strings.Join(strings.Fields(f.Message), " "))
		for _, also := range f.Related {
			fmt.Fprintf(&b, "\talso %s: %s\n", also.Place, also.Message)
		}
		if f.Fix != "" {
			fixable := ""
			if f.Fixable() {
				fixable = " (--fix)"
			}
			fmt.Fprintf(&b, "\tfix: %s%s\n", strings.Join(strings.Fields(f.Fix), " "), fixable)
		}
	}
	return b.String()
}

// TestExamplesRepairs mends the bad examples of docs/rules.md.
func TestExamplesRepairs(t *testing.T) {
	for _, s := range readSections(t) {
		for i, archive := range s.bad {
			t.Run(fmt.Sprintf("%s.%d", s.id, i+1), func(t *testing.T) { checkRepairs(t, archive) })
		}
	}
}

// checkRepairs holds Fix to its word: what it mends is gone, no error is new, and
// there is nothing left to do for a second one.
func checkRepairs(t *testing.T, archive string) {
	t.Helper()
	dir := unpack(t, archive)
	before := checkDir(t, dir)
	if !slices.ContainsFunc(before.Findings, (*Finding).Fixable) {
		return
	}
	fixes, err := before.Fix()
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range fixes.Refused {
		t.Errorf("refused: %v", err)
	}
	known := map[string]int{}
	for _, f := range before.Findings {
		if f.Severity == Error && !f.Fixable() {
			known[f.Rule.ID]++
		}
	}
	for _, f := range fixes.After.Findings {
		if f.Fixable() {
			t.Errorf("not mended: %s: %s: %s", f.Place, f.Rule.ID, f.Message)
		}
		if f.Severity == Error {
			if known[f.Rule.ID]--; known[f.Rule.ID] < 0 {
				t.Errorf("a new error: %s: %s: %s", f.Place, f.Rule.ID, f.Message)
			}
		}
	}
	for _, c := range fixes.Changes.Files {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(c.Path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, c.Path), c.New, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	after := checkDir(t, dir)
	if got, want := findingLines(after), findingLines(fixes.After); got != want {
		t.Errorf("the written files have\n%swant\n%s", got, want)
	}
	again, err := after.Fix()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range again.Changes.Files {
		if !bytes.Equal(c.Old, c.New) {
			t.Errorf("a second Fix changes %s", c.Path)
		}
	}
}
