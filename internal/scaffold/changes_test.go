package scaffold

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCopiedSourceIncomplete: a directory that only lacks files, as a
// killed run leaves it, is completed without being asked.
func TestCopiedSourceIncomplete(t *testing.T) {
	dir := repo(t, shop+"-- .flysql/src/go.sum --\nsums\n")
	c := compareWith(t, plan(t, dir, defaults(), fakeFlysql("")))
	if got := c.Conflicts(); len(got) > 0 {
		t.Errorf("conflicts: %v", got)
	}
	if !c.Pending() {
		t.Error("nothing pending")
	}
}

func TestGroups(t *testing.T) {
	tests := []struct {
		name    string
		actions []Action // of the files of the copied source
		want    Action
	}{
		{"new", []Action{Create, Create}, Create},
		{"same", []Action{Unchanged, Unchanged}, Unchanged},
		{"incomplete", []Action{Unchanged, Create}, Create},
		{"another version", []Action{Unchanged, Overwrite, Create}, Overwrite},
		{"stale", []Action{Remove, Unchanged}, Overwrite},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Changes{Files: []Change{{Path: "fly.toml", Action: Create, New: []byte("ab")}}}
			files := 0
			for i, action := range tt.actions {
				c.Files = append(c.Files, Change{Path: fmt.Sprintf("%s/%d", sourceDir, i), Action: action, New: []byte("abc")})
				if action != Remove {
					files++
				}
			}
			groups := c.Groups()
			if len(groups) != 2 || !groups[0].Single() || groups[1].Single() {
				t.Fatalf("groups: %+v", groups)
			}
			got := groups[1]
			if n, size := got.Size(); got.Path != ".flysql/src/" || got.Action != tt.want || n != files || size != int64(3*files) {
				t.Errorf("%s %s, %d files, %d bytes; want %s, %d files, %d bytes", got.Action, got.Path, n, size, tt.want, files, 3*files)
			}
		})
	}
}

// TestDiff: patch(1) takes what is shown, hunks and all.
func TestDiff(t *testing.T) {
	old := strings.Repeat("line\n", 10) + "a\nb\nc\n" + strings.Repeat("line\n", 10) + "end"
	changed := strings.NewReplacer("a\nb", "A\nb\nnew", "c\n", "C\n", "end", "end\n").Replace("top\n" + old)
	got := Change{Path: "x", Action: Overwrite, Old: []byte(old), New: []byte(changed)}.Diff()
	want := `--- a/x
+++ b/x
@@ -1,3 +1,4 @@
+top
 line
 line
 line
@@ -8,9 +9,10 @@
 line
 line
 line
-a
+A
 b
-c
+new
+C
 line
 line
 line
@@ -21,4 +23,4 @@
 line
 line
 line
-end
\ No newline at end of file
+end
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	tests := []struct {
		change Change
		want   string
	}{
		{Change{Path: "x", Action: Unchanged, Old: []byte("a"), New: []byte("a")}, ""},
		{Change{Path: "x", Action: Create, New: []byte("a\n")}, "--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n"},
		{Change{Path: "x", Action: Remove, Old: []byte("a\n")}, "--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"},
		{Change{Path: "x", Action: Overwrite, New: []byte("a\n")}, "--- a/x\n+++ b/x\n# the present file is not text, or too large to show\n"},
	}
	for _, tt := range tests {
		if got := tt.change.Diff(); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.change.Action, got, tt.want)
		}
	}
}

// TestCompareUnreadable: a binary or huge file in a file's place is a conflict
// like any other, and can be overwritten.
func TestCompareUnreadable(t *testing.T) {
	for name, content := range map[string]string{"binary": "\x00\x01", "huge": strings.Repeat("x", maxFileSize+1)} {
		t.Run(name, func(t *testing.T) {
			dir := repo(t, shop)
			write(t, filepath.Join(dir, "fly.toml"), content)
			c := compareWith(t, plan(t, dir, defaults(), fakeFlysql("v1.0.0")))
			if got := c.Conflicts(); len(got) != 1 || c.Files[0].Old != nil {
				t.Fatalf("conflicts %v, old %q", got, c.Files[0].Old)
			}
			if err := c.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "fly.toml")); err != nil || string(got) != string(c.Files[0].New) {
				t.Errorf("%v, %d bytes", err, len(got))
			}
		})
	}
}
