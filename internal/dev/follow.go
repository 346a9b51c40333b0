package dev

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/nodestatus"
	"github.com/flysql/flysql/litefs"
)

const (
	// lookEvery bounds how often a state is told.
	lookEvery = 250 * time.Millisecond
	// memoryEvery is how often memory is measured, which costs the kernel more than all else.
	memoryEvery = 10 * time.Second
	// askEvery is how often a LiteFS is asked whether it lives; what happens, it tells.
	askEvery = 2 * time.Second
)

// follower looks at the machines of a cluster.
type follower struct {
	cluster *cluster.Cluster
	roles   roles

	mu     sync.Mutex
	nodes  map[string]*node // by machine, while it runs
	memory map[string]int64

	ctx     context.Context
	end     context.CancelFunc
	running sync.WaitGroup
	changed chan struct{} // has one when something may have
}

// node is a machine's LiteFS, of one boot.
type node struct {
	pid int
	*litefs.Node
}

func follow(c *cluster.Cluster) *follower {
	f := &follower{cluster: c, nodes: map[string]*node{}, changed: make(chan struct{}, 1)}
	f.ctx, f.end = context.WithCancel(context.Background())
	f.running.Go(f.measure)
	f.running.Go(f.listen)
	return f
}

// close ends it. A LiteFS that hangs is not waited for.
func (f *follower) close() {
	f.mu.Lock()
	f.end()
	f.mu.Unlock()
	f.running.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, n := range f.nodes {
		_ = n.Close() // it says so where its mount hangs
		delete(f.nodes, id)
	}
}

// listen notices what the edge knows of.
func (f *follower) listen() {
	for {
		changed := f.cluster.Edge.Changed()
		select {
		case <-changed:
		case <-f.ctx.Done():
			return
		}
		f.wake()
		// It is called for every request at a hard_limit.
		select {
		case <-time.After(lookEvery / 5):
		case <-f.ctx.Done():
			return
		}
	}
}

func (f *follower) wake() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// watchRole notices a node's role at once, for requests that are on their way.
func (f *follower) watchRole(id string, n *node) {
	for {
		st := n.State()
		if errors.Is(st.Err, litefs.ErrClosed) || st.Changed == nil {
			f.roles.set(id, "", time.Now())
			return
		}
		f.roles.set(id, roleName(st.Role), st.At)
		f.wake()
		select {
		case <-st.Changed:
		case <-f.ctx.Done():
			return
		}
	}
}

func roleName(r litefs.Role) string {
	switch r {
	case litefs.RolePrimary:
		return nodestatus.Primary
	case litefs.RoleReplica:
		return nodestatus.Replica
	}
	return ""
}

// nodeOf is the LiteFS of a machine that runs; nil for none.
func (f *follower) nodeOf(m cluster.Status) *node {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[m.ID]
	if f.ctx.Err() != nil {
		return n // nothing is begun any more
	}
	if n != nil && n.pid != m.Pid {
		delete(f.nodes, m.ID)
		old := n
		f.running.Go(func() { _ = old.Close() }) // it may wait for a mount that hangs
		n = nil
	}
	if n != nil || m.Pid == 0 || m.API == 0 {
		return n
	}
	opened, err := litefs.Open(litefs.Config{Addr: "127.0.0.1:" + strconv.Itoa(m.API), FUSEDir: m.Mnt, CheckEvery: askEvery})
	if err != nil {
		return nil // of its settings, which are these
	}
	n = &node{m.Pid, opened}
	f.nodes[m.ID] = n
	f.running.Go(func() { f.watchRole(m.ID, n) })
	return n
}

// machines are all, as they are now, and the primary's ID.
func (f *follower) machines() (all []Machine, primary string) {
	states := map[string]litefs.State{}
	for _, s := range f.cluster.Machines() {
		m := Machine{
			ID: s.ID, Region: s.Region, State: stateName(s.State), Healthy: s.Healthy, Databases: []Database{}, Load: s.Load, Checks: []Check{},
			PID: s.Pid, Log: s.Log, Restarts: s.Restarts,
		}
		if s.Err != nil {
			m.Error = s.Err.Error()
		}
		for _, c := range s.Checks {
			m.Checks = append(m.Checks, Check{c.Name, c.Passing, c.Output})
		}
		if n := f.nodeOf(s); n != nil {
			st := n.State()
			m.Role = roleName(st.Role)
			if m.Role == nodestatus.Primary {
				primary = m.ID
			}
			states[m.ID] = st
		}
		f.mu.Lock()
		if s.Pid != 0 {
			m.Memory = f.memory[m.ID]
		}
		f.mu.Unlock()
		all = append(all, m)
	}
	for i := range all {
		m := &all[i]
		m.Databases = databases(states[m.ID], states[primary])
		m.LagMS = lag(m, states[m.ID])
	}
	return all, primary
}

// databases are a node's, compared with the primary's.
func databases(own, primary litefs.State) []Database {
	list := []Database{}
	for _, d := range own.Databases {
		one := Database{Name: d.Name, Position: d.Pos.String()}
		if p, ok := primary.Position(d.Name); ok {
			behind := int64(p.TXID) - int64(d.Pos.TXID)
			behind = max(behind, 0) // it was asked after the primary
			one.Behind = &behind
		}
		list = append(list, one)
	}
	return list
}

// lag is none where a node has all that the primary has: what LiteFS says of itself then is
// only how long ago it heard of the primary.
func lag(m *Machine, st litefs.State) *int64 {
	if !st.Ready || m.Role == "" {
		return nil
	}
	ms := st.Lag.Milliseconds()
	if len(m.Databases) > 0 && !slices.ContainsFunc(m.Databases, func(d Database) bool { return d.Behind == nil || *d.Behind > 0 }) {
		ms = 0
	}
	return &ms
}

func stateName(s edge.State) string {
	if s == edge.Suspended {
		s = edge.Stopped
	}
	return s.String()
}

// measure finds out how much memory machines use, when other processes run than before,
// and from time to time.
func (f *follower) measure() {
	tick := time.NewTicker(memoryEvery / 10)
	defer tick.Stop()
	var last map[string]int
	var at time.Time
	done := make(chan map[string]int64, 1)
	busy := false // a process can hang whoever looks at it
	for {
		pids := map[string]int{}
		for _, m := range f.cluster.Machines() {
			if m.Pid != 0 {
				pids[m.ID] = m.Pid
			}
		}
		if !busy && (!maps.Equal(pids, last) || time.Since(at) >= memoryEvery) {
			last, at, busy = pids, time.Now(), true
			go func() { done <- memoryOf(pids) }()
		}
		select {
		case <-tick.C:
		case found := <-done:
			busy = false
			f.mu.Lock()
			f.memory = found
			f.mu.Unlock()
		case <-f.ctx.Done():
			return
		}
	}
}

func memoryOf(pids map[string]int) map[string]int64 {
	found := map[string]int64{}
	for _, id := range slices.Sorted(maps.Keys(pids)) {
		found[id] = (pss(pids[id]) + 1<<19) >> 20 << 20 // to a megabyte: it always moves by less
	}
	return found
}

// watch looks whenever something may have changed, until the follower ends.
func (f *follower) watch(look func()) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		look()
		select {
		case <-tick.C:
		case <-f.changed:
			select { // what else changes now is told with it
			case <-time.After(lookEvery / 10):
			case <-f.ctx.Done():
				return
			}
		case <-f.ctx.Done():
			return
		}
	}
}

// has is an error where there is no such machine, which names those that there are.
func (f *follower) has(id string) error {
	var ids []string
	for _, m := range f.cluster.Machines() {
		if m.ID == id {
			return nil
		}
		ids = append(ids, m.ID)
	}
	return fmt.Errorf("there is no machine %q: there are %v", id, ids)
}
