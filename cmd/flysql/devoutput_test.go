package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/dev"
)

// Events come in order, and whoever tells one never waits.
func TestDevQueue(t *testing.T) {
	goOn, begun, printed := make(chan struct{}), make(chan struct{}, 1), []string{}
	q := newDevQueue(func(e dev.Event) error {
		select {
		case begun <- struct{}{}:
		default:
		}
		<-goOn
		switch {
		case e.Log != nil:
			printed = append(printed, e.Log.Line)
		case e.State != nil:
			printed = append(printed, "state "+e.State.Doing)
		default:
			printed = append(printed, e.Type)
		}
		return nil
	})
	q.tell(dev.Event{Type: dev.TypeRequest})
	<-begun // and nobody prints
	const more = 10
	for n := range devQueueMost + more {
		q.tell(dev.Event{Type: dev.TypeLog, Log: &dev.Log{Line: fmt.Sprint(n)}})
	}
	q.tell(dev.Event{Type: dev.TypeAction})
	q.tell(dev.Event{Type: dev.TypeState, State: &dev.State{Doing: "old"}})
	q.tell(dev.Event{Type: dev.TypeState, State: &dev.State{Doing: "new"}})
	close(goOn)
	if err := q.end(t.Context()); err != nil {
		t.Fatal(err)
	}
	q.tell(dev.Event{Type: dev.TypeLog}) // after the end
	got := strings.Join(printed[len(printed)-2:], ",")
	if printed[0] != "request" || printed[1] != "0" || got != "action,state new" {
		t.Errorf("first %s, last %s", printed[0], got)
	}
	if lost := q.lost(); lost != more || len(printed) != devQueueMost+3 {
		t.Errorf("%d lost, %d printed", lost, len(printed))
	}
}

func TestDevQueueFails(t *testing.T) {
	q := newDevQueue(func(dev.Event) error { return errors.New("broken pipe") })
	q.tell(dev.Event{Type: dev.TypeAction})
	<-q.failed
	q.tell(dev.Event{Type: dev.TypeAction})
	if err := q.end(t.Context()); err == nil || err.Error() != "print what happens: broken pipe" {
		t.Errorf("got %v", err)
	}
}

// A terminal that stands still (Ctrl-S) holds nobody up who kills.
func TestDevQueueStands(t *testing.T) {
	stands := make(chan struct{})
	defer close(stands)
	q := newDevQueue(func(dev.Event) error { <-stands; return nil })
	q.tell(dev.Event{Type: dev.TypeAction})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.end(ctx); err != nil {
		t.Error(err)
	}
}

// An event is a line, and what is read again is what was written.
func TestDevJSON(t *testing.T) {
	var out bytes.Buffer
	var want []dev.Event
	walk(func(_ float64, e dev.Event) {
		want = append(want, e)
		if err := writeDevEvent(&out, e); err != nil {
			t.Fatal(err)
		}
	})
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines of %d events", len(lines), len(want))
	}
	for i, line := range lines {
		var got dev.Event
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil || got.Type != want[i].Type || (got.State == nil) != (want[i].State == nil) {
			t.Errorf("%v: %s", err, line)
		}
	}
	if !strings.HasPrefix(lines[0], `{"time":"2026-11-28T`) || !strings.Contains(lines[0], `"type":"state","state":{"app":"shop"`) {
		t.Errorf("the first: %s", lines[0])
	}
}
