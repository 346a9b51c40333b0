package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type noPower struct{}

func (noPower) Start(context.Context, string) error      { return nil }
func (noPower) Stop(context.Context, string, bool) error { return nil }

// plant is machines that can be started and stopped. Their apps answer with their IDs.
type plant struct {
	edge *Edge
	fail bool

	mu       sync.Mutex
	machines []Machine
	done     []string
}

func (p *plant) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = append(p.done, fmt.Sprintf(format, args...))
}

func (p *plant) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprint(p.done)
}

func (p *plant) set(id string, s State) {
	p.mu.Lock()
	i := slices.IndexFunc(p.machines, func(m Machine) bool { return m.ID == id })
	p.machines[i].State = s
	all := slices.Clone(p.machines)
	p.mu.Unlock()
	p.edge.Set(all)
}

func (p *plant) Start(ctx context.Context, id string) error {
	p.say("start %s", id)
	time.Sleep(time.Second) // of synctest
	if p.fail {
		return errors.New("no")
	}
	p.set(id, Started)
	return nil
}

func (p *plant) Stop(ctx context.Context, id string, suspend bool) error {
	p.say("stop %s %v", id, suspend)
	p.set(id, Stopped)
	return nil
}

// dial answers one request without a network.
func (p *plant) dial(_ context.Context, _ string, m Machine) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		buf := make([]byte, 4096)
		n, _ := far.Read(buf)
		if n > 0 {
			fmt.Fprintf(far, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(m.ID), m.ID)
		}
	}()
	return near, nil
}

func newPlant(t *testing.T, o Options, machines ...Machine) *plant {
	t.Helper()
	p := &plant{machines: machines}
	o.Power, o.Dial = p, p.dial
	var err error
	if p.edge, err = New(o); err != nil {
		t.Fatal(err)
	}
	p.edge.Set(machines)
	return p
}

func (p *plant) ask() string {
	w := httptest.NewRecorder()
	p.edge.ServeHTTP(w, httptest.NewRequest("GET", "http://ams.localhost/", nil))
	return fmt.Sprint(w.Code, " ", w.Body)
}

// "The proxy waits for a request to your app", starts a machine once for all that come
// meanwhile, and "routes the request to the newly started Machine".
func TestAutoStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, Options{Service: Service{AutoStart: true}}, Machine{ID: "a1", Region: "ams", State: Stopped})
		defer p.edge.Close()
		start := time.Now()
		var asking sync.WaitGroup
		for range 3 {
			asking.Go(func() {
				if got := p.ask(); got != "200 a1" {
					t.Error(got)
				}
			})
		}
		asking.Wait()
		if took := time.Since(start); took != time.Second || p.said() != "[start a1]" {
			t.Errorf("%v after %v, want one start, of a second", p.said(), took)
		}
	})
}

// The request waits until the machine's checks pass, too.
func TestAutoStartWaitsForChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		check := Check{TCP: true, Grace: 3 * time.Second}
		p := newPlant(t, Options{Service: Service{AutoStart: true, Checks: []Check{check}}}, Machine{ID: "a1", Region: "ams", State: Stopped})
		defer p.edge.Close()
		start := time.Now()
		if got := p.ask(); got != "200 a1" || time.Since(start) != 4*time.Second || p.said() != "[start a1]" {
			t.Errorf("%s after %v, %s", got, time.Since(start), p.said())
		}
	})
}

// A machine that cannot be started is passed over.
func TestAutoStartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, Options{Service: Service{AutoStart: true}}, Machine{ID: "a1", Region: "ams", State: Stopped}, Machine{ID: "o1", Region: "ord"})
		defer p.edge.Close()
		p.fail = true
		if got := p.ask(); got != "200 o1" {
			t.Error(got)
		}
		p.edge.Set([]Machine{{ID: "a1", Region: "ams", State: Stopped}})
		if got := p.ask(); got[:len("503 edge: PR01")] != "503 edge: PR01" {
			t.Error(got)
		}
	})
}

// One machine is stopped each time, until as many run as are wanted.
func TestAutoStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, Options{Service: Service{AutoStop: "suspend", AutoStart: true, MinRunning: 1, PrimaryRegion: "ams"}},
			Machine{ID: "a1", Region: "ams"}, Machine{ID: "a2", Region: "ams"}, Machine{ID: "a3", Region: "ams"})
		defer p.edge.Close()
		time.Sleep(5*time.Minute + time.Second)
		if got := p.said(); got != "[stop a3 true]" {
			t.Errorf("after 5 minutes: %s", got)
		}
		time.Sleep(time.Hour)
		if got := p.said(); got != "[stop a3 true stop a2 true]" {
			t.Errorf("after an hour: %s", got)
		}
		if got := p.ask(); got != "200 a1" {
			t.Error(got)
		}
	})
}

// A request waits for a machine below its hard_limit, in vain for as long as Patience.
func TestHardLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, Options{Service: Service{HardLimit: 1}, Patience: time.Minute}, Machine{ID: "a1", Region: "ams"})
		defer p.edge.Close()
		p.edge.mu.Lock()
		p.edge.machines[0].load = 1
		p.edge.mu.Unlock()
		start := time.Now()
		if got := p.ask(); got != "503 edge: PR03: all machines are at their hard_limit\n" || time.Since(start) != time.Minute {
			t.Errorf("%q after %v", got, time.Since(start))
		}
		answer := make(chan string)
		go func() { answer <- p.ask() }()
		synctest.Wait()
		tr := &trip{edge: p.edge, at: taken{of: p.edge.machines[0]}}
		tr.letGo() // the request that was the load
		if got := <-answer; got != "200 a1" {
			t.Error(got)
		}
		if got := p.edge.Machines()[0].Load; got != 0 {
			t.Errorf("the load is %d when all is over", got)
		}
	})
}
