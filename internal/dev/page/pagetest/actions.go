package pagetest

import (
	"context"
	"time"

	"github.com/flysql/flysql/internal/dev"
)

// do notes an action, fails it where that was said, and tells.
func (s *Source) do(ctx context.Context, name, target, more string, how func(*dev.State)) error {
	action := name + " " + target
	s.mu.Lock()
	s.did = append(s.did, action+more)
	err, hold := s.fail[action], s.hold[action]
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	a := dev.Action{Name: name, Target: target, Done: true}
	if err != nil {
		a.Error = err.Error()
	} else {
		s.Change(how)
	}
	s.Emit(dev.Event{Time: time.Now(), Type: dev.TypeAction, Action: &a})
	return err
}

// each changes the machines of this ID.
func each(id string, how func(*dev.Machine)) func(*dev.State) {
	return func(st *dev.State) {
		for i := range st.Machines {
			if st.Machines[i].ID == id {
				how(&st.Machines[i])
			}
		}
	}
}

func off(st *dev.State, id, why string) {
	each(id, func(m *dev.Machine) { m.State, m.Healthy, m.Role, m.PID, m.Error = "stopped", false, "", 0, why })(st)
	if st.Primary == id {
		st.Primary = ""
	}
}

// Kill turns a machine off.
func (s *Source) Kill(id string) error {
	return s.do(context.Background(), "kill", id, "", func(st *dev.State) { off(st, id, "") })
}

// Stop turns a machine off.
func (s *Source) Stop(ctx context.Context, id string) error {
	return s.do(ctx, "stop", id, "", func(st *dev.State) { off(st, id, "") })
}

// StartMachine turns a machine on.
func (s *Source) StartMachine(ctx context.Context, id string) error {
	return s.do(ctx, "start", id, "", each(id, func(m *dev.Machine) { m.State, m.Healthy, m.Role, m.Error = "started", true, "replica", "" }))
}

// Restart does nothing but tell.
func (s *Source) Restart(ctx context.Context, id string) error {
	return s.do(ctx, "restart", id, "", func(*dev.State) {})
}

// HandOff makes a machine the primary.
func (s *Source) HandOff(ctx context.Context, id string) error {
	return s.do(ctx, "handoff", id, "", func(st *dev.State) {
		each(st.Primary, func(m *dev.Machine) { m.Role = "replica" })(st)
		each(id, func(m *dev.Machine) { m.Role = "primary" })(st)
		st.Primary = id
	})
}

func region(code string, how func(*dev.Region)) func(*dev.State) {
	return func(st *dev.State) {
		for i := range st.Regions {
			if st.Regions[i].Code == code {
				how(&st.Regions[i])
			}
		}
	}
}

// Cut cuts or mends.
func (s *Source) Cut(code string, cut bool) error {
	name := "mend"
	if cut {
		name = "cut"
	}
	return s.do(context.Background(), name, code, "", region(code, func(r *dev.Region) { r.Cut = cut }))
}

// Slow slows down.
func (s *Source) Slow(code string, by time.Duration) error {
	return s.do(context.Background(), "slow", code, " "+by.String(), region(code, func(r *dev.Region) { r.SlowMS = float64(by.Milliseconds()) }))
}

// SetRegion chooses where those come from who do not say.
func (s *Source) SetRegion(code string) error {
	return s.do(context.Background(), "choose", code, "", func(st *dev.State) { st.Region = code })
}

// Deploy tells of each machine in turn.
func (s *Source) Deploy(ctx context.Context) error {
	s.Change(func(st *dev.State) { st.Doing = "building" })
	for _, m := range s.State().Machines {
		s.Change(func(st *dev.State) { st.Doing = "rolling " + m.ID })
	}
	return s.do(ctx, "deploy", "", "", func(st *dev.State) { st.Doing = "" })
}

// Request is one that was replayed from the edge of a region to the primary there, with
// this path.
func Request(n int, edge, path string) dev.Event {
	header := map[string][]string{"Accept": {"text/html"}, "Cookie": {"(24 bytes)"}, "Fly-Region": {edge}}
	r := &dev.Request{
		ID: "01JXAMPLE-" + edge, Time: time.Date(2026, 11, 28, 12, 0, n%60, 0, time.UTC), MS: 182.4, Client: "127.0.0.1", Edge: edge, Method: "POST",
		Host: edge + ".localhost:8080", Path: path, Status: 303, Bytes: 120, Way: "edge " + edge + " -> " + edge + "1 replica -> replay -> ord1 primary, 182 ms",
	}
	r.Hops = []dev.Hop{
		{Machine: edge + "1", Region: edge, Role: "replica", Why: "nearest", AfterMS: 2, MS: 6, Status: 409, Replay: "region=ord", Request: header, Response: map[string][]string{"Fly-Replay": {"region=ord"}}},
		{Machine: "ord1", Region: "ord", Role: "primary", Why: "replay", AfterMS: 9, MS: 170, Status: 303, Request: header, Response: map[string][]string{"Location": {"/"}, "Content-Type": {"text/html"}}},
	}
	return dev.Event{Time: r.Time, Type: dev.TypeRequest, Request: r}
}

// Read is one that the machine of its own region has answered.
func Read(n int, edge, path string, status int) dev.Event {
	ev := Request(n, edge, path)
	r := ev.Request
	r.Method, r.Status, r.MS, r.Hops = "GET", status, 7.4, r.Hops[:1]
	r.Hops[0].Replay, r.Hops[0].Status = "", status
	r.Way = "edge " + edge + " -> " + edge + "1 replica, 7.4 ms"
	return ev
}

// Line is one of a machine's log.
func Line(machine, line string) dev.Event {
	return dev.Event{Time: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), Type: dev.TypeLog, Log: &dev.Log{Machine: machine, Line: line}}
}
