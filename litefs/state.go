package litefs

import (
	"cmp"
	"context"
	"sort"
	"strings"
	"time"
)

// Role is what a node is in its cluster.
type Role uint8

const (
	// RoleUnknown is the zero value: the program does not hear LiteFS, or LiteFS
	// does not know the primary. It is neither of the other two: during an outage
	// no node is the primary, and none knows one.
	RoleUnknown Role = iota
	// RolePrimary takes writes.
	RolePrimary
	// RoleReplica follows a primary that it knows. LiteFS says so from the moment
	// on at which it begins to connect, so one whose primary has died may be told
	// again and again, between spells of RoleUnknown.
	RoleReplica
)

// String is "unknown", "primary" or "replica".
func (r Role) String() string {
	switch r {
	case RolePrimary:
		return "primary"
	case RoleReplica:
		return "replica"
	}
	return "unknown"
}

// State is what was known of a node at one moment. It never changes: the node
// makes a new one. While LiteFS cannot be heard only Err, Epoch, At and Changed
// are set.
type State struct {
	Role Role

	// Primary is the hostname of the primary (lease.hostname of its litefs.yml),
	// "" where nobody is known to be. On the primary it is its own, and "" for the
	// millisecond until LiteFS was asked for it.
	Primary string

	// Ready says that the node is the primary, or a replica that has heard from a
	// primary since LiteFS began; Lag says how long ago. It is not said of a remote
	// replica.
	Ready bool

	// Lag is how far a replica that is Ready was behind at the time of At: the age
	// of the last word from the primary, so up to a second where nothing is
	// written. It compares the clocks of two machines, and is never negative. 0 on
	// the primary.
	Lag time.Duration

	// Candidate says that the node may become the primary.
	Candidate bool

	ClusterID string // "LFSC…"; "" before the cluster has one
	NodeID    string // 16 hexadecimal digits, as [Node.Handoff] takes them

	// Databases are the databases of the node and their positions, by name. They
	// must not be modified. A dropped database is not among them.
	Databases []Database

	// Err is what is in the way of knowing more: LiteFS does not answer, or its
	// mount cannot be read, in which case Role is known and Databases may be
	// incomplete. nil when all is known.
	Err error

	// Epoch grows with each change of the role or of the primary, so that who looks
	// rarely can tell that the primary has been another in between.
	Epoch uint64

	// At is when this was learned.
	At time.Time

	// Changed is closed when anything but At, Lag or a position has become
	// different. nil means that nothing will, since the node is closed.
	Changed <-chan struct{}
}

// Database is a database of a node, and its position.
type Database struct {
	Name string // of its file, in the mount
	Pos  Pos
}

// Position is the position of a database; ok is false where it has none or the
// node's databases are not known.
func (s *State) Position(db string) (pos Pos, ok bool) {
	if i, found := s.find(db); found {
		return s.Databases[i].Pos, true
	}
	return Pos{}, false
}

func (s *State) find(db string) (int, bool) {
	return sort.Find(len(s.Databases), func(i int) int { return strings.Compare(db, s.Databases[i].Name) })
}

// with returns the databases with db at pos, and leaves those of s alone.
func (s *State) with(db string, pos Pos) []Database {
	i, found := s.find(db)
	next := make([]Database, 0, len(s.Databases)+1)
	next = append(append(next, s.Databases[:i]...), Database{db, pos})
	if found {
		i++
	}
	return append(next, s.Databases[i:]...)
}

// without returns the databases but for db.
func (s *State) without(db string) []Database {
	i, found := s.find(db)
	if !found {
		return s.Databases
	}
	return append(append(make([]Database, 0, len(s.Databases)), s.Databases[:i]...), s.Databases[i+1:]...)
}

// alters tells whether next differs from s in what Changed is about.
func (s *State) alters(next *State) bool {
	return s.Role != next.Role || s.Primary != next.Primary || s.Ready != next.Ready || s.Candidate != next.Candidate ||
		s.ClusterID != next.ClusterID || s.NodeID != next.NodeID || !sameText(s.Err, next.Err)
}

// moves tells whether from s to next the primary has become another.
func (s *State) moves(next *State) bool {
	return s.Role != next.Role || s.Role == RoleReplica && s.Primary != next.Primary
}

func sameText(a, b error) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a == b || a.Error() == b.Error()
}

// An Engine copies databases to other machines, and is asked about that from one
// of them. Its methods may be called by several goroutines at once.
type Engine interface {
	// State is what is known at this moment, without waiting.
	State() State
	// WaitPosition waits until this machine has a database at pos or further.
	WaitPosition(ctx context.Context, db string, pos Pos) error
}

var _ Engine = (*Node)(nil)

// Wait waits until ok is true of the engine's state, and returns that state. ok is
// called with the state of now and then with a new one whenever [State.Changed]
// says so: it sees no position change, for which there is WaitPosition. A role
// that lasts an instant may be missed.
//
// It returns the last state with the error of ctx, or with State.Err (ErrClosed
// where that is nil) when nothing will change any more.
func Wait(ctx context.Context, e Engine, ok func(State) bool) (State, error) {
	for {
		st := e.State()
		if ok(st) {
			return st, nil
		}
		if st.Changed == nil {
			return st, cmp.Or(st.Err, ErrClosed)
		}
		select {
		case <-st.Changed:
		case <-ctx.Done():
			return st, context.Cause(ctx)
		}
	}
}
