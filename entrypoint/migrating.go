package entrypoint

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
)

// A node that is behind may take the lease from a primary whose app serves the
// release before. From one that is migrating itself it must not: between two
// transactions of a migration that has no transaction of its own, that would leave
// the database half-migrated, and the migration be begun a second time. So a primary
// says in the lease server, beside its lease, that it is migrating. That counts while
// it holds the lease by the same session, so that nobody has to take back what a node
// said that is gone.

// migrating is the value of that key.
type migrating struct {
	leaseHolder
	Session string `json:"session"`
}

// migratingKey is where it is.
func (k *leaseKey) migratingKey() string { return k.key + "/migrating" }

// sayMigrating says that this primary migrates, or does not any more. Where it cannot
// be said, the boot goes on: it matters only when another node boots at the same time.
func (b *boot) sayMigrating(ctx context.Context, on bool) {
	k := b.node.leaseKey(b.getenv)
	if k == nil {
		return
	}
	err := func() error {
		var value []byte
		if on {
			h, session, err := k.holder(ctx, patience)
			if err != nil {
				return err
			}
			if !k.self.is(h) { // it is on its way
				return fmt.Errorf("the lease is %s's", h.Hostname)
			}
			if value, err = json.Marshal(migrating{h, session}); err != nil {
				return err
			}
		}
		return k.put(ctx, patience, k.migratingKey(), value)
	}()
	if err != nil && ctx.Err() == nil {
		b.Logger.LogAttrs(ctx, slog.LevelWarn, "schema", slog.String("outcome", "unknown"), slog.String("why", "the lease server: "+err.Error()),
			slog.String("warning", "other nodes are not told whether this one migrates, and may take its place meanwhile"))
	}
}

// notMigrating is an error where the primary migrates, or that cannot be known.
func (b *boot) notMigrating(ctx context.Context) error {
	k := b.node.leaseKey(b.getenv)
	if k == nil {
		return nil
	}
	value, _, err := k.get(ctx, patience, k.migratingKey())
	if err != nil {
		return fmt.Errorf("ask the lease server whether the primary migrates: %w", err)
	}
	if len(value) == 0 {
		return nil
	}
	h, session, err := k.holder(ctx, patience)
	if err != nil {
		return err
	}
	var m migrating
	if err := json.Unmarshal(value, &m); err == nil && m.Session == session && m.leaseHolder == h {
		return fmt.Errorf("the primary %s is migrating itself", h.Hostname)
	}
	return nil
}
