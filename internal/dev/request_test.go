package dev

import (
	"testing"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
)

func TestWay(t *testing.T) {
	t.Parallel()
	begun := time.Unix(1_000_000, 0)
	var r roles
	r.set("ams1", "replica", begun.Add(-time.Hour))
	r.set("ord1", "primary", begun.Add(-time.Hour))
	r.set("ord1", "replica", begun.Add(time.Second)) // after the request
	ms := func(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
	for _, tt := range []struct {
		ev   edge.Event
		want string
	}{
		{edge.Event{Edge: "ams", Status: 303, Duration: ms(181.7), Hops: []edge.Hop{{Machine: "ams1", Why: "nearest"}, {Machine: "ord1", Why: "replay", After: ms(20)}}}, "edge ams -> ams1 replica -> replay -> ord1 primary, 182 ms"},
		{edge.Event{Edge: "ord", Status: 200, Duration: ms(1.25), Hops: []edge.Hop{{Machine: "ord1", Why: "nearest"}}}, "edge ord -> ord1 primary, 1.2 ms"},
		{edge.Event{Edge: "ord", Status: 200, Duration: ms(5000), Open: true, Hops: []edge.Hop{{Machine: "syd1", Why: "forced"}}}, "edge ord -> forced -> syd1, open after 5000 ms"},
		{edge.Event{Edge: "syd", Status: 503, Duration: ms(2), Error: "PR01: no machine takes requests for this", Hops: []edge.Hop{{Error: "no known healthy machine"}}}, "edge syd -> no machine -> PR01, 2.0 ms"},
		{edge.Event{Edge: "syd", Status: 502, Duration: ms(20_000), Error: "PU02: could not complete", Hops: []edge.Hop{{Machine: "ams1", Why: "nearest", Error: "refused"}, {Machine: "ord1", Why: "nearest", Error: "refused"}}}, "edge syd -> ams1 replica (no answer) -> ord1 primary (no answer) -> PU02, 20.0 s"},
		{edge.Event{Edge: "syd", Duration: ms(3)}, "edge syd -> the client went, 3.0 ms"},
		{edge.Event{Edge: "syd", Status: 200, Duration: ms(40), Hops: []edge.Hop{{Machine: "ams1", Why: "nearest"}, {Machine: "ord1", Why: "replay"}, {Machine: "ams1", Why: "replay"}}}, "edge syd -> ams1 replica -> replay -> ord1 primary -> replay -> ams1 replica, 40 ms"},
	} {
		tt.ev.Time = begun
		if got := requestOf(tt.ev, r.of).Way; got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

// Of many changes the last are known.
func TestRoles(t *testing.T) {
	t.Parallel()
	var r roles
	begun := time.Unix(1_000_000, 0)
	for i := range 100 {
		r.set("a", []string{"primary", "replica"}[i%2], begun.Add(time.Duration(i)*time.Second))
	}
	for second, want := range map[int]string{-1: "", 10: "", 98: "primary", 99: "replica", 1000: "replica"} {
		if got := r.of("a", begun.Add(time.Duration(second)*time.Second)); got != want {
			t.Errorf("after %d s it is %q, want %q", second, got, want)
		}
	}
}
