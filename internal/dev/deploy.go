package dev

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"

	"github.com/flysql/flysql/internal/emulator/cluster"
)

// programs are what machines run.
type programs struct {
	entrypoint string
	command    []string
	number     int // of the build; 0 for none
}

// programs finds the entrypoint and builds the app.
func (s *Session) programs(ctx context.Context) (p programs, err error) {
	s.doingNow("building")
	defer s.doingNow("")
	if err := os.MkdirAll(s.state.join("bin"), 0o755); err != nil {
		return p, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	say := func(line string) { s.log("", line) }
	var all sync.WaitGroup
	var errs [2]error
	all.Go(func() {
		if p.entrypoint, errs[0] = findEntrypoint(ctx, s.opt, s.app, s.state, say); errs[0] != nil {
			cancel(errs[0])
		}
	})
	all.Go(func() { s.app.https = s.app.toHTTPS(ctx) })
	if p.command, p.number, errs[1] = s.build(ctx); errs[1] != nil {
		cancel(errs[1])
	}
	all.Wait()
	debug.FreeOSMemory()                       // a look at all of the code takes some, once
	if err := context.Cause(ctx); err != nil { // the first of them
		return p, err
	}
	return p, s.keepOnly(p.number)
}

// doingNow says what State.Doing is.
func (s *Session) doingNow(what string) {
	s.mu.Lock()
	s.doing = what
	s.mu.Unlock()
	s.tellState()
}

// build builds the app, and returns what runs it.
func (s *Session) build(ctx context.Context) (command []string, number int, err error) {
	b := s.app.build
	if b == nil {
		return s.app.command, 0, nil
	}
	if number, err = s.nextBuild(); err != nil {
		return nil, 0, err
	}
	out := s.state.join("bin", strconv.Itoa(number), filepath.Base(b.out))
	args := slices.Concat([]string{"build", "-buildvcs=false", "-o", out}, b.flags, []string{b.pkg})
	say := func(line string) { s.log("", line) }
	if err := goTool(ctx, b.dir, b.env, say, args...); err != nil {
		return nil, 0, errors.Join(err, os.RemoveAll(filepath.Dir(out)))
	}
	return slices.Concat([]string{out}, s.app.command[1:]), number, nil
}

// builds are the numbers of those that there are.
func (s *Session) builds() ([]int, error) {
	entries, err := os.ReadDir(s.state.join("bin"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 0 {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

func (s *Session) nextBuild() (int, error) {
	all, err := s.builds()
	if err != nil || len(all) == 0 {
		return 1, err
	}
	return all[len(all)-1] + 1, nil
}

// keepOnly removes all builds but one.
func (s *Session) keepOnly(number int) error {
	all, err := s.builds()
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range all {
		if n != number {
			errs = append(errs, os.RemoveAll(s.state.join("bin", strconv.Itoa(n))))
		}
	}
	return errors.Join(errs...)
}

// errDeploying is what a second deploy is told.
var errDeploying = errors.New("a deploy is going on: wait until it has ended")

// Deploy builds the app again, and gives it to the machines, one after the other, each
// when the one before serves. When one does not serve, that ends it: that one is off, and
// those after it keep what they have. When it cannot be built, nothing changes. There is one
// at a time: a second is refused.
//
// The primary is the last, so that a build that does not run leaves one to write to, where
// fly.toml lets any machine migrate (FLYSQL_MIGRATE_FROM, as flysql init sets it). Else it
// is the first: the others would wait for its migrations. Fly's own order is not known.
func (s *Session) Deploy(ctx context.Context) error {
	if !s.deploying.TryLock() {
		return errDeploying
	}
	defer s.deploying.Unlock()
	return s.act(ctx, "deploy", "", func(ctx context.Context, c *cluster.Cluster) error {
		defer s.doingNow("")
		s.doingNow("building")
		command, number, err := s.build(ctx)
		if err != nil {
			return fmt.Errorf("the machines keep what they have: %w", err)
		}
		for _, id := range s.rollOrder() {
			s.doingNow("rolling " + id)
			if err := c.Replace(ctx, id, command); err != nil {
				return fmt.Errorf("the roll ends here, the others keep what they have: %w", err)
			}
		}
		return s.keepOnly(number)
	})
}

// rollOrder is the machines in the order in which they get another build.
func (s *Session) rollOrder() []string {
	st := s.State()
	last := func(m Machine) int {
		if m.ID == st.Primary && s.plan.config.Env["FLYSQL_MIGRATE_FROM"] == "any" {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(st.Machines, func(a, b Machine) int { return last(a) - last(b) })
	var ids []string
	for _, m := range st.Machines {
		ids = append(ids, m.ID)
	}
	return ids
}
