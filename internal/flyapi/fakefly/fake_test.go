package fakefly_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
	fly "github.com/superfly/fly-go"
)

func start(t *testing.T) (*fakefly.Fake, *flyapi.Client) {
	t.Helper()
	f := fakefly.Start(t)
	f.AddApp("shop", "personal")
	return f, clientOf(t, f)
}

func clientOf(t *testing.T, f *fakefly.Fake) *flyapi.Client {
	t.Helper()
	c, err := flyapi.New(flyapi.Config{Token: flyapi.NewToken("test", fakefly.Token), App: "shop", BaseURL: f.URL(), Speed: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func create(t *testing.T, c *flyapi.Client, region string, unique bool) (*fly.Volume, error) {
	t.Helper()
	size := 1
	return c.CreateVolume(t.Context(), fly.CreateVolumeRequest{Name: "data", Region: region, SizeGb: &size, RequireUniqueZone: &unique})
}

func launch(t *testing.T, c *flyapi.Client, name string, mounts ...fly.MachineMount) (*fly.Machine, error) {
	t.Helper()
	return c.Launch(t.Context(), fly.LaunchMachineInput{Name: name, Region: "ams", Config: &fly.MachineConfig{Image: "registry.fly.io/shop:v1", Mounts: mounts}})
}

// TestZones: volumes of a name have zones of their own while there are hosts.
func TestZones(t *testing.T) {
	f, c := start(t)
	f.SetHosts("ams", 2)
	var zones []string
	for range 2 {
		zones = append(zones, must[*fly.Volume](t)(create(t, c, "ams", true)).Zone)
	}
	if zones[0] == zones[1] {
		t.Errorf("zones %v", zones)
	}
	if _, err := create(t, c, "ams", true); !errors.Is(err, flyapi.ErrCapacity) {
		t.Errorf("a third zone of two: %v", err)
	}
	if v := must[*fly.Volume](t)(create(t, c, "ams", false)); !slices.Contains(zones, v.Zone) {
		t.Errorf("zone %s of none", v.Zone)
	}
	must[*fly.Volume](t)(create(t, c, "syd", true)) // another region has zones of its own
	f.HostDown(zones[0], true)
	if v := must[*fly.Volume](t)(create(t, c, "ams", false)); v.Zone != zones[1] {
		t.Errorf("a volume on a host that is down")
	}
}

func TestCapacity(t *testing.T) {
	f, c := start(t)
	f.SetCapacity("ams", 1)
	must[*fly.Volume](t)(create(t, c, "ams", true))
	for region, want := range map[string]error{"ams": flyapi.ErrCapacity, "xxx": flyapi.ErrRefused, "waw": flyapi.ErrRefused} {
		if _, err := create(t, c, region, true); !errors.Is(err, want) {
			t.Errorf("%s: %v", region, err)
		}
	}
	if got := len(f.AppVolumes("shop")); got != 1 {
		t.Errorf("%d volumes", got)
	}
	regions := must[[]fly.Region](t)(c.Regions(t.Context()))
	if len(regions) < 10 || !slices.IsSortedFunc(regions, func(a, b fly.Region) int { return strings.Compare(a.Code, b.Code) }) {
		t.Errorf("regions %v", regions)
	}
}

// TestVolumeRules are what Fly refuses.
func TestVolumeRules(t *testing.T) {
	f, c := start(t)
	ctx := t.Context()
	v := must[*fly.Volume](t)(create(t, c, "ams", true))
	if v.SizeGb != 1 || v.SnapshotRetention != 5 || !v.AutoBackupEnabled || v.State != "created" || !v.CreatedAt.Equal(f.Now()) || v.HostStatus != "ok" {
		t.Errorf("a new volume is %+v", v)
	}
	m := must[*fly.Machine](t)(launch(t, c, "one", fly.MachineMount{Volume: v.ID, Path: "/data"}))
	if err := c.DeleteVolume(ctx, v.ID); !errors.Is(err, flyapi.ErrConflict) {
		t.Errorf("delete an attached one: %v", err)
	}
	if _, restart, err := c.ExtendVolume(ctx, v.ID, 5); err != nil || !restart {
		t.Errorf("extend: %v, restart %v", err, restart)
	}
	if _, _, err := c.ExtendVolume(ctx, v.ID, 4); !errors.Is(err, flyapi.ErrRefused) {
		t.Errorf("shrink: %v", err)
	}
	if _, err := launch(t, c, "two", fly.MachineMount{Volume: v.ID, Path: "/data"}); !errors.Is(err, flyapi.ErrRefused) {
		t.Errorf("a second machine on a volume: %v", err)
	}
	syd := must[*fly.Volume](t)(create(t, c, "syd", true))
	if _, err := launch(t, c, "two", fly.MachineMount{Volume: syd.ID, Path: "/data"}); err == nil || !strings.Contains(err.Error(), "wrong region") {
		t.Errorf("a machine in another region than its volume: %v", err)
	}
	retention, off := 30, false
	got := must[*fly.Volume](t)(c.UpdateVolume(ctx, v.ID, fly.UpdateVolumeRequest{SnapshotRetention: &retention, AutoBackupEnabled: &off}))
	if got.SnapshotRetention != 30 || got.AutoBackupEnabled || got.SizeGb != 5 || got.AttachedMachine == nil || *got.AttachedMachine != m.ID {
		t.Errorf("updated: %+v", got)
	}
	if err := c.Destroy(ctx, m.ID, false, ""); !errors.Is(err, flyapi.ErrConflict) {
		t.Errorf("destroy a running machine: %v", err)
	}
	if err := c.Destroy(ctx, m.ID, true, ""); err != nil {
		t.Error(err)
	}
	if err := c.DeleteVolume(ctx, v.ID); err != nil {
		t.Error(err)
	}
	if list := must[[]fly.Volume](t)(c.Volumes(ctx)); len(list) != 1 || list[0].ID != syd.ID {
		t.Errorf("left: %+v", list)
	}
}

func TestSnapshots(t *testing.T) {
	f, c := start(t)
	v := f.AddVolume("shop", fly.Volume{Name: "data", Region: "ams"})
	f.AddSnapshot(v.ID, "created", 24*time.Hour)
	if err := c.CreateSnapshot(t.Context(), v.ID); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"waiting", "created"} {
		got := must[[]fly.VolumeSnapshot](t)(c.Snapshots(t.Context(), v.ID))
		if len(got) != 2 || got[0].Status != want || !got[0].CreatedAt.Equal(f.Now()) || f.Now().Sub(got[1].CreatedAt).Round(time.Second) != 24*time.Hour {
			t.Errorf("snapshots %+v, want the newest %s", got, want)
		}
	}
}

// TestStates: a machine goes on as it is looked at.
func TestStates(t *testing.T) {
	f, c := start(t)
	ctx := t.Context()
	m := must[*fly.Machine](t)(launch(t, c, "one"))
	states := []string{m.State}
	for range 3 {
		states = append(states, must[*fly.Machine](t)(c.Machine(ctx, m.ID)).State)
	}
	if got := fmt.Sprint(states); got != "[created created starting started]" {
		t.Errorf("states %v", got)
	}
	if err := c.Stop(ctx, fly.StopMachineInput{ID: m.ID}, ""); err != nil {
		t.Error(err)
	}
	if err := c.Wait(ctx, m.ID, "stopped", time.Second); err != nil {
		t.Error(err)
	}
	updated := must[*fly.Machine](t)(c.Update(ctx, fly.LaunchMachineInput{ID: m.ID, Config: &fly.MachineConfig{Image: "registry.fly.io/shop:v2@sha256:12"}}, ""))
	if updated.InstanceID == m.InstanceID || updated.ImageRef.Tag != "v2" || updated.ImageRef.Digest != "sha256:12" || updated.ImageRef.Repository != "shop" {
		t.Errorf("updated: %+v", updated)
	}
	if err := c.Wait(ctx, m.ID, "started", time.Second); err != nil {
		t.Error(err)
	}
	if _, err := launch(t, c, "one"); !errors.Is(err, flyapi.ErrConflict) {
		t.Errorf("a name twice: %v", err)
	}
	if err := c.Destroy(ctx, m.ID, true, ""); err != nil {
		t.Error(err)
	}
	if list := must[[]*fly.Machine](t)(c.Machines(ctx)); len(list) != 0 {
		t.Errorf("left: %+v", list)
	}
	f.Fail("Launch", fakefly.StuckCreated)
	m = must[*fly.Machine](t)(launch(t, c, "two"))
	if err := c.Wait(ctx, m.ID, "started", time.Second); !errors.Is(err, flyapi.ErrNotYet) {
		t.Errorf("stuck: %v", err)
	}
}

func TestHostDown(t *testing.T) {
	f, c := start(t)
	v := must[*fly.Volume](t)(create(t, c, "ams", true))
	m := must[*fly.Machine](t)(launch(t, c, "one", fly.MachineMount{Volume: v.ID, Path: "/data"}))
	f.HostDown(v.Zone, true)
	got := must[*fly.Machine](t)(c.Machine(t.Context(), m.ID))
	if got.HostStatus != fly.HostStatusUnreachable || got.Config != nil || got.GetConfig() == nil {
		t.Errorf("machine %+v", got)
	}
	if got := must[*fly.Volume](t)(c.Volume(t.Context(), v.ID)); got.HostStatus != "unreachable" {
		t.Errorf("volume %+v", got)
	}
	if err := c.Stop(t.Context(), fly.StopMachineInput{ID: m.ID}, ""); !errors.Is(err, flyapi.ErrConflict) {
		t.Errorf("stop: %v", err)
	}
}

// TestLeases: who has a lease alone changes the machine, until it ends.
func TestLeases(t *testing.T) {
	f, c := start(t)
	ctx := t.Context()
	m := f.AddMachine("shop", fly.Machine{Region: "ams"})
	lease := must[*flyapi.Lease](t)(c.AcquireLease(ctx, m.ID, 30*time.Second))
	if !lease.Expires.Equal(f.Now().Add(30 * time.Second).Truncate(time.Second)) {
		t.Errorf("lease %+v", lease)
	}
	if _, err := c.AcquireLease(ctx, m.ID, time.Minute); !errors.Is(err, flyapi.ErrConflict) {
		t.Errorf("twice: %v", err)
	}
	if err := c.Cordon(ctx, m.ID, ""); !errors.Is(err, flyapi.ErrConflict) || f.Cordoned(m.ID) {
		t.Errorf("without the nonce: %v", err)
	}
	if err := c.Cordon(ctx, m.ID, lease.Nonce); err != nil || !f.Cordoned(m.ID) {
		t.Errorf("with it: %v", err)
	}
	f.Advance(20 * time.Second)
	must[*flyapi.Lease](t)(c.RefreshLease(ctx, m.ID, lease.Nonce, 30*time.Second))
	f.Advance(20 * time.Second)
	if got := must[*flyapi.Lease](t)(c.Lease(ctx, m.ID)); got == nil || got.Nonce != lease.Nonce {
		t.Errorf("kept: %+v", got)
	}
	f.Advance(20 * time.Second)
	if got := must[*flyapi.Lease](t)(c.Lease(ctx, m.ID)); got != nil {
		t.Errorf("ended: %+v", got)
	}
	if err := c.Uncordon(ctx, m.ID, ""); err != nil {
		t.Error(err)
	}
	f.HoldLease(m.ID, "deploy", time.Minute)
	if got := must[*flyapi.Lease](t)(c.Lease(ctx, m.ID)); got == nil || got.Owner != "deploy" {
		t.Errorf("held: %+v", got)
	}
}

func TestEventualListing(t *testing.T) {
	f, c := start(t)
	f.EventualListing(2)
	v := must[*fly.Volume](t)(create(t, c, "ams", true))
	for _, want := range []int{0, 0, 1} {
		if got := must[[]fly.Volume](t)(c.Volumes(t.Context())); len(got) != want {
			t.Errorf("%d volumes are listed, want %d", len(got), want)
		}
	}
	must[*fly.Volume](t)(c.Volume(t.Context(), v.ID))
}

// TestFaultOrder: skip, times, always, and the calls that a fault is not for.
func TestFaultOrder(t *testing.T) {
	f, c := start(t)
	f.Fail("App", fakefly.Forbidden.Skip(1).Times(2), fakefly.NotFound, fakefly.Unauthorized.Always())
	f.Fail("*", fakefly.Answer(422, "any"))
	var got []string
	for range 7 {
		_, err := c.App(t.Context())
		kind := "none"
		for name, is := range map[string]error{"403": flyapi.ErrForbidden, "404": flyapi.ErrNotFound, "401": flyapi.ErrToken, "422": flyapi.ErrRefused} {
			if errors.Is(err, is) {
				kind = name
			}
		}
		got = append(got, kind)
	}
	// The first is let pass by its own faults, so it is the one that befalls every call.
	if want := "[422 403 403 404 401 401 401]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	f.Heal()
	if _, err := c.App(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestTogether: many at once get ids of their own, and the journal has all.
func TestTogether(t *testing.T) {
	f, c := start(t)
	f.SetHosts("ams", 1)
	const n = 20
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if _, err := create(t, c, "ams", false); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	ids := map[string]bool{}
	for _, v := range f.AppVolumes("shop") {
		ids[v.ID] = true
	}
	if len(ids) != n || f.Calls()["CreateVolume"] != n || len(f.Writes()) != n {
		t.Errorf("%d ids, calls %v", len(ids), f.Calls())
	}
}

// TestDeterministic: the same calls make the same ids.
func TestDeterministic(t *testing.T) {
	run := func() string {
		f, c := start(t)
		v := must[*fly.Volume](t)(create(t, c, "ams", true))
		m := must[*fly.Machine](t)(launch(t, c, "", fly.MachineMount{Name: "data", Path: "/data"}))
		if m.Config.Mounts[0].Volume != v.ID {
			t.Errorf("a mount by name took %q", m.Config.Mounts[0].Volume)
		}
		data, err := json.Marshal([]any{v, m, f.Journal()})
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if a, b := run(), run(); !strings.Contains(a, `"vol_`) || a != b {
		t.Errorf("first %s\nthen %s", a, b)
	}
}

// TestNode: a machine's LiteFS answers at its private address.
func TestNode(t *testing.T) {
	f, c := start(t)
	for i := range 2 {
		m := f.AddMachine("shop", fly.Machine{Region: "ams"})
		err := f.ServeNode(m.ID, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, i, r.URL.Path) }))
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, m := range must[[]*fly.Machine](t)(c.Machines(t.Context())) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+net.JoinHostPort(m.PrivateIP, fmt.Sprint(fakefly.LiteFSPort))+"/info", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != fmt.Sprint(i, "/info") {
			t.Errorf("%s said %q, %v", m.PrivateIP, body, err)
		}
	}
}

// TestExec: a command is answered by the test, which may ask the fake meanwhile.
func TestExec(t *testing.T) {
	f, c := start(t)
	m := f.AddMachine("shop", fly.Machine{Region: "ams"})
	if got := must[*fly.MachineExecResponse](t)(c.Exec(t.Context(), m.ID, "flysql-entrypoint --status", time.Second)); got.ExitCode != 127 {
		t.Errorf("%+v", got)
	}
	f.OnExec(func(m *fly.Machine, command string) fly.MachineExecResponse {
		return fly.MachineExecResponse{StdOut: fmt.Sprint(m.Region, " ", command, " ", len(f.AppMachines("shop")))}
	})
	if got := must[*fly.MachineExecResponse](t)(c.Exec(t.Context(), m.ID, "x --json", time.Second)); got.StdOut != "ams x --json 1" {
		t.Errorf("%+v", got)
	}
}

// TestReadToken changes nothing.
func TestReadToken(t *testing.T) {
	f := fakefly.Start(t)
	f.AddApp("shop", "personal")
	c, err := flyapi.New(flyapi.Config{Token: flyapi.NewToken("test", fakefly.ReadToken), App: "shop", BaseURL: f.URL(), Speed: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Volumes(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := create(t, c, "ams", true); !errors.Is(err, flyapi.ErrForbidden) || len(f.AppVolumes("shop")) != 0 {
		t.Errorf("%v", err)
	}
}

// TestCloseWhileSlow: a fake that ends lets nobody wait.
func TestCloseWhileSlow(t *testing.T) {
	f, c := start(t)
	asked := make(chan struct{})
	f.Fail("CreateVolume", fakefly.Slow(time.Hour).When(func() { close(asked) }))
	ended := make(chan error)
	go func() {
		_, err := create(t, c, "ams", true)
		ended <- err
	}()
	<-asked
	f.Close()
	if err := <-ended; !errors.Is(err, flyapi.ErrUnknown) {
		t.Errorf("it is %v", err)
	}
}

// TestLimits: three at once, then one a second.
func TestLimits(t *testing.T) {
	f, c := start(t)
	f.LimitRates(nil)
	f.Fail("Volumes", fakefly.Before(func() {}).Times(3), fakefly.Before(func() { f.Advance(400 * time.Millisecond) }).Always())
	for range 3 {
		must[[]fly.Volume](t)(c.Volumes(t.Context()))
	}
	statuses := func(n int) (s []int) {
		for range n {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL()+"/v1/apps/shop/volumes", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", fakefly.Token)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			s = append(s, resp.StatusCode)
		}
		return s
	}
	if got := fmt.Sprint(statuses(6)); got != "[429 429 200 429 200 429]" {
		t.Errorf("statuses %v", got)
	}
}
