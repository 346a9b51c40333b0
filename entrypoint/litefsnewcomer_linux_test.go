package entrypoint

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// acquired is what LiteFS prints when it becomes the primary.
const acquired = "primary lease acquired"

// A node that was told so never becomes the primary: not where there is none, not when
// the one that there is hands over, and not when that is killed. It copies the database
// meanwhile; and without the variable the next boot is a candidate, which is what shows
// that the variable kept it from it.
func TestNewcomerIsNeverThePrimary(t *testing.T) {
	t.Parallel()
	l, nodes := cluster(t, "a", "b")
	newcomer := amongPeers(t, nodes[1], nodes, createA)
	candidate := newcomer.env
	newcomer.env = append(newcomer.env[:len(newcomer.env):len(newcomer.env)], "FLYSQL_LITEFS_CANDIDATE=off")

	alone := newcomer
	alone.env = append(alone.env, "FLYSQL_LITEFS_WAIT=2s")
	r := alone.run(t).expect(t, 1)
	contains(t, r.stderr, "no primary answers, and this node may not be it")
	nothingLeft(t, nodes[1])
	if value, _ := l.Get(testkit.Key); len(value) > 0 {
		t.Fatalf("the lease is %s", value)
	}

	withRows(t, nodes[0], "DELETE", 50)
	boot := amongPeers(t, nodes[0], nodes, createA)
	a := boot.start(t)
	a.isServing()
	b := newcomer.start(t)
	b.isServing()
	if nodes[0].Position("app.db") != nodes[1].Position("app.db") {
		t.Errorf("the app runs at %s, the primary is at %s", nodes[1].Position("app.db"), nodes[0].Position("app.db"))
	}
	res, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d/promote", nodes[1].API), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusConflict {
		t.Errorf("POST /promote: %s", res.Status)
	}

	a.signal(syscall.SIGTERM)
	if got := a.wait().expect(t, 3).text("handoff", "why"); got != errNoCandidate.Error() {
		t.Errorf("the primary's handoff says %q", got)
	}
	a = boot.start(t)
	a.isServing()
	a.signal(syscall.SIGKILL)
	a.wait()
	// The lease of the dead one ends; a candidate would take it at its next look.
	testkit.Poll(t, "the lease to end", func() bool { value, ok := l.Get(testkit.Key); return !ok || len(value) == 0 })
	a = boot.start(t)
	a.isServing()
	if log := b.errs.text(); strings.Contains(log, acquired) {
		t.Errorf("the newcomer was the primary:\n%s", log)
	}
	b.signal(syscall.SIGTERM)
	b.wait().expect(t, 3)

	newcomer.env = candidate
	b = newcomer.start(t)
	b.isServing()
	a.signal(syscall.SIGTERM)
	if got := a.wait().expect(t, 3).outcome("handoff"); got != "ok" {
		t.Errorf("handoff to the candidate: %s", got)
	}
	hasLease(t, nodes[1])
	b.signal(syscall.SIGTERM)
	if r := b.wait().expect(t, 3); !strings.Contains(r.stderr, acquired) {
		t.Errorf("LiteFS says it otherwise, so this test looks for nothing:\n%s", r.stderr)
	}
	for _, n := range nodes {
		nothingLeft(t, n)
	}
}
