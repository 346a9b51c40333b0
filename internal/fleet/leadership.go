package fleet

import (
	"context"
	"maps"
	"slices"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/nodestatus"
)

// Leadership is who leads a LiteFS cluster, as its nodes say: they may not agree.
type Leadership struct {
	LiteFS    bool                // some node is one of LiteFS
	Asked     int                 // nodes that said something
	Primaries []string            // machines that say that they are the primary
	Named     map[string][]string // whom nodes take for the primary, "" for nobody, and which machines those are
	Holders   []string            // who has the lease, as those say who asked its server
	Clusters  map[string][]string // the clusters' ids, and the machines that are in each
}

// Lead joins what nodes said.
func Lead(nodes map[string]Node) Leadership {
	l := Leadership{Named: map[string][]string{}, Clusters: map[string][]string{}}
	holders := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(nodes)) {
		n := nodes[id]
		l.LiteFS = l.LiteFS || n.LiteFS != nil
		if !n.Known() {
			continue
		}
		l.Asked++
		if n.Role() == nodestatus.Primary {
			l.Primaries = append(l.Primaries, id)
		}
		l.Named[n.LiteFS.Primary] = append(l.Named[n.LiteFS.Primary], id)
		if c := n.LiteFS.ClusterID; c != "" {
			l.Clusters[c] = append(l.Clusters[c], id)
		}
		if h := n.LiteFS.Lease.Holder; h != "" {
			holders[h] = true
		}
	}
	l.Holders = slices.Sorted(maps.Keys(holders))
	return l
}

// Agreed is the one whom all that were asked take for the primary; false where they do
// not agree, or know of none.
func (l Leadership) Agreed() (primary string, ok bool) {
	if len(l.Named) != 1 || len(l.Primaries) > 1 {
		return "", false
	}
	for name := range l.Named {
		primary = name
	}
	return primary, primary != ""
}

// Newest is the node of which others are behind: the primary, or the one with most
// transactions of a database where no one primary is known.
func Newest(nodes map[string]Node, database string) Node {
	var best Node
	for _, id := range slices.Sorted(maps.Keys(nodes)) {
		n := nodes[id]
		if n.Role() == nodestatus.Primary && len(Lead(nodes).Primaries) == 1 {
			return n
		}
		if transactions(n.Position(database)) > transactions(best.Position(database)) {
			best = n
		}
	}
	return best
}

// AskSnapshots adds the volumes' snapshots to a fleet: one call for each.
func (f *Fleet) AskSnapshots(ctx context.Context, client *flyapi.Client) error {
	f.Parts |= Snapshots
	return f.listSnapshots(ctx, client)
}

// LastSnapshot is the newest of a volume that holds something; false for none.
func (f *Fleet) LastSnapshot(volume string) (fly.VolumeSnapshot, bool) {
	for _, s := range f.Snapshots[volume] {
		if s.Status == SnapshotDone {
			return s, true
		}
	}
	return fly.VolumeSnapshot{}, false
}

// SnapshotDone is the status of a snapshot that holds something.
const SnapshotDone = "created"
