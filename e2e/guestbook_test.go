package e2e_test

import (
	"os"
	"strings"
	"testing"
)

// The way of `make demo`: no root, no mounts, a directory for the volume.
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
