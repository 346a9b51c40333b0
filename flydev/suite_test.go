package flydev

import (
	"runtime"
	"testing"
)

// named is a test that only has a name, and an end.
type named struct {
	testing.TB
	name   string
	failed bool
	end    func()
}

func (n *named) Helper()               {}
func (n *named) Name() string          { return n.name }
func (n *named) Cleanup(do func())     { n.end = do }
func (n *named) Fatalf(string, ...any) { n.failed = true; runtime.Goexit() }

// A test that has the cluster does not wait for itself; others do.
func TestSuiteTakenTwice(t *testing.T) {
	s := &Suite{}
	take := func(name string) (n *named, took <-chan struct{}) {
		n, done := &named{name: name}, make(chan struct{})
		go func() {
			defer close(done)
			s.take(n)
		}()
		return n, done
	}
	first, took := take("TestA")
	<-took
	for _, name := range []string{"TestA", "TestA/sub"} {
		again, refused := take(name)
		if <-refused; !again.failed {
			t.Errorf("%s: it was not refused", name)
		}
	}
	other, waits := take("TestAB")
	first.end()
	if <-waits; other.failed {
		t.Error("another test was refused")
	}
	other.end()
}
