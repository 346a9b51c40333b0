package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/flysql/flysql/internal/flyapi"
)

// watchMost is the longest pause after errors.
const watchMost = time.Minute

// watch looks again and again until a signal ends it. On a terminal it redraws the
// screen; elsewhere it writes a block when something has changed. An error is shown, and
// tried again after a pause that doubles; one that will not pass ends it.
func (c *cli) watch(ctx context.Context, w *statusLook) error {
	screen := terminal(c.stdout) != nil && !w.flags.json
	var last string
	failures := 0
	for {
		s, err := w.look(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		pause := w.flags.watch
		switch {
		case err == nil:
			failures = 0
			var b bytes.Buffer
			if err := c.writeWatched(&b, s, w.flags); err != nil {
				return err
			}
			if err := c.show(b.String(), last, "", screen); err != nil {
				return err
			}
			last = b.String()
		case lasting(err):
			return err
		default:
			failures++
			pause = pauseAfter(pause, failures)
			if err := c.show(last, last, fmt.Sprintf("%v; looking again in %v", err, pause), screen); err != nil {
				return err
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// pauseAfter is how long to wait after so many failures in a row: twice as long each time,
// up to watchMost.
func pauseAfter(pause time.Duration, failures int) time.Duration {
	for range failures {
		if pause >= watchMost {
			break
		}
		pause *= 2
	}
	return min(pause, watchMost)
}

// writeWatched is writeStatus with the colours of the real stdout.
func (c *cli) writeWatched(b *bytes.Buffer, s *statusOf, f *statusFlags) error {
	if f.json {
		return encodeJSON(b, s.json())
	}
	b.WriteString(s.text(c.colors(c.stdout)))
	return nil
}

// show shows the latest text, and below it what went wrong.
func (c *cli) show(text, before, wrong string, screen bool) error {
	if screen {
		if wrong != "" {
			text += "\n" + wrap("", wrong)
		}
		// Home, each line to its end, the rest below: nothing flickers.
		_, err := io.WriteString(c.stdout, "\x1b[H"+strings.ReplaceAll(text, "\n", "\x1b[K\r\n")+"\x1b[J")
		return err
	}
	if wrong != "" {
		c.say("flysql: %s", wrong)
		return nil
	}
	if text == before {
		return nil
	}
	if before != "" {
		text = "\n" + text
	}
	_, err := io.WriteString(c.stdout, text)
	return err
}

// lasting tells of an error that looking again does not mend.
func lasting(err error) bool {
	for _, kind := range []error{flyapi.ErrToken, flyapi.ErrForbidden, flyapi.ErrNotFound, flyapi.ErrRefused} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
