package doctor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/scaffold"
)

// TestInitIsClean sets up repositories in the shapes of real apps with answers drawn
// at random, changes the mode and back, and finds nothing in what init wrote: no
// error, and no warning.
func TestInitIsClean(t *testing.T) {
	archives, err := filepath.Glob("../scaffold/testdata/repos/*.txtar")
	if err != nil || len(archives) < 40 {
		t.Fatalf("%d repositories, %v", len(archives), err)
	}
	var planned, refused int
	for _, name := range archives {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		archive := string(data)
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			for seed := range uint64(3) {
				dir := unpack(t, archive)
				r := rand.New(rand.NewPCG(seed, uint64(len(archive))))
				modes := []scaffold.Mode{scaffold.Volume, scaffold.LiteFS, scaffold.Volume}
				if seed%2 == 1 {
					modes = []scaffold.Mode{scaffold.LiteFS, scaffold.Volume, scaffold.LiteFS}
				}
				for _, mode := range modes {
					a := randomAnswers(r, mode)
					if file, err := os.ReadFile(filepath.Join(dir, "fly.toml")); err == nil && r.IntN(4) > 0 {
						if config, _ := flyconf.Parse("fly.toml", file); config != nil {
							a.App = config.App // or most are refused
						}
					}
					if err := setUp(t, dir, a, r); err != nil {
						refused++
						var answer *scaffold.AnswerError
						if !errors.As(err, &answer) {
							t.Logf("seed %d, %s: %v", seed, mode, err)
						}
						continue
					}
					planned++
					if text := inWritten(checkDir(t, dir)); text != "" {
						t.Errorf("seed %d, %+v:\n%s", seed, a, text)
					}
				}
			}
		})
	}
	if planned < 200 {
		t.Errorf("only %d set-ups were made, %d refused", planned, refused)
	}
}

// inWritten are the errors and warnings in the files that init writes. What stands in
// the app's code is the app's.
func inWritten(r *Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		if f.Rule.ID == "FLY211" {
			continue // of a process group that fly.toml had before: init tells, and keeps it
		}
		if f.Severity < Note && !slices.ContainsFunc(append([]Related{{Place: f.Place}}, f.Related...), inCode) {
			fmt.Fprintf(&b, "  %s: %s %s: %s\n", f.Place, f.Rule.ID, f.Severity, f.Message)
		}
	}
	return b.String()
}

// inCode tells of a place that init neither writes nor can help.
func inCode(p Related) bool {
	return !slices.Contains([]string{"", "fly.toml", "Dockerfile", "litefs.yml", ".dockerignore"}, p.File)
}

func randomAnswers(r *rand.Rand, mode scaffold.Mode) scaffold.Answers {
	regions := flyconf.KnownRegions()
	some := func(n int) bool { return r.IntN(n) == 0 }
	a := scaffold.Answers{Mode: mode}
	if some(2) {
		a.App = fmt.Sprintf("app-%d", r.IntN(1000))
	}
	if some(2) {
		a.Region = regions[r.IntN(len(regions))].Code
	}
	if some(2) {
		a.SizeGB = 1 + r.IntN(500)
	}
	if some(3) {
		a.Port = 1024 + r.IntN(60000)
	}
	if some(4) && mode == scaffold.Volume {
		a.DB = fmt.Sprintf("/data/db%d.sqlite3", r.IntN(10))
	}
	for mode == scaffold.LiteFS && some(2) {
		a.Regions = append(a.Regions, regions[r.IntN(len(regions))].Code)
	}
	return a
}

// setUp is flysql init with these answers, and perhaps --force.
func setUp(t *testing.T, dir string, a scaffold.Answers, r *rand.Rand) error {
	t.Helper()
	facts, err := scaffold.Detect(t.Context(), dir)
	if err != nil {
		return err
	}
	complete, err := facts.Complete(a)
	var choice *scaffold.ChoiceError
	for errors.As(err, &choice) {
		picked := choice.Choices[r.IntN(len(choice.Choices))]
		switch choice.Flag {
		case "--main":
			a.Main = picked
		case "--migrations":
			a.Migrations = picked
		}
		choice = nil
		complete, err = facts.Complete(a)
	}
	if err != nil {
		return err
	}
	plan, err := facts.Plan(complete, scaffold.Flysql{Version: "v0.1.0", Source: fstest.MapFS{"go.mod": {Data: []byte("module github.com/flysql/flysql\n\ngo 1.25.0\n")}}})
	if err != nil {
		return err
	}
	force := r.IntN(2) == 0
	changes, err := plan.Compare(force)
	if err != nil {
		return err
	}
	if conflicts := changes.Conflicts(); !force && len(conflicts) > 0 {
		return fmt.Errorf("%v would be overwritten", conflicts)
	}
	for _, kept := range changes.Kept() { // as whoever it is shown to would do
		if err := os.WriteFile(filepath.Join(dir, kept.Path), kept.Advice, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return changes.Apply(t.Context())
}
