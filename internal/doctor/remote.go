package doctor

import (
	"context"
	"time"

	"github.com/flysql/flysql/internal/fleet"
	"github.com/flysql/flysql/internal/flyapi"
)

// Remote is what runs on Fly.
type Remote struct {
	Fleet *fleet.Fleet
	Nodes map[string]fleet.Node // by the machine's id
	Later map[string]fleet.Node // replicas that were behind, asked again; nil where none was
	Now   time.Time
}

// behindFor is how long a replica has to get what its primary had.
const behindFor = time.Second

// Ask asks what runs on Fly: four kinds of lists, of which snapshots are one for each
// volume, and LiteFS at each machine's private address. It only reads.
func Ask(ctx context.Context, client *flyapi.Client) (*Remote, error) {
	found, err := fleet.Survey(ctx, client, fleet.Machines|fleet.Volumes|fleet.Secrets|fleet.Snapshots)
	if err != nil {
		return nil, err
	}
	asker := fleet.Asker{}
	r := &Remote{Fleet: found, Nodes: asker.Nodes(ctx, found.Machines), Now: time.Now()}
	behind := r.behind(r.Nodes)
	if len(behind) == 0 {
		return r, ctx.Err()
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(behindFor):
	}
	r.Later = map[string]fleet.Node{}
	for _, id := range behind {
		r.Later[id] = asker.Node(ctx, found.Machine(id))
	}
	return r, ctx.Err()
}

// behind are the machines that lack transactions which the primary had at the first look.
func (r *Remote) behind(now map[string]fleet.Node) []string {
	var ids []string
	for _, m := range r.Fleet.Machines {
		n, ok := now[m.ID]
		if !ok || n.Role() != "replica" {
			continue
		}
		for _, db := range n.Databases {
			if lacks, known := fleet.Behind(n, fleet.Newest(r.Nodes, db.Name), db.Name); known && lacks > 0 {
				ids = append(ids, m.ID)
				break
			}
		}
	}
	return ids
}

// Reached counts the machines whose LiteFS said what it is, of those that run.
func (r *Remote) Reached() (reached, running int) {
	for _, m := range r.Fleet.Machines {
		if m.State == "started" {
			running++
		}
		if n := r.Nodes[m.ID]; n.Known() {
			reached++
		}
	}
	return reached, running
}

// CheckRemote is Check, and applies the rules about what runs on Fly too.
func CheckRemote(ctx context.Context, dir string, remote *Remote) (*Report, error) {
	return check(ctx, dir, remote)
}
