package entrypoint

import (
	"context"
	"fmt"

	"github.com/flysql/flysql/flyconf"
)

// MoveLease makes the LiteFS node whose API is at the address to (host:port) the primary,
// instead of the one at from: as a boot does on a replica whose image has migrations that
// its primary lacks. Writers on from are held up meanwhile, for a few seconds at most, so
// nothing is lost that was acknowledged; those that waited are refused by what is now a
// replica. Whether to is a candidate is not asked.
//
// No node of the cluster may be migrating. On an error the primary is who it was, or, where
// the error says that it is not known, one of the two.
func MoveLease(ctx context.Context, from, to string) error {
	b := &boot{Config: Config{}.withDefaults(), node: &node{api: to}} // which has not ended, and leaves it to who calls that none migrates
	b.node.conf = &flyconf.LiteFS{}
	own, err := b.node.info(ctx)
	if err != nil {
		return fmt.Errorf("ask %s: %w", to, err)
	}
	theirs, err := infoOf(ctx, from)
	if err != nil {
		return fmt.Errorf("ask %s: %w", from, err)
	}
	return b.takeFrom(ctx, own, peer{from, theirs})
}
