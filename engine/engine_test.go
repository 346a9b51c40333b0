package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
)

// fake is an engine whose state the test sets.
type fake struct {
	mu sync.Mutex
	st State
	ch chan struct{}
}

func newFake(st State) *fake {
	f := &fake{}
	f.set(st)
	return f
}

func (f *fake) set(st State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.ch
	f.ch = make(chan struct{})
	st.Changed = f.ch
	f.st = st
	if was != nil {
		close(was)
	}
}

func (f *fake) close(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.st = State{Err: err}
	close(f.ch)
}

func (f *fake) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.st
}

func (f *fake) WaitPosition(context.Context, string, Pos) error { return errors.New("not asked here") }

// Wait sees each change once it has been told of it, and ends with the context or
// with the engine.
func TestWait(t *testing.T) {
	primary := func(st State) bool { return st.Role == RolePrimary }
	f := newFake(State{Role: RolePrimary})
	if st, err := Wait(t.Context(), f, primary); err != nil || st.Role != RolePrimary {
		t.Errorf("already so: %v, %v", st.Role, err)
	}

	f.set(State{Role: RoleReplica, Primary: "b"})
	asked := make(chan struct{}, 1)
	done := make(chan error, 1)
	go func() {
		_, err := Wait(t.Context(), f, func(st State) bool {
			select {
			case asked <- struct{}{}:
			default:
			}
			return primary(st)
		})
		done <- err
	}()
	<-asked
	f.set(State{Role: RolePrimary})
	if err := <-done; err != nil {
		t.Errorf("after a change: %v", err)
	}

	f.set(State{})
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if st, err := Wait(ctx, f, primary); !errors.Is(err, gone) || st.Role != RoleUnknown {
		t.Errorf("ended context: %v, %v", st.Role, err)
	}

	f.close(nil)
	if _, err := Wait(t.Context(), f, primary); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := Wait(t.Context(), &fake{st: State{Err: gone}}, primary); !errors.Is(err, gone) {
		t.Errorf("closed with a reason: %v", err)
	}
}

func TestPosition(t *testing.T) {
	st := State{Databases: []Database{{"a.db", Pos{1, 10}}, {"b.db", Pos{2, 20}}}}
	for _, tt := range []struct {
		db   string
		want Pos
		ok   bool
	}{
		{"a.db", Pos{1, 10}, true},
		{"b.db", Pos{2, 20}, true},
		{"", Pos{}, false},
		{"aa.db", Pos{}, false},
		{"c.db", Pos{}, false},
	} {
		if got, ok := st.Position(tt.db); got != tt.want || ok != tt.ok {
			t.Errorf("%q at %v, %v, want %v, %v", tt.db, got, ok, tt.want, tt.ok)
		}
	}
}

func TestRoleString(t *testing.T) {
	for role, want := range map[Role]string{RoleUnknown: "unknown", RolePrimary: "primary", RoleReplica: "replica", Role(9): "unknown"} {
		if got := role.String(); got != want {
			t.Errorf("Role(%d) is %q, want %q", role, got, want)
		}
	}
	if (State{}).Role != RoleUnknown {
		t.Error("the zero State has a role")
	}
}

type deaf struct{}

func (deaf) Refused(error) {}
func (deaf) Committed()    {}

// A witness is found under its context and all that are made of it, and is in the way
// of nothing else that a context does.
func TestWitnessOf(t *testing.T) {
	type key struct{}
	if w := WitnessOf(t.Context()); w != nil {
		t.Errorf("%v without one", w)
	}
	if w := WitnessOf(WithWitness(t.Context(), nil)); w != nil {
		t.Errorf("%v of none", w)
	}
	outer, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, 1))
	ctx := WithWitness(outer, deaf{})
	if s := fmt.Sprint(ctx); s != "engine.WitnessContext" {
		t.Errorf("printed as %s", s)
	}
	inner, end := context.WithCancel(ctx)
	defer end()
	inner = context.WithValue(inner, key{}, 2)
	if WitnessOf(ctx) != (deaf{}) || WitnessOf(inner) != (deaf{}) || ctx.Value(key{}) != 1 || inner.Value(key{}) != 2 {
		t.Error("a value is not found")
	}
	cancel(ErrClosed)
	if <-inner.Done(); context.Cause(inner) != ErrClosed {
		t.Error(context.Cause(inner))
	}
}
