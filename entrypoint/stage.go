package entrypoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// runAsStage is Run in the process that LiteFS mode starts for the database. It
// answers to the process that waits for it, and logs as a boot does.
func (b *boot) runAsStage(ctx context.Context, text string) error {
	b.Env = without(b.Env, stageVariable)
	unix.CloseOnExec(stageResult) // what this process starts has nothing to answer
	out := os.NewFile(stageResult, "result")
	err := b.runStageSteps(ctx, text)
	r := stageAnswer{Done: err == nil, Behind: errors.Is(err, errBehind)}
	var e *Error
	if errors.As(err, &e) {
		r.Step, r.Code, r.Hint, r.Err = e.Step, e.Code, e.Hint, e.Err.Error()
	}
	answer, merr := json.Marshal(r)
	_, werr := out.Write(answer)
	if werr := errors.Join(merr, werr, out.Close()); werr != nil {
		return errors.Join(err, fmt.Errorf("answer to the boot: %w", werr))
	}
	return err
}

func without(env []string, key string) []string {
	var left []string
	for _, kv := range env {
		if !strings.HasPrefix(kv, key+"=") {
			left = append(left, kv)
		}
	}
	return left
}

func (b *boot) runStageSteps(ctx context.Context, text string) error {
	b.stage = &stage{}
	err := json.Unmarshal([]byte(text), b.stage)
	if err == nil {
		b.stage.deadline = time.Now().Add(b.stage.Wait)
		b.node = &node{data: b.stage.Data, api: b.stage.API}
		b.path, b.dir = b.stage.Path, filepath.Dir(b.stage.Path)
		b.state = state{dir: b.stage.State, base: filepath.Base(b.path)}
		err = b.becomeUser()
	}
	if err == nil {
		err = b.openMigrations()
	}
	if err != nil {
		return b.fail(ctx, "own", 0, err)
	}
	if b.stage.Role == "primary" {
		switch b.Import {
		case importOff:
		case "":
			if err := b.leftOnVolume(); err != nil {
				return b.fail(ctx, "import", 0, err)
			}
		default:
			if err := b.steps(ctx, "import"); err != nil {
				return err
			}
		}
		return b.settleFailed(ctx, b.steps(ctx, "check", "snapshot", "migrate"))
	}
	if err := b.steps(ctx, "schema"); err != nil || !b.stage.behind {
		return err
	}
	return errBehind
}

// askAfter is how long a replica that is behind leaves it to the primary to migrate,
// before it asks for its place: that may be booting with the same image.
const askAfter = 2 * time.Second

// becomeUser drops to the app's user, for this process alone.
func (b *boot) becomeUser() error {
	if b.User == "" {
		return nil
	}
	who, err := findAccount(b.User)
	if err != nil {
		return err
	}
	if os.Geteuid() != who.uid {
		if err := who.become(); err != nil {
			return failed("", "become %s (uid %d): %w", b.User, who.uid, err)
		}
		if err := followParent(b.stage.Parent); err != nil {
			return err
		}
	}
	b.Env = who.environ(b.Env)
	// The first look was root's.
	_, err = b.find(b.Command)
	return err
}

// awaitSchema waits until the primary has applied every migration of this image,
// and that has come here.
func (b *boot) awaitSchema(ctx context.Context) (report, error) {
	switch {
	case len(b.MigrateCommand) > 0:
		return skipped("this node is a replica: the migrate command is run by the primary, and whether it has been is not known here"), nil
	case b.set == nil:
		return skipped("there are no migrations"), nil
	}
	w := b.waiting("schema")
	began := time.Now()
	ask := b.stage.Ask
	var seen position
	for first := true; ; first = false {
		at, err := positionOf(b.path)
		if err == nil && (first || at != seen) {
			// Read anew only when something has come: it costs a lock that
			// replication waits for.
			if b.pending, err = b.set.Status(ctx, b.path); err == nil && len(b.pending.Pending) == 0 && !b.pending.Dirty {
				r := b.nothingPending()
				r.attrs = append(r.attrs, slog.String("position", at.String()))
				return r, nil
			}
			if err == nil {
				seen = at
				ask = b.stage.Ask && !b.pending.Dirty && !b.failedBefore()
			}
		}
		switch {
		case ctx.Err() != nil:
			return report{}, context.Cause(ctx)
		case err == nil && ask && time.Since(began) > askAfter && time.Now().Before(b.stage.deadline):
			if at.tx > 0 {
				if err := b.judge(ctx); err != nil {
					return report{}, err
				}
			}
			b.stage.behind = true
			return report{outcome: "behind", attrs: []slog.Attr{slog.String("why", "the primary has not applied "+b.missing()+": this node asks to become the primary, and applies it")}}, nil
		case err != nil:
			w.say(ctx, "the migrations of the database cannot be read: "+err.Error())
		case b.stage.Ask && !ask && !b.pending.Dirty:
			w.say(ctx, "this node is a replica, and the primary has not applied "+b.missing()+", which has failed here before: it is not tried again")
		default:
			w.say(ctx, "this node is a replica, and the primary has not applied "+b.missing())
		}
		if time.Now().After(b.stage.deadline) {
			return report{}, failed("deploy this image to the primary first (its region is primary_region); FLYSQL_LITEFS_WAIT lengthens the wait",
				"this node is a replica, and in %v no primary has applied %s", b.LiteFSWait, b.missing())
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// missing names what is pending, in a few words.
func (b *boot) missing() string {
	n := len(b.pending.Pending)
	switch {
	case b.pending.Dirty:
		return "version " + b.pending.Version + ", which it has marked as dirty"
	case n == 0:
		return "the migrations"
	case n == 1:
		return b.shown(b.pending.Pending[0].File)
	}
	return fmt.Sprintf("%s and %d more", b.shown(b.pending.Pending[0].File), n-1)
}
