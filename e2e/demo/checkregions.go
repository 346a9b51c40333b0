package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/image"
	"github.com/flysql/flysql/e2e/poll"
)

// The new build's migration. What the release before does goes on to work with it.
const (
	moreName = "99998_mood.sql"
	moreSQL  = `-- +goose Up
ALTER TABLE messages ADD COLUMN mood TEXT;

-- +goose Down
ALTER TABLE messages DROP COLUMN mood;
`
)

// checkRegions drives the app in all regions, as people and as Fly would. The first
// thing that is not as it must be ends it.
func (d *demo) checkRegions(ctx context.Context) error {
	if err := d.bootRegions(ctx); err != nil {
		return err
	}
	d.say.line("")
	d.showRoles(d.cluster.roles(ctx))
	d.say.line("")
	people, err := d.cluster.traveller()
	if err != nil {
		return err
	}
	if err := d.writeEverywhere(ctx, people); err != nil {
		return err
	}
	if d.next, err = d.newBuild(); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"deploy: a new build with one more migration, machine by machine, while people write", func() error { return d.rolling(ctx) }},
		{"kill: the primary, all its processes at once", func() error { return d.failOver(ctx, people) }},
		{"stop: every machine", func() error { return d.stopAll(ctx) }},
	} {
		d.again(step.name)
		if err := step.do(); err != nil {
			return err
		}
	}
	d.say.line("")
	d.say.line(d.say.paint(green, "all checks passed"))
	return nil
}

// writeEverywhere signs from each region, and reads that at once in all of them: on the
// machine there, and on a page that counts its readers, which is a write in a GET.
func (d *demo) writeEverywhere(ctx context.Context, people map[string]*guestbook.Client) error {
	page, err := people[everywhere()[0]].Get(ctx, "/")
	if err != nil {
		return err
	}
	reads := guestbook.Reads(page)
	for _, region := range everywhere() {
		message := "Written by way of " + region
		if _, err := people[region].Sign(ctx, "Ada", message); err != nil {
			return fmt.Errorf("in %s: %w", region, err)
		}
		for _, other := range everywhere() {
			list, err := people[other].Messages(ctx)
			if err == nil && !slices.ContainsFunc(list, func(m guestbook.Message) bool { return m.Body == message }) {
				err = fmt.Errorf("the list does not show %q", message)
			}
			if err != nil {
				return fmt.Errorf("in %s: %w", other, err)
			}
			page, err := people[other].Get(ctx, "/")
			if reads++; err == nil && (!strings.Contains(page, message) || guestbook.Reads(page) != reads) {
				err = fmt.Errorf("the page does not show %q, or counts %d readers, want %d", message, guestbook.Reads(page), reads)
			}
			if err != nil {
				return fmt.Errorf("in %s: %w", other, err)
			}
		}
		d.say.ok(fmt.Sprintf("written by way of %s, read at once in %s; the page has counted each of its %d readers", region, strings.Join(everywhere(), ", "), reads))
	}
	return nil
}

// newBuild is the image with one more migration.
func (d *demo) newBuild() (*image.Image, error) {
	dir := d.env("FLYSQL_MIGRATIONS")
	if dir == "" {
		return nil, errors.New("the image's environment has no FLYSQL_MIGRATIONS")
	}
	return d.img.With(map[string]string{path.Join(dir, moreName): moreSQL})
}

// rolling deploys as Fly does: one machine after the other, the next one when the
// one before passes its checks.
func (d *demo) rolling(ctx context.Context) error {
	c := d.cluster
	w := c.startWriter(ctx)
	err := func() error {
		for _, m := range c.machines {
			role := m.role(ctx)
			if err := errors.Join(m.stop(), context.Cause(ctx)); err != nil {
				return err
			}
			if err := m.boot(ctx, d.next); err != nil {
				return err
			}
			d.say.ok(fmt.Sprintf("%s updated: it was %s, and is %s", m.id, role, m.role(ctx)))
		}
		return nil
	}()
	w.stop()
	if err != nil {
		return err
	}
	if len(w.acked) == 0 {
		return errors.New("nothing could be written during the deploy")
	}
	if err := d.sameEverywhere(ctx, w); err != nil {
		return err
	}
	d.say.ok(fmt.Sprintf("%d messages acknowledged meanwhile, 0 lost; %d refused, longest wait %.1f s", len(w.acked), w.refused, w.longest.Seconds()))
	return nil
}

// sameEverywhere compares the copy that each machine has, past the app.
func (d *demo) sameEverywhere(ctx context.Context, w *writer) error {
	database, err := d.cluster.database()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var rows []guestbook.Message // of the first machine
	for i, m := range d.cluster.machines {
		file := filepath.Join(d.dir, m.id+".db")
		err := poll.Until(ctx, "all that was written", func(ctx context.Context) (err error) {
			if err := m.export(ctx, database, file); err != nil {
				return err
			}
			if i == 0 {
				if rows, err = read(ctx, file); err != nil {
					return err
				}
			}
			return errors.Join(intact(ctx, file, rows), w.kept(rows), hasColumn(ctx, file, "messages", "mood"))
		})
		if err != nil {
			return fmt.Errorf("machine %s: %w", m.id, err)
		}
	}
	d.say.ok(fmt.Sprintf("the database of each of %d machines: integrity_check, the same %d messages, the new column", len(d.cluster.machines), len(rows)))
	return nil
}

// failOver kills the primary and waits for the next one. What everybody has seen
// before must be there after it.
func (d *demo) failOver(ctx context.Context, people map[string]*guestbook.Client) error {
	c := d.cluster
	i := slices.Index(c.roles(ctx), "primary")
	if i < 0 {
		return errors.New("no machine says that it is the primary")
	}
	old := c.machines[i]
	if _, err := people["syd"].Sign(ctx, "Grace", "Before the kill."); err != nil {
		return err
	}
	before, err := d.readEverywhere(ctx, people)
	if err != nil {
		return err
	}
	page, err := people["syd"].Get(ctx, "/")
	if err != nil {
		return err
	}
	reads := guestbook.Reads(page)
	start := time.Now()
	if err := old.kill(); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("that took longer than %v", patience))
	defer cancel()
	for _, region := range []string{"ord", "syd"} {
		// One that comes before its machine has noticed waits for the next primary, and so
		// is given up.
		err := poll.Until(waiting, "a page", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			page, err := people[region].Get(ctx, "/")
			switch {
			case err != nil:
				return err
			case !strings.Contains(page, "Before the kill."):
				return poll.Stop(errors.New("the page does not show the last message"))
			case guestbook.Reads(page) != reads:
				return poll.Stop(errors.New("the page was served only when there was a primary again, which counted it"))
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("in %s, without a primary: %w", region, err)
		}
	}
	d.say.ok(old.id + " killed; ord and syd still serve what they have, uncounted")
	try := 0
	err = poll.Until(waiting, "a new primary", func(ctx context.Context) error {
		try++
		_, err := people["syd"].Sign(ctx, "Grace", fmt.Sprintf("After the kill, try %d.", try))
		return err
	})
	if err != nil {
		return err
	}
	d.say.ok(fmt.Sprintf("written by way of syd again after %.0f s", time.Since(start).Seconds()))
	if err := old.boot(ctx, d.next); err != nil {
		return err
	}
	d.say.ok(fmt.Sprintf("%s started again: %s", old.id, old.role(ctx)))
	after, err := d.readEverywhere(ctx, people)
	if err != nil {
		return err
	}
	if len(after) <= len(before) || !slices.EqualFunc(before, after[:len(before)], guestbook.Message.Equal) {
		return fmt.Errorf("%d messages before the kill, and after it %d that do not begin with them", len(before), len(after))
	}
	d.say.ok("every message from before is there, in every region")
	return nil
}

// readEverywhere returns all messages, which must be the same in every region.
func (d *demo) readEverywhere(ctx context.Context, people map[string]*guestbook.Client) (rows []guestbook.Message, err error) {
	for i, region := range everywhere() {
		got, err := people[region].Messages(ctx)
		switch {
		case err != nil:
			return nil, fmt.Errorf("in %s: %w", region, err)
		case i == 0:
			rows = got
		case !slices.EqualFunc(got, rows, guestbook.Message.Equal):
			return nil, fmt.Errorf("in %s: %d messages that are not the %d of %s", region, len(got), len(rows), everywhere()[0])
		}
	}
	return rows, nil
}

func (d *demo) stopAll(ctx context.Context) error {
	if err := d.cluster.stop(ctx); err != nil {
		return err
	}
	d.say.ok("exit code 0 on every machine")
	return nil
}
