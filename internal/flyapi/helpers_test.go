package flyapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
	fly "github.com/superfly/fly-go"
)

// start gives a fake with an app, and a client of that.
func start(t *testing.T) (*fakefly.Fake, *flyapi.Client) {
	t.Helper()
	fake := fakefly.Start(t)
	fake.AddApp("shop", "personal")
	return fake, clientOf(t, config(fake))
}

// config is a client's, without Fly's limits.
func config(fake *fakefly.Fake) flyapi.Config {
	return flyapi.Config{Token: flyapi.NewToken("FLY_API_TOKEN", fakefly.Token), App: "shop", BaseURL: fake.URL(), Speed: 1000}
}

func clientOf(t *testing.T, c flyapi.Config) *flyapi.Client {
	t.Helper()
	client, err := flyapi.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// carried sends requests to a handler without a network, so that a test's time can be its
// own. The network's time does not pass in it: prepare is run before each request.
type carried struct {
	to      http.Handler
	prepare func()
}

func (c carried) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	if c.prepare != nil {
		c.prepare()
	}
	defer func() {
		if recover() != nil {
			err = errors.New("connection closed")
		}
	}()
	if req.Body == nil {
		req.Body = http.NoBody
	}
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{}) // as a connection would
	}
	rec := httptest.NewRecorder()
	c.to.ServeHTTP(rec, req)
	if err := req.Context().Err(); err != nil && rec.Body.Len() == 0 {
		return nil, err // it was not answered
	}
	return rec.Result(), nil
}

// things are what calls are made on.
type things struct{ volume, machine, stopped, running string }

func someThings(fake *fakefly.Fake) things {
	v := fake.AddVolume("shop", fly.Volume{Name: "data", Region: "ams"})
	m := fake.AddMachine("shop", fly.Machine{Region: "ams", Config: &fly.MachineConfig{Image: "registry.fly.io/shop:1"}})
	s := fake.AddMachine("shop", fly.Machine{Region: "ams", State: "stopped", Config: &fly.MachineConfig{Image: "registry.fly.io/shop:1"}})
	r := fake.AddMachine("shop", fly.Machine{Region: "ams"})
	return things{v.ID, m.ID, s.ID, r.ID}
}

// oneCall is a call of every method.
type oneCall struct {
	name  string
	reads bool
	make  func(ctx context.Context, c *flyapi.Client, on things) error
}

func discard[T any](_ T, err error) error { return err }

func everyCall() []oneCall {
	image := &fly.MachineConfig{Image: "registry.fly.io/shop:2"}
	return []oneCall{
		{"App", true, func(ctx context.Context, c *flyapi.Client, _ things) error { return discard(c.App(ctx)) }},
		{"Apps", true, func(ctx context.Context, c *flyapi.Client, _ things) error { return discard(c.Apps(ctx, "personal")) }},
		{"Regions", true, func(ctx context.Context, c *flyapi.Client, _ things) error { return discard(c.Regions(ctx)) }},
		{"Secrets", true, func(ctx context.Context, c *flyapi.Client, _ things) error { return discard(c.Secrets(ctx)) }},
		{"Volumes", true, func(ctx context.Context, c *flyapi.Client, _ things) error { return discard(c.Volumes(ctx)) }},
		{"Volume", true, func(ctx context.Context, c *flyapi.Client, on things) error { return discard(c.Volume(ctx, on.volume)) }},
		{"CreateVolume", false, func(ctx context.Context, c *flyapi.Client, _ things) error {
			return discard(c.CreateVolume(ctx, fly.CreateVolumeRequest{Name: "data", Region: "ams", SizeGb: ptr(1)}))
		}},
		{"UpdateVolume", false, func(ctx context.Context, c *flyapi.Client, on things) error {
			return discard(c.UpdateVolume(ctx, on.volume, fly.UpdateVolumeRequest{SnapshotRetention: ptr(9)}))
		}},
		{"ExtendVolume", false, func(ctx context.Context, c *flyapi.Client, on things) error {
			_, _, err := c.ExtendVolume(ctx, on.volume, 7)
			return err
		}},
		{"Snapshots", true, func(ctx context.Context, c *flyapi.Client, on things) error {
			return discard(c.Snapshots(ctx, on.volume))
		}},
		{"CreateSnapshot", false, func(ctx context.Context, c *flyapi.Client, on things) error { return c.CreateSnapshot(ctx, on.volume) }},
		{"DeleteVolume", false, func(ctx context.Context, c *flyapi.Client, on things) error { return c.DeleteVolume(ctx, on.volume) }},
		{"Machines", true, func(ctx context.Context, c *flyapi.Client, _ things) error { return discard(c.Machines(ctx)) }},
		{"Machine", true, func(ctx context.Context, c *flyapi.Client, on things) error {
			return discard(c.Machine(ctx, on.machine))
		}},
		{"Launch", false, func(ctx context.Context, c *flyapi.Client, _ things) error {
			return discard(c.Launch(ctx, fly.LaunchMachineInput{Region: "ams", Config: image}))
		}},
		{"Update", false, func(ctx context.Context, c *flyapi.Client, on things) error {
			return discard(c.Update(ctx, fly.LaunchMachineInput{ID: on.machine, Config: image}, ""))
		}},
		{"Wait", true, func(ctx context.Context, c *flyapi.Client, on things) error {
			return c.Wait(ctx, on.machine, "started", time.Second)
		}},
		{"Start", false, func(ctx context.Context, c *flyapi.Client, on things) error { return c.Start(ctx, on.stopped, "") }},
		{"Exec", false, func(ctx context.Context, c *flyapi.Client, on things) error {
			return discard(c.Exec(ctx, on.machine, "true", time.Second))
		}},
		{"Stop", false, func(ctx context.Context, c *flyapi.Client, on things) error {
			return c.Stop(ctx, fly.StopMachineInput{ID: on.machine}, "")
		}},
		{"Cordon", false, func(ctx context.Context, c *flyapi.Client, on things) error { return c.Cordon(ctx, on.machine, "") }},
		{"Uncordon", false, func(ctx context.Context, c *flyapi.Client, on things) error { return c.Uncordon(ctx, on.machine, "") }},
		{"SetMetadata", false, func(ctx context.Context, c *flyapi.Client, on things) error {
			return c.SetMetadata(ctx, on.machine, "made_by", "flysql")
		}},
		{"DeleteMetadata", false, func(ctx context.Context, c *flyapi.Client, on things) error {
			return c.DeleteMetadata(ctx, on.machine, "made_by")
		}},
		{"AcquireLease", false, func(ctx context.Context, c *flyapi.Client, on things) error {
			return discard(c.AcquireLease(ctx, on.machine, time.Minute))
		}},
		{"Lease", true, func(ctx context.Context, c *flyapi.Client, on things) error { return discard(c.Lease(ctx, on.machine)) }},
		{"RefreshLease", false, func(ctx context.Context, c *flyapi.Client, on things) error {
			return discard(c.RefreshLease(ctx, on.machine, nonceOf(ctx), time.Minute))
		}},
		{"ReleaseLease", false, func(ctx context.Context, c *flyapi.Client, on things) error {
			return c.ReleaseLease(ctx, on.machine, nonceOf(ctx))
		}},
		{"Destroy", false, func(ctx context.Context, c *flyapi.Client, on things) error {
			return c.Destroy(ctx, on.stopped, true, "")
		}},
	}
}

// nonceOf is the nonce that a test gives to the calls on a lease.
type nonceKey struct{}

func nonceOf(ctx context.Context) string {
	nonce, _ := ctx.Value(nonceKey{}).(string)
	if nonce == "" {
		nonce = "none"
	}
	return nonce
}

func ptr[T any](v T) *T { return &v }
