package frompostgres_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/e2e/group"
	"github.com/flysql/flysql/internal/testkit"
)

// following runs a block until it says that it follows, and returns what ends it as Ctrl-C
// does.
func (v *walk) following(block string) (stop func()) {
	v.t.Helper()
	cmd := exec.Command("bash", "-c", "exec "+block)
	out := &syncBuffer{}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = v.dir, v.env, out, out
	wait, err := group.Start(cmd)
	if err != nil {
		v.t.Fatal(err)
	}
	ended := make(chan struct{})
	var end error
	go func() { end = wait(); close(ended) }()
	v.t.Cleanup(func() { _ = group.Kill(cmd.Process.Pid); <-ended })
	testkit.Poll(v.t, "following", func() bool {
		select {
		case <-ended:
			v.t.Fatalf("%s%v\n%s", block, end, out)
		default:
		}
		return strings.Contains(out.String(), "following by")
	})
	return func() {
		v.t.Helper()
		_ = cmd.Process.Signal(syscall.SIGINT)
		<-ended
		var exit *exec.ExitError
		if !errors.As(end, &exit) || exit.ExitCode() != 130 {
			v.t.Fatalf("%sended with %v, want exit code 130\n%s", block, end, out)
		}
	}
}

// Without downtime, by the README's commands: what the old app writes during the copy and
// after it is there when the new one starts, and so is what it wrote while nobody followed.
func TestReadmeFollow(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--follow", "--follow=triggers"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			follows(t, flag)
		})
	}
}

func follows(t *testing.T, flag string) {
	pg, w, dir := magazine(t)
	v := newWalk(t, pg, w, dir)
	blocks := readme(t, dir, "sh")["Without downtime"]
	follow := strings.Replace(blocks[0], "--follow", flag, 1)

	stop := v.following(follow)
	pg.Exec(`INSERT INTO posts (slug, title, price, tags, status, published_at) VALUES ('live', 'Écrit en direct', 1.25, '{a,"b c"}', 'published', '2026-03-01 00:00:00.5+00');
		UPDATE readers SET prefs = prefs || '{"theme": "light"}', paying = false WHERE email = 'ada@example.com';
		DELETE FROM posts WHERE slug = 'etudes'`)
	stop()
	pg.Exec(`UPDATE posts SET featured = false WHERE featured; UPDATE posts SET featured = true, price = 2.50 WHERE slug = 'live';
		INSERT INTO posts (slug, title) VALUES ('gone', 'Gone'); DELETE FROM posts WHERE slug = 'gone'`)
	v.following(follow)()
	out := v.run(blocks[1])
	for _, want := range []string{"verified", "dropped", "magazine.db"} {
		if !strings.Contains(out, want) {
			t.Errorf("cutover does not say %q:\n%s", want, out)
		}
	}
	var left int
	if err := pg.Conn().QueryRow(t.Context(), "SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) + (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'flysql%')").Scan(&left); err != nil || left != 0 {
		t.Errorf("left in PostgreSQL: %d, %v", left, err)
	}

	app := w.boot(t, v.dir, filepath.Join(v.dir, "magazine.db"))
	app.wants(t, "GET /posts/live", 200, `{"id":7,"slug":"live","title":"Écrit en direct","status":"published","featured":true,"price":"2.50","tags":["a","b c"],"published_at":"2026-03-01T00:00:00.5Z"}`)
	app.wants(t, "GET /posts?q=%C3%89CRIT", 200, `[{"id":7,"slug":"live","title":"Écrit en direct","status":"published","featured":true,"price":"2.50","tags":["a","b c"],"published_at":"2026-03-01T00:00:00.5Z"}]`)
	app.wants(t, "GET /posts/etudes", 404, `{"error":"there is nothing like it"}`)
	app.wants(t, "GET /readers/ada@example.com", 200, `{"id":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","email":"Ada@Example.com","name":"Ada","paying":false,"prefs":{"mails":["weekly","new \"posts\""],"theme":"light"},"theme":"light","joined_at":"2025-03-30T00:59:59.123456Z"}`)
	app.wants(t, `POST /posts {"slug":"new","title":"8 was given out"}`, 201, `{"id":9}`)
	app.stop()
}
