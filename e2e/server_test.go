package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/e2e/fly"
	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/image"
	"github.com/flysql/flysql/e2e/network"
	"github.com/flysql/flysql/e2e/poll"
)

// server is an app on a machine of its own.
type server struct {
	*image.Machine
	*guestbook.Client
	app  fly.App
	port int
	log  *output
}

// machine says what a boot has beside the image and fly.toml.
type machine struct {
	id     string         // FLY_MACHINE_ID; empty is no Fly machine
	volume string         // empty: none is mounted
	place  *network.Place // nil is the host's network, on a port of its own
	env    []string
	args   []string // in place of CMD
}

// start boots and does not wait for anything. The machine is closed with the
// test at the latest.
func start(t *testing.T, img built, m machine) *server {
	t.Helper()
	port, err := fly.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Client: guestbook.New(port), app: img.app, port: port, log: &output{}}
	b := image.Boot{
		Env:    slices.Concat(img.app.Env(port, m.id), m.env),
		Args:   m.args,
		Stdout: s.log, Stderr: s.log,
	}
	if m.volume != "" {
		b.Volumes = map[string]string{img.app.VolumeAt(): m.volume}
	}
	if m.place != nil {
		b.Network, b.Hosts = m.place.Namespace, fmt.Sprintf("127.0.0.1 localhost\n%v %s.vm.%s.internal\n", m.place.Addr, m.id, img.app.App)
	}
	if s.Machine, err = img.Start(testContext(t), b); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the machine: %v", err)
		}
		if t.Failed() {
			t.Logf("the machine on port %d printed:\n%s", port, s.log)
		}
	})
	return s
}

// serve boots and waits until the app answers its health check.
func serve(t *testing.T, img built, m machine) *server {
	t.Helper()
	s := start(t, img, m)
	if err := s.Healthy(testContext(t), img.app.HealthPath(), s.Done()); err != nil {
		t.Fatal(err)
	}
	return s
}

// stop ends the app as Fly does, and wants exit code 0.
func (s *server) stop(t *testing.T) {
	t.Helper()
	code, err := s.Stop(s.app.Signal(), s.app.Grace())
	if err != nil || code != 0 {
		t.Errorf("stopped with %v: exit code %d, error %v, want 0", s.app.Signal(), code, err)
	}
	s.closeNow(t)
}

// kill ends the app with SIGKILL.
func (s *server) kill(t *testing.T) {
	t.Helper()
	if err := s.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if code, err := s.Wait(testContext(t)); err != nil || code != 128+9 {
		t.Errorf("killed: exit code %d, error %v, want %d", code, err, 128+9)
	}
	s.closeNow(t)
}

func (s *server) closeNow(t *testing.T) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close the machine: %v", err)
	}
}

// refused wants a boot that ends without the app: with this exit code, and with
// these words in its log.
func (s *server) refused(t *testing.T, wantCode int, want ...string) {
	t.Helper()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
	err := poll.Until(testContext(t), "the boot to end", func(context.Context) error {
		if c, err := net.Dial("tcp", address); err == nil {
			return poll.Stop(errors.Join(errors.New("the app listens"), c.Close()))
		}
		select {
		case <-s.Done():
			return nil
		default:
			return errors.New("it neither ended nor serves")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	code, err := s.Wait(testContext(t))
	if err != nil || code != wantCode {
		t.Errorf("exit code %d, error %v, want %d", code, err, wantCode)
	}
	for _, w := range want {
		if !strings.Contains(s.log.String(), w) {
			t.Errorf("the log does not have %q", w)
		}
	}
	if strings.Contains(s.log.String(), "msg=app") {
		t.Error("the boot reached the app")
	}
	s.closeNow(t)
}

// sign leaves n messages and returns all there are.
func (s *server) sign(t *testing.T, n int) []guestbook.Message {
	t.Helper()
	for i := range n {
		if _, err := s.Sign(testContext(t), fmt.Sprintf("guest %d", i%3), fmt.Sprintf("message %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	return s.all(t)
}

func (s *server) all(t *testing.T) []guestbook.Message {
	t.Helper()
	rows, err := s.Messages(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// has wants exactly these messages.
func (s *server) has(t *testing.T, want []guestbook.Message) {
	t.Helper()
	if diff := cmp.Diff(want, s.all(t)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// isServerError tells a 5xx answer.
func isServerError(err error) bool {
	var status *guestbook.StatusError
	return errors.As(err, &status) && status.Status >= http.StatusInternalServerError
}
