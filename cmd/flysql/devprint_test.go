package main

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/internal/dev"
)

// at is a moment of the tests' session, in seconds after its beginning.
func at(s float64) time.Time {
	return time.Date(2026, 11, 28, 12, 3, 0, 0, time.Local).Add(time.Duration(s * float64(time.Second)))
}

// threeRegions is a session's state before anything runs.
func threeRegions() dev.State {
	return dev.State{
		App: "shop", URL: "http://localhost:8080", Region: "ord", Engine: "litefs", Latency: "real", Doing: "building",
		Regions:  []dev.Region{{Code: "ord", Name: "Chicago", URL: "http://ord.localhost:8080"}, {Code: "ams", Name: "Amsterdam", URL: "http://ams.localhost:8080"}},
		Machines: []dev.Machine{{ID: "ord1", Region: "ord", State: "stopped"}, {ID: "ams1", Region: "ams", State: "stopped"}},
	}
}

// walk is a session from its beginning on: each step changes the state, or is an event.
func walk(tell func(float64, dev.Event)) {
	s := threeRegions()
	now := 0.0
	step := func(seconds float64, change func()) {
		now += seconds
		change()
		copied := s
		copied.Machines = slices.Clone(s.Machines)
		tell(now, dev.Event{Time: at(now), Type: dev.TypeState, State: &copied})
	}
	event := func(e dev.Event) {
		e.Time = at(now)
		tell(now, e)
	}
	step(0, func() {})
	event(dev.Event{Type: dev.TypeLog, Log: &dev.Log{Line: "go: downloading example.com/x v1.0.0"}})
	step(3.14, func() { s.Doing, s.Machines[0].PID, s.Machines[0].State = "", 7, "away" })
	event(dev.Event{Type: dev.TypeLog, Log: &dev.Log{Machine: "ord1", Line: "entrypoint: volume: ok"}})
	step(1.2, func() {
		s.Machines[0].State, s.Machines[0].Healthy, s.Machines[0].Role, s.Primary = "started", true, "primary", "ord1"
		s.Machines[1].PID = 8
	})
	step(0.8, func() {
		s.Machines[1].State, s.Machines[1].Healthy, s.Machines[1].Role, s.Ready = "started", true, "replica", true
	})
	event(dev.Event{Type: dev.TypeRequest, Request: &dev.Request{Time: at(4), Method: "POST", Path: "/messages", Status: 303, Way: "edge ams -> ams1 replica -> replay -> ord1 primary, 182 ms"}})
	event(dev.Event{Type: dev.TypeRequest, Request: &dev.Request{Time: at(4), Method: "GET", Path: "/\x1b[31m", Status: 502, Error: "[PC01] nothing\nanswers", Way: "edge ams, 1 ms"}})
	event(dev.Event{Type: dev.TypeRequest, Request: &dev.Request{Time: at(4), Method: "GET", Path: "/slow", Way: "edge ams -> ams1 replica, 5 ms"}})
	event(dev.Event{Type: dev.TypeLog, Log: &dev.Log{Machine: "ams1", Line: "listening\x07"}})
	event(dev.Event{Type: dev.TypeAction, Action: &dev.Action{Name: "kill", Target: "ord1"}})
	step(1, func() { s.Machines[0] = dev.Machine{ID: "ord1", Region: "ord", State: "stopped"}; s.Primary = "" })
	event(dev.Event{Type: dev.TypeAction, Action: &dev.Action{Name: "kill", Target: "ord1", Done: true}})
	event(dev.Event{Type: dev.TypeAction, Action: &dev.Action{Name: "handoff", Target: "ams1", Error: "it is no candidate"}})
	step(1, func() {
		s.Machines[1].Healthy = false
		s.Machines[1].Checks = []dev.Check{{Name: "http GET /healthz", Output: "503 Service\nUnavailable"}}
	})
	step(1, func() { s.Machines[1].Healthy = true })
	step(1, func() { s.Machines[0].State, s.Machines[0].Healthy, s.Primary = "started", true, "ord1" })
	step(1, func() { s.Doing = "building" })
	step(1, func() { s.Doing = "rolling ord1" })
	step(1, func() { s.Doing = "" })
	event(dev.Event{Type: dev.TypeAction, Action: &dev.Action{Name: "deploy", Done: true, Error: "the machines keep what they have: go build: exit status 1\n./main.go:1:1: printed above"}})
	step(1, func() {
		s.Machines[1].State, s.Machines[1].Log, s.Machines[1].Error = "stopped", "/app/log", "it ended by itself: exit status 1\nprinted above"
	})
}

const walked = `shop: 2 machines in ord, ams, on LiteFS; latency real
  build | go: downloading example.com/x v1.0.0
  built  3.1s
  ord1   1.2s  primary
  ams1   2s  replica

  http://localhost:8080          as in ord
  http://ord.localhost:8080      Chicago
  http://ams.localhost:8080      Amsterdam
  http://localhost:8080/_flysql  the machines on a page

12:03:04 POST /messages 303  edge ams -> ams1 replica -> replay -> ord1 primary, 182 ms
12:03:04 GET /\x1b[31m 502  edge ams, 1 ms  [PC01] nothing\nanswers
12:03:04 GET /slow gone  edge ams -> ams1 replica, 5 ms
ams1 | listening\x07
12:03:05 kill ord1
12:03:06 ord1 stopped
12:03:06 primary: none
12:03:06 kill ord1: done
12:03:06 handoff ams1: it is no candidate
12:03:07 ams1 not healthy; check http GET /healthz: 503 Service\nUnavailable
12:03:08 ams1 healthy
12:03:09 ord1 started
12:03:09 primary: ord1
12:03:10 building
12:03:11 rolling ord1
12:03:12 deploy: the machines keep what they have: go build: exit status 1
12:03:13 ams1: it ended by itself: exit status 1; its log is /app/log
`

func walkText(t *testing.T, change func(*devText)) string {
	t.Helper()
	var out bytes.Buffer
	now := 0.0
	p := (&cli{stdout: &out}).newDevText(true, false, false)
	p.now = func() time.Time { return at(now) }
	p.began = at(0)
	p.line.terminal = nil
	change(p)
	if p.line.terminal != nil {
		p.line.terminal = &out
	}
	walk(func(seconds float64, e dev.Event) {
		now = seconds
		if err := p.event(e); err != nil {
			t.Fatal(err)
		}
	})
	return out.String()
}

func TestDevText(t *testing.T) {
	if diff := cmp.Diff(walked, walkText(t, func(*devText) {})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := walkText(t, func(p *devText) { p.page = false }); strings.Contains(got, "_flysql") {
		t.Errorf("a page that is not there:\n%s", got)
	}
}

// On a terminal there are colours, and a line that tells what is waited for; what stays
// is the same.
func TestDevTextTerminal(t *testing.T) {
	got := walkText(t, func(p *devText) { p.colors, p.line.terminal = true, io.Discard })
	for _, want := range []string{"\x1b[32mprimary\x1b[0m", "\x1b[31m502\x1b[0m", "\r  building", "\r  waiting for ord1, ams1; ord1: entrypoint: volume: ok", "\r  waiting for ams1; "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	var stays []string
	for line := range strings.Lines(plainLine(got)) {
		stays = append(stays, line)
	}
	if diff := cmp.Diff(walked, strings.Join(stays, "")); diff != "" {
		t.Errorf("what stays (-want +got):\n%s", diff)
	}
}

// plainLine is what is left on a terminal: of what was written over, the last.
func plainLine(s string) string {
	var b strings.Builder
	for line := range strings.Lines(escape.ReplaceAllString(s, "")) {
		if i := strings.LastIndex(line, "\r"); i >= 0 {
			line = line[i+1:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// What runs is not always what was asked for.
func TestDevTextWhy(t *testing.T) {
	var out bytes.Buffer
	p := (&cli{stdout: &out}).newDevText(false, true, false)
	s := dev.State{App: "shop", Engine: "volume", Why: "no /dev/fuse", Machines: []dev.Machine{{ID: "ord1", Region: "ord"}}}
	if err := p.event(dev.Event{Type: dev.TypeState, State: &s}); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "shop: 1 machine in ord, without LiteFS\n  no /dev/fuse\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A machine that does not come up has its reasons shown, and the others their URLs.
func TestDevTextOneFails(t *testing.T) {
	var out bytes.Buffer
	p := (&cli{stdout: &out}).newDevText(false, true, false)
	p.now, p.began = func() time.Time { return at(2) }, at(0)
	s := threeRegions()
	s.Doing, s.Machines[0].PID, s.Machines[0].Healthy = "", 7, true
	s.Machines[1].Error = "it ended before it served: exit status 1\nno such table: messages"
	for _, e := range []dev.Event{
		{Type: dev.TypeState, State: &s},
		{Type: dev.TypeLog, Log: &dev.Log{Machine: "ams1", Line: "no such table: messages"}},
		{Type: typeStarted},
		{Type: dev.TypeState, State: &s},
	} {
		if err := p.event(e); err != nil {
			t.Fatal(err)
		}
	}
	want := `shop: 2 machines in ord, ams, on LiteFS; latency real
  ord1   2s
  ams1   did not come up
    it ended before it served: exit status 1
    no such table: messages

  http://localhost:8080      as in ord
  http://ord.localhost:8080  Chicago
  http://ams.localhost:8080  Amsterdam

`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is usual of LiteFS and flysql-entrypoint hides nothing of the app's.
func TestDevTextUsual(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		`level=INFO msg="stream connected (127.0.0.1:1)"`:             true,
		`level=ERROR msg="cannot unmount"`:                            false,
		`time=2026-11-28T15:38:50Z level=INFO msg=request method=GET`: false,
		"litefs shut down complete":                                   true,
		"LiteFS v0.5.14, commit=x":                                    true,
		`flysql node     ok            555.6ms  role=replica`:         true,
		`flysql own      skipped         0.1ms  why="not set" uid=0`:  true,
		`flysql app      ended         999.8ms  exit=0`:               true,
		`flysql app      ended         999.8ms  exit=1`:               false,
		`flysql guard    refused         1.0ms  exit=78`:              false,
		"flysql":                 false,
		"       err: it is full": false,
		"listening on :8080":     false,
		"":                       false,
	} {
		if got := usual(line); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
	for _, all := range []bool{false, true} {
		var out bytes.Buffer
		p := (&cli{stdout: &out}).newDevText(false, true, all)
		s := threeRegions()
		for _, e := range []dev.Event{{Type: dev.TypeState, State: &s}, {Type: typeStarted}, {Type: dev.TypeLog, Log: &dev.Log{Machine: "ord1", Line: "litefs shut down complete"}}} {
			if err := p.event(e); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Contains(out.String(), "ord1 | litefs shut down"); got != all {
			t.Errorf("all %v: %s", all, out.String())
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestDevTextBrokenPipe(t *testing.T) {
	p := (&cli{stdout: broken{}}).newDevText(false, true, false)
	s := threeRegions()
	if err := p.event(dev.Event{State: &s}); err == nil || err.Error() != "broken pipe" {
		t.Errorf("got %v", err)
	}
}
