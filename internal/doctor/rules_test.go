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

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// TestRules checks the repositories of testdata/rules. Each archive has files, and
// in "want" what is found in them.
func TestRules(t *testing.T) {
	for _, file := range ruleFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			repo, want := splitWant(archive)
			got := findingsOf(checkArchive(t, string(txtar.Format(repo))))
			if *update {
				repo.Files = append(repo.Files, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(repo), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("found\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func ruleFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/rules/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives in testdata/rules", err)
	}
	return files
}

func splitWant(a *txtar.Archive) (repo *txtar.Archive, want string) {
	repo = &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if f.Name == "want" {
			want = string(f.Data)
		} else {
			repo.Files = append(repo.Files, f)
		}
	}
	return repo, want
}

// findingsOf writes one finding a line, and below it what goes with it.
func findingsOf(r *Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fix := ""
		if f.Fixable() {
			fix = " (--fix)"
		}
		fmt.Fprintf(&b, "%s %s %s %s%s\n", f.Place, f.Rule.ID, f.Severity, f.Message, fix)
		for _, also := range f.Related {
			fmt.Fprintf(&b, "  %s %s\n", also.Place, also.Message)
		}
		if f.Fix != "" {
			fmt.Fprintf(&b, "  fix: %s\n", f.Fix)
		}
	}
	for _, f := range r.Ignored {
		fmt.Fprintf(&b, "ignored: %s %s\n", f.Place, f.Rule.ID)
	}
	return b.String()
}

// TestFix mends every archive and every example of docs/rules.md: what can be mended
// is gone after it, nothing else is worse, and a second Fix changes nothing.
func TestFix(t *testing.T) {
	mended := 0
	try := func(name, archive string) {
		t.Run(name, func(t *testing.T) {
			dir := unpack(t, archive)
			before := checkDir(t, dir)
			if !slices.ContainsFunc(before.Findings, (*Finding).Fixable) {
				return
			}
			mended++
			fixes, err := before.Fix()
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range fixes.Refused {
				t.Errorf("refused: %v", err)
			}
			if !fixes.Changes.Pending() {
				t.Fatal("nothing would be written")
			}
			if err := fixes.Changes.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			after := checkDir(t, dir)
			if got, want := findingsOf(after), findingsOf(fixes.After); got != want {
				t.Errorf("the mended files have\n%s\nFix said\n%s", got, want)
			}
			if slices.ContainsFunc(after.Findings, (*Finding).Fixable) {
				t.Errorf("there is more to mend:\n%s", findingsOf(after))
			}
			if added := addedErrors(before, after); len(added) > 0 {
				t.Errorf("new errors: %s\nbefore\n%s\nafter\n%s", added, findingsOf(before), findingsOf(after))
			}
			again, err := after.Fix()
			if err != nil {
				t.Fatal(err)
			}
			if again.Changes.Pending() {
				t.Error("a second Fix changes the files again")
			}
		})
	}
	for _, file := range ruleFiles(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		repo, _ := splitWant(txtar.Parse(data))
		try(filepath.Base(file), string(txtar.Format(repo)))
	}
	for _, s := range readSections(t) {
		for i, archive := range append(slices.Clone(s.bad), s.good...) {
			try(fmt.Sprintf("%s-%d", s.id, i+1), archive)
		}
	}
	if mended == 0 {
		t.Error("no archive has anything to mend")
	}
}

// addedErrors lists the rules that have more errors than before.
func addedErrors(before, after *Report) []string {
	count := map[string]int{}
	for _, f := range before.Findings {
		if f.Severity == Error {
			count[f.Rule.ID]++
		}
	}
	var out []string
	for _, f := range after.Findings {
		if f.Severity != Error {
			continue
		}
		if count[f.Rule.ID]--; count[f.Rule.ID] < 0 {
			out = append(out, f.Rule.ID)
		}
	}
	return out
}

// TestFixedText holds what some repairs write.
func TestFixedText(t *testing.T) {
	files, err := filepath.Glob("testdata/fix/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives in testdata/fix", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var before, want txtar.Archive
			for _, f := range archive.Files {
				if name, ok := strings.CutPrefix(f.Name, "want/"); ok {
					want.Files = append(want.Files, txtar.File{Name: name, Data: f.Data})
				} else {
					before.Files = append(before.Files, f)
				}
			}
			fixes, err := checkArchive(t, string(txtar.Format(&before))).Fix()
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range fixes.Refused {
				t.Errorf("refused: %v", err)
			}
			var got txtar.Archive
			for _, c := range fixes.Changes.Files {
				got.Files = append(got.Files, txtar.File{Name: c.Path, Data: c.New})
			}
			if *update {
				out := before
				out.Comment = archive.Comment
				for _, f := range got.Files {
					out.Files = append(out.Files, txtar.File{Name: "want/" + f.Name, Data: f.Data})
				}
				if err := os.WriteFile(file, txtar.Format(&out), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if g, w := txtar.Format(&got), txtar.Format(&want); !bytes.Equal(g, w) {
				t.Errorf("mended\n%s\nwant\n%s", g, w)
			}
		})
	}
}
