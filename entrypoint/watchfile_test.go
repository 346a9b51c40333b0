package entrypoint

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// An app that owns the directory of watch.json makes links of what is in it, and of
// the directory itself: nothing elsewhere is written.
func TestWatchFileHostile(t *testing.T) {
	base := t.TempDir()
	dir, elsewhere := filepath.Join(base, "litefs"), filepath.Join(base, "elsewhere")
	for _, d := range []string{dir, elsewhere} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	victim := filepath.Join(elsewhere, "victim")
	if err := os.WriteFile(victim, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &boot{state: state{dir: dir, base: "app.db"}}
	b.Logger = slog.New(slog.DiscardHandler)
	w := &watchdog{b: b}
	if w.dir, w.dirErr = os.OpenRoot(dir); w.dirErr != nil {
		t.Fatal(w.dirErr)
	}
	defer w.dir.Close()
	read := func(dir string) string {
		data, err := os.ReadFile(filepath.Join(dir, watchFile))
		if err != nil {
			return ""
		}
		return string(data)
	}
	for _, name := range []string{watchFile, watchFile + ".tmp"} {
		if err := os.Symlink(victim, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		w.tell("fenced", "why")
		if got := read(dir); got == "" || got == "as it was" {
			t.Errorf("%s a link: %q", name, got)
		}
	}
	moved := dir + ".moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, dir); err != nil {
		t.Fatal(err)
	}
	before := read(moved)
	w.tell("killed", "why")
	if after := read(moved); after == before || read(elsewhere) != "" {
		t.Errorf("the directory a link: %q, elsewhere %q", after, read(elsewhere))
	}
	if data, err := os.ReadFile(victim); err != nil || string(data) != "as it was" {
		t.Errorf("the victim: %q, %v", data, err)
	}
}
