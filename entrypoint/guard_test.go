package entrypoint

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// disk mounts a file system of its own for a test: tmpfs, or "ext4" on a loop
// device, which is what a Fly volume looks like.
func disk(t *testing.T, fsType, options string) string {
	t.Helper()
	testkit.NeedRoot(t)
	dir := t.TempDir()
	args := []string{"-t", fsType, "-o", options, fsType, dir}
	if fsType == "ext4" {
		image := filepath.Join(t.TempDir(), "image")
		for _, argv := range [][]string{{"truncate", "-s", "16M", image}, {"mkfs.ext4", "-q", image}} {
			if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", argv, err, out)
			}
		}
		args = []string{"-t", "ext4", "-o", "loop", image, dir}
	}
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		t.Fatalf("mount %v: %v\n%s", args, err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v\n%s", dir, err, out)
			exec.Command("umount", "--lazy", dir).Run() // the test has failed; leave nothing mounted
		}
	})
	return dir
}

// On Fly an app never starts on a disk that vanishes; the message names the path,
// the mount and the line to change.
func TestGuardOnFly(t *testing.T) {
	volume, memory := disk(t, "ext4", ""), disk(t, "tmpfs", "size=4m")
	root := t.TempDir()
	link := filepath.Join(root, "link")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(volume, "back")); err != nil {
		t.Fatal(err)
	}
	nowhere := filepath.Join(volume, "nowhere.db")
	if err := os.Symlink("/no/such/file", nowhere); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, db string
		code     int
		want     []string
	}{
		{"a volume", filepath.Join(volume, "app.db"), 0, nil},
		{"a directory to be made on a volume", filepath.Join(volume, "db/prod/app.db"), 0, nil},
		{"the root disk", filepath.Join(root, "app.db"), 78, []string{filepath.Join(root, "app.db"), " at /)", "every deploy replaces", volume}},
		{"a missing directory", filepath.Join(root, "data", "app.db"), 78, []string{"every deploy replaces", "fly.toml"}},
		{"memory", filepath.Join(memory, "app.db"), 78, []string{"tmpfs at " + memory, "gone when the machine stops"}},
		{"a link to the root disk", filepath.Join(link, "app.db"), 78, []string{"every deploy replaces"}},
		{"a link out of the volume", filepath.Join(volume, "back", "app.db"), 78, []string{"every deploy replaces"}},
		{"a link to nowhere", nowhere, 78, []string{"link to nowhere"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := entry{db: tt.db, env: []string{"FLY_MACHINE_ID=m1"}, app: []string{"sh", "-c", "echo ran"}}.run(t).expect(t, tt.code)
			contains(t, r.stderr, tt.want...)
			if (r.stdout == "ran\n") != (tt.code == 0) {
				t.Errorf("stdout %q", r.stdout)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(root, "data")); err == nil {
		t.Error("a directory was made on the root disk")
	}
}

func TestGuard(t *testing.T) {
	readOnly := disk(t, "tmpfs", "ro,size=1m")
	full := disk(t, "tmpfs", "size=6m")
	if err := os.WriteFile(filepath.Join(full, "fill"), make([]byte, 5<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	inodes := disk(t, "tmpfs", "size=8m,nr_inodes=2")
	if err := os.WriteFile(filepath.Join(inodes, "one"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	plain := files(t, map[string]string{"file": "x"})
	closed := t.TempDir()
	nobody := &syscall.Credential{Uid: 65534, Gid: 65534}
	tests := []struct {
		name, db string
		cred     *syscall.Credential
		want     string
	}{
		{"no directory", "/no/such/dir/app.db", nil, "/no/such/dir does not exist"},
		{"read-only", filepath.Join(readOnly, "app.db"), nil, "mounted read-only"},
		{"full", filepath.Join(full, "app.db"), nil, full + " is full: 1.0MB free of 6.0MB"},
		{"no inodes", filepath.Join(inodes, "app.db"), nil, "no inode left"},
		{"a file for a directory", filepath.Join(plain, "file", "app.db"), nil, "not a directory"},
		{"not this user's", filepath.Join(closed, "app.db"), nobody, "cannot be written by uid 65534"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.cred != nil {
				openPath(t, closed)
			}
			r := entry{db: tt.db, cred: tt.cred, dir: "/", app: []string{"sh", "-c", "echo ran"}}.run(t).expect(t, 78)
			contains(t, r.stderr, tt.want, `"hint":`)
			if r.stdout != "" {
				t.Errorf("the app ran: %q", r.stdout)
			}
		})
	}
	t.Run("the limit is the user's", func(t *testing.T) {
		entry{db: filepath.Join(full, "app.db"), env: []string{"FLYSQL_MIN_FREE=0"}, app: []string{"true"}}.run(t).expect(t, 0)
	})
}

// openPath lets other users through to a test's directory, but not into it.
func openPath(t *testing.T, dir string) {
	t.Helper()
	for d := filepath.Dir(dir); d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for d := filepath.Dir(executable); d != "/" && strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMountOf(t *testing.T) {
	const info = `27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
22 27 0:21 / /proc rw,relatime - proc proc rw
40 27 254:16 / /data rw,relatime shared:3 - ext4 /dev/vdb rw
41 40 0:50 / /data/tmp rw - tmpfs tmpfs rw,size=64k
42 27 254:32 / /my\040volume ro,relatime - xfs /dev/vdc ro
43 27 0:51 / /over rw - ext4 /dev/vdd rw
44 27 0:52 / /over rw - tmpfs none rw
45 27 0:53 / /ro rw,relatime - ext4 /dev/vde ro
`
	mounts, err := parseMounts([]byte(info))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		dir, point, fsType string
		vanishes, readOnly bool
	}{
		{"/", "/", "ext4", true, false},
		{"/app", "/", "ext4", true, false},
		{"/data", "/data", "ext4", false, false},
		{"/data/deep/er", "/data", "ext4", false, false},
		{"/database", "/", "ext4", true, false}, // a longer name is not below
		{"/data/tmp/x", "/data/tmp", "tmpfs", true, false},
		{"/my volume", "/my volume", "xfs", false, true},
		{"/over/x", "/over", "tmpfs", true, false}, // the last mount covers
		{"/ro", "/ro", "ext4", false, true},
	}
	for _, tt := range tests {
		m := mountOf(mounts, tt.dir)
		if m.point != tt.point || m.fsType != tt.fsType || (m.vanishes() != "") != tt.vanishes || m.readOnly != tt.readOnly {
			t.Errorf("%s: %+v, vanishes %q", tt.dir, m, m.vanishes())
		}
	}
	for _, bad := range []string{"27 1 254:0 / /", "27 1 254:0 / / rw - ext4", "x"} {
		if _, err := parseMounts([]byte(bad)); err == nil {
			t.Errorf("%q was understood", bad)
		}
	}
}

// A machine on Fly, as /proc/self/mountinfo has it: the root is an overlay, its
// upper layer a disk that is mounted, and gone with the machine all the same.
func TestMountsOnFly(t *testing.T) {
	const info = `20 1 0:18 / / rw,relatime shared:1 - overlay none rw,lowerdir=/.fly-lower,upperdir=/.fly-upper-layer/upper,workdir=/.fly-upper-layer/work
21 20 254:16 / /.fly-upper-layer rw,relatime shared:2 - ext4 /dev/vdb rw
22 20 0:5 / /dev rw,relatime - devtmpfs devtmpfs rw
23 20 254:32 / /data rw,relatime shared:3 - ext4 /dev/vdc rw
24 20 254:16 /upper/srv /srv rw,relatime shared:2 - ext4 /dev/vdb rw
`
	mounts, err := parseMounts([]byte(info))
	if err != nil {
		t.Fatal(err)
	}
	for dir, vanishes := range map[string]bool{"/": true, "/app": true, "/.fly-upper-layer": true, "/srv": true, "/data": false, "/data/db": false} {
		if m := mountOf(mounts, dir); (m.vanishes() != "") != vanishes {
			t.Errorf("%s: %+v, vanishes %q", dir, m, m.vanishes())
		}
	}
	err = notOnVolume("/srv/app.db", mountOf(mounts, "/srv"), "gone", mounts)
	if hint := err.(*Error).Hint; !strings.Contains(hint, "file:///data/app.db") {
		t.Errorf("hint: %s", hint)
	}
	err = notOnVolume("/app.db", mounts[0], "gone", mounts[:2])
	if hint := err.(*Error).Hint; !strings.Contains(hint, `destination = "/data"`) {
		t.Errorf("hint without a volume: %s", hint)
	}
}

// Names can deceive about where bytes go; the kernel does not.
func TestGuardIsNotDeceived(t *testing.T) {
	volume, root := disk(t, "ext4", ""), t.TempDir()
	mountOn := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
			t.Fatalf("mount %v: %v\n%s", args, err, out)
		}
		t.Cleanup(func() { exec.Command("umount", "--lazy", args[len(args)-1]).Run() })
	}
	sub := func(dir, name string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bound := sub(root, "bound")
	mountOn("--bind", sub(root, "source"), bound)
	outer := sub(root, "outer")
	mountOn("--bind", volume, sub(outer, "in"))
	mountOn("-t", "tmpfs", "-o", "size=8m", "tmpfs", outer)
	hidden := sub(outer, "in")
	if err := os.Symlink(sub(root, "far/away"), filepath.Join(volume, "current")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, db string
		env      []string
		code     int
	}{
		{"a bind mount of the root disk", filepath.Join(bound, "app.db"), nil, 78},
		{"memory over a mounted volume", filepath.Join(hidden, "app.db"), nil, 78},
		{"up from behind a link", volume + "/current/../app.db", nil, 78},
		{"up on the volume", sub(volume, "a") + "/../app.db", nil, 0},
		{"the app's own DATABASE_URL", filepath.Join(root, "lost.db"), []string{"FLYSQL_DB=" + filepath.Join(volume, "app.db")}, 78},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := entry{db: tt.db, env: append(tt.env, "FLY_MACHINE_ID=m1"), app: []string{"sh", "-c", "echo ran"}}.run(t).expect(t, tt.code)
			if (r.stdout == "ran\n") != (tt.code == 0) {
				t.Errorf("stdout %q", r.stdout)
			}
		})
	}
	t.Run("the app's own DATABASE_URL, off Fly", func(t *testing.T) {
		r := entry{db: filepath.Join(root, "lost.db"), env: []string{"FLYSQL_DB=" + filepath.Join(volume, "app.db")}, app: []string{"true"}}.run(t).expect(t, 0)
		contains(t, r.text("guard", "warning"), filepath.Join(root, "lost.db"))
	})
}

func FuzzParseMounts(f *testing.F) {
	f.Add([]byte(`40 27 254:16 / /da\040ta rw shared:3 - ext4 /dev/vdb rw`), "/da ta/x")
	f.Fuzz(func(t *testing.T, data []byte, dir string) {
		mounts, err := parseMounts(data)
		if err != nil {
			return
		}
		if m := mountOf(mounts, dir); m.point != "" && !below(dir, m.point) {
			t.Errorf("%s is said to be on %s", dir, m.point)
		}
	})
}

func ExampleExitCode() {
	fmt.Println(ExitCode(nil), ExitCode(&SignalError{syscall.SIGTERM}), ExitCode(&Error{Step: "guard", Code: ExitConfig}))
	// Output: 0 143 78
}
