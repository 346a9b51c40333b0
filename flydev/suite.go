package flydev

import (
	"context"
	"fmt"
	"os"
	"sync"
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

// Cluster is the cluster, for this test alone until it ends: another that asks meanwhile,
// as parallel tests do, waits. What a test has cut, slowed or stopped is mended at its end;
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
	s.busy.Lock()
	t.Cleanup(s.busy.Unlock)
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
