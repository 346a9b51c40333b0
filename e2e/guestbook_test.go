package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/e2e/guestbook"
)

// No root, no mounts, a directory for the volume.
func TestGuestbookOutsideAContainer(t *testing.T) {
	t.Parallel()
	img := must(t, shop.guestbookHere)
	m := machine{volume: t.TempDir()}

	s := serve(t, img, m)
	rows := s.sign(t, 5)
	if len(rows) != 5 {
		t.Fatalf("%d messages, want 5", len(rows))
	}
	page, err := s.Get(testContext(t), "/")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if !strings.Contains(page, row.Body) {
			t.Errorf("the page does not show %q", row.Body)
		}
	}
	s.stop(t)

	s = serve(t, img, m)
	s.has(t, rows)
	rows = s.sign(t, 1)
	s.kill(t)

	s = serve(t, img, m)
	s.has(t, rows)
	s.stop(t)
}

// A migration that fails is refused by file and line, whoever may boot it, and leaves the
// data as it was; the image from before goes on with it.
func TestGuestbookBadMigration(t *testing.T) {
	t.Parallel()
	img := must(t, shop.guestbookHere)
	var left []string
	for _, n := range img.Notes {
		left = append(left, n.What)
	}
	wantInOrder(t, strings.Join(left, "\n"), "RUN apt-get update", "FLYSQL_USER=app")
	m := machine{volume: t.TempDir(), env: []string{"FLYSQL_LOG=text"}}
	s := serve(t, img, m)
	wantInOrder(t, s.log.String(), "flysql mode", "flysql migrate", "flysql app")
	rows, err := s.SignTexts(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	s.stop(t)

	bad := withMigration(t, img, guestbook.Broken)
	defer closes(t, bad)
	b := start(t, built{bad, img.app}, m)
	b.refused(t, 1, fmt.Sprintf("%s:%d", guestbook.Broken.Name, guestbook.Broken.Line), "syntax error")
	if strings.Contains(b.log.String(), "flysql app") {
		t.Error("the boot reached the app")
	}
	name, err := img.app.Database()
	if err != nil {
		t.Fatal(err)
	}
	if err := guestbook.Intact(testContext(t), filepath.Join(m.volume, name), rows); err != nil {
		t.Error(err)
	}

	s = serve(t, img, m)
	if err := s.HasTexts(testContext(t), rows); err != nil {
		t.Error(err)
	}
	s.sign(t, 1)
	s.stop(t)
}

// On a Fly machine, a directory on a disk that lives in memory is refused.
func TestGuestbookWithoutAVolumeOnFly(t *testing.T) {
	t.Parallel()
	img := must(t, shop.guestbookHere)
	dir, err := os.MkdirTemp("/dev/shm", "flysql-e2e-") // a tmpfs on every Linux
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir) // it must still be empty
	s := start(t, img, machine{id: "1781973f03d489", volume: dir})
	s.refused(t, 78, "would be lost", "tmpfs", "fly.toml")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the refused boot left %v, %v", entries, err)
	}
}
