package edge

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/latency"
)

// Check is a service's check: "if a Machine fails its service check, it will be marked
// as unhealthy by the proxy, and it won't be routed to until its checks start passing".
// https://fly.io/docs/reference/health-checks/
type Check struct {
	TCP      bool   // a connection is all that it wants
	Method   string // "" is GET
	Path     string // "" is /
	Headers  map[string]string
	HTTPS    bool
	Insecure bool          // take any certificate
	Name     string        // on the certificate
	Interval time.Duration // 0 is 15 s
	Timeout  time.Duration // 0 is 2 s
	Grace    time.Duration // after a start; 0 is none
}

func httpCheck(c flyconf.HTTPCheck) Check {
	return Check{
		Method: strings.ToUpper(c.Method), Path: c.Path, Headers: c.Headers,
		HTTPS: strings.EqualFold(c.Protocol, "https"), Insecure: c.TLSSkipVerify, Name: c.TLSServerName,
		Interval: c.Interval, Timeout: c.Timeout, Grace: c.GracePeriod,
	}
}

func (c *Check) String() string {
	if c.TCP {
		return "tcp"
	}
	scheme := "http"
	if c.HTTPS {
		scheme = "https"
	}
	return fmt.Sprintf("%s %s %s", scheme, cmp.Or(c.Method, http.MethodGet), cmp.Or(c.Path, "/"))
}

// check is one of a machine, and what came of it at last.
type check struct{ CheckStatus }

// begin starts the checks of a machine that was started. The caller has e.mu.
func (e *Edge) begin(m *machine) {
	ctx, stop := context.WithCancel(e.ctx)
	m.stop, m.checks = stop, nil
	if m.App != "" {
		return // another app's fly.toml is not known
	}
	self, at := m.Machine, m.Address.String() // m changes
	for _, how := range e.opt.Service.Checks {
		c := &check{CheckStatus{Name: how.String(), Since: time.Now()}}
		m.checks = append(m.checks, c)
		e.running.Go(func() { e.watch(ctx, self, at, how, c) })
	}
}

// endChecks ends them, and forgets what came of them. The caller has e.mu.
func (m *machine) endChecks() {
	if m.stop != nil {
		m.stop()
	}
	m.stop, m.checks = nil, nil
}

// watch checks a machine until ctx ends: once its grace period is over, and then
// again and again.
func (e *Edge) watch(ctx context.Context, m Machine, at string, how Check, c *check) {
	passed := false
	bound := func(d time.Duration) time.Duration {
		most := e.opt.MaxCheckWait
		switch {
		case most <= 0:
			return d
		case !passed: // it is being waited for
			most /= 10
		}
		return min(d, most)
	}
	client := how.client(func(ctx context.Context) (net.Conn, error) {
		if e.opt.Dial != nil {
			return e.opt.Dial(ctx, m.Region, m)
		}
		return new(net.Dialer).DialContext(ctx, "tcp", at)
	})
	for wait := bound(how.Grace); latency.Wait(ctx, wait); wait = bound(cmp.Or(how.Interval, 15*time.Second)) {
		output, err := how.run(ctx, client, at)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			output = err.Error()
		}
		passed = passed || err == nil
		e.mu.Lock()
		if c.Passing != (err == nil) || c.Output != output {
			c.Passing, c.Output, c.Since = err == nil, output, time.Now()
			e.wake()
		}
		e.mu.Unlock()
	}
}

// client connects by dial, to whatever it is asked for.
func (c *Check) client(dial func(context.Context) (net.Conn, error)) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
			DisableKeepAlives: true,
			// As fly.toml has it: tls_skip_verify.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: c.Insecure, ServerName: c.Name},
		},
		// "The health check will not automatically follow any redirect."
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// run checks once. "These checks expect a successful HTTP status in response (2xx)".
func (c *Check) run(ctx context.Context, client *http.Client, at string) (output string, err error) {
	limit := cmp.Or(c.Timeout, 2*time.Second)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	if c.TCP {
		conn, err := client.Transport.(*http.Transport).DialContext(ctx, "tcp", at)
		if err != nil {
			return "", causeOf(ctx, err)
		}
		return "connected", conn.Close()
	}
	scheme := "http://"
	if c.HTTPS {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(ctx, cmp.Or(c.Method, http.MethodGet), scheme+at+cmp.Or(c.Path, "/"), nil)
	if err != nil {
		return "", err
	}
	for name, value := range c.Headers {
		if req.Header.Set(name, value); strings.EqualFold(name, "Host") {
			req.Host = value
		}
	}
	res, err := client.Do(req)
	if err != nil {
		return "", causeOf(ctx, err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxOutput)) // the status is what counts
	if res.StatusCode/100 != 2 {
		return "", fmt.Errorf("%s: %s", res.Status, strings.TrimSpace(string(text)))
	}
	return res.Status, nil
}

// maxOutput is how much of a check's answer is kept.
const maxOutput = 500

// causeOf is why ctx ended, where err is that it did.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		return cause
	}
	return err
}
