package fleet

import (
	"testing"

	"github.com/flysql/flysql/internal/nodestatus"
)

func TestLead(t *testing.T) {
	node := func(role, primary, holder string) Node {
		return Node{Via: ViaAddress, Status: nodestatus.Status{Mode: nodestatus.LiteFS,
			LiteFS: &nodestatus.Node{Answers: true, Role: role, Primary: primary, ClusterID: "C1", Lease: nodestatus.Lease{Holder: holder}}}}
	}
	silent := Node{Via: ViaExec, Status: nodestatus.Status{Mode: nodestatus.LiteFS, LiteFS: &nodestatus.Node{}}}
	for _, tt := range []struct {
		name    string
		nodes   map[string]Node
		primary string
		agreed  bool
		litefs  bool
		asked   int
	}{
		{"none", nil, "", false, false, 0},
		{"agreed", map[string]Node{"a": node("primary", "a", "a"), "b": node("replica", "a", "")}, "a", true, true, 2},
		{"one does not answer", map[string]Node{"a": node("primary", "a", ""), "b": silent, "c": {Unknown: "it is stopped"}}, "a", true, true, 1},
		{"nobody", map[string]Node{"a": node("replica", "", ""), "b": node("replica", "", "")}, "", false, true, 2},
		{"two", map[string]Node{"a": node("primary", "a", ""), "b": node("primary", "b", "")}, "", false, true, 2},
		{"one name for two", map[string]Node{"a": node("primary", "x", ""), "b": node("primary", "x", "")}, "", false, true, 2},
		{"one is left behind", map[string]Node{"a": node("primary", "a", ""), "b": node("replica", "", "")}, "", false, true, 2},
		{"volume", map[string]Node{"a": {Via: ViaExec, Status: nodestatus.Status{Mode: nodestatus.Volume}}}, "", false, false, 0},
	} {
		l := Lead(tt.nodes)
		primary, agreed := l.Agreed()
		if primary != tt.primary && agreed || agreed != tt.agreed || l.LiteFS != tt.litefs || l.Asked != tt.asked {
			t.Errorf("%s: %q, %v; %+v", tt.name, primary, agreed, l)
		}
	}
}
