package flydev

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Suite is a cluster that the tests of a package share, one after the other:
//
//	var suite flydev.Suite
//
//	func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }
//
//	func TestHome(t *testing.T) {
//		c := suite.Cluster(t)
//		...
//	}
//
// It is started by the first test that asks for it, so that a run of others does not wait.
type Suite struct {
	Options Options

	once sync.Once
	on   *running
	err  error
	busy sync.Mutex
	has  atomic.Pointer[string] // the name of the test that has it
}

// Run runs the tests, ends the cluster if any was started, and returns the exit code.
func (s *Suite) Run(m *testing.M) int {
	code := m.Run()
	if err := s.close(); err != nil {
		fmt.Fprintf(os.Stderr, "flydev: stop: %v\n", err)
		code = max(code, 1)
	}
	return code
}

func (s *Suite) close() error {
	s.once.Do(func() {}) // no test asks any more
	if s.on == nil {
		return nil
	}
	return s.on.close()
}

// Cluster is the cluster, for this test and its subtests until it ends: another that asks
// meanwhile, as parallel tests do, waits. It is asked for once, by the test or by subtests, not
// by both. What a test has cut, slowed or stopped is mended at its end;
// what the app has stored stays.
func (s *Suite) Cluster(t testing.TB) *Cluster {
	t.Helper()
	s.once.Do(func() { s.on, s.err = start(context.Background(), s.Options) })
	if s.err != nil {
		startFailed(t, s.Options, s.err)
	}
	if s.on == nil {
		t.Fatal("flydev: Cluster after Run")
	}
	s.take(t)
	c := s.on.forTest(t, s.on.record.place())
	t.Cleanup(func() {
		s.on.record.note("the test has ended; what it has done is mended")
		ctx, cancel := context.WithTimeout(context.Background(), 2*s.Options.patience())
		defer cancel()
		if err := s.on.mend(ctx); err != nil {
			t.Errorf("flydev: mend what the test has done: %v", err)
		}
	})
	return c
}

// take waits until no other test has the cluster. For one that has it itself, that would be for
// good.
func (s *Suite) take(t testing.TB) {
	t.Helper()
	if !s.busy.TryLock() {
		if has := s.has.Load(); has != nil && strings.HasPrefix(t.Name()+"/", *has+"/") {
			t.Fatalf("flydev: %s has the suite's cluster already: use that one", *has)
		}
		s.busy.Lock()
	}
	name := t.Name()
	s.has.Store(&name)
	t.Cleanup(func() {
		s.has.Store(nil)
		s.busy.Unlock()
	})
}
