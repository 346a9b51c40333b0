package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/dev/page"
	"github.com/flysql/flysql/internal/emulator/cluster"
)

// devPage is the page, beside the app.
func devPage(s *dev.Session) http.Handler { return page.Handler(s, dev.PagePrefix) }

// dev is the verb.
func (c *cli) dev(ctx context.Context, f *devFlags, command []string) error {
	o, err := f.options(c, command)
	if err != nil {
		return err
	}
	if err := c.devReady(o); err != nil {
		return err
	}
	queue := newDevQueue(c.devPrinter(f, o))
	stops, release := withStops(ctx, func(second bool) {
		if !f.json {
			queue.tell(dev.Event{Type: typeStopping})
		}
		c.sayStopping(second)
	})
	defer release()
	o.Kill = stops.kill.Done()
	if !f.headless {
		o.Page = devPage
	}
	last := &lastState{}
	session, err := dev.Start(stops.run, o, queue.tell, last.tell)
	if err != nil {
		_ = queue.end(stops.kill) // the other error is the reason
		return devStartFailed(stops, last, err)
	}
	if !f.json {
		queue.tell(dev.Event{Type: typeStarted})
	}
	watched := c.devWatch(stops.run, f, session)
	select {
	case <-stops.run.Done():
	case <-queue.failed: // nobody is there any more
		stops.end(nil)
	}
	<-watched
	err = session.Close(stops.kill)
	printed := queue.end(stops.kill)
	if n := queue.lost(); n > 0 {
		c.say("note: %s not printed, for nobody read them in time", counted(n, "event"))
	}
	why := context.Cause(stops.run)
	if printed != nil {
		why = printed
	}
	return devOver(why, err)
}

// lastState is the last that was told. Start has ended when it is read.
type lastState struct{ dev.State }

func (l *lastState) tell(e dev.Event) {
	if e.State != nil {
		l.State = *e.State
	}
}

// devStartFailed says why there are no machines.
func devStartFailed(stops *stops, last *lastState, err error) error {
	if cause := context.Cause(stops.run); cause != nil {
		if errors.Is(err, cause) {
			return devOver(cause, leftBehind(err))
		}
		return errors.Join(cause, err)
	}
	var machine *cluster.MachineError
	if errors.As(err, &machine) {
		return fmt.Errorf("%w\nthe machines' logs are %s", err, devLogs(last.State))
	}
	return err
}

// leftBehind is what Start could not take down, which it joins to why it ended.
func leftBehind(err error) error {
	if all, ok := err.(interface{ Unwrap() []error }); ok && len(all.Unwrap()) > 1 {
		return errors.Join(all.Unwrap()[1:]...)
	}
	return nil
}

// devOver is the end of a session: why, and whether anything is left.
func devOver(why, closed error) error {
	if closed != nil {
		return errors.Join(why, closed)
	}
	return fmt.Errorf("%w; nothing is left running", why)
}

// devReady refuses what need not be built first to be seen.
func (c *cli) devReady(o dev.Options) error {
	if len(o.Command) > 0 {
		if err := devProgram(o.Dir, o.Command[0]); err != nil {
			return usagef("%w", err)
		}
	}
	return nil
}

// devProgram looks for a program as the machines will, from the app's directory.
func devProgram(dir, name string) error {
	path := name
	if filepath.Base(name) != name && !filepath.IsAbs(name) {
		path = filepath.Join(dir, name)
		if dir == "" {
			path = "." + string(filepath.Separator) + path
		}
	}
	if _, err := exec.LookPath(path); err != nil {
		return fmt.Errorf("the command %s: %w", shellArgument(name), errors.Unwrap(err))
	}
	return nil
}

// sayStopping tells of a signal.
func (c *cli) sayStopping(second bool) {
	if second {
		c.say("killing all")
		return
	}
	c.say("stopping; Ctrl-C again kills")
}

// devPrinter prints a session's events.
func (c *cli) devPrinter(f *devFlags, o dev.Options) func(dev.Event) error {
	if f.json {
		return func(e dev.Event) error { return writeDevEvent(c.stdout, e) }
	}
	return c.newDevText(!f.headless, len(o.Command) > 0, f.verbose).event
}

// writeDevEvent writes an event as a line. docs/dev.md documents them; they only ever
// grow.
func writeDevEvent(w io.Writer, e dev.Event) error {
	data, err := json.Marshal(e)
	if err == nil {
		_, err = w.Write(append(data, '\n'))
	}
	return err
}
