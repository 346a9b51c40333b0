package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi"
)

// Changing is how an addition or a removal is carried out. Asker is needed.
type Changing struct {
	Asker NodeAsker

	// Say is told what was done, a line each; Progress what is waited for, again and
	// again. nil: nobody is.
	Say, Progress func(text string)

	// Patience is how long one machine may take: to start, to catch up and to pass its
	// checks; or to stop. The default is 15 minutes.
	Patience time.Duration

	// Every is the pause between two looks. The default is 2 seconds.
	Every time.Duration

	// ListPatience is how long it is waited for a list to show what may have been made,
	// and for somebody else's lease on a machine to end. The default is 45 seconds: a run
	// that was killed leaves its lease for at most 30.
	ListPatience time.Duration
}

// leaseFor is how long a lease on a machine lasts if nobody keeps it.
const leaseFor = 30 * time.Second

func (how Changing) withDefaults() Changing {
	if how.Say == nil {
		how.Say = func(string) {}
	}
	if how.Progress == nil {
		how.Progress = func(string) {}
	}
	for _, d := range []struct {
		at *time.Duration
		to time.Duration
	}{{&how.Patience, 15 * time.Minute}, {&how.Every, 2 * time.Second}, {&how.ListPatience, 45 * time.Second}} {
		if *d.at <= 0 {
			*d.at = d.to
		}
	}
	return how
}

// until looks again and again, until done says so or time is up. why is what was waited
// for last.
func (how Changing) until(ctx context.Context, limit time.Duration, done func() (ok bool, why string, err error)) (why string, ok bool, err error) {
	for deadline := time.Now().Add(limit); ; {
		ok, why, err = done()
		if ok || err != nil {
			return why, ok, err
		}
		if time.Now().After(deadline) {
			return why, false, nil
		}
		how.Progress(why)
		if err := pause(ctx, how.Every); err != nil {
			return why, false, err
		}
	}
}

// held is a machine whose lease this run has, so that a deploy that comes meanwhile is
// refused, and is noticed. The zero nonce is of one without: commands cannot be run in a
// machine that has a lease.
type held struct {
	client *flyapi.Client
	id     string
	nonce  string
	kept   time.Time
}

// acquire takes the lease, and waits for that of a run that was killed to end.
func (how Changing) acquire(ctx context.Context, client *flyapi.Client, id string) (*held, error) {
	h := &held{client: client, id: id}
	var last error
	_, ok, err := how.until(ctx, how.ListPatience, func() (bool, string, error) {
		lease, err := client.AcquireLease(ctx, id, leaseFor)
		switch {
		case err == nil:
			h.nonce, h.kept = lease.Nonce, time.Now()
			return true, "", nil
		case errors.Is(err, flyapi.ErrConflict), errors.Is(err, flyapi.ErrUnknown): // maybe our own
			last = err
			return false, "machine " + id + " is being changed by somebody else", nil
		}
		return false, "", err
	})
	if err == nil && !ok {
		err = fmt.Errorf("%w; a fly deploy, or this command in another terminal, has it: look with fly machine leases view %s", last, id)
	}
	return h, err
}

// keep makes the lease last, once half of it is over.
func (h *held) keep(ctx context.Context) error {
	if h.nonce == "" || time.Since(h.kept) < leaseFor/2 {
		return nil
	}
	_, err := h.client.RefreshLease(ctx, h.id, h.nonce, leaseFor)
	if err == nil {
		h.kept = time.Now()
	} else if errors.Is(err, flyapi.ErrUnknown) || errors.Is(err, flyapi.ErrUnavailable) {
		err = nil // the next look tries again
	}
	return err
}

// release gives the lease back, also where the run was stopped.
func (h *held) release(ctx context.Context) {
	if h == nil || h.nonce == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = h.client.ReleaseLease(ctx, h.id, h.nonce) // else it ends by itself
	h.nonce = ""
}

// named finds a machine by its name: one that may have been made by a request whose
// answer was lost. nil where there is none in a while.
func (how Changing) named(ctx context.Context, client *flyapi.Client, name string) (found *fly.Machine, err error) {
	_, _, err = how.until(ctx, how.ListPatience, func() (bool, string, error) {
		list, err := client.Machines(ctx)
		for _, m := range list {
			if m.Name == name {
				found = m
			}
		}
		return found != nil, "it may have been made: Fly's list is asked for machine " + name, err
	})
	return found, err
}
