package entrypoint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// A lease is moved from who has it, to who answers; else nothing is asked of anybody.
func TestMoveLeaseRefused(t *testing.T) {
	replica, other := newFakeNode(t, "0A", nodeInfo{}, "a.db"), newFakeNode(t, "0B", nodeInfo{}, "a.db")
	nobody := fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t))
	for _, tt := range []struct{ from, to, want string }{
		{other.addr, replica.addr, other.addr + " is not the primary any more"},
		{other.addr, nobody, "ask " + nobody + ": "},
		{nobody, replica.addr, "ask " + nobody + ": "},
	} {
		if err := MoveLease(t.Context(), tt.from, tt.to); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
	if asked := append(replica.did(), other.did()...); len(asked) > 0 {
		t.Errorf("asked for %v", asked)
	}
}

// As what a deploy does on a replica: writers wait, the lease moves, and they go on.
func TestMoveLease(t *testing.T) {
	from, to := newFakeNode(t, "0A", nodeInfo{IsPrimary: true}, "a.db"), newFakeNode(t, "0B", nodeInfo{}, "a.db")
	from.hands = to
	if err := MoveLease(t.Context(), from.addr, to.addr); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(from.did()), "[POST /halt a.db POST /handoff DELETE /halt a.db]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
