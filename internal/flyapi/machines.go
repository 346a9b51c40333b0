package flyapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	fly "github.com/superfly/fly-go"
	"github.com/superfly/fly-go/flaps"
)

// Machines lists the app's machines, by region, then oldest first; without those that are
// destroyed or being so. Those of a release command or a console are among them.
func (c *Client) Machines(ctx context.Context) ([]*fly.Machine, error) {
	machines, err := get(ctx, c, &call{name: "Machines", ofApp: true, doing: "list machines of " + c.app, read: true}, func(ctx context.Context) ([]*fly.Machine, error) {
		return c.flaps.List(ctx, c.app, "")
	})
	machines = slices.DeleteFunc(machines, func(m *fly.Machine) bool { return m == nil || !m.IsActive() })
	slices.SortFunc(machines, func(a, b *fly.Machine) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return machines, err
}

func isMachine(m *fly.Machine) bool { return m.ID != "" }

// Machine asks for one machine.
func (c *Client) Machine(ctx context.Context, id string) (*fly.Machine, error) {
	return one(ctx, c, &call{name: "Machine", object: id, doing: "show machine " + id, read: true}, isMachine, func(ctx context.Context) (*fly.Machine, error) {
		return c.flaps.Get(ctx, c.app, id)
	})
}

// Launch makes a machine. After ErrUnknown it may be there, or come: give it a name or
// metadata to be found by. With LeaseTTL set, its LeaseNonce is a lease on it.
func (c *Client) Launch(ctx context.Context, in fly.LaunchMachineInput) (*fly.Machine, error) {
	return one(ctx, c, &call{name: "Launch", ofApp: true, doing: "create a machine in " + in.Region}, isMachine, func(ctx context.Context) (*fly.Machine, error) {
		return c.flaps.Launch(ctx, c.app, in)
	})
}

// Update replaces a machine's configuration, whole, which restarts it. in.ID names it. The
// nonce is that of a lease on it, or empty; so in the calls below.
func (c *Client) Update(ctx context.Context, in fly.LaunchMachineInput, nonce string) (*fly.Machine, error) {
	return one(ctx, c, &call{name: "Update", object: in.ID, doing: "update machine " + in.ID}, isMachine, func(ctx context.Context) (*fly.Machine, error) {
		return c.flaps.Update(ctx, c.app, in, nonce)
	})
}

// Start starts a machine; one that runs stays as it is.
func (c *Client) Start(ctx context.Context, id, nonce string) error {
	return c.change(ctx, "Start", id, "start", func(ctx context.Context) error {
		_, err := c.flaps.Start(ctx, c.app, id, nonce)
		return err
	})
}

// Stop asks a machine to stop, with the signal and the time of its own configuration
// where in has none. Wait for "stopped".
func (c *Client) Stop(ctx context.Context, in fly.StopMachineInput, nonce string) error {
	return c.change(ctx, "Stop", in.ID, "stop", func(ctx context.Context) error { return c.flaps.Stop(ctx, c.app, in, nonce) })
}

// Destroy destroys a machine that is stopped; with kill, one that runs, at once. Its
// volume stays.
func (c *Client) Destroy(ctx context.Context, id string, kill bool, nonce string) error {
	return c.change(ctx, "Destroy", id, "destroy", func(ctx context.Context) error {
		return c.flaps.Destroy(ctx, c.app, fly.RemoveMachineInput{ID: id, Kill: kill}, nonce)
	})
}

// Cordon keeps Fly's proxy from sending requests to a machine.
func (c *Client) Cordon(ctx context.Context, id, nonce string) error {
	return c.change(ctx, "Cordon", id, "cordon", func(ctx context.Context) error { return c.flaps.Cordon(ctx, c.app, id, nonce) })
}

// Uncordon undoes Cordon.
func (c *Client) Uncordon(ctx context.Context, id, nonce string) error {
	return c.change(ctx, "Uncordon", id, "uncordon", func(ctx context.Context) error { return c.flaps.Uncordon(ctx, c.app, id, nonce) })
}

// SetMetadata sets one key of a machine's metadata, without restarting it.
func (c *Client) SetMetadata(ctx context.Context, id, key, value string) error {
	if !name.MatchString(key) {
		return &Error{Call: "SetMetadata", Doing: "set metadata of machine " + id, Message: fmt.Sprintf("key %q: letters, digits, _ and -", key), kinds: []error{ErrRefused}}
	}
	return c.change(ctx, "SetMetadata", id, "set "+key+" of", func(ctx context.Context) error { return c.flaps.SetMetadata(ctx, c.app, id, key, value) })
}

// DeleteMetadata removes one key of a machine's metadata.
func (c *Client) DeleteMetadata(ctx context.Context, id, key string) error {
	if !name.MatchString(key) {
		return &Error{Call: "DeleteMetadata", Doing: "delete metadata of machine " + id, Message: fmt.Sprintf("key %q: letters, digits, _ and -", key), kinds: []error{ErrRefused}}
	}
	return c.change(ctx, "DeleteMetadata", id, "delete "+key+" of", func(ctx context.Context) error { return c.flaps.DeleteMetadata(ctx, c.app, id, key) })
}

func (c *Client) change(ctx context.Context, name, id, verb string, send func(ctx context.Context) error) error {
	return c.run(ctx, &call{name: name, object: id, doing: verb + " machine " + id}, send)
}

// waitOnce is the longest that one request waits for a state.
const waitOnce = time.Minute

// Wait returns when a machine is in a state, or with ErrNotYet when the API says that it
// was not within a time of at least a second. One request waits for up to a minute.
func (c *Client) Wait(ctx context.Context, id, state string, within time.Duration) error {
	for left := within; ; {
		once := min(max(left, time.Second), waitOnce)
		err := c.run(ctx, &call{name: "Wait", object: id, doing: fmt.Sprintf("wait for machine %s to be %s", id, state), read: true, waits: once}, func(ctx context.Context) error {
			return c.flaps.Wait(ctx, c.app, id, flaps.WithWaitStates(state), flaps.WithWaitTimeout(once))
		})
		if left -= once; err == nil || !errors.Is(err, ErrNotYet) || left <= 0 {
			return err
		}
	}
}

// Exec runs a command in a machine and returns what it wrote, when it has ended, within a
// time that is rounded up to seconds. It is a write: nobody knows what a command does.
func (c *Client) Exec(ctx context.Context, id, command string, within time.Duration) (*fly.MachineExecResponse, error) {
	seconds := int((within + time.Second - 1) / time.Second)
	return get(ctx, c, &call{name: "Exec", object: id, doing: "run a command in machine " + id, waits: within}, func(ctx context.Context) (*fly.MachineExecResponse, error) {
		return c.flaps.Exec(ctx, c.app, id, &fly.MachineExecRequest{Cmd: command, Timeout: seconds})
	})
}
