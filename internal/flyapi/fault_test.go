package flyapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
	fly "github.com/superfly/fly-go"
)

// kinds are all that an error can be.
var kinds = map[string]error{
	"token": flyapi.ErrToken, "forbidden": flyapi.ErrForbidden, "not found": flyapi.ErrNotFound, "conflict": flyapi.ErrConflict,
	"refused": flyapi.ErrRefused, "rate limited": flyapi.ErrRateLimited, "capacity": flyapi.ErrCapacity, "unavailable": flyapi.ErrUnavailable,
	"unknown": flyapi.ErrUnknown, "not yet": flyapi.ErrNotYet, "canceled": context.Canceled, "deadline": context.DeadlineExceeded,
}

func kindsOf(err error) string {
	var is []string
	for name, kind := range kinds {
		if errors.Is(err, kind) {
			is = append(is, name)
		}
	}
	slices.Sort(is)
	return strings.Join(is, ", ")
}

// TestFaults meets every fault in a read and in a write: of what kind the error is, how
// often the request was sent, and how many volumes there are.
func TestFaults(t *testing.T) {
	tests := []struct {
		name                  string
		fault                 fakefly.Fault
		read, write           string // kinds
		readSends, writeSends int
		made                  int // volumes, by the write
	}{
		{"502", fakefly.BadGateway, "unavailable", "unavailable, unknown", 4, 1, 0},
		{"502AfterSuccess", fakefly.BadGatewayAfterSuccess, "unavailable", "unavailable, unknown", 4, 1, 1},
		{"500", fakefly.ServerError, "unavailable", "unavailable, unknown", 4, 1, 0},
		{"503", fakefly.Unavailable, "unavailable", "unavailable, unknown", 4, 1, 0},
		{"504", fakefly.Answer(504, "gateway timeout"), "unavailable", "unavailable, unknown", 4, 1, 0},
		{"408", fakefly.Answer(408, "timeout"), "unavailable", "unavailable, unknown", 4, 1, 0},
		{"Drop", fakefly.Drop, "unavailable", "unavailable, unknown", 4, 1, 0},
		{"DropAfterSuccess", fakefly.DropAfterSuccess, "unavailable", "unavailable, unknown", 4, 1, 1},
		{"Garbage", fakefly.Garbage, "unavailable", "unavailable, unknown", 1, 1, 1},
		{"429", fakefly.RateLimited, "rate limited", "rate limited", 6, 6, 0},
		{"429Long", fakefly.RateLimited.RetryAfter(3600), "rate limited", "rate limited", 1, 1, 0},
		{"401", fakefly.Unauthorized, "token", "token", 1, 1, 0},
		{"403", fakefly.Forbidden, "forbidden", "forbidden", 1, 1, 0},
		{"404", fakefly.NotFound, "not found", "not found", 1, 1, 0},
		{"409", fakefly.Answer(409, "aborted: lease currently held by x"), "conflict", "conflict", 1, 1, 0},
		{"412", fakefly.Answer(412, "failed_precondition"), "conflict", "conflict", 1, 1, 0},
		{"422", fakefly.Answer(422, "name is invalid"), "refused", "refused", 1, 1, 0},
		{"302", fakefly.Answer(302, ""), "refused", "refused", 1, 1, 0},
		{"NoCapacity", fakefly.NoCapacity, "capacity", "capacity", 1, 1, 0},
		// As they have been seen on Fly: by the words, whatever the status.
		{"Capacity400", fakefly.Answer(400, "no capacity"), "capacity", "capacity", 1, 1, 0},
		{"Capacity403", fakefly.Answer(403, "over the allowed quota"), "capacity", "capacity", 1, 1, 0},
		{"Capacity409", fakefly.Answer(409, "aborted: could not reserve resource for machine: insufficient memory available to fulfill request"), "capacity", "capacity", 1, 1, 0},
		{"Capacity412", fakefly.Answer(412, "insufficient resources to create new machine with existing volume"), "capacity", "capacity", 1, 1, 0},
		{"Capacity503", fakefly.Answer(503, "no capacity available in ams"), "capacity", "capacity", 1, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake, c := start(t)
			fake.Fail("Volumes", tt.fault.Always())
			fake.Fail("CreateVolume", tt.fault.Always())
			_, read := c.Volumes(t.Context())
			if got := kindsOf(read); got != tt.read {
				t.Errorf("a read is %q, want %q: %v", got, tt.read, read)
			}
			_, write := c.CreateVolume(t.Context(), fly.CreateVolumeRequest{Name: "data", Region: "ams", SizeGb: ptr(1)})
			if got := kindsOf(write); got != tt.write {
				t.Errorf("a write is %q, want %q: %v", got, tt.write, write)
			}
			if got := fake.Calls(); got["Volumes"] != tt.readSends || got["CreateVolume"] != tt.writeSends {
				t.Errorf("the read was sent %d times, want %d; the write %d, want %d", got["Volumes"], tt.readSends, got["CreateVolume"], tt.writeSends)
			}
			if got := c.Calls(); got["Volumes"] != tt.readSends || got["CreateVolume"] != tt.writeSends {
				t.Errorf("the client counted %v", got)
			}
			if got := len(fake.AppVolumes("shop")); got != tt.made {
				t.Errorf("there are %d volumes, want %d", got, tt.made)
			}
		})
	}
}

// TestFaultsPass meets faults that pass while a request is tried again.
func TestFaultsPass(t *testing.T) {
	fake, c := start(t)
	fake.Fail("Volumes", fakefly.BadGateway, fakefly.Drop, fakefly.RateLimited)
	if _, err := c.Volumes(t.Context()); err != nil {
		t.Error(err)
	}
	fake.Fail("CreateVolume", fakefly.RateLimited.Times(3))
	if _, err := c.CreateVolume(t.Context(), fly.CreateVolumeRequest{Name: "data", Region: "ams", SizeGb: ptr(2)}); err != nil {
		t.Error(err)
	}
	if got := fake.AppVolumes("shop"); len(got) != 1 || got[0].SizeGb != 2 {
		t.Errorf("volumes %+v: the body is sent again with each try, and one is made", got)
	}
	if got := fake.Calls(); got["Volumes"] != 4 || got["CreateVolume"] != 4 {
		t.Errorf("sent %v", got)
	}
}

// TestEveryCallFails sends each call into a gateway's error: a read is unavailable, of a
// write nobody knows.
func TestEveryCallFails(t *testing.T) {
	for _, call := range everyCall() {
		fake, c := start(t)
		on := someThings(fake)
		fake.Fail(call.name, fakefly.BadGatewayAfterSuccess.Always())
		want, sends := "unavailable, unknown", 1
		if call.reads {
			want, sends = "unavailable", flyapi.ReadTries
		}
		err := call.make(t.Context(), c, on)
		if got := kindsOf(err); got != want {
			t.Errorf("%s is %q, want %q: %v", call.name, got, want, err)
		}
		if got := c.Calls()[call.name]; got != sends || got != fake.Calls()[call.name] {
			t.Errorf("%s was sent %d times, the fake counted %d, want %d", call.name, got, fake.Calls()[call.name], sends)
		}
		var e *flyapi.Error
		if !errors.As(err, &e) || e.Call != call.name || e.Status != http.StatusBadGateway || e.Hint == "" {
			t.Errorf("%s: error %+v", call.name, e)
		}
	}
}

// TestEveryCallWorks makes each call once, and each is one request.
func TestEveryCallWorks(t *testing.T) {
	fake, c := start(t)
	on := someThings(fake)
	ctx := t.Context()
	for _, call := range everyCall() {
		if err := call.make(ctx, c, on); err != nil {
			t.Fatalf("%s: %v", call.name, err)
		}
		if call.name == "AcquireLease" {
			lease, err := c.Lease(ctx, on.machine)
			if err != nil {
				t.Fatal(err)
			}
			ctx = context.WithValue(ctx, nonceKey{}, lease.Nonce)
			fake.ForgetJournal()
		}
	}
	for name, n := range fake.Calls() {
		if n != 1 {
			t.Errorf("%s was sent %d times", name, n)
		}
	}
}

// TestNothingAnswers: where no connection was made, a write was not done.
func TestNothingAnswers(t *testing.T) {
	fake, c := start(t)
	fake.Close()
	_, err := c.CreateVolume(t.Context(), fly.CreateVolumeRequest{Name: "data", Region: "ams"})
	if got := kindsOf(err); got != "unavailable" {
		t.Errorf("it is %q: %v", got, err)
	}
}

// TestNoAnswer: an API that takes a request and says nothing.
func TestNoAnswer(t *testing.T) {
	fake, _ := start(t)
	silent := roundTripper(func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	})
	synctest.Test(t, func(t *testing.T) {
		c, err := flyapi.NewOver(config(fake), silent)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = c.Volumes(t.Context())
		if got := kindsOf(err); got != "unavailable" || !strings.Contains(err.Error(), "no answer within 30s") {
			t.Errorf("it is %q: %v", got, err)
		}
		if took := time.Since(began); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("four tries of half a minute took %v", took)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

// TestStopped: who stops a write that was sent does not know whether it was done; one that
// was answered is known.
func TestStopped(t *testing.T) {
	reason := errors.New("interrupt")
	tests := []struct {
		name        string
		fault       func(cancel func()) fakefly.Fault
		read, write string // kinds; empty: it has succeeded
	}{
		{"meanwhile", func(cancel func()) fakefly.Fault { return fakefly.Slow(time.Hour).When(cancel) }, "canceled", "canceled, unknown"},
		{"limited", func(cancel func()) fakefly.Fault { return fakefly.RateLimited.RetryAfter(30).When(cancel) }, "canceled", "canceled"},
		{"refused", func(cancel func()) fakefly.Fault { return fakefly.Forbidden.When(cancel) }, "forbidden", "forbidden"},
		{"answered", fakefly.After, "", ""},
	}
	for _, tt := range tests {
		fake, _ := start(t)
		fake.AddMachine("shop", fly.Machine{ID: "m1", Region: "ams"})
		try := func(call string, make func(ctx context.Context, c *flyapi.Client) error) string {
			ctx, cancel := context.WithCancelCause(t.Context())
			fake.Heal()
			fake.Fail(call, tt.fault(func() { cancel(reason) }))
			// Not over a network, which may lose an answer that has come when ctx ends.
			c, err := flyapi.NewOver(config(fake), carried{to: fake})
			if err != nil {
				t.Fatal(err)
			}
			err = make(ctx, c)
			if errors.Is(err, context.Canceled) && !errors.Is(err, reason) {
				t.Errorf("%s: %v does not tell the reason", tt.name, err)
			}
			if err := make(ctx, c); kindsOf(err) != "canceled" || c.Calls()[call] != 1 {
				t.Errorf("%s: what was never sent is %q, calls %v", tt.name, kindsOf(err), c.Calls())
			}
			return kindsOf(err)
		}
		if got := try("Volumes", func(ctx context.Context, c *flyapi.Client) error { return discard(c.Volumes(ctx)) }); got != tt.read {
			t.Errorf("%s: a read is %q, want %q", tt.name, got, tt.read)
		}
		if got := try("Cordon", func(ctx context.Context, c *flyapi.Client) error { return c.Cordon(ctx, "m1", "") }); got != tt.write {
			t.Errorf("%s: a write is %q, want %q", tt.name, got, tt.write)
		}
	}
}

// TestHostile: answers that are none.
func TestHostile(t *testing.T) {
	for _, body := range []string{"", "null", "{}", "[]", "[null]", `"x"`, `{"regions":7}`, "[{\"id\":7}]", strings.Repeat("[", 10000), "<html>"} {
		answer := roundTripper(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: readCloser{strings.NewReader(body)}, Request: req}, nil
		})
		fake, _ := start(t)
		on := someThings(fake)
		for _, call := range everyCall() {
			c, err := flyapi.NewOver(config(fake), answer)
			if err != nil {
				t.Fatal(err)
			}
			err = call.make(t.Context(), c, on)
			if err != nil && kindsOf(err) != "unavailable" && kindsOf(err) != "unavailable, unknown" {
				t.Errorf("%s of %.20q is %q: %v", call.name, body, kindsOf(err), err)
			}
			if err == nil && slices.Contains([]string{"CreateVolume", "Launch", "Update", "AcquireLease", "App", "Machine", "Volume", "ExtendVolume"}, call.name) {
				t.Errorf("%s takes %.20q for an answer", call.name, body)
			}
		}
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// TestTooLong: an answer without an end is given up.
func TestTooLong(t *testing.T) {
	fake, _ := start(t)
	c, err := flyapi.NewOver(config(fake), roundTripper(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: endless{}, Request: req}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	err = c.CreateSnapshot(t.Context(), "vol_1")
	if got := kindsOf(err); got != "unavailable, unknown" || !strings.Contains(err.Error(), "longer than 64 MB") {
		t.Errorf("it is %q: %v", got, err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
func (endless) Close() error { return nil }

// TestMessages are what a user reads.
func TestMessages(t *testing.T) {
	fake := fakefly.Start(t)
	fake.AddApp("shop", "personal")
	fake.AddApp("guestbook", "acme")
	on := someThings(fake)
	fake.HoldLease(on.machine, "deploy@example.com", time.Minute)
	read := func(app, org, token string) func() error {
		c := config(fake)
		c.App, c.Org, c.Token = app, org, flyapi.NewToken("FLY_API_TOKEN", token)
		return func() error { return discard(clientOf(t, c).Volumes(t.Context())) }
	}
	c := clientOf(t, config(fake))
	tests := []struct {
		name string
		do   func() error
		want []string
	}{
		{"near", read("shpo", "", fakefly.Token), []string{"list volumes of shpo: there is no app shpo that this token may see", "did you mean shop?"}},
		{"far", read("blog", "acme", fakefly.Token), []string{"organization acme has guestbook"}},
		{"none", read("blog", "nobody", fakefly.Token), []string{"fly apps list shows those there are"}},
		{"token", read("shop", "", "fm2_another"), []string{"(status 401, request ", "the token (FLY_API_TOKEN) is not accepted, or not for app shop", "fly auth login"}},
		{"rights", func() error {
			cfg := config(fake)
			cfg.Token = flyapi.NewToken("FLY_ACCESS_TOKEN", fakefly.ReadToken)
			return clientOf(t, cfg).CreateSnapshot(t.Context(), on.volume)
		}, []string{"snapshot volume " + on.volume + ": forbidden", "the token (FLY_ACCESS_TOKEN) has no right to it"}},
		{"lease", func() error { return c.Stop(t.Context(), fly.StopMachineInput{ID: on.machine}, "") },
			[]string{"stop machine " + on.machine, "lease currently held by deploy@example.com", "maybe a deploy"}},
		{"volume", func() error { return discard(c.Volume(t.Context(), "vol_gone")) }, []string{"show volume vol_gone: volume not found", "it is gone, or belongs to another app"}},
		{"notTheApp", func() error {
			fake.Fail("Launch", fakefly.Answer(404, "volume vol_x not found"))
			return discard(c.Launch(t.Context(), fly.LaunchMachineInput{Region: "ams"}))
		}, []string{"create a machine in ams: volume vol_x not found (status 404, request ", "it is gone, or belongs to another app"}},
		{"state", func() error { return c.Destroy(t.Context(), on.running, false, "") }, []string{"not currently stopped", "see what it is now"}},
		{"id", func() error { return c.DeleteVolume(t.Context(), "../../apps/shop") }, []string{`"../../apps/shop" is no id of a machine or volume`}},
		{"noID", func() error { return c.DeleteVolume(t.Context(), "") }, []string{"no id of a machine or volume"}},
		{"key", func() error { return c.SetMetadata(t.Context(), on.machine, "a/b", "") }, []string{`key "a/b"`}},
		{"unknown", func() error {
			fake.Fail("CreateVolume", fakefly.BadGateway)
			return discard(c.CreateVolume(t.Context(), fly.CreateVolumeRequest{Name: "data", Region: "ams"}))
		}, []string{"create volume data in ams: bad gateway (status 502, request ", "it may have been done or not"}},
		{"elsewhere", func() error {
			fake.Fail("App", fakefly.Answer(307, ""))
			return discard(c.App(t.Context()))
		}, []string{"show app shop: the API sends elsewhere, which is not followed"}},
	}
	for _, tt := range tests {
		err := tt.do()
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant %q in it", tt.name, err, want)
			}
		}
		if err != nil && strings.ContainsAny(fmt.Sprint(err), "\n\x1b") {
			t.Errorf("%s: more than one plain line: %q", tt.name, err)
		}
	}
	if _, err := c.Volumes(t.Context()); err != nil {
		t.Error(err)
	}
}
