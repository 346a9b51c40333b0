package flyapi_test

import (
	"testing"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
	fly "github.com/superfly/fly-go"
)

// start gives a fake with an app, and a client of that.
func start(t *testing.T) (*fakefly.Fake, *flyapi.Client) {
	t.Helper()
	fake := fakefly.Start(t)
	fake.AddApp("shop", "personal")
	return fake, clientOf(t, fake, "shop")
}

func clientOf(t *testing.T, fake *fakefly.Fake, app string) *flyapi.Client {
	t.Helper()
	c, err := flyapi.New(flyapi.Config{Token: flyapi.NewToken("FLY_API_TOKEN", fakefly.Token), App: app, BaseURL: fake.URL(), Speed: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ptr[T any](v T) *T { return &v }

func TestSmoke(t *testing.T) {
	fake, c := start(t)
	ctx := t.Context()
	v, err := c.CreateVolume(ctx, fly.CreateVolumeRequest{Name: "data", Region: "ams", SizeGb: ptr(1)})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Launch(ctx, fly.LaunchMachineInput{Region: "ams", Config: &fly.MachineConfig{Image: "registry.fly.io/shop:1", Mounts: []fly.MachineMount{{Volume: v.ID, Path: "/data"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(ctx, m.ID, "started", 1e9); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v %+v", c.Calls(), fake.Calls())
	_, err = clientOf(t, fake, "shpo").Volumes(ctx)
	t.Log(err)
}
