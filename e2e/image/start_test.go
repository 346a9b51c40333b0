package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/e2e/poll"
)

// script is an image whose app is a shell script.
func script(t *testing.T, body string, more ...string) string {
	t.Helper()
	return contextDir(t, map[string]string{
		"app":          "#!/bin/sh\n" + body + "\n",
		"migrations/1": "one",
		"Dockerfile": lines(append([]string{
			debBase,
			"WORKDIR /app",
			"COPY app /usr/local/bin/",
			"COPY migrations /app/migrations",
			`ENTRYPOINT ["app"]`,
			`CMD ["serve"]`,
		}, more...)...),
	})
}

func TestMappedEnvironment(t *testing.T) {
	t.Setenv("LEAKED", "from the host")
	img := build(t, script(t, "pwd; /usr/bin/env | /usr/bin/sort; echo \"$@\""), Options{})
	data := filepath.Join(t.TempDir(), "with space")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	_, out := boot(t, img, Boot{
		Env: []string{
			"DATABASE_URL=file:///data/app.db?x=/app",
			"PLAIN=/data/app.db",
			"ROOT=/data",
			"MIGRATIONS=/app/migrations",
			"OTHER=/database/x",
			"URL=https://example.org/app",
			"TEXT=see /data",
			"FLYSQL_USER=app",
			"HOME=/nonexistent",
			"TMPDIR=/tmp",
		},
		Volumes: map[string]string{"/data": data},
	})
	root := img.stage.root
	var path []string
	for _, dir := range strings.Split(imagePath, ":") {
		path = append(path, root+dir)
	}
	want := lines(
		root+"/app",
		"DATABASE_URL=file://"+strings.ReplaceAll(data, " ", "%20")+"/app.db?x=/app",
		"HOME=/nonexistent",
		"MIGRATIONS="+root+"/app/migrations",
		"OTHER=/database/x",
		"PATH="+strings.Join(path, ":"),
		"PLAIN="+data+"/app.db",
		"PWD="+root+"/app", // the shell's own
		"ROOT="+data,
		"TEXT=see /data",
		"TMPDIR=/tmp",
		"URL=https://example.org/app",
		"serve",
	)
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestExitCodes(t *testing.T) {
	bothWays(t, func(t *testing.T, way Way) {
		img := build(t, script(t, `echo out; echo err >&2; eval "$1"`), Options{Way: way})
		for _, test := range []struct {
			arg  string
			want int
		}{{"exit 0", 0}, {"exit 78", 78}, {"kill -9 $$", 128 + 9}, {"kill -SEGV $$", 128 + 11}} {
			code, out := boot(t, img, Boot{Args: []string{test.arg}})
			if code != test.want || out != "out\nerr\n" {
				t.Errorf("%s: exit code %d and %q, want %d and both streams", test.arg, code, out, test.want)
			}
		}
	})
}

func TestStop(t *testing.T) {
	tests := []struct {
		name, body string
		grace      time.Duration
		want       int
	}{
		{"ends when asked", "trap 'exit 3' TERM; echo ready; while :; do /bin/sleep 0.02; done", time.Minute, 3},
		{"ignores it", "trap '' TERM; echo ready; while :; do /bin/sleep 0.02; done", time.Millisecond, 128 + 9},
	}
	bothWays(t, func(t *testing.T, way Way) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				img := build(t, script(t, test.body), Options{Way: way})
				var out output
				m, err := img.Start(testContext(t), Boot{Stdout: &out})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				waitFor(t, &out, "ready")
				code, err := m.Stop(syscall.SIGTERM, test.grace)
				if err != nil || code != test.want {
					t.Errorf("exit code %d, error %v, want %d", code, err, test.want)
				}
			})
		}
	})
}

// What the app leaves running ends with the machine.
func TestCloseEndsEverything(t *testing.T) {
	bothWays(t, func(t *testing.T, way Way) {
		// The child holds a pipe of ours: it is at its end when the child is.
		img := build(t, script(t, "/bin/sh -c 'trap \"\" TERM INT HUP; echo child; while :; do /bin/sleep 0.02; done' & wait"), Options{Way: way})
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		m, err := img.Start(testContext(t), Boot{Stdout: w})
		if err != nil {
			t.Fatal(err)
		}
		w.Close()
		buf := make([]byte, 100)
		if n, err := r.Read(buf); err != nil || string(buf[:n]) != "child\n" {
			t.Fatalf("read %q, %v", buf[:n], err)
		}
		if err := m.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if n, err := r.Read(buf); n != 0 || err == nil {
			t.Errorf("read %q: want the end", buf[:n])
		}
	})
}

func TestWith(t *testing.T) {
	bothWays(t, func(t *testing.T, way Way) {
		img := build(t, script(t, `cd migrations && echo *`), Options{Way: way})
		more, err := img.With(map[string]string{"/app/migrations/2": "two", "/app/migrations/1": "another"})
		if err != nil {
			t.Fatal(err)
		}
		if _, out := boot(t, more, Boot{}); out != "1 2\n" {
			t.Errorf("the new image has %q, want both files", out)
		}
		if _, out := boot(t, img, Boot{}); out != "1\n" {
			t.Errorf("the old image has %q, want one file", out)
		}
		if err := more.Close(); err != nil {
			t.Error(err)
		}
		if _, out := boot(t, img, Boot{}); out != "1\n" {
			t.Errorf("after the new image was closed, the old one has %q, want one file", out)
		}
	})
}

func TestCannotStart(t *testing.T) {
	bothWays(t, func(t *testing.T, way Way) {
		img := build(t, contextDir(t, map[string]string{"Dockerfile": lines(debBase, `ENTRYPOINT ["missing-program"]`)}), Options{Way: way})
		_, err := img.Start(testContext(t), Boot{})
		if want := "missing-program is not in the image"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
		_, err = img.Start(testContext(t), Boot{Volumes: map[string]string{"data": "x"}})
		if want := `the mount point "data"`; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
		empty := build(t, contextDir(t, map[string]string{"Dockerfile": lines(debBase)}), Options{Way: way})
		_, err = empty.Start(testContext(t), Boot{})
		if want := "neither ENTRYPOINT nor CMD"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	})
}

func waitFor(t *testing.T, out *output, want string) {
	t.Helper()
	err := poll.Until(testContext(t), want, func(context.Context) error {
		if !strings.Contains(out.String(), want) {
			return errors.New("not printed yet")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v; printed %q", err, out)
	}
}
