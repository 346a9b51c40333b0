package appdb

import (
	"context"
	"errors"

	"github.com/flysql/flysql/engine"
)

// tell tells the witness of ctx that err refused a write. In a transaction each error
// may be told again, by its statement and by its end.
func tell(ctx context.Context, err error) {
	if err == nil || !errors.Is(err, ErrReplica) {
		return
	}
	if w := engine.WitnessOf(ctx); w != nil {
		w.Refused(err)
	}
}

// committed tells w and the engine how a transaction that may write has ended.
func (c *nodeConn) committed(w engine.Witness, err error) {
	refused := errors.Is(err, ErrReplica)
	switch {
	case err != nil && !refused && !errors.Is(err, ErrUnknown):
		return // nothing was kept
	case !refused && c.node.commits != nil:
		c.node.commits.Add()
	}
	switch {
	case w == nil:
	case refused:
		w.Refused(err)
	default:
		w.Committed()
	}
}

// alone tells whether a statement is a transaction by itself, which may write.
func (c *nodeConn) alone() bool { return c.writes && !c.inTx && c.queryOnly == nil }
