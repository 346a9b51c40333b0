package dev

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// first is the state that a subscriber begins with.
func first() Event { return Event{Type: TypeState, State: &State{App: "first"}} }

func line(text string) Event { return Event{Type: TypeLog, Log: &Log{Line: text}} }

func stateOf(app string) Event { return Event{Type: TypeState, State: &State{App: app}} }

func text(ev Event) string {
	if ev.State != nil {
		return "<" + ev.State.App + ">"
	}
	return ev.Log.Line
}

// A subscriber that does not take what it is told loses lines, but not the last state, and
// nobody waits for it.
func TestHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hub
		var watched []string
		h.watch = []func(Event){func(ev Event) { watched = append(watched, text(ev)) }}
		c, stop := h.subscribe(3, first)
		defer stop()
		synctest.Wait() // until it offers the first state
		for i := range 5 {
			h.tell(line(fmt.Sprint(i)))
			h.tell(stateOf(fmt.Sprint("s", i)))
		}
		h.close()
		var got []string
		for ev := range c {
			if ev.Time.IsZero() {
				t.Error("an event without a time")
			}
			got = append(got, text(ev))
		}
		if want := "<first> 0 1 <s4>"; strings.Join(got, " ") != want && strings.Join(got, " ") != "<first> 0 1 2 <s4>" {
			t.Errorf("got %v, want %s", got, want)
		}
		if len(watched) != 10 {
			t.Errorf("watched %v", watched)
		}
		if c, stop := h.subscribe(1, first); c != nil {
			if _, open := <-c; open {
				t.Error("a closed hub tells something")
			}
			stop()
		}
	})
}

// The state is first, also where others were told before it was known.
func TestHubBeginsWithTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hub
		c, stop := h.subscribe(10, func() Event {
			h.tell(line("before"))
			h.tell(stateOf("newer"))
			return first()
		})
		if got := text(<-c) + text(<-c); got != "<newer>before" {
			t.Errorf("got %s", got)
		}
		stop()
		stop()
		if ev, open := <-c; open {
			t.Errorf("%v after stop", ev)
		}
		h.tell(line("nobody listens"))
	})
}
