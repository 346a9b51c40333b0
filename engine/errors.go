package engine

import "errors"

// Errors that a caller may branch on, with errors.Is.
var (
	// ErrClosed is told by every method that waits, and by [State.Err], once the
	// engine was closed.
	ErrClosed = errors.New("the node is closed")

	// ErrDiverged says that this node has another history than the one asked for:
	// at the same TXID its database has another checksum. It happens after a
	// failover that lost transactions, on the side that lost or on the one that has
	// yet to be told, so it may pass. Ask the primary.
	ErrDiverged = errors.New("this node has another history")
)
