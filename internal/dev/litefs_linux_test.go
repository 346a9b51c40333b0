package dev_test

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/testkit"
)

// regions is the example of three regions, whose image has LiteFS.
func regions(t *testing.T) dev.Options {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dev.Options{
		Dir: root, Config: "examples/regions/fly.toml", StateDir: filepath.Join(t.TempDir(), "dev"),
		Regions: []string{"ord", "ams", "syd"}, Latency: "10ms", Entrypoint: program(t, "flysql-entrypoint"),
	}
}

// signs signs the guestbook, and reads it again.
func signs(t *testing.T, s *dev.Session, region, message string) {
	t.Helper()
	v := visit(t, s, region)
	if status, body := v.do("POST", "/messages", url.Values{"name": {"V"}, "message": {message}}); status != 303 {
		t.Fatalf("sign by way of %s: %d %s", region, status, body)
	}
	if status, body := v.do("GET", "/messages.json", nil); status != 200 || !strings.Contains(body, message) {
		t.Fatalf("read by way of %s: %d %s", region, status, body)
	}
}

// The example in three regions: what is where, which way requests take, and what the
// actions do; then the same directory as one machine, without LiteFS.
func TestThreeRegions(t *testing.T) {
	t.Parallel()
	o := regions(t)
	o.LiteFS = testkit.LiteFS(t)
	s, r := start(t, o)
	st := s.State()
	if st.App != "flysql-regions" || st.Engine != dev.EngineLiteFS || st.Why != "" || !st.Ready || st.Primary != "ams1" || st.Region != "ams" || st.Latency != "10ms" || st.URL != s.URL("") {
		t.Errorf("%+v", st)
	}
	for i, want := range []struct{ region, role string }{{"ams", "primary"}, {"ord", "replica"}, {"syd", "replica"}} {
		m, region := st.Machines[i], st.Regions[i]
		if m.ID != want.region+"1" || m.Role != want.role || !m.Healthy || m.PID == 0 || len(m.Checks) != 1 || !m.Checks[0].Passing {
			t.Errorf("%+v", m)
		}
		if region.Code != want.region || region.URL != s.URL(want.region) || region.Lat == 0 {
			t.Errorf("%+v", region)
		}
	}

	for _, region := range []string{"ams", "ord", "syd"} {
		signs(t, s, region, "from "+region)
	}
	const way = "edge syd -> syd1 replica -> replay -> ams1 primary"
	testkit.Poll(t, "the way from syd", func() bool { return slices.Contains(r.ways("POST", "syd"), way) })
	testkit.Poll(t, "all to have all", func() bool {
		return !slices.ContainsFunc(s.State().Machines, func(m dev.Machine) bool {
			return len(m.Databases) != 1 || m.Databases[0].Behind == nil || *m.Databases[0].Behind != 0 || m.LagMS == nil || m.Memory == 0
		})
	})

	if err := s.Kill("syd1"); err != nil {
		t.Error(err)
	}
	if m := machine(t, s, "syd1"); m.State != "stopped" || m.Role != "" || m.PID != 0 || m.Error != "" {
		t.Errorf("a machine that was killed: %+v", m)
	}
	if err := s.StartMachine(t.Context(), "syd1"); err != nil {
		t.Error(err)
	}
	signs(t, s, "syd", "syd is back")
	if err := s.HandOff(t.Context(), "syd1"); err == nil || !strings.Contains(err.Error(), "it is no candidate") {
		t.Errorf("a hand-off to a machine that may not lead: %v", err)
	}
	if err := s.Slow("syd", 200*time.Millisecond); err != nil {
		t.Error(err)
	}
	begun := time.Now()
	visit(t, s, "syd").do("GET", "/healthz", nil)
	if took := time.Since(begun); took < 400*time.Millisecond || s.State().Regions[2].SlowMS != 200 {
		t.Errorf("slowed by 200 ms each way, it took %v: %+v", took, s.State().Regions[2])
	}
	for _, wrong := range []error{s.Slow("ams", -1), s.Slow("fra", 1), s.Cut("fra", true), s.Kill("fra1")} {
		if wrong == nil {
			t.Error("what cannot be was done")
		}
	}
	if err := s.Slow("syd", 0); err != nil {
		t.Error(err)
	}
	if err := s.Cut("syd", true); err != nil || !s.State().Regions[2].Cut {
		t.Errorf("%v, %+v", err, s.State().Regions[2])
	}
	if err := s.Cut("syd", false); err != nil || s.State().Regions[2].Cut {
		t.Errorf("%v, %+v", err, s.State().Regions[2])
	}
	signs(t, s, "syd", "syd is not cut off")
	if got, want := r.actions(), "kill syd1, -kill syd1, start syd1, -start syd1, handoff syd1, -handoff syd1, slow syd, -slow syd, slow ams, -slow ams, slow syd, -slow syd, cut syd, -cut syd, mend syd, -mend syd"; got != want {
		t.Errorf("actions:\n%s\nwant\n%s", got, want)
	}
	// The primary is the last that gets another build, and the primary still.
	if err := s.Deploy(t.Context()); err != nil {
		t.Error(err)
	}
	if got, want := r.doings(), "building, rolling ord1, rolling syd1, rolling ams1"; !strings.HasSuffix(got, want) {
		t.Errorf("it went %s, want %s", got, want)
	}
	signs(t, s, "ord", "deployed")
	if got := s.State().Primary; got != "ams1" {
		t.Errorf("the primary is %q", got)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A start that ends in the middle leaves nothing mounted.
func TestStartIsCancelledOnLiteFS(t *testing.T) {
	t.Parallel()
	o := regions(t)
	o.LiteFS, o.Command = testkit.LiteFS(t), []string{program(t, "guestbook")}
	nothingLeft(t, o)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	_, err := dev.Start(ctx, o, func(ev dev.Event) {
		if ev.Log != nil && ev.Log.Machine == "syd1" && strings.Contains(ev.Log.Line, "LiteFS mounted to") {
			cancel(errors.New("cancelled while it is mounted"))
		}
	})
	if err == nil || !strings.Contains(err.Error(), "cancelled while it is mounted") {
		t.Errorf("%v", err)
	}
}

// Without LiteFS, the same app runs on one machine, and says why.
func TestOneMachine(t *testing.T) {
	t.Parallel()
	o := regions(t)
	o.Single, o.Command = true, []string{program(t, "guestbook")}
	s, r := start(t, o)
	st := s.State()
	if st.Engine != dev.EngineVolume || st.Why != "one machine was asked for" || len(st.Machines) != 1 || st.Machines[0].ID != "ams1" || st.Primary != "" || st.Machines[0].Role != "" {
		t.Errorf("%+v", st)
	}
	signs(t, s, "ams", "alone")
	testkit.Poll(t, "its way", func() bool { return slices.Contains(r.ways("POST", "ams"), "edge ams -> ams1") })
	if found, err := filepath.Glob(filepath.Join(o.StateDir, "single/machines/ams1/volume/flysql-regions.db")); err != nil || len(found) != 1 {
		t.Errorf("the database: %v, %v", found, err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	// What was written is there in the next run, and not when it begins anew.
	for _, fresh := range []bool{false, true} {
		o.Fresh = fresh
		s, _ := start(t, o)
		if _, body := visit(t, s, "ams").do("GET", "/messages.json", nil); strings.Contains(body, "alone") == fresh {
			t.Errorf("anew %v: %s", fresh, body)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
