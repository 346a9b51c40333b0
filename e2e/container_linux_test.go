package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/image"
	"github.com/flysql/flysql/internal/testkit"
)

// The tests in this file boot images in a mount namespace: their RUN lines have
// all run, the volume is an ext4 file system, and FLY_MACHINE_ID is set, so the
// entrypoint does what it does on Fly.

const machineID = "1781973f03d489"

// onFly is a machine with a new volume.
func onFly(t *testing.T, megabytes int64) machine {
	t.Helper()
	file := filepath.Join(t.TempDir(), "volume")
	if err := image.NewVolume(file, megabytes<<20); err != nil {
		t.Fatal(err)
	}
	return machine{id: machineID, volume: file}
}

// A new volume belongs to root. The app that runs on it does not, and what it
// has acknowledged is there after every way to end.
func TestContainer(t *testing.T) {
	testkit.NeedRoot(t)
	t.Parallel()
	img := must(t, shop.guestbookInside)
	if len(img.Notes) > 0 {
		t.Errorf("left out of the image: %+v", img.Notes)
	}
	m := onFly(t, 64)

	s := serve(t, img, m)
	wantInOrder(t, s.log.String(), "msg=mode", "msg=guard outcome=ok", "fs=ext4", "msg=own outcome=ok", "user=app",
		"msg=migrate outcome=ok", "applied=3", "msg=app outcome=exec")
	s.runsAsApp(t, "guestbook")
	rows := s.sign(t, 20)
	s.stop(t)

	s = serve(t, img, m)
	s.runsAsApp(t, "guestbook")
	wantInOrder(t, s.log.String(), "changed=0", "applied=0")
	s.has(t, rows)
	rows = s.sign(t, 20)
	s.kill(t)

	s = serve(t, img, m)
	s.has(t, rows)
	s.stop(t)
}

// runsAsApp looks at the process, and at the volume through it: nothing runs as
// root any more, and nothing of the app's belongs to root.
func (s *server) runsAsApp(t *testing.T, program string) {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(s.Pid()))
	exe, err := os.Readlink(filepath.Join(proc, "exe"))
	if err != nil || filepath.Base(exe) != program {
		t.Errorf("process %d is %q, %v, want %s: the entrypoint execs it", s.Pid(), exe, err, program)
	}
	root := filepath.Join(proc, "root")
	uid, gid := appIDs(t, root)
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("\nUid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", uid), // real, effective, saved, file system
		fmt.Sprintf("\nGid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", gid),
		fmt.Sprintf("\nGroups:\t%d \n", gid),
		"\nCapEff:\t0000000000000000\n",
	} {
		if !strings.Contains(string(status), want) {
			t.Errorf("/proc/%d/status does not have %q:\n%s", s.Pid(), want, status)
		}
	}
	seen := 0
	err = filepath.WalkDir(filepath.Join(root, s.app.VolumeAt()), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == "lost+found" {
			return fs.SkipDir
		}
		info, err := os.Lstat(name)
		if err != nil {
			return err
		}
		seen++
		if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != uid {
			t.Errorf("%s belongs to uid %d, want %d", strings.TrimPrefix(name, root), owner, uid)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 3 { // the mount point, the database, .flysql
		t.Errorf("%d files on the volume: that is not where the app keeps its data", seen)
	}
}

// appIDs reads the uid and gid of app from the image's /etc/passwd.
func appIDs(t *testing.T, root string) (uid, gid int) {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "etc/passwd"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "app:x:"); ok {
			if _, err := fmt.Sscanf(rest, "%d:%d:", &uid, &gid); err != nil || uid == 0 || gid == 0 {
				t.Fatalf("app in the image's /etc/passwd: %q, %v", lines.Text(), err)
			}
			return uid, gid
		}
	}
	t.Fatal("the image has no user app")
	return 0, 0
}

// Without its volume, the app would write to a disk that vanishes.
func TestContainerWithoutItsVolume(t *testing.T) {
	testkit.NeedRoot(t)
	t.Parallel()
	img := must(t, shop.guestbookInside)
	start(t, img, machine{id: machineID}).refused(t, 78, "/data/guestbook.db would be lost", "overlay", "[[mounts]]", `destination = \"/data\"`)
}

// Fly runs a release_command in the image, on a machine that has no volume. It is
// passed through: not touched, not refused, its exit code its own.
func TestContainerReleaseCommand(t *testing.T) {
	testkit.NeedRoot(t)
	t.Parallel()
	img := must(t, shop.guestbookInside)
	for _, test := range []struct {
		args []string
		code int
		want []string
		not  string
	}{
		{[]string{"sh", "-c", "echo it ran as $(id -u); exit 7"}, 7, []string{"it ran as 0", "outcome=pass-through"}, "level=WARN"},
		{[]string{"sh", "-c", "true # migrate"}, 0, []string{"outcome=pass-through", "level=WARN", "no volume"}, "msg=guard"},
	} {
		s := start(t, img, machine{id: machineID, env: []string{"RELEASE_COMMAND=1"}, args: test.args})
		code, err := s.Wait(testContext(t))
		if err != nil || code != test.code {
			t.Errorf("%q: exit code %d, error %v, want %d", test.args, code, err, test.code)
		}
		for _, w := range test.want {
			if !strings.Contains(s.log.String(), w) {
				t.Errorf("%q: the log does not have %q", test.args, w)
			}
		}
		if strings.Contains(s.log.String(), test.not) {
			t.Errorf("%q: the log has %q", test.args, test.not)
		}
	}
}

// A migration that fails stops the deploy, and the image from before still serves.
func TestContainerBadMigration(t *testing.T) {
	testkit.NeedRoot(t)
	t.Parallel()
	img := must(t, shop.guestbookInside)
	m := onFly(t, 64)
	s := serve(t, img, m)
	rows := s.sign(t, 10)
	s.stop(t)

	const name = "00004_broken.sql"
	bad, err := img.With(map[string]string{path.Join("/app/migrations", name): `-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE half_done (id INTEGER PRIMARY KEY);
DELETE FROM messages;
CREATE TABEL misspelt (id INTEGER PRIMARY KEY);
`})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := bad.Close(); err != nil {
			t.Error(err)
		}
	}()
	// Fly starts it again and again: each time it ends the same way.
	for range 2 {
		start(t, built{bad, img.app}, m).refused(t, 1, "/app/migrations/"+name+":5", "syntax error")
	}
	s = serve(t, img, m)
	s.has(t, rows)
	if len(s.sign(t, 1)) != len(rows)+1 {
		t.Error("the message after the failed deploy is not there")
	}
	s.stop(t)
}

// A full volume loses nothing that was acknowledged, and the next boot says what
// to do about it.
func TestContainerFullVolume(t *testing.T) {
	testkit.NeedRoot(t)
	t.Parallel()
	img := must(t, shop.guestbookInside)
	m := onFly(t, 16)
	s := serve(t, img, m)
	rows := s.sign(t, 3)
	// cat fails for want of room: that is the point.
	if out, err := s.Run("sh", "-c", "cat /dev/zero > /data/filler || df /data"); err != nil || !strings.Contains(out, "100%") {
		t.Fatalf("fill the volume: %v: %s", err, out)
	}
	// SQLite writes into the room that its files already have, so some fit.
	long := strings.Repeat("long ", 190)
	var full error
	for n := 0; full == nil && n < 5000; n++ {
		var id int64
		if id, full = s.Sign(testContext(t), "guest", long); full == nil {
			rows = append(rows, guestbook.Message{ID: id, Name: "guest", Body: strings.TrimSpace(long)})
		}
	}
	if !isServerError(full) {
		t.Fatalf("a message on the full volume: %v, want a 5xx answer", full)
	}
	s.hasAll(t, rows)
	if _, err := s.Get(testContext(t), img.app.HealthPath()); err != nil {
		t.Errorf("the health check on the full volume: %v", err)
	}
	s.kill(t)

	start(t, img, m).refused(t, 78, "/data is full", "fly volumes extend")

	cleaner := m
	cleaner.env = []string{"FLYSQL_SKIP=1"}
	cleaner.args = []string{"rm", "/data/filler"}
	c := start(t, img, cleaner)
	if code, err := c.Wait(testContext(t)); err != nil || code != 0 {
		t.Fatalf("rm: exit code %d, error %v", code, err)
	}
	c.closeNow(t)

	s = serve(t, img, m)
	s.hasAll(t, rows)
	s.sign(t, 1)
	s.stop(t)
}

// hasAll wants these messages, whenever they were written. There may be none that
// was not acknowledged.
func (s *server) hasAll(t *testing.T, want []guestbook.Message) {
	t.Helper()
	same := func(a, b guestbook.Message) bool { return a.ID == b.ID && a.Name == b.Name && a.Body == b.Body }
	if got := s.all(t); !slices.EqualFunc(got, want, same) {
		t.Errorf("messages (-want +got):\n%s", cmp.Diff(want, got))
	}
}

// An app that does not know flysql, from somebody who has nothing but this
// repository: its image builds flysql-entrypoint from the source that init left.
func TestContainerAppWithoutFlysql(t *testing.T) {
	testkit.NeedRoot(t)
	t.Parallel()
	img := must(t, shop.plainInside)
	m := onFly(t, 64)
	hits := func(s *server, method string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(testContext(t), method, fmt.Sprintf("http://127.0.0.1:%d/", s.port), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var n string
		if _, err := fmt.Fscan(res.Body, &n); err != nil {
			t.Fatal(errors.Join(err, fmt.Errorf("status %s", res.Status)))
		}
		return n
	}
	s := serve(t, img, m)
	wantInOrder(t, s.log.String(), "tool=golang-migrate", "applied=1")
	s.runsAsApp(t, "plain")
	for _, want := range []string{"1", "2"} {
		if got := hits(s, http.MethodPost); got != want {
			t.Errorf("POST: %s, want %s", got, want)
		}
	}
	s.stop(t)

	s = serve(t, img, m)
	if got := hits(s, http.MethodGet); got != "2" {
		t.Errorf("after the restart: %s, want 2", got)
	}
	s.stop(t)
}
