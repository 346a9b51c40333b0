package main

import (
	"context"

	"github.com/flysql/flysql/internal/dev"
)

// devWatch deploys what changes, where that is wanted, until ctx ends. over is closed then.
func (c *cli) devWatch(ctx context.Context, f *devFlags, session *dev.Session) (over <-chan struct{}) {
	done := make(chan struct{})
	if !f.watch {
		close(done)
		return done
	}
	go func() {
		defer close(done)
		if err := session.Watch(ctx); err != nil {
			c.say("flysql: files are watched no longer: %v", err)
		}
	}()
	return done
}
