package edge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/latency"
)

// RegionHeader is by which a client says which region it is in, where its host does
// not. It is the emulator's own, and no machine sees it.
const RegionHeader = "Flysql-Dev-Region"

// WayHeader tells in a response which machines its request was given to, and why: as
// "nearest ams1 ams, replay ord1 ord" has it, each with its region. Fly's proxy tells
// nothing of the kind.
const WayHeader = "Flysql-Dev-Way"

// Options are how an edge is made. The zero value is an edge without checks, limits or
// latency, that never starts a machine.
type Options struct {
	// App is the app's name, which fly-replay's app= and fly-replay-failed mean.
	App string
	// Region is where those come from who do not say. "" is that of the first machine.
	Region string
	// Service is what fly.toml says of the app's HTTP service.
	Service Service
	// Latency is the time between regions. nil is none.
	Latency latency.Matrix
	// HTTPS says of plain requests, by X-Forwarded-Proto and X-Forwarded-SSL, that they
	// came by https, as nearly all do on Fly. Apps that redirect to https need it.
	HTTPS bool
	// Dial connects from an edge to a machine. nil is plain TCP to its Address.
	Dial func(ctx context.Context, region string, m Machine) (net.Conn, error)
	// Power starts and stops machines, where fly.toml has the proxy do that. nil never
	// does.
	Power Power
	// Patience is how long a request waits while all machines that it may go to are at
	// their hard_limit, and for a machine to start. 0 is 30 s.
	Patience time.Duration
	// StopEvery is how often the edge looks for machines to stop. 0 is 5 minutes: Fly
	// says every few.
	StopEvery time.Duration
	// MaxCheckWait bounds a check's interval and grace period, for whoever does not
	// want to wait as long as fly.toml says; until it has passed once, a tenth of it does.
	// 0 bounds nothing.
	MaxCheckWait time.Duration

	pick func(n int) int // of n alike, for tests; nil is by chance
}

// Power starts and stops machines. Its methods are called by several goroutines.
type Power interface {
	// Start returns when a machine was started, or cannot be. What it has become is
	// told by Edge.Set, before Start returns or later.
	Start(ctx context.Context, id string) error
	// Stop stops a machine, or suspends it. Edge.Set tells the outcome.
	Stop(ctx context.Context, id string, suspend bool) error
}

// Service is a service of fly.toml whose requests go through the proxy's http handler.
type Service struct {
	InternalPort  int
	Requests      bool // the load of a machine is its requests, and connections to it are used again; else connections, one a request
	SoftLimit     int  // 0 is 20, Fly's default
	HardLimit     int  // 0 is none
	Checks        []Check
	AutoStop      string // "stop", "suspend"; "" and "off" are never
	AutoStart     bool
	MinRunning    int // machines of PrimaryRegion that are not stopped
	PrimaryRegion string
	H2Backend     bool           // speak HTTP/2 without TLS to the app
	IdleTimeout   time.Duration  // a connection to the app on which nothing comes is closed; 0 never
	HeaderTimeout time.Duration  // for a client's headers; 0 is a minute
	Pristine      bool           // add nothing to responses
	Headers       map[string]any // a string or list of strings sets a header of responses, false removes it
	ReplayCache   []flyconf.ReplayCache
}

// defaultSoftLimit is what a machine takes where fly.toml says nothing.
// https://fly.io/docs/reference/configuration/#http_service-concurrency
const defaultSoftLimit = 20

// ServiceOf is the HTTP service of a fly.toml: http_service, or else the first of the
// services that has a port with the handler http.
func ServiceOf(c *flyconf.Config) (Service, error) {
	if h := c.HTTPService; h != nil {
		s := Service{InternalPort: h.InternalPort, AutoStop: h.AutoStop, AutoStart: h.AutoStart == nil || *h.AutoStart, MinRunning: h.MinMachinesRunning}
		s.limit(h.Concurrency)
		s.options(h.HTTPOptions)
		for _, check := range h.Checks {
			s.Checks = append(s.Checks, httpCheck(check))
		}
		return s.done(c), nil
	}
	for _, v := range c.Services {
		i := slices.IndexFunc(v.Ports, func(p flyconf.Port) bool { return slices.Contains(p.Handlers, "http") })
		if i < 0 {
			continue
		}
		s := Service{InternalPort: v.InternalPort, AutoStop: v.AutoStop, AutoStart: v.AutoStart == nil || *v.AutoStart}
		if v.MinMachinesRunning != nil {
			s.MinRunning = *v.MinMachinesRunning
		}
		s.limit(v.Concurrency)
		s.options(v.Ports[i].HTTPOptions)
		for _, check := range v.TCPChecks {
			s.Checks = append(s.Checks, Check{TCP: true, Interval: check.Interval, Timeout: check.Timeout, Grace: check.GracePeriod})
		}
		for _, check := range v.HTTPChecks {
			s.Checks = append(s.Checks, httpCheck(flyconf.HTTPCheck(check)))
		}
		return s.done(c), nil
	}
	return Service{}, errors.New("fly.toml has no service for HTTP requests: add [http_service], or the handler http to a port of [[services]]")
}

func (s Service) done(c *flyconf.Config) Service {
	s.PrimaryRegion = c.PrimaryRegion
	s.InternalPort = cmp.Or(s.InternalPort, 8080) // Fly's default
	return s
}

func (s *Service) limit(c *flyconf.Concurrency) {
	if c != nil {
		s.Requests, s.SoftLimit, s.HardLimit = c.Type == "requests", c.SoftLimit, c.HardLimit
	}
}

func (s *Service) options(o *flyconf.HTTPOptions) {
	if o == nil {
		return
	}
	seconds := func(n *int) time.Duration {
		if n == nil || *n < 0 {
			return 0
		}
		return time.Duration(*n) * time.Second
	}
	s.H2Backend = o.H2Backend != nil && *o.H2Backend
	s.IdleTimeout, s.HeaderTimeout = seconds(o.IdleTimeout), seconds(o.HeadersReadTimeout)
	s.ReplayCache = o.ReplayCache
	if r := o.Response; r != nil {
		s.Pristine, s.Headers = r.Pristine != nil && *r.Pristine, r.Headers
	}
}

// validate finds what cannot be.
func (s *Service) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch s.AutoStop {
	case "", "off", "stop", "suspend":
	default:
		wrong("auto_stop_machines %q: want off, stop or suspend", s.AutoStop)
	}
	if s.SoftLimit < 0 || s.HardLimit < 0 {
		wrong("concurrency: soft_limit %d and hard_limit %d must not be negative", s.SoftLimit, s.HardLimit)
	}
	for _, r := range s.ReplayCache {
		if r.Type != "cookie" && r.Type != "header" {
			wrong("replay_cache type %q: want cookie or header", r.Type)
		}
		if r.Name == "" {
			wrong("replay_cache for %s has no name", r.PathPrefix)
		}
		if time.Duration(r.TTLSeconds)*time.Second < minTTL {
			wrong("replay_cache ttl_seconds %d: the least is %d", r.TTLSeconds, int(minTTL.Seconds()))
		}
	}
	for _, c := range s.Checks {
		if !c.TCP && c.Path != "" && c.Path[0] != '/' {
			wrong("check path %q: it must begin with /", c.Path)
		}
	}
	return errors.Join(errs...)
}
