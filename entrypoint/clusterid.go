package entrypoint

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// LiteFS gives each cluster an ID, which is kept beside the data and at the lease
// server. Where the two differ it lets the node neither be the primary nor follow one,
// and tries for ever.

// clusterID is what LiteFS keeps beside the data, "" for a new node.
func (n *node) clusterID() (string, error) {
	data, err := os.ReadFile(filepath.Join(n.data, "clusterid"))
	if isNotExist(err) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

// clusterID is what the lease server knows, "" where it knows none.
func (k *leaseKey) clusterID(ctx context.Context, patience time.Duration) (string, error) {
	value, _, err := k.get(ctx, patience, path.Join(k.key, "clusterid"))
	return string(value), err
}

// keptOut says why LiteFS cannot let the node be the primary, or "". It is an error
// where it cannot be a replica either.
func (b *boot) keptOut(ctx context.Context) (why string, err error) {
	key := b.node.leaseKey(b.getenv)
	if key == nil {
		return "", nil
	}
	own, err := b.node.clusterID()
	if err != nil {
		return "", nil // LiteFS says so itself
	}
	theirs, err := key.clusterID(ctx, patience)
	const hint = "let lease.consul.key name the key of the data's own cluster; or, where that cluster's data is to replace this node's, move the data away: docs/litefs.md of flysql says how"
	switch {
	case err != nil || theirs == "" || own == theirs:
		return "", nil
	case own != "":
		return "", failed(hint, "LiteFS lets this node into no cluster: its data is of the cluster %s, and the lease server's is %s", own, theirs)
	}
	return fmt.Sprintf("no primary answers, and this node may not be it: its data is of no cluster, and the lease server's is %s", theirs), nil
}
