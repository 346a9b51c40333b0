package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/dev/watch"
)

// devWatch deploys what changes, where that is wanted, until ctx ends. over is closed then.
func (c *cli) devWatch(ctx context.Context, f *devFlags, o dev.Options, session *dev.Session, began time.Time) (over <-chan struct{}) {
	done := make(chan struct{})
	if !f.watch {
		close(done)
		return done
	}
	go func() {
		defer close(done)
		if err := c.deployChanges(ctx, o, session, began); err != nil && ctx.Err() == nil {
			c.say("flysql: files are watched no longer: %v", err)
		}
	}()
	return done
}

func (c *cli) deployChanges(ctx context.Context, o dev.Options, session *dev.Session, began time.Time) error {
	options := watch.Options{Dir: o.Dir, Since: began, Say: func(line string) { c.say("note: %s", visible(line)) }}
	if o.Config != "" {
		options.Files = append(options.Files, o.Config)
	}
	if len(o.Command) > 0 && filepath.Base(o.Command[0]) != o.Command[0] {
		options.Files = append(options.Files, o.Command[0]) // somebody else builds it
	}
	w, err := watch.New(options)
	if err != nil {
		return err
	}
	defer w.Close() // it has told all that there is
	for {
		paths, err := w.Next(ctx)
		if err != nil {
			return err
		}
		read, rest := readAtStart(o, paths)
		if len(read) > 0 {
			c.say("%s changed: it is read when flysql dev starts", flat(strings.Join(read, ", ")))
		}
		if len(rest) > 0 {
			c.say("%s changed", changedText(rest))
			deployOnce(ctx, session)
		}
	}
}

// readAtStart are those of some files that only a new session reads.
func readAtStart(o dev.Options, paths []string) (read, rest []string) {
	for _, path := range paths {
		if path == filepath.ToSlash(o.Config) || slices.Contains([]string{"fly.toml", "litefs.yml", "Dockerfile"}, path) {
			read = append(read, path)
		} else {
			rest = append(rest, path)
		}
	}
	return read, rest
}

// changedText names the first few files.
func changedText(paths []string) string {
	const most = 3
	if len(paths) > most {
		return flat(strings.Join(paths[:most], ", ")) + " and " + counted(len(paths)-most, "other")
	}
	return flat(strings.Join(paths, ", "))
}

// deployOnce deploys, after the deploy that somebody else has begun. How it went is told by
// its action.
func deployOnce(ctx context.Context, session *dev.Session) {
	for {
		err := session.Deploy(ctx)
		if err == nil || ctx.Err() != nil || session.State().Doing == "" {
			return
		}
		timer := time.NewTimer(200 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
