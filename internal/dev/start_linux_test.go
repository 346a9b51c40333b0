package dev_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/testkit"
)

// closing closes a session; end is when it is to hurry.
func closing(t *testing.T, s *dev.Session) (closed <-chan error, end context.CancelFunc) {
	ctx, end := context.WithCancel(context.Background())
	t.Cleanup(end)
	done := make(chan error, 1)
	go func() { done <- s.Close(ctx) }()
	return done, end
}

// An app that crashes in one region is served by the others, and says why.
func TestOneRegionFails(t *testing.T) {
	t.Parallel()
	o := shop(t)
	o.Env = []string{"CRASH=syd"}
	s, r := start(t, o)
	gets(t, s, "ord", "one ord")
	gets(t, s, "syd", "one ord")
	m := machine(t, s, "syd1")
	if m.Healthy || !strings.Contains(m.Error, "exit status 3") || !strings.Contains(m.Error, "the tables are gone") {
		t.Errorf("%+v", m)
	}
	if s.State().Ready {
		t.Error("all machines have served")
	}
	if !strings.Contains(r.lines("syd1"), "exit status 3") {
		t.Errorf("syd1 printed %s", r.lines("syd1"))
	}
}

// What does not run at all is an error, with what was printed last, and nothing is left.
func TestNothingServes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, env, want string
	}{
		{"ends", "CRASH=ord ams syd", "machine ord1: it ended before it served: exit status 3\n"},
		{"never listens", "DEAF=1", "it did not serve within 3s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := shop(t)
			o.Env, o.BootWait = []string{tt.env}, 3*time.Second
			if tt.name == "never listens" {
				o.Regions = []string{"ord"}
			}
			nothingLeft(t, o)
			_, err := dev.Start(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "shop one in ord") {
				t.Errorf("%v", err)
			}
		})
	}
}

// A build that fails starts nothing, and shows what the compiler says.
func TestBuildFails(t *testing.T) {
	t.Parallel()
	o := shop(t)
	o.Command = nil
	writeFile(t, filepath.Join(o.Dir, "main.go"), "package main\n\nfunc main() { nothing() }\n")
	nothingLeft(t, o)
	_, err := dev.Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "go build: exit status 1\n") || !strings.Contains(err.Error(), "./main.go:3:15: undefined: nothing") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(o.Dir, ".flysql/dev/machines")); err == nil {
		t.Error("machines were made")
	}
}

// The end of ctx ends a start wherever it is, and the port is free again.
func TestStartIsCancelled(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"building", "booting"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			o := shop(t)
			o.Env = []string{"DEAF=1"}
			if at == "building" {
				o.Command = nil
			}
			nothingLeft(t, o)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			address := ""
			_, err := dev.Start(ctx, o, func(ev dev.Event) {
				if ev.State != nil {
					address = strings.TrimPrefix(ev.State.URL, "http://")
				}
				if at == "building" && ev.State != nil && ev.State.Doing == at || ev.Log != nil && strings.Contains(ev.Log.Line, "shop one in") {
					cancel(fmt.Errorf("cancelled while it is %s", at))
				}
			})
			if err == nil || !strings.Contains(err.Error(), "cancelled while it is "+at) {
				t.Errorf("%v", err)
			}
			if c, err := net.Dial("tcp", address); err == nil {
				c.Close()
				t.Errorf("somebody still listens at %s", address)
			}
		})
	}
}

// When ctx ends, Close does not wait for what a machine is given to end.
func TestCloseKills(t *testing.T) {
	t.Parallel()
	o := shop(t)
	o.Env = []string{"STUBBORN=1"}
	s, _ := start(t, o)
	begun := time.Now()
	closed, end := closing(t, s)
	testkit.Poll(t, "the first machine to be stopped", func() bool {
		for _, m := range s.State().Machines {
			if m.State != "started" {
				return true
			}
		}
		return false
	})
	end()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 15*time.Second { // kill_timeout is 20 s for each of three
		t.Errorf("it took %v", took)
	}
}

// A start that is given up stops what serves already, and kills that when it is to hurry.
func TestStartIsKilled(t *testing.T) {
	t.Parallel()
	o := shop(t)
	o.Env = []string{"STUBBORN=1"}
	nothingLeft(t, o)
	kill := make(chan struct{})
	o.Kill = kill
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var begun time.Time
	_, err := dev.Start(ctx, o, func(ev dev.Event) {
		if ev.State == nil || !begun.IsZero() {
			return
		}
		for _, m := range ev.State.Machines {
			if m.Healthy && begun.IsZero() { // the others have just begun
				begun = time.Now()
				cancel()
				close(kill)
			}
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if took := time.Since(begun); took > 15*time.Second { // kill_timeout is 20 s
		t.Errorf("it took %v", took)
	}
}

// One directory has one session; the page is below its prefix, for every region, and is not
// among the requests.
func TestPageAndDirectory(t *testing.T) {
	t.Parallel()
	o := shop(t)
	o.Regions = []string{"ord"}
	o.Page = func(s *dev.Session) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "page of ", s.State().App) })
	}
	s, r := start(t, o)
	for path, want := range map[string]string{"/_flysql": "page of shop", "/_flysql/events": "page of shop", "/_flysqlx": "one ord"} {
		if status, body := visit(t, s, "ord").do("GET", path, nil); status != 200 || body != want {
			t.Errorf("%s: %d %q, want %q", path, status, body, want)
		}
	}
	testkit.Poll(t, "the app's request", func() bool { return len(r.ways("GET", "ord")) == 1 })

	_, err := dev.Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "is in use by another flysql dev") {
		t.Errorf("two in one directory: %v", err)
	}
	o.StateDir = filepath.Join(t.TempDir(), "other")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL(""), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(port, &o.Port); err != nil {
		t.Fatal(err)
	}
	_, err = dev.Start(t.Context(), o)
	if want := fmt.Sprintf("port %s is taken by dev.test (pid %d)", port, os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a port that is taken: %v", err)
	}
}
