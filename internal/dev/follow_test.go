package dev

import (
	"testing"

	"github.com/flysql/flysql/internal/nodestatus"
	"github.com/flysql/flysql/litefs"
)

// How far a replica is behind, by both positions; lag is none where it has all.
func TestBehind(t *testing.T) {
	t.Parallel()
	at := func(txid uint64) litefs.State {
		return litefs.State{Ready: true, Lag: 700_000_000, Databases: []litefs.Database{{Name: "app.db", Pos: litefs.Pos{TXID: txid, PostApplyChecksum: 1 << 63}}}}
	}
	for _, tt := range []struct {
		name         string
		own, primary litefs.State
		role         string
		behind, lag  int64 // -1 for not known
	}{
		{"as far", at(7), at(7), nodestatus.Replica, 0, 0},
		{"three behind", at(4), at(7), nodestatus.Replica, 3, 700},
		{"asked a moment later", at(8), at(7), nodestatus.Replica, 0, 0},
		{"no primary", at(4), litefs.State{}, nodestatus.Replica, -1, 700},
		{"nobody knows what it is", at(4), at(4), "", 0, -1},
	} {
		m := &Machine{Role: tt.role, Databases: databases(tt.own, tt.primary)}
		if got := known(m.Databases[0].Behind); got != tt.behind || m.Databases[0].Name != "app.db" {
			t.Errorf("%s: behind by %d, want %d", tt.name, got, tt.behind)
		}
		if got := known(lag(m, tt.own)); got != tt.lag {
			t.Errorf("%s: lag %d, want %d", tt.name, got, tt.lag)
		}
	}
}

func known(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}
