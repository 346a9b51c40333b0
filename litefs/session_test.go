package litefs

import "testing"

// Between subscribing and reading the mount transactions may go by, whose events
// are read afterwards: they do not take the position back. A real way back does.
func TestStaleEvents(t *testing.T) {
	n := quiet(RoleReplica, dbAt("app.db", 10, 100))
	n.own = newMount(t.TempDir(), 1, false)
	s := session{Node: n, placed: true}
	for _, tt := range []struct {
		name       string
		disk       Pos
		event      Pos
		dropped    bool
		want       Pos
		wantMissed bool
	}{
		{"stale", posAt(10, 100), posAt(8, 80), false, posAt(10, 100), false},
		{"known", posAt(10, 100), posAt(10, 100), false, posAt(10, 100), false},
		{"stale, and the mount is further", posAt(12, 120), posAt(9, 90), false, posAt(12, 120), false},
		{"next", posAt(13, 130), posAt(13, 130), false, posAt(13, 130), false},
		{"taken back", posAt(11, 111), posAt(11, 111), false, posAt(11, 111), false},
		{"another history", posAt(11, 112), posAt(11, 112), false, posAt(11, 112), false},
		{"taken back, and on", posAt(11, 113), posAt(10, 103), false, posAt(11, 113), false},
		{"dropped before it was made again", posAt(11, 113), posAt(9, 90), true, posAt(11, 113), false},
		{"dropped", posAt(12, 1), posAt(12, 1), true, Pos{}, true},
		{"dropped, told twice", posAt(12, 1), posAt(12, 1), true, Pos{}, true},
		{"made again", posAt(13, 2), posAt(13, 2), false, posAt(13, 2), false},
	} {
		write(t, n.own.dir, "app.db-pos", tt.disk.String()+"\n")
		if err := s.apply(t.Context(), event{kind: eventTx, db: "app.db", pos: tt.event, dropped: tt.dropped}); err != nil {
			t.Fatal(err)
		}
		st := n.State()
		if got, ok := st.Position("app.db"); got != tt.want || ok == tt.wantMissed {
			t.Fatalf("%s: at %v, %v, want %v", tt.name, got, ok, tt.want)
		}
	}

	// Where the mount does not answer LiteFS's word counts.
	n.own.dir = t.TempDir()
	if err := s.apply(t.Context(), event{kind: eventTx, db: "app.db", pos: posAt(5, 50)}); err != nil {
		t.Fatal(err)
	}
	st := n.State()
	if got, _ := st.Position("app.db"); got != posAt(5, 50) {
		t.Errorf("at %v", got)
	}
}

// After handing over LiteFS says for a moment that it follows itself.
func TestFollowsItself(t *testing.T) {
	n := &Node{self: "a"}
	for _, tt := range []struct {
		e    event
		want State
	}{
		{event{isPrimary: true}, State{Role: RolePrimary, Ready: true}},
		{event{isPrimary: true, hostname: "a"}, State{Role: RolePrimary, Ready: true}},
		{event{hostname: "b"}, State{Role: RoleReplica, Primary: "b"}},
		{event{hostname: "a"}, State{Ready: true}}, // as it was
		{event{}, State{Ready: true}},
	} {
		st := State{Ready: true, Primary: "before", Role: RoleReplica}
		n.setRole(&st, tt.e)
		if st.Role != tt.want.Role || st.Primary != tt.want.Primary || st.Ready != tt.want.Ready {
			t.Errorf("%+v: %+v, want %+v", tt.e, st, tt.want)
		}
	}
}
