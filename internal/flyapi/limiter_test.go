package flyapi_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
	fly "github.com/superfly/fly-go"
)

// TestKeepsToLimits sends more than Fly's limits let pass, to a fake that holds them: no
// request is refused, and none waits for longer than it must.
func TestKeepsToLimits(t *testing.T) {
	tests := []struct {
		name string
		call func(ctx context.Context, c *flyapi.Client, i int) error
		n    int
		took time.Duration
	}{
		{"Volumes", func(ctx context.Context, c *flyapi.Client, _ int) error { return discard(c.Volumes(ctx)) }, 20, 17 * time.Second},
		{"CreateVolume", func(ctx context.Context, c *flyapi.Client, i int) error {
			return discard(c.CreateVolume(ctx, fly.CreateVolumeRequest{Name: fmt.Sprint("data", i), Region: "ams", SizeGb: ptr(1)}))
		}, 10, 7 * time.Second},
		// Each volume has a limit of its own.
		{"Snapshots", func(ctx context.Context, c *flyapi.Client, i int) error {
			return discard(c.Snapshots(ctx, fmt.Sprint("vol_", i)))
		}, 20, 0},
		{"Machine", func(ctx context.Context, c *flyapi.Client, _ int) error { return discard(c.Machine(ctx, "m1")) }, 20, 2 * time.Second},
	}
	for _, tt := range tests {
		for _, many := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, "/", many), func(t *testing.T) {
				fake, _ := start(t)
				fake.AddMachine("shop", fly.Machine{ID: "m1", Region: "ams"})
				for i := range tt.n {
					fake.AddVolume("shop", fly.Volume{ID: fmt.Sprint("vol_", i), Name: "data", Region: "ams"})
				}
				fake.LimitRates(nil)
				synctest.Test(t, func(t *testing.T) {
					var mu sync.Mutex
					last := time.Now()
					began := last
					cfg := config(fake)
					cfg.Speed = 0 // Fly's
					c, err := flyapi.NewOver(cfg, carried{fake, func() {
						mu.Lock()
						defer mu.Unlock()
						fake.Advance(time.Since(last))
						last = time.Now()
					}})
					if err != nil {
						t.Fatal(err)
					}
					var all sync.WaitGroup
					for i := range tt.n {
						send := func() {
							if err := tt.call(t.Context(), c, i); err != nil {
								t.Error(err)
							}
						}
						if many {
							all.Go(send)
						} else {
							send()
						}
					}
					all.Wait()
					if took := time.Since(began).Round(time.Millisecond); took != tt.took {
						t.Errorf("took %v, want %v", took, tt.took)
					}
				})
				if got := fake.Calls()[tt.name]; got != tt.n {
					t.Errorf("%d requests for %d calls: some were refused", got, tt.n)
				}
			})
		}
	}
}

// TestRetryAfter waits as long as the API says.
func TestRetryAfter(t *testing.T) {
	fake, _ := start(t)
	fake.Fail("Volumes", fakefly.RateLimited.RetryAfter(20))
	synctest.Test(t, func(t *testing.T) {
		c, err := flyapi.NewOver(config(fake), carried{to: fake})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := c.Volumes(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("it was sent again after %v", took)
		}
		// Who waits for the limit can be stopped.
		fake.Fail("Volumes", fakefly.RateLimited.RetryAfter(50).Always())
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err = c.Volumes(ctx)
		if got := kindsOf(err); got != "deadline" {
			t.Errorf("it is %q: %v", got, err)
		}
	})
}

// TestWait asks again for as long as it may.
func TestWait(t *testing.T) {
	fake, c := start(t)
	fake.Fail("Launch", fakefly.StuckCreated)
	m, err := c.Launch(t.Context(), fly.LaunchMachineInput{Region: "ams", Config: &fly.MachineConfig{Image: "registry.fly.io/shop:1"}})
	if err != nil {
		t.Fatal(err)
	}
	fake.ForgetJournal()
	err = c.Wait(t.Context(), m.ID, "started", 100*time.Second)
	if got := kindsOf(err); got != "not yet" || !strings.Contains(err.Error(), "currently created") {
		t.Errorf("it is %q: %v", got, err)
	}
	var asked []string
	for _, r := range fake.Journal() {
		asked = append(asked, r.Query)
	}
	if want := []string{"state=started&timeout=60", "state=started&timeout=40"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}
