package dev

import (
	"testing"

	"github.com/flysql/flysql/flyconf"
)

// What was told last is what there is: also where something was so for a moment only, and told
// then by whoever had done something, or to whoever had just come.
func TestToldLast(t *testing.T) {
	s := &Session{app: &app{config: &flyconf.Config{}}, front: &front{}, served: map[string]bool{}}
	var told []string
	s.hub.watch = []func(Event){func(ev Event) { told = append(told, ev.State.Doing) }}
	want := func(when string, want ...string) {
		t.Helper()
		s.tellChange()
		if len(told) != len(want) || len(want) > 0 && told[len(told)-1] != want[len(want)-1] {
			t.Errorf("%s: told %q, want %q", when, told, want)
		}
		told = nil
	}
	want("at the beginning", "")
	want("without a change")
	s.doingNow("building")
	s.mu.Lock()
	s.doing = ""
	s.mu.Unlock()
	want("after a moment", "building", "")
	_, stop := s.Subscribe(1)
	defer stop()
	want("when somebody has come", "")
	want("after that")
}
