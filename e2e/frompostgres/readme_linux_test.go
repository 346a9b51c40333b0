package frompostgres_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/flysql/flysql/e2e/fly"
	"github.com/flysql/flysql/internal/testkit"
)

// readme is the example's, and its blocks of a language, by the headings that they stand below.
func readme(t *testing.T, dir, language string) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string][]string{}
	block := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	for _, section := range strings.Split(string(data), "\n## ")[1:] {
		heading, text, _ := strings.Cut(section, "\n")
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			blocks[heading] = append(blocks[heading], m[1])
		}
	}
	return blocks
}

// What the README says of queries stands in the two files of them.
func TestReadmeQueries(t *testing.T) {
	t.Parallel()
	_, dir := example(t)
	files := map[byte]string{}
	for sign, name := range map[byte]string{'-': filepath.Join("postgres", "queries.sql"), '+': "queries.sql"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[sign] = "\n" + string(data)
	}
	n := 0
	for _, blocks := range readme(t, dir, "diff") {
		for _, block := range blocks {
			for line := range strings.Lines(block) {
				if n++; !strings.Contains(files[line[0]], "\n"+line[1:]) {
					t.Errorf("README.md has the line %q, and no file of queries", line)
				}
			}
		}
	}
	if n == 0 {
		t.Error("README.md has no such lines")
	}
}

// What cannot be run here, for it needs Fly.io, are at least commands and flags that there are.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	w, dir := example(t)
	n := 0
	for _, blocks := range readme(t, dir, "sh") {
		for line := range strings.Lines(strings.Join(blocks, "")) {
			if args, ok := strings.CutPrefix(strings.TrimSpace(line), "flysql "); ok {
				n++
				w.flysql(t, dir, 0, append(strings.Fields(args), "--help")...)
			}
		}
	}
	if n == 0 {
		t.Error("README.md has no commands of flysql's")
	}
}

// walk runs commands of the README in a copy of the example.
type walk struct {
	t   *testing.T
	dir string
	env []string
}

func newWalk(t *testing.T, pg *testkit.PostgresDB, w workshop, example string) *walk {
	t.Helper()
	v := &walk{t, filepath.Join(t.TempDir(), "from-postgres"), append(os.Environ(), "POSTGRES_URL="+pg.URL,
		"PATH="+strings.Join([]string{w.bin, filepath.Dir(pg.Program("psql").Path), os.Getenv("PATH")}, ":"))}
	if err := os.CopyFS(v.dir, os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	return v
}

// run runs a block as it stands, and returns what it prints.
func (v *walk) run(block string) string {
	v.t.Helper()
	cmd := exec.CommandContext(v.t.Context(), "bash", "-euo", "pipefail", "-c", block)
	cmd.Dir, cmd.Env = v.dir, v.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		v.t.Fatalf("%s%v\n%s", block, err, out)
	}
	return string(out)
}

// The README's commands do what it says, from the dump to the app; but for fewer rows, and
// another port.
func TestReadme(t *testing.T) {
	t.Parallel()
	w, dir := example(t)
	v := newWalk(t, testkit.Postgres(t), w, dir)
	blocks := readme(t, dir, "sh")
	fewer := func(block string) string { return strings.Replace(block, "reads=500000", "reads=3000", 1) }
	for _, block := range blocks["Rehearse, from a dump"][1:] { // the first one builds
		v.run(fewer(block))
	}
	out := v.run(blocks["Import"][0])
	if !strings.Contains(out, "3,000") || !strings.Contains(out, "post_reads") {
		t.Errorf("it does not say that 3,000 reads are there:\n%s", out)
	}
	for _, file := range []string{"rehearsal.db", "magazine.db"} {
		if _, err := os.Stat(filepath.Join(v.dir, file)); err != nil {
			t.Error(err)
		}
	}

	port, err := fly.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	at := func(block string) string { return strings.ReplaceAll(block, "8080", fmt.Sprint(port)) }
	run := blocks["Run it here"]
	app := serveAt(t, port, v.dir, v.env, "bash", "-c", "exec env "+at(run[0]))
	out = v.run(at(run[1]))
	for _, want := range []string{`"title":"Leaving PostgreSQL, calmly"`, `"slug":"etudes"`, `"name":"Ada"`, `{"id":7}`} {
		if !strings.Contains(out, want) {
			t.Errorf("the app does not say %s:\n%s", want, out)
		}
	}
	app.stop()
}
