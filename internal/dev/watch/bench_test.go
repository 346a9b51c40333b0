package watch

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// A look at an app's files of which none has changed, which every notification costs: 1000
// packages in 1000 directories.
func BenchmarkLook(b *testing.B) {
	dir := b.TempDir()
	a := &app{t: b, dir: dir}
	old := time.Now().Add(-time.Hour) // what was written just now is read again
	for i := range 1000 {
		name := fmt.Sprintf("p%d/p.go", i)
		a.write(name, "package p\n\nimport \"fmt\"\n\nvar _ = fmt.Sprint\n")
		if err := os.Chtimes(a.path(name), old, old); err != nil {
			b.Fatal(err)
		}
	}
	l := newLooker(dir, nil, nil)
	if _, err := l.look(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if found, err := l.look(); err != nil || len(found) != 1000 {
			b.Fatalf("%d files, %v", len(found), err)
		}
	}
}
