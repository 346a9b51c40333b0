package engine

import (
	"sort"
	"strings"
	"time"
)

// Role is what a node is in its cluster.
type Role uint8

const (
	// RoleUnknown is the zero value: the program does not hear the engine, or the
	// engine does not know the primary. It is neither of the other two: during an
	// outage no node is the primary, and none knows one.
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
// makes a new one. While the engine cannot be heard only Err, Epoch, At and Changed
// are set. What is said of LiteFS is how litefs.Node fills a field.
type State struct {
	Role Role

	// Primary is the hostname of the primary (lease.hostname of its litefs.yml),
	// "" where nobody is known to be. On the primary it is its own, and "" for the
	// millisecond until LiteFS was asked for it.
	Primary string

	// Region is where the primary is, from an engine that knows no more of it than
	// that: one whose primary is whatever machine runs in a region. It counts where
	// Primary is "". litefs.Node leaves it empty.
	Region string

	// Ready says that the node is the primary, or a replica that has heard from a
	// primary since the engine began, though none may be known now; Lag says how long
	// ago. It is not said of a remote replica.
	Ready bool

	// Lag is how far a replica that is Ready was behind at the time of At: the age
	// of the last word from the primary, so up to a second where nothing is
	// written. It compares the clocks of two machines, and is never negative. 0 on
	// the primary.
	Lag time.Duration

	// Candidate says that the node may become the primary.
	Candidate bool

	ClusterID string // "LFSC…"; "" before the cluster has one
	NodeID    string // 16 hexadecimal digits, as litefs.Node.Handoff takes them

	// Databases are the databases of the node and their positions, by name. They
	// must not be modified. A dropped database is not among them.
	Databases []Database

	// Err is what is in the way of knowing more: the engine does not answer, or its
	// files cannot be read, in which case Role is known and Databases may be
	// incomplete. nil when all is known.
	Err error

	// Epoch grows with each change of the role or of the primary, so that who looks
	// rarely can tell that the primary has been another in between.
	Epoch uint64

	// Since is when the role or the primary became what it is, by this machine's
	// clock: with Epoch. Zero where an engine does not tell.
	Since time.Time

	// At is when this was learned.
	At time.Time

	// Changed is closed when anything but At, Lag or a position has become
	// different. nil means that nothing will, since the node is closed.
	Changed <-chan struct{}
}

// Database is a database of a node, and its position.
type Database struct {
	Name string // of its file
	Pos  Pos
}

// Position is the position of a database; ok is false where it has none or the
// node's databases are not known.
func (s *State) Position(db string) (pos Pos, ok bool) {
	i, found := sort.Find(len(s.Databases), func(i int) int { return strings.Compare(db, s.Databases[i].Name) })
	if !found {
		return Pos{}, false
	}
	return s.Databases[i].Pos, true
}
