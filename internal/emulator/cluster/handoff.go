package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
)

// HandOff has the primary give its lease to a machine, and returns when that has it.
// Writers are held up until then, and those that waited are refused, or replayed to the
// new primary by package replay: nothing is lost that was acknowledged. An app that reads
// with its database open in WAL mode while its machine stops to be the primary can die of
// it, here as on Fly (SIGBUS); then [[restart]] says what comes next.
//
// The machine must be a candidate: lease.candidate of litefs.yml, which as flysql init
// writes it are those of the primary region alone.
func (c *Cluster) HandOff(ctx context.Context, id string) error {
	m, err := c.find(id)
	if err != nil {
		return err
	}
	if err := c.handOff(ctx, m); err != nil {
		return fmt.Errorf("hand off to %s: %w", id, err)
	}
	return nil
}

func (c *Cluster) handOff(ctx context.Context, m *machine) error {
	if c.litefs == nil {
		return errors.New("there is no LiteFS here, and no lease to hand off")
	}
	if c.static != nil {
		return fmt.Errorf("lease.type is static in %s: %s is the primary for good", c.opt.LiteFS, c.static.ID)
	}
	from := c.primary()
	switch {
	case from == nil:
		return errors.New("no machine is the primary now: wait until one is")
	case from == m:
		return errors.New("it is the primary already")
	}
	for _, one := range []*machine{m, from} { // neither is to be stopped meanwhile
		if !one.turn.TryLock() {
			return fmt.Errorf("%s is just being started or stopped: try again when that is done", one.ID)
		}
		defer one.turn.Unlock()
		if one.current() != edge.Started {
			return fmt.Errorf("%s is not running: start it first", one.ID)
		}
	}
	if err := c.mayLead(m); err != nil {
		return err
	}
	if !c.network.reachable(from.Region, m.Region) {
		return fmt.Errorf("the network between %s and %s is cut: mend it first", from.Region, m.Region)
	}
	if err := moveLease(ctx, from.apiAddress(), m.apiAddress()); err != nil {
		return err
	}
	if err := c.leads(ctx, m); err != nil {
		return err
	}
	return c.remember()
}

// leads waits until the lease server knows that a machine has the lease, as LiteFS has said.
// The caller has m.turn, for which the end of its process waits, too.
func (c *Cluster) leads(ctx context.Context, m *machine) error {
	p := m.running()
	for c.primary() != m {
		if !latency.Wait(ctx, pollPause) {
			return fmt.Errorf("it has the lease, and the lease server does not know it yet: %w", context.Cause(ctx))
		}
		select {
		case <-p.ended:
			return fmt.Errorf("it had the lease, and has ended: %w", orNil(p.err))
		default:
		}
	}
	return nil
}

// pollPause is between two looks at what comes soon.
const pollPause = 5 * time.Millisecond

// mayLead is an error where a machine is no candidate.
func (c *Cluster) mayLead(m *machine) error {
	conf, err := c.litefsOf(m)
	if err != nil || conf.Lease.Candidate {
		return err
	}
	doc, err := flyconf.ParseLiteFSDocument(c.opt.LiteFS, c.litefsText)
	if err != nil {
		return err
	}
	says, _ := doc.Get("lease.candidate")
	return fmt.Errorf("it is no candidate: lease.candidate is %s in %s, which is false in %s (primary_region is %s)",
		cmp.Or(says, "false"), c.opt.LiteFS, m.Region, c.opt.Config.PrimaryRegion)
}

// litefsOf is litefs.yml as a machine reads it.
func (c *Cluster) litefsOf(m *machine) (*flyconf.LiteFS, error) {
	env := map[string]string{}
	for _, v := range m.environ(c) {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	return flyconf.ParseLiteFS(c.opt.LiteFS, c.litefsText, func(name string) (string, bool) { return env[name], true })
}
