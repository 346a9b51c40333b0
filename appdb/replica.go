package appdb

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrReplica says that this machine has a replica of the database, or does not know
// whether it has: nothing was written. Send the write to the primary, which a
// [*ReplicaError] names.
var ErrReplica = errors.New("this machine is not the primary, and only the primary writes")

// A ReplicaError is the one error of every write that was refused because this
// machine is not the primary, whatever SQLite or the file system had to say to it.
// Nothing of the transaction was kept, so it can be done again on the primary.
//
// errors.Is(err, [ErrReplica]) is true of it.
type ReplicaError struct {
	// Primary is the hostname of the primary, "" where nobody knows one.
	Primary string
	// Err is the driver's error; nil where the driver was not asked.
	Err error
}

// Error names the primary.
func (e *ReplicaError) Error() string {
	s := ErrReplica.Error() + ": "
	if e.Primary == "" {
		s += "no primary is known at the moment"
	} else {
		s += "write on " + quote(e.Primary)
	}
	if e.Err != nil {
		s += fmt.Sprintf(" (%v)", e.Err)
	}
	return s
}

// Is tells that e is an [ErrReplica].
func (e *ReplicaError) Is(target error) bool { return target == ErrReplica }

// Unwrap returns the driver's error.
func (e *ReplicaError) Unwrap() error { return e.Err }

// ReplicaWrite is always true. A package that must not import this one recognises
// the error by it: errors.As with an interface{ ReplicaWrite() bool }.
func (e *ReplicaError) ReplicaWrite() bool { return true }

// ErrUnknown says that a transaction may have been kept or not: the connection was
// lost in the middle of its commit, or another machine became the primary just after
// it (see Config.Confirm). Look whether it is there before doing it again.
var ErrUnknown = errors.New("it is not known whether the transaction was kept")

// refusedCodes are what a write meets on a replica, as far as they can mean it.
var refusedCodes = map[int]bool{
	sqlite3.SQLITE_READONLY:           true,
	sqlite3.SQLITE_READONLY_DIRECTORY: true,
	sqlite3.SQLITE_IOERR_WRITE:        true,
	sqlite3.SQLITE_IOERR_DELETE:       true,
	sqlite3.SQLITE_IOERR_TRUNCATE:     true,
	sqlite3.SQLITE_CANTOPEN:           true,
}

// refused reports whether err may be a replica's refusal.
func refused(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && refusedCodes[se.Code()]
}

// replicaError makes err, met in a write, an ErrReplica where this machine is not
// the primary, and leaves it as it is otherwise: on a primary the disk is at fault.
func (n *node) replicaError(err error) (_ error, made bool) {
	if !refused(err) {
		return err, false
	}
	if primary, not := n.notPrimary(); not {
		return &ReplicaError{Primary: primary, Err: err}, true
	}
	return err, false
}
