package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/dev"
)

// fed is a session that was told these lines.
func fed(printed *strings.Builder, lines ...string) *session {
	s := newSession(newPrinter(printed, printed, nil))
	for _, line := range lines {
		s.line(line)
	}
	return s
}

func TestSession(t *testing.T) {
	var printed strings.Builder
	s := fed(&printed,
		`{"type":"state","state":{"url":"http://localhost:8080","doing":"building","regions":[{"code":"ams"},{"code":"syd"}]}}`,
		`{"type":"log","log":{"machine":"ams1","line":"flysql migrate  failed  1.0ms  exit=1"}}`,
		`{"type":"log","log":{"machine":"ams1","line":"/app/migrations/4_x.sql:4: syntax error"}}`,
		`{"type":"request","request":{"edge":"ams","method":"GET","path":"/","status":200,"way":"edge ams -> ams1"}}`,
		`{"type":"action","action":{"name":"kill","target":"ams1","done":true}}`,
		`{"type":"of another time"}`,
	)
	if port, err := s.port(); err != nil || port != 8080 {
		t.Errorf("port %d, %v", port, err)
	}
	if got := strings.Join(s.regions(), ","); got != "ams,syd" {
		t.Errorf("regions %s", got)
	}
	if !s.printed("ams1", "4_x.sql:4") || s.printed("syd1", "4_x.sql:4") {
		t.Error("what a machine has printed is not found with it alone")
	}
	if err := s.lately(); err == nil || !strings.Contains(err.Error(), "GET / 200: edge ams -> ams1") {
		t.Errorf("the last requests: %v", err)
	}
	if want := "building\n  | ams1 | flysql migrate  failed  1.0ms\n"; strings.TrimLeft(printed.String(), " ") != want {
		t.Errorf("printed %q, want %q", printed.String(), want)
	}
	asked := errors.New("asked")
	if err := s.wait(t.Context(), "something", func() (bool, error) { return false, asked }); !errors.Is(err, asked) {
		t.Errorf("error %v, want what was asked for", err)
	}
}

// A line that is no event ends the check.
func TestSessionOtherLine(t *testing.T) {
	var printed strings.Builder
	err := fed(&printed, "stopping").wait(t.Context(), "something", func() (bool, error) { return true, nil })
	if err == nil || !strings.Contains(err.Error(), `"stopping"`) {
		t.Errorf("error %v, want the line", err)
	}
}

func TestReplayedTo(t *testing.T) {
	hop := func(machine, region, why, replay string) dev.Hop {
		return dev.Hop{Machine: machine, Region: region, Why: why, Replay: replay}
	}
	for _, tt := range []struct {
		name string
		hops []dev.Hop
		ok   bool
	}{
		{"replayed", []dev.Hop{hop("syd1", "syd", "nearest", "instance=ams1"), hop("ams1", "ams", "replay", "")}, true},
		{"none", nil, false},
		{"at once at the primary", []dev.Hop{hop("ams1", "ams", "nearest", "")}, false},
		{"from elsewhere", []dev.Hop{hop("ord1", "ord", "nearest", "instance=ams1"), hop("ams1", "ams", "replay", "")}, false},
		{"to another", []dev.Hop{hop("syd1", "syd", "nearest", "instance=ams1"), hop("ams2", "ams", "replay", "")}, false},
		{"a second try, and no replay", []dev.Hop{hop("syd1", "syd", "nearest", ""), hop("ams1", "ams", "fallback", "")}, false},
	} {
		if err := replayedTo(dev.Request{Hops: tt.hops}, "syd", "ams1"); (err == nil) != tt.ok {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
}
