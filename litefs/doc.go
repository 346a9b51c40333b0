// Package litefs tells what one LiteFS node is doing, to a program that runs
// beside it: whether the node is the primary, who is otherwise, and how far each
// database has come.
//
//	node, err := litefs.Open(litefs.Config{})
//	if err != nil {
//		return err
//	}
//	defer node.Close()
//
//	switch st := node.State(); st.Role {
//	case litefs.RolePrimary:
//		// writes go to the files under /litefs
//	case litefs.RoleReplica:
//		// writes go to st.Primary
//	case litefs.RoleUnknown:
//		// nobody knows; st.Err may say why
//	}
//
// It is no LiteFS: it starts none, mounts nothing, and elects nobody. It speaks
// LiteFS's HTTP API (port 20202, no authentication: keep it private) and reads the
// small files that LiteFS adds to its mount. Those of LiteFS v0.5.14 are meant
// where the documentation speaks of LiteFS. https://fly.io/docs/litefs/
//
// # State
//
// One goroutine follows GET /events. [Node.State] is an atomic load of what it
// learned: no lock, no system call, no allocation. LiteFS may start later than
// the program, die and come back: the role is then [RoleUnknown], at once, and
// [Node.Close] ends the following for good.
//
// # Positions
//
// LiteFS numbers the transactions of each database. After a failover that lost
// transactions it uses their numbers again, so a [Pos] has the checksum of the
// database beside the number. [Node.WaitPosition] waits until this node has
// reached one, and says when it has another history ([ErrDiverged]).
//
// # Other engines
//
// What a web app, its router and its boot ask of a replicated database is small:
// who is primary, where does this machine stand, wait until it has come as far as
// this, tell me when the primary changes. That is [engine.Engine]; Node is the
// first, and State, Pos and the other types here are those of package engine.
//
// # Configuration
//
// Config takes http.addr and fuse.dir as they stand in litefs.yml. This package
// reads no file: package flyconf does, and whoever makes the Config calls it.
package litefs
