package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/image"
)

// signed is what the check writes: the usual, and what careless code mangles.
var signed = []struct{ name, message string }{
	{"Ada", "The first one here."},
	{"Grace", "It's <b>plain text</b> & it stays so."},
	{"Ada", "Grüße, 你好 🙂"},
}

// The broken migration. Its third statement does not parse, after two that have
// done something: line 4 is the one to be named.
const (
	brokenName = "99999_broken.sql"
	brokenLine = 4
	brokenSQL  = `-- +goose Up
CREATE TABLE half_done (id INTEGER PRIMARY KEY);
DELETE FROM messages;
CREATE TABEL misspelt (id INTEGER PRIMARY KEY);
`
)

// check drives the app as a person and as Fly would. The first thing that is not
// as it must be ends it.
func (d *demo) check(ctx context.Context) error {
	d.bootLine(d.img)
	var rows []guestbook.Message
	err := d.with(ctx, d.img, func(s *server) (err error) {
		d.say.ok("booted: the app answers " + d.app.HealthPath())
		rows, err = d.write(ctx, s)
		return err
	})
	if err != nil {
		return err
	}

	d.again("restart: the same image on the same volume")
	err = d.with(ctx, d.img, func(s *server) error {
		return d.read(ctx, s, rows, "after the restart")
	})
	if err != nil {
		return err
	}

	d.again("deploy: an image whose new migration does not parse")
	if err := d.refuses(ctx, rows); err != nil {
		return err
	}

	d.again("roll back: the good image on that volume")
	err = d.with(ctx, d.img, func(s *server) error {
		if err := d.read(ctx, s, rows, "after the failed deploy"); err != nil {
			return err
		}
		if _, err := s.Sign(ctx, "Grace", "Still here."); err != nil {
			return err
		}
		d.say.ok("and it takes a new message")
		return nil
	})
	if err != nil {
		return err
	}
	d.say.line("")
	d.say.line(d.say.paint(green, "all checks passed"))
	return nil
}

func (d *demo) again(what string) {
	d.say.line("")
	d.say.line("  " + d.say.paint(bold, what))
}

// with boots the image, waits until it is healthy, calls f, and stops it as Fly
// does. The app must end with exit code 0.
func (d *demo) with(ctx context.Context, img *image.Image, f func(*server) error) (err error) {
	s, err := d.boot(ctx, img)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	err = s.Healthy(ctx, d.app.HealthPath(), s.Done())
	if err == nil {
		err = f(s)
	}
	code, stopErr := s.Stop(d.app.Signal(), d.app.Grace())
	switch {
	case err != nil || stopErr != nil:
		return errors.Join(err, stopErr)
	case code != 0:
		return fmt.Errorf("the app was stopped by %s and ended with exit code %d", unix.SignalName(d.app.Signal()), code)
	}
	d.say.ok(fmt.Sprintf("stopped by %s: exit code 0", unix.SignalName(d.app.Signal())))
	return nil
}

// write signs the guestbook and reads it back. It returns all messages.
func (d *demo) write(ctx context.Context, s *server) ([]guestbook.Message, error) {
	before, err := s.Messages(ctx) // a data directory of the user's may have some
	if err != nil {
		return nil, err
	}
	var last int64
	for _, m := range signed {
		id, err := s.Sign(ctx, m.name, m.message)
		if err != nil {
			return nil, err
		}
		if id <= last {
			return nil, fmt.Errorf("POST /messages: id %d after id %d", id, last)
		}
		last = id
	}
	d.say.ok(fmt.Sprintf("%d messages written by 2 guests", len(signed)))
	rows, err := s.Messages(ctx)
	if err != nil {
		return nil, err
	}
	if got, want := len(rows), len(before)+len(signed); got != want {
		return nil, fmt.Errorf("GET /messages.json: %d messages, want %d", got, want)
	}
	for n, m := range signed {
		if got := rows[len(before)+n]; got.Name != m.name || got.Body != m.message {
			return nil, fmt.Errorf("GET /messages.json: %+v, want %+v", got, m)
		}
	}
	return rows, d.read(ctx, s, rows, "at once")
}

// read compares what the app shows, as JSON and as a page, with rows.
func (d *demo) read(ctx context.Context, s *server, rows []guestbook.Message, when string) error {
	got, err := s.Messages(ctx)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(got, rows, guestbook.Message.Equal) {
		return fmt.Errorf("GET /messages.json: %+v, want %+v", got, rows)
	}
	page, err := s.Get(ctx, "/")
	if err != nil {
		return err
	}
	for _, m := range signed {
		if !strings.Contains(page, html.EscapeString(m.message)) {
			return fmt.Errorf("GET /: the page does not show %q", m.message)
		}
	}
	d.say.ok("read back " + when + ": the same messages as JSON and as a page")
	return nil
}

// refuses boots an image with a broken migration, and wants it refused with the
// data as it was.
func (d *demo) refuses(ctx context.Context, rows []guestbook.Message) (err error) {
	dir := d.env("FLYSQL_MIGRATIONS")
	if dir == "" {
		return errors.New("the image's environment has no FLYSQL_MIGRATIONS")
	}
	bad, err := d.img.With(map[string]string{path.Join(dir, brokenName): brokenSQL})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bad.Close()) }()
	s, err := d.boot(ctx, bad)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := neverListens(ctx, s); err != nil {
		return err
	}
	code, err := s.Wait(ctx)
	if err != nil {
		return err
	}
	if code == 0 {
		return errors.New("the broken migration was not refused: exit code 0")
	}
	d.say.ok(fmt.Sprintf("refused: exit code %d, and the app never listened", code))
	place := brokenName + ":" + strconv.Itoa(brokenLine)
	if !strings.Contains(s.log.String(), place) {
		return fmt.Errorf("the error does not name %s", place)
	}
	d.say.ok("the error names the file and the line: " + place)

	name, err := d.app.Database()
	if err != nil {
		return err
	}
	if err := intact(ctx, filepath.Join(d.data, name), rows); err != nil {
		return err
	}
	d.say.ok("the data is intact: integrity_check, the same messages, nothing half done")
	return nil
}

// env is a variable as the machine gets it.
func (d *demo) env(key string) string {
	for _, kv := range slices.Backward(slices.Concat(d.img.Env, d.app.Env(0, ""))) {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			return v
		}
	}
	return ""
}

// neverListens returns when the machine has ended, with an error if its port
// could be reached before.
func neverListens(ctx context.Context, s *server) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
	for {
		if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			return errors.Join(errors.New("the app listened, although its migrations had failed"), c.Close())
		}
		select {
		case <-s.Done():
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
