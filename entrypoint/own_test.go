package entrypoint

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// Root boots for a user: the volume's files become that user's, and so do the
// migrations and the app.
func TestOwn(t *testing.T) {
	testkit.NeedRoot(t)
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"0", "1"} {
		t.Run("supervise="+mode, func(t *testing.T) {
			volume := disk(t, "ext4", "")
			upload := filepath.Join(volume, "uploads", "old.png")
			if err := os.Mkdir(filepath.Dir(upload), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(upload, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			db := filepath.Join(volume, "app.db")
			makeDB(t, db, 10)
			tree, _, _ := tools[0].write(createA)
			migrations := files(t, tree)
			openPath(t, migrations)
			os.Chmod(migrations, 0o755)
			e := entry{db: db, dir: "/", env: []string{"FLY_MACHINE_ID=m1", "FLYSQL_USER=nobody", "FLYSQL_MIGRATIONS=" + migrations, "FLYSQL_SUPERVISE=" + mode},
				app: []string{"sh", "-c", "id -u; id -g; id -G; echo $HOME $USER"}}
			r := e.run(t).expect(t, 0)
			want := strings.Join([]string{nobody.Uid, nobody.Gid, nobody.Gid, nobody.HomeDir + " nobody"}, "\n") + "\n"
			if r.stdout != want {
				t.Errorf("the app's identity:\n%swant:\n%s", r.stdout, want)
			}
			filepath.WalkDir(volume, func(path string, d os.DirEntry, err error) error {
				if err != nil {
					t.Error(err)
					return nil
				}
				info, err := os.Lstat(path)
				if err != nil {
					return nil
				}
				st := info.Sys().(*syscall.Stat_t)
				if d.Name() == "lost+found" {
					if st.Uid != 0 {
						t.Errorf("%s was given away", path)
					}
					return filepath.SkipDir
				}
				if st.Uid != 65534 {
					t.Errorf("%s belongs to uid %d", path, st.Uid)
				}
				return nil
			})
			// The second boot finds all as it should be.
			if r := e.run(t).expect(t, 0); r.line("own")["changed"] != 0.0 {
				t.Errorf("own: %v", r.line("own"))
			}
		})
	}
}

// Off Fly a directory may hold other things than the app's: only the database's
// files change hands.
func TestOwnOffFly(t *testing.T) {
	testkit.NeedRoot(t)
	dir := files(t, map[string]string{"other": "x"})
	openPath(t, dir)
	db := filepath.Join(dir, "app.db")
	entry{db: db, dir: "/", env: []string{"FLYSQL_USER=65534:65534"}, app: []string{"true"}}.run(t).expect(t, 0)
	info, err := os.Stat(filepath.Join(dir, "other"))
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 0 {
		t.Errorf("another file was given to uid %d", st.Uid)
	}
}

func TestOwnRefused(t *testing.T) {
	testkit.NeedRoot(t)
	db := filepath.Join(t.TempDir(), "app.db")
	tests := []struct {
		name, user string
		cred       *syscall.Credential
		want       string
	}{
		{"no such user", "no-such-user", nil, "useradd"},
		{"a group by name", "nobody:nogroup", nil, "uid:gid as numbers"},
		{"negative", "-5", nil, "negative"},
		{"not root", "root", &syscall.Credential{Uid: 65534, Gid: 65534}, "remove USER from the Dockerfile"},
	}
	openPath(t, filepath.Dir(db))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := entry{db: db, dir: "/", cred: tt.cred, env: []string{"FLYSQL_USER=" + tt.user}, app: []string{"true"}}.run(t).expect(t, 78)
			contains(t, r.stderr, tt.want)
		})
	}
}

// The volume belongs to the app, wherever on it the database lies; and a first boot
// that was cut short while giving it is made good by the next.
func TestOwnWholeVolume(t *testing.T) {
	testkit.NeedRoot(t)
	volume := disk(t, "ext4", "")
	openPath(t, volume)
	uploads := filepath.Join(volume, "uploads")
	for _, dir := range []string{uploads, filepath.Join(volume, "db")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	stuck := filepath.Join(uploads, "stuck")
	if err := os.WriteFile(stuck, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	attr := func(change string) {
		t.Helper()
		if out, err := exec.Command("chattr", change, stuck).CombinedOutput(); err != nil {
			t.Fatalf("chattr: %v\n%s", err, out)
		}
	}
	attr("+i")
	defer exec.Command("chattr", "-i", stuck).Run() // when the test fails before it does so itself
	e := entry{db: filepath.Join(volume, "db", "app.db"), dir: "/", env: []string{"FLY_MACHINE_ID=m1", "FLYSQL_USER=65534:65534"}, app: []string{"sh", "-c", "echo x > " + uploads + "/new"}}
	e.run(t).expect(t, 1)
	attr("-i")
	e.run(t).expect(t, 0)
	if info, err := os.Stat(stuck); err != nil || info.Sys().(*syscall.Stat_t).Uid != 65534 {
		t.Errorf("%s was not given: %v", stuck, err)
	}
}

// A directory for everybody stays everybody's.
func TestOwnSharedDirectory(t *testing.T) {
	testkit.NeedRoot(t)
	dir := t.TempDir()
	openPath(t, dir)
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	entry{db: filepath.Join(dir, "app.db"), dir: "/", env: []string{"FLYSQL_USER=65534:65534"}, app: []string{"true"}}.run(t).expect(t, 0)
	if info, err := os.Stat(dir); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("%s was given away: %v", dir, err)
	}
}

// A command that only root may run is found out before the migrations.
func TestCommandOfRootOnly(t *testing.T) {
	testkit.NeedRoot(t)
	bin := files(t, map[string]string{"app": "#!/bin/sh\n"})
	openPath(t, bin)
	os.Chmod(bin, 0o755)
	if err := os.Chmod(filepath.Join(bin, "app"), 0o700); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	db := filepath.Join(dir, "app.db")
	tree, _, _ := tools[0].write(createA)
	r := entry{db: db, dir: "/", env: []string{"FLYSQL_USER=65534:65534", "FLYSQL_MIGRATIONS=" + files(t, tree)}, app: []string{filepath.Join(bin, "app")}}.run(t)
	if _, err := os.Stat(db); r.code != 126 || err == nil {
		t.Errorf("code %d, database made: %v\n%s", r.code, err == nil, r.stderr)
	}
}

// What is put back belongs to whom it belonged before.
func TestPutBackKeepsOwner(t *testing.T) {
	testkit.NeedRoot(t)
	db := filepath.Join(t.TempDir(), "app.db")
	makeDB(t, db, 10)
	if err := os.Chown(db, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	entry{db: db, env: []string{"FLYSQL_MIGRATE=false"}, app: []string{"true"}}.run(t).expect(t, 1)
	info, err := os.Stat(db)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 65534 || st.Gid != 65534 {
		t.Errorf("it belongs to %d:%d", st.Uid, st.Gid)
	}
}
