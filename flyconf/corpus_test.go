package flyconf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// corpus lists the files of testdata/flytoml: the forms of Fly's documentation,
// the shapes of real apps, and broken ones.
func corpus(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, ending := range []string{"toml", "json", "yaml"} {
		list, err := filepath.Glob(filepath.Join("testdata", "flytoml", "*."+ending))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, list...)
	}
	if len(files) < 60 {
		t.Fatalf("%d files in testdata/flytoml, want at least 60", len(files))
	}
	return files
}

// report is what stands in a golden file: every problem with its severity and its
// line marked.
func report(name string, data []byte) string {
	cfg, err := Parse(name, data)
	list := Problems(err)
	if cfg != nil {
		list = cfg.Problems()
	}
	var b strings.Builder
	for _, p := range list {
		fmt.Fprintf(&b, "%s: %v\n%s", p.Severity, p, p.Excerpt(data))
	}
	if b.Len() == 0 {
		return "no problems\n"
	}
	return b.String()
}

func TestCorpus(t *testing.T) {
	for _, file := range corpus(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := report(filepath.Base(file), data)
			golden := file + ".problems"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("differs from %s; if that is meant, run go test ./flyconf -update (-want +got):\n%s", golden, diff)
			}
		})
	}
}

// TestCorpusExpectations keeps an -update from blessing a regression: what is
// documented has no error, what is broken has one or a warning.
func TestCorpusExpectations(t *testing.T) {
	for _, file := range corpus(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		got := report(name, data)
		switch {
		case strings.HasPrefix(name, "doc-") && strings.Contains(got, "error: "):
			t.Errorf("%s is of Fly's documentation, but:\n%s", name, got)
		case strings.HasPrefix(name, "bad-") && got == "no problems\n":
			t.Errorf("%s is broken, but has no problems", name)
		}
		for _, p := range parseProblems(t, name, data) {
			if p.Line == 0 || p.Col == 0 {
				t.Errorf("%s: no place: %v", name, p)
			}
		}
	}
}

// parseProblems are the problems of reading, all of which have a place.
func parseProblems(t *testing.T, name string, data []byte) []*Problem {
	t.Helper()
	_, err := Parse(name, data)
	var p *Problem
	if err != nil && !errors.As(err, &p) {
		t.Errorf("%s: %T holds no *Problem", name, err)
	}
	return Problems(err)
}

// TestCorpusRoundTrip: what is valid is written and read again, and nothing of it
// is lost, whatever form it came in.
func TestCorpusRoundTrip(t *testing.T) {
	count := 0
	for _, file := range corpus(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, err := Parse(file, data)
		if err != nil || first.Validate() != nil {
			continue
		}
		count++
		text, err := Render(first, nil)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		second, err := Parse("fly.toml", text)
		if err != nil {
			t.Fatalf("%s: %v\n%s", file, err, text)
		}
		if diff := cmp.Diff(first, second, sameModel, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s: (-first +again):\n%s\n%s", file, diff, text)
		}
	}
	if count < 30 {
		t.Errorf("%d files are valid, want at least 30", count)
	}
}

// TestForms: the three forms of a file are one model.
func TestForms(t *testing.T) {
	var models []*Config
	for _, name := range []string{"app.json", "app.yaml"} {
		data, err := os.ReadFile(filepath.Join("testdata", "flytoml", name))
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse(name, data)
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, c)
	}
	half := 0.5
	want := &Config{
		App: "shop", PrimaryRegion: "ord",
		Deploy:      &Deploy{MaxUnavailable: &half},
		Env:         map[string]string{"PORT": "8080", "DEBUG": "false"},
		Mounts:      []Mount{{Source: "data", Destination: "/data", InitialSizeGB: 1}},
		HTTPService: &HTTPService{InternalPort: 8080, Checks: []HTTPCheck{{Path: "/up", Interval: 15e9}}},
	}
	for i, got := range models {
		if diff := cmp.Diff(want, got, sameModel); diff != "" {
			t.Errorf("form %d (-want +got):\n%s", i, diff)
		}
	}
}
