package watch

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ignores are .gitignore files, and directories of which git is asked.
var ignores = []struct{ file, dirs string }{
	{"bin", "bin a/bin binary"},
	{"/bin", "bin a/bin"},
	{"bin/", "bin a/bin"},
	{"a/bin", "bin a/bin c/a/bin"},
	{"a/bin/", "a/bin"},
	{"b*", "bin a/bin ab"},
	{"b?n", "bin ban bn a/bun"},
	{"b[ai]n", "bin ban bun"},
	{"b[!a]n", "bin ban"},
	{"b[^a]n", "bin ban"},
	{"b[a-c]n\n!bbn", "ban bbn bcn"},
	{"*\n!a", "a b c/a"},
	{"/*\n!/a", "a b a/b"},
	{"**/bin", "bin a/bin a/b/bin"},
	{"a/**/bin", "bin a/bin a/b/bin a/b/c/bin b/a/bin"},
	{"a/**", "a a/b a/b/c b"},
	{"**", "a a/b"},
	{"**/a/**", "a a/b b/a b/a/c"},
	{"a**b", "ab axxb a/b"},
	{"a/*", "a a/b a/b/c"},
	{"a/*/c", "a/b/c a/c a/b/d/c"},
	{"# bin\n\n   \nbin  ", "bin"},
	{`\#bin`, "#bin bin"},
	{`\!bin`, "!bin bin"},
	{`bin\ `, "bin"},
	{"bin\r\nbun\r", "bin bun"},
	{"b[", "b[ b"},
	{"[", "a"},
	{"!", "a"},
	{"/", "a"},
	{"//", "a"},
	{"!bin", "bin"},
	{"bin\n!bin", "bin"},
	{"!bin\nbin", "bin"},
	{"{a,b}", "a b {a,b}"},
	{`\*`, "* a"},
	{"\ufeffbin", "bin"},
}

func TestIgnoreLikeGit(t *testing.T) {
	for _, test := range ignores {
		compareWithGit(t, test.file, strings.Fields(test.dirs))
	}
}

// compareWithGit asks git of directories, each of which is in none that is left out.
func compareWithGit(t *testing.T, file string, dirs []string) {
	t.Helper()
	root := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	git := func(stdin string, args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Stdin = root, strings.NewReader(stdin)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if complaint.Len() > 0 {
			t.Fatalf("git %v: %v\n%s", args, err, &complaint)
		}
		return string(out)
	}
	git("", "init", "-q", "-b", "main")
	write(".gitignore", file)
	rules := rulesOf(root, nil)
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o777); err != nil {
			t.Fatal(err)
		}
		got := false
		for up := dir; up != "."; up = filepath.Dir(up) {
			got = got || leftOut(rules, filepath.Join(root, up))
		}
		if want := git(dir+"\x00", "check-ignore", "--stdin", "-z") != ""; got != want {
			t.Errorf(".gitignore %q leaves out %s: %v, git says %v", file, dir, got, want)
		}
	}
}

// Files of directories above and below, of which the last rule counts.
func TestIgnoreLevels(t *testing.T) {
	a := newApp(t, map[string]string{
		".git/HEAD":        "",
		".gitignore":       "out\n/app/build\n",
		"app/.gitignore":   "!out\nmade\n",
		"app/go.mod":       "module example.com/app\n",
		"app/x/.gitignore": "out\n/made/deep\n!made\n",
	}, Options{})
	a.watch(Options{Dir: a.path("app")})
	a.want(a.next(func() {
		for _, name := range []string{"build", "x/build", "out", "y/out", "x/out", "made", "y/made", "x/made", "x/made/deep"} {
			a.write("app/"+name+"/a.go", "package a\n")
		}
	}), "out/a.go x/build/a.go x/made/a.go y/out/a.go")
}

func FuzzIgnore(f *testing.F) {
	for _, test := range ignores {
		f.Add(test.file, test.dirs)
	}
	f.Add(strings.Repeat("**/", 1000)+"a", "a")
	f.Fuzz(func(t *testing.T, file, dir string) {
		var rules []rule
		for line := range strings.Lines(file) {
			if r, ok := parseRule(strings.TrimSuffix(line, "\n")); ok {
				r.base = "/base"
				rules = append(rules, r)
			}
		}
		leftOut(rules, "/base/"+dir)
	})
}
