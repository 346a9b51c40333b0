package flyapi

import (
	"context"
	"errors"
	"time"

	fly "github.com/superfly/fly-go"
)

// Lease is the right to change a machine: who gives no nonce, or another, is refused
// while it lasts. fly deploy takes one on each machine.
type Lease struct {
	Nonce   string
	Owner   string
	Expires time.Time
}

// Lease says who has a machine's lease; nil where nobody has.
func (c *Client) Lease(ctx context.Context, id string) (*Lease, error) {
	lease, err := c.lease(ctx, &call{name: "Lease", object: id, doing: "show the lease of machine " + id, read: true}, func(ctx context.Context) (*fly.MachineLease, error) {
		return c.flaps.FindLease(ctx, c.app, id)
	})
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return lease, err
}

// AcquireLease takes a machine's lease for a time, in seconds. Where somebody else has it
// the error is ErrConflict, and says who.
func (c *Client) AcquireLease(ctx context.Context, id string, ttl time.Duration) (*Lease, error) {
	seconds := int(ttl / time.Second)
	return c.lease(ctx, &call{name: "AcquireLease", object: id, doing: "take the lease of machine " + id}, func(ctx context.Context) (*fly.MachineLease, error) {
		// Not by AcquireLease, which repeats every error for a minute: also one after
		// which the lease may be taken, when it would find it taken.
		return c.flaps.RefreshLease(ctx, c.app, id, &seconds, "")
	})
}

// RefreshLease makes a lease last for a time from now.
func (c *Client) RefreshLease(ctx context.Context, id, nonce string, ttl time.Duration) (*Lease, error) {
	seconds := int(ttl / time.Second)
	return c.lease(ctx, &call{name: "RefreshLease", object: id, doing: "keep the lease of machine " + id}, func(ctx context.Context) (*fly.MachineLease, error) {
		return c.flaps.RefreshLease(ctx, c.app, id, &seconds, nonce)
	})
}

// ReleaseLease gives a lease back.
func (c *Client) ReleaseLease(ctx context.Context, id, nonce string) error {
	return c.change(ctx, "ReleaseLease", id, "give back the lease of", func(ctx context.Context) error { return c.flaps.ReleaseLease(ctx, c.app, id, nonce) })
}

func (c *Client) lease(ctx context.Context, call *call, send func(ctx context.Context) (*fly.MachineLease, error)) (*Lease, error) {
	answer, err := one(ctx, c, call, func(l *fly.MachineLease) bool { return l.Data != nil && l.Data.Nonce+l.Data.Owner != "" }, send)
	if err != nil {
		return nil, err
	}
	d := answer.Data
	return &Lease{Nonce: d.Nonce, Owner: c.redact.foreign(d.Owner), Expires: time.Unix(d.ExpiresAt, 0).UTC()}, nil
}
