package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flysql/flysql/internal/inspect"
	"github.com/flysql/flysql/internal/move/handover"
	"github.com/flysql/flysql/internal/move/transfer"
)

// carryOutImport copies, and tells what was done, whether or not it came to an end.
func (c *cli) carryOutImport(ctx context.Context, f *importFlags, job *importJob, node *handover.Node) error {
	p := c.newImportProgress(job.plan, f.json)
	begun := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	report, err := job.copy(ctx, transfer.Options{Replace: f.replace, Streams: f.streams, FullCheck: f.fullCheck, Progress: func(now transfer.Progress) {
		p.tell(now)
		if now.Stage == transfer.Syncing { // an app may have come meanwhile, and would write to what is replaced
			if err := inspect.CheckPlace(c.env, job.target); err != nil {
				cancel(err)
			}
		}
	}})
	p.end()
	done := &importResult{job: job, report: report, took: time.Since(begun)}
	if err != nil {
		done.err = undone(ctx, targetHint(err), job.target)
	} else if done.err = c.keepPlan(job, report.Kept); done.err == nil && node != nil {
		done.given, done.err = c.giveToLiteFS(ctx, node, job.target)
	}
	return errors.Join(done.err, c.tellImport(f, done))
}

// importResult is what an import has come to.
type importResult struct {
	job    *importJob
	report *transfer.Report // nil where it came to nothing
	given  *handover.Given  // to LiteFS; nil where nothing was
	took   time.Duration
	err    error
}

// undone is an error with what it means for the target. A signal is told as such.
func undone(ctx context.Context, err error, target string) error {
	var different *transfer.DifferenceError
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.As(err, &different):
		return fmt.Errorf("%w\n%s; the file that was made is gone", err, untouched(target))
	}
	return fmt.Errorf("%w; %s", err, untouched(target))
}

func untouched(target string) string {
	if target == "" {
		return nothingWritten
	}
	if _, err := os.Lstat(target); err == nil {
		return filepath.Base(target) + " is as it was"
	}
	return nothingWritten
}

// targetHint names the flag that an error is about.
func targetHint(err error) error {
	if errors.Is(err, transfer.ErrExists) {
		return fmt.Errorf("%w (--replace)", err)
	}
	return err
}
