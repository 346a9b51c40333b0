package dev

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
)

// requestOf is an edge's event as a session tells it. role is what a machine was at a time.
func requestOf(ev edge.Event, role func(id string, at time.Time) string) *Request {
	r := &Request{
		ID: ev.ID, Time: ev.Time, MS: milliseconds(ev.Duration), Client: ev.Client, Edge: ev.Edge, Method: ev.Method,
		Host: ev.Host, Path: ev.Path, Status: ev.Status, Error: ev.Error, Open: ev.Open, Bytes: ev.Bytes, Hops: []Hop{},
	}
	for _, h := range ev.Hops {
		r.Hops = append(r.Hops, Hop{
			Machine: h.Machine, Region: h.Region, Role: role(h.Machine, ev.Time.Add(h.After)), Why: h.Why,
			AfterMS: milliseconds(h.After), MS: milliseconds(h.Duration), Status: h.Status, Error: h.Error, Replay: h.Replay, Note: h.Note,
			Request: h.Request, Response: h.Response,
		})
	}
	r.Way = way(r)
	return r
}

// milliseconds is a duration to a microsecond.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

// way is a request's way in one line.
func way(r *Request) string {
	var b strings.Builder
	b.WriteString("edge " + r.Edge)
	for i, h := range r.Hops {
		if why := h.Why; why != "" && why != "nearest" && (i == 0 || why != r.Hops[i-1].Why || why == "replay") {
			b.WriteString(" -> " + why)
		}
		if h.Machine == "" { // none was to be had
			b.WriteString(" -> no machine")
			continue
		}
		b.WriteString(" -> " + h.Machine)
		if h.Role != "" {
			b.WriteString(" " + h.Role)
		}
		if h.Error != "" {
			b.WriteString(" (no answer)")
		}
	}
	switch {
	case r.Error != "":
		code, _, _ := strings.Cut(r.Error, ":") // of Fly's list
		b.WriteString(" -> " + code)
	case r.Status == 0:
		b.WriteString(" -> the client went")
	}
	if r.Open {
		b.WriteString(", open after ")
	} else {
		b.WriteString(", ")
	}
	return b.String() + shortMS(r.MS)
}

// shortMS is a time for people.
func shortMS(ms float64) string {
	switch {
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 10_000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}

// roles are what machines have been lately.
type roles struct {
	mu  sync.Mutex
	all map[string][]roleSince
}

type roleSince struct {
	at   time.Time
	role string
}

// keptRoles is how many changes of a machine's role are remembered: a request may be long.
const keptRoles = 32

func (r *roles) set(id, role string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[string][]roleSince{}
	}
	list := r.all[id]
	if n := len(list); n > 0 && list[n-1].role == role {
		return
	}
	if list = append(list, roleSince{at, role}); len(list) > keptRoles {
		list = list[1:]
	}
	r.all[id] = list
}

func (r *roles) of(id string, at time.Time) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	role := ""
	for _, s := range r.all[id] {
		if s.at.After(at) {
			break
		}
		role = s.role
	}
	return role
}
