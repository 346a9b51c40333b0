package litefs

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/flysql/flysql/engine"
)

// What any engine tells is described in package engine. These are the same types
// under the names that a program has at hand which knows of LiteFS anyway.
type (
	Role     = engine.Role     // what a node is in its cluster
	State    = engine.State    // what was known of a node at one moment
	Database = engine.Database // a database of a node, and its position
	Pos      = engine.Pos      // how far a database has come
	Engine   = engine.Engine   // what a [Node] is to those who know nothing of LiteFS
)

const (
	RoleUnknown = engine.RoleUnknown // nobody knows, or LiteFS is not heard
	RolePrimary = engine.RolePrimary // takes writes
	RoleReplica = engine.RoleReplica // follows a primary that it knows
)

var _ Engine = (*Node)(nil)

// ParsePos reads what Pos.String writes: the form that LiteFS uses in its -pos files.
func ParsePos(s string) (Pos, error) { return engine.ParsePos(s) }

// Wait is [engine.Wait]: it waits until ok is true of the engine's state.
func Wait(ctx context.Context, e Engine, ok func(State) bool) (State, error) {
	return engine.Wait(ctx, e, ok)
}

// parseHex reads the 16 digits that LiteFS writes for a node's ID.
func parseHex(s string) (uint64, error) {
	if len(s) != 16 {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseUint(s, 16, 64)
}

// same tells whether p and q, of one TXID, can be the same state of the database.
func same(p, q Pos) bool {
	return p.PostApplyChecksum == q.PostApplyChecksum || p.PostApplyChecksum == 0 || q.PostApplyChecksum == 0
}

// find is where db is among dbs, or belongs.
func find(dbs []Database, db string) (int, bool) {
	return slices.BinarySearchFunc(dbs, db, func(d Database, db string) int { return strings.Compare(d.Name, db) })
}

// with returns dbs with db at pos, and leaves dbs itself alone.
func with(dbs []Database, db string, pos Pos) []Database {
	i, found := find(dbs, db)
	next := make([]Database, 0, len(dbs)+1)
	next = append(append(next, dbs[:i]...), Database{Name: db, Pos: pos})
	if found {
		i++
	}
	return append(next, dbs[i:]...)
}

// without returns dbs but for db.
func without(dbs []Database, db string) []Database {
	i, found := find(dbs, db)
	if !found {
		return dbs
	}
	return append(append(make([]Database, 0, len(dbs)), dbs[:i]...), dbs[i+1:]...)
}

// alters tells whether from s to next anything has changed that Changed is about.
func alters(s, next *State) bool {
	return s.Role != next.Role || s.Primary != next.Primary || s.Ready != next.Ready || s.Candidate != next.Candidate ||
		s.ClusterID != next.ClusterID || s.NodeID != next.NodeID || !sameText(s.Err, next.Err)
}

// moves tells whether from s to next the primary has become another.
func moves(s, next *State) bool {
	return s.Role != next.Role || s.Role == RoleReplica && s.Primary != next.Primary
}

func sameText(a, b error) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a == b || a.Error() == b.Error()
}
