package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/left"
)

// patience bounds each step of a check, far above what it takes.
const patience = 3 * time.Minute

// check drives an app as people and Fly would.
type check struct {
	*demo
	s       *session
	regions []string
	person  *guestbook.Person // everywhere
	rows    []guestbook.Message
	signed  int // by servesOn
}

// check runs the app and drives it. The first thing that is not as it must be ends it.
func (d *demo) check(ctx context.Context) (err error) {
	c := &check{demo: d}
	defer func() {
		if c.s != nil {
			err = errors.Join(err, c.s.lately(), d.stop(ctx, c.s.command))
		}
	}()
	type step struct {
		name string
		do   func(context.Context) error
	}
	steps := []step{
		{"flysql dev", c.up},
		{"write: what one writes, all read at once", c.writes},
		{"the way of a request, by what flysql dev tells", c.ways},
		{"deploy: a build whose new migration does not parse", c.refuses},
		{"deploy: a build with one more migration, machine by machine, while people write", c.rolls},
		{"kill -9: the primary, all its processes at once", c.failsOver},
		{"cut: a region from all others", c.cuts},
		{"Ctrl-C", c.down},
		{"the same again", c.upAgain},
	}
	if d.single { // nothing is replayed, or cut off
		const ways, kill, cuts = 2, 5, 6
		steps[kill].name = "kill -9: the machine, all its processes at once"
		steps = slices.Delete(slices.Delete(steps, cuts, cuts+1), ways, ways+1)
	}
	for _, s := range steps {
		d.say.line("")
		d.say.line("  " + d.say.paint(bold, s.name))
		ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("that took longer than %v", patience))
		start := time.Now()
		err := s.do(ctx)
		cancel()
		if err != nil {
			return err
		}
		d.say.note(fmt.Sprintf("%.1f s", time.Since(start).Seconds()))
	}
	d.say.line("")
	d.say.line(d.say.paint(green, "all checks passed"))
	return nil
}

func (c *check) up(ctx context.Context) (err error) {
	if c.s, err = c.startSession(ctx); err != nil {
		return err
	}
	st := c.s.now()
	if !c.single && st.Engine != "litefs" {
		return fmt.Errorf("it runs without LiteFS: %s", st.Why)
	}
	var roles []string
	for _, m := range st.Machines {
		roles = append(roles, strings.TrimSpace(m.ID+" "+m.Role))
	}
	c.say.ok("all machines serve: " + strings.Join(roles, ", "))
	port, err := c.s.port()
	if err != nil {
		return err
	}
	c.regions = c.s.regions()
	c.person, err = guestbook.Everywhere(port, c.regions)
	return err
}

// first and last are a person's clients in the primary region, and far from it.
func (c *check) first() *guestbook.Client { return c.person.In(c.regions[0]) }
func (c *check) last() *guestbook.Client  { return c.person.In(c.regions[len(c.regions)-1]) }

func (c *check) writes(ctx context.Context) error {
	if _, err := c.first().SignTexts(ctx); err != nil {
		return err
	}
	c.say.ok(fmt.Sprintf("%d messages written and read back, as JSON and as a page", guestbook.Texts))
	return c.person.SignEverywhere(ctx, func(region string, reads int) {
		c.say.ok(fmt.Sprintf("written by way of %s, read at once in %s; the page has counted each of its %d readers", region, strings.Join(c.regions, ", "), reads))
	})
}

// migration writes a migration into the app's repository, and returns what removes it.
func (c *check) migration(m guestbook.Migration) (remove func() error, err error) {
	file := filepath.Join(c.repo, "migrations", m.Name)
	return func() error { return os.Remove(file) }, os.WriteFile(file, []byte(m.SQL), 0o644)
}

// refuses deploys a broken migration. It must be refused with the data as it was, and in
// several regions all others go on.
func (c *check) refuses(ctx context.Context) error {
	before, err := c.person.Messages(ctx)
	if err != nil {
		return err
	}
	remove, err := c.migration(guestbook.Broken)
	if err != nil {
		return err
	}
	why := c.s.do(ctx, "deploy")
	if why == nil {
		return errors.New("the broken migration was not refused")
	}
	st := c.s.now()
	i := slices.IndexFunc(st.Machines, func(m machine) bool { return m.State != "started" })
	if i < 0 {
		return fmt.Errorf("no machine was given the new build: %w", why)
	}
	refused := st.Machines[i].ID
	c.say.ok(refused + " refused it")
	place := fmt.Sprintf("%s:%d", guestbook.Broken.Name, guestbook.Broken.Line)
	if !strings.Contains(why.Error(), place) && !c.s.printed(refused, place) {
		return fmt.Errorf("the error does not name %s: %w", place, why)
	}
	c.say.ok("the error names the file and the line: " + place)
	if !c.single {
		if before, err = c.servesOn(ctx, before); err != nil {
			return err
		}
		c.say.ok(fmt.Sprintf("the build before serves on %d machines, and takes a new message", len(st.Machines)-1))
	}
	if err := c.stored(ctx, before, nil); err != nil {
		return err
	}
	c.say.ok("the data is intact: integrity_check, the same messages, nothing half done")
	if err := errors.Join(remove(), c.s.do(ctx, "machines/"+refused+"/start")); err != nil {
		return err
	}
	c.say.ok(refused + " serves again without it")
	_, err = c.servesOn(ctx, before)
	return err
}

// servesOn wants what was there before in every region, and that one more message is taken. It
// returns all messages.
func (c *check) servesOn(ctx context.Context, before []guestbook.Message) ([]guestbook.Message, error) {
	c.signed++
	if _, err := c.last().Sign(ctx, "Grace", fmt.Sprintf("Still here, %d.", c.signed)); err != nil { // each once
		return nil, err
	}
	if err := c.person.StillThere(ctx, before); err != nil {
		return nil, err
	}
	return c.person.Messages(ctx)
}

// rolls deploys one more migration, while people write.
func (c *check) rolls(ctx context.Context) error {
	if _, err := c.migration(guestbook.More); err != nil {
		return err
	}
	before := c.s.now()
	port, err := c.s.port()
	if err != nil {
		return err
	}
	w := guestbook.StartWriter(ctx, port, c.regions, "deploying")
	err = c.s.do(ctx, "deploy")
	if err := errors.Join(err, w.More(ctx), w.Stop()); err != nil {
		return err
	}
	for i, m := range c.s.now().Machines {
		if was := before.Machines[i]; m.PID == was.PID {
			return fmt.Errorf("machine %s was not given the new build: it is still process %d", m.ID, m.PID)
		}
	}
	if err := c.stored(ctx, nil, w); err != nil {
		return err
	}
	c.say.ok(fmt.Sprintf("the database of each of %d machines: integrity_check, the same messages, the new column", len(before.Machines)))
	c.say.ok(w.String())
	return nil
}

// failsOver kills the primary, or the only machine. What everybody has seen before must be
// there after it.
func (c *check) failsOver(ctx context.Context) error {
	old := c.s.now().Primary
	if c.single {
		old = c.s.now().Machines[0].ID
	}
	before, reads, err := c.person.BeforeKill(ctx)
	if err != nil {
		return err
	}
	if err := c.s.do(ctx, "machines/"+old+"/kill"); err != nil {
		return err
	}
	if !c.single {
		if err := c.takesOver(ctx, old, before, reads); err != nil {
			return err
		}
	}
	if err := c.s.do(ctx, "machines/"+old+"/start"); err != nil {
		return err
	}
	if _, err := c.servesOn(ctx, before); err != nil {
		return err
	}
	c.say.ok(old + " started again; every message from before is there, in every region")
	return nil
}

// down stops all as a person does, and looks for what is left.
func (c *check) down(ctx context.Context) (err error) {
	if c.rows, err = c.person.Messages(ctx); err != nil {
		return err
	}
	s := c.s
	c.s = nil
	if err := c.stop(ctx, s.command); err != nil {
		return err
	}
	found, err := left.Behind(filepath.Join(c.repo, ".flysql"))
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("it is still there: %s", strings.Join(found, "; "))
	}
	c.say.ok("every machine has stopped; nothing is left running or mounted")
	return nil
}

// upAgain starts all once more, on what there is.
func (c *check) upAgain(ctx context.Context) error {
	if err := c.up(ctx); err != nil {
		return err
	}
	if _, err := c.servesOn(ctx, c.rows); err != nil {
		return err
	}
	c.say.ok(fmt.Sprintf("all %d messages are there, in every region, and one more", len(c.rows)))
	return c.down(ctx)
}
