package dev

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
)

// Options are what is run, and how.
type Options struct {
	Dir       string   // of the app; "" is here
	Config    string   // its fly.toml, from Dir; "" is fly.toml in Dir
	StateDir  string   // machines, logs, programs; "" is .flysql/dev in Dir
	Fresh     bool     // begin without what StateDir has
	Regions   []string // nil is fly.toml's primary_region, and two more far from it
	PerRegion int      // machines in each; 0 is one
	Latency   string   // "real", "none", or a round trip such as "50ms"; "" is "real"
	// Port is where the edge listens, on loopback. 0 is any that is free.
	Port    int
	Command []string // the app, built already; nil builds what the Dockerfile runs
	Env     []string // NAME=value for every machine, as secrets are
	Consul  string   // the URL of a Consul in place of the lease server here; "" for none
	// Entrypoint and LiteFS are the programs flysql-entrypoint and litefs. "" looks for
	// them.
	Entrypoint, LiteFS string
	// Kill, once it is closed, has machines killed where they would be stopped: by a Start
	// that fails, and by Close. nil is never.
	Kill <-chan struct{}
	// Single is one machine without LiteFS, also where that could be had.
	Single bool
	// BootWait bounds a machine's boot, until its checks pass. 0 is two minutes.
	BootWait time.Duration
	// Page answers what is below PagePrefix, in every region, in the edge's place. It is
	// made once, when the session is; nil is the app's, as all else.
	Page func(*Session) http.Handler
}

// PagePrefix is where Options.Page is found.
const PagePrefix = "/_flysql"

// Session is an app that runs. Its methods may be called by several goroutines at once.
type Session struct {
	opt     Options
	began   time.Time
	app     *app
	plan    plan
	state   *stateDir
	front   *front
	slowed  latency.Slowed
	hub     hub
	cluster atomic.Pointer[cluster.Cluster]
	follow  atomic.Pointer[follower]
	page    http.Handler
	telling sync.WaitGroup // what tells states and requests

	deploying sync.Mutex
	stating   sync.Mutex // no state is told after a newer one
	told      *State     // the last one, which nobody changes; guarded by stating

	mu      sync.Mutex
	doing   string
	cut     map[string]bool
	slow    map[string]time.Duration
	served  map[string]bool
	closing bool
	chosen  string   // by SetRegion
	fronts  []*front // of single regions

	ctx    context.Context // of actions
	cancel context.CancelFunc
	acting sync.WaitGroup

	closeOnce sync.Once
	closeErr  error
}

// Start builds the app and starts its machines. It returns when all of them serve, or
// have ended: one that does not come up is in State, with why, as long as another serves; with
// LiteFS it must be the first, whose databases the others copy. When ctx ends before that,
// nothing is left running.
//
// What happens from the start on is told to each of watch, one event after the other, which
// must not take long, and must not wait for a method of the session.
func Start(ctx context.Context, o Options, watch ...func(Event)) (_ *Session, err error) {
	s := &Session{opt: o, began: time.Now(), cut: map[string]bool{}, slow: map[string]time.Duration{}, served: map[string]bool{}}
	s.hub.watch = watch
	s.ctx, s.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(context.WithoutCancel(ctx)))
		}
	}()
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	s.tellState()
	if s.state.killed {
		s.log("", "the last run was killed: what it has left is ended, or found again")
	}
	programs, err := s.programs(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.boot(ctx, programs); err != nil {
		return nil, err
	}
	return s, nil
}

// prepare is all that takes no time, and is most likely to be wrong.
func (s *Session) prepare(ctx context.Context) (err error) {
	o := &s.opt
	if s.slowed.Base, err = latency.Parse(cmp.Or(o.Latency, "real")); err != nil {
		return err
	}
	if s.app, err = readApp(ctx, *o); err != nil {
		return err
	}
	if s.plan, err = makePlan(*o, s.app); err != nil {
		return err
	}
	if err := checkEnv(o.Env); err != nil {
		return err
	}
	if s.state, err = openState(cmp.Or(o.StateDir, filepath.Join(s.app.dir, ".flysql", "dev"))); err != nil {
		return err
	}
	if s.front, err = listen(o.Port); err != nil {
		return err
	}
	if o.Fresh { // once nothing else is likely to be wrong
		if err := s.state.drop(); err != nil {
			return err
		}
	}
	if o.Page != nil {
		s.page = o.Page(s)
	}
	s.front.serve(http.HandlerFunc(s.serve))
	return nil
}

// checkEnv shows no value: it may be a secret.
func checkEnv(env []string) error {
	for i, one := range env {
		if name, _, ok := strings.Cut(one, "="); !ok || name == "" || strings.ContainsRune(one, 0) {
			return fmt.Errorf("variable %d of the machines' environment is not of the form NAME=value", i+1)
		}
	}
	return nil
}

// serve is the edge, and the page.
func (s *Session) serve(w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, PagePrefix); ok && s.page != nil && (rest == "" || rest[0] == '/') {
		s.page.ServeHTTP(w, r)
		return
	}
	c, err := s.ready()
	if err != nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "flysql dev: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	c.Edge.ServeHTTP(w, r)
}

// boot starts the machines.
func (s *Session) boot(ctx context.Context, p programs) error {
	if err := s.state.cleanUp(); err != nil {
		return err
	}
	defer s.hurry(nil)() // one that fails stops what it has started
	c, err := cluster.Start(ctx, cluster.Options{
		Dir: s.state.machines(s.app.litefs != "" && s.plan.engine == EngineVolume), Config: s.plan.config, LiteFS: s.plan.litefs, Regions: s.plan.regions, PerRegion: s.plan.perRegion,
		Command: p.command, WorkDir: s.app.workDir, Entrypoint: p.entrypoint, Litefs: s.plan.program, Env: s.opt.Env,
		Log: s.log, Latency: s.slowed.Delay, HTTPS: s.app.https, Made: s.made, Partial: true,
		BootWait: s.opt.BootWait, Consul: s.opt.Consul,
	})
	some := (*cluster.BootError)(nil)
	if errors.As(err, &some) && c != nil {
		for _, m := range some.Machines {
			for line := range strings.Lines(m.Err.Error()) {
				s.log(m.ID, strings.TrimRight(line, "\n"))
			}
		}
		err = nil
	}
	if err == nil {
		s.tellState()
	}
	return err
}

// made is when there are machines, and none runs yet.
func (s *Session) made(c *cluster.Cluster) {
	f := follow(c)
	s.follow.Store(f)
	s.cluster.Store(c)
	requests := c.Edge.Subscribe(4096)
	s.telling.Go(func() {
		for ev := range requests.C { // until the edge is closed
			s.hub.tell(Event{Type: TypeRequest, Request: requestOf(ev, f.roles.of)})
		}
	})
	s.telling.Go(func() {
		f.watch(s.tellChange)
	})
}

// log tells a line of a machine, or of the build.
func (s *Session) log(machine, line string) {
	s.hub.tell(Event{Type: TypeLog, Log: &Log{Machine: machine, Line: line}})
}

// URL is where the edge of a region is asked, "http://ams.localhost:8080"; "" is the one
// of those who do not say.
func (s *Session) URL(region string) string { return s.front.url(region) }

// State is how all stands now.
func (s *Session) State() State {
	st := State{
		App: s.app.config.App, URL: s.URL(""), Region: s.app.config.PrimaryRegion, Engine: s.plan.engine, Why: s.plan.why,
		Latency: cmp.Or(s.opt.Latency, "real"), Regions: []Region{},
	}
	if f := s.follow.Load(); f != nil {
		st.Machines, st.Primary = f.machines()
	} else {
		st.Machines = s.plan.machines()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, code := range s.plan.regions {
		r := regionOf(code)
		r.URL, r.Cut, r.SlowMS = s.URL(code), s.cut[code], milliseconds(s.slow[code])
		st.Regions = append(st.Regions, r)
	}
	st.Ready, st.Doing, st.Region = true, s.doing, cmp.Or(s.chosen, st.Region)
	for i, m := range st.Machines {
		s.served[m.ID] = s.served[m.ID] || m.Healthy
		st.Ready = st.Ready && s.served[m.ID]
		if s.closing && m.PID == 0 { // an edge that is closed says nothing of it
			st.Machines[i].State = edge.Stopped.String()
		}
	}
	return st
}

func (s *Session) tellState() { s.tellStateIf(func(_, _ *State) bool { return true }) }

// tellChange tells a state that differs from the one that was told last.
func (s *Session) tellChange() {
	s.tellStateIf(func(told, now *State) bool { return !reflect.DeepEqual(told, now) })
}

func (s *Session) tellStateIf(so func(told, now *State) bool) {
	s.stating.Lock()
	defer s.stating.Unlock()
	now := s.State()
	if so(s.told, &now) {
		s.told = &now
		s.hub.tell(Event{Type: TypeState, State: &now})
	}
}

// Subscribe tells what happens from now on, and first the state. An event that finds size
// of them waiting is dropped, but never the last state. It ends with stop, and C is
// closed then, as when the session is.
func (s *Session) Subscribe(size int) (c <-chan Event, stop func()) {
	return s.hub.subscribe(size, func() Event {
		s.stating.Lock()
		defer s.stating.Unlock()
		now := s.State()
		s.told = nil // this one may be told another than all others were
		return Event{Type: TypeState, State: &now}
	})
}

// Close stops the machines in order, and what is around them. Nothing of them is left
// running or mounted. When ctx ends first, they are killed.
//
// It may be called again, and returns the same.
func (s *Session) Close(ctx context.Context) error {
	s.closeOnce.Do(func() { s.closeErr = s.close(ctx) })
	return s.closeErr
}

func (s *Session) close(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.cancel()
	var errs []error
	if c := s.cluster.Load(); c != nil {
		errs = append(errs, s.closeCluster(ctx, c))
	}
	if f := s.follow.Load(); f != nil {
		f.close()
	}
	s.telling.Wait()
	if s.cluster.Load() != nil {
		s.tellState() // the last
	}
	errs = append(errs, s.closeFronts())
	if s.state != nil {
		errs = append(errs, s.state.close())
	}
	s.hub.close()
	return errors.Join(errs...)
}

// closeCluster ends the machines, in order as long as ctx lets it.
func (s *Session) closeCluster(ctx context.Context, c *cluster.Cluster) error {
	defer s.hurry(ctx.Done())()
	s.acting.Wait() // a machine that is just being stopped has its time, too
	return c.Close()
}

// hurry has machines not be waited for that are being stopped, once Options.Kill or now is
// closed, until it is over.
func (s *Session) hurry(now <-chan struct{}) (over func()) {
	done := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		select {
		case <-now:
		case <-s.opt.Kill:
		case <-done:
			return
		}
		again := time.NewTicker(time.Second)
		defer again.Stop()
		for {
			if c := s.cluster.Load(); c != nil {
				c.KillAll()
			}
			select {
			case <-again.C:
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		all.Wait()
	}
}
