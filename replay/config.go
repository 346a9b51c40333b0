package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/litefs"
)

// Defaults of Config.
const (
	// DefaultReadWait is above what a replica is behind in nearly every case.
	DefaultReadWait = 2 * time.Second
	// DefaultWriteWait is longer than a primary's death is felt: LiteFS's lease has a
	// TTL of 10 s, for which Consul takes up to twice as long, and a lock delay of 1 s.
	DefaultWriteWait = 30 * time.Second
	// DefaultHoldBytes is more than most pages have.
	DefaultHoldBytes = 64 << 10
	// DefaultTokenAge is how long a client's token is kept.
	DefaultTokenAge = time.Hour
	// DefaultMaxLag is from when on a replica is not healthy.
	DefaultMaxLag = 30 * time.Second
)

// maxReplay is above what Fly's proxy replays: 1 MB.
// https://fly.io/docs/networking/dynamic-request-routing/
const maxReplay = 1 << 20

// Config says how a [Router] routes. Its zero value is right on Fly.io beside
// LiteFS, started by flysql-entrypoint.
type Config struct {
	// Engine tells who the primary is. It stays the caller's to close. nil means the
	// LiteFS of this machine, which FLYSQL_LITEFS_ADDR (http.addr of litefs.yml) and
	// FLYSQL_LITEFS_DIR (fuse.dir) name, or which is mounted at /litefs; where there is
	// none, every request is this machine's.
	Engine engine.Engine

	// DB is the database that tokens are about, by its file name or path, not by a URL.
	// "" means all that the engine has, up to eight.
	DB string

	// Always and Never are patterns as http.ServeMux takes them ("POST /jobs/{id}",
	// "/static/"), of requests that are the primary's, or this machine's, whatever
	// their method. A request that both match is the primary's.
	Always, Never []string

	// ReadWait is how long a replica waits until it has come as far as a client's
	// token; then the read is the primary's. 0 means [DefaultReadWait].
	ReadWait time.Duration
	// WriteWait is how long a request for the primary waits for there to be one, and
	// then is answered with 503 and Retry-After. 0 means [DefaultWriteWait].
	WriteWait time.Duration
	// HoldBytes is how much of a response is held back. 0 means [DefaultHoldBytes].
	HoldBytes int
	// TokenAge is how long a client keeps a token. 0 means [DefaultTokenAge].
	TokenAge time.Duration
	// MaxLag is how far behind a replica may be to be healthy. 0 means
	// [DefaultMaxLag].
	MaxLag time.Duration

	// Key authenticates tokens and what machines tell each other through clients: 16
	// bytes or more, the same on all machines. nil means FLYSQL_REPLAY_KEY. Without
	// one a client may make up a token, which costs it time and nobody else much: how
	// many of a client's requests wait at a time is limited.
	Key []byte

	// Peer is where the app listens on the machine of a primary, by the hostname that
	// the engine has for it, or by the region where it has but that: "http://host:port".
	// nil means on Fly.io http://<hostname>.vm.<app>.internal:<Port>, or
	// http://<region>.<app>.internal:<Port>, elsewhere what FLYSQL_REPLAY_PEERS says:
	// "a=http://10.0.0.1:8080,b=http://10.0.0.2:8080".
	Peer func(primary string) (string, error)
	// Port is where the app listens on every machine, for Peer's default. "" means
	// the variable PORT, then 8080.
	Port string

	// NoReplay forwards what Fly's proxy could replay, too.
	NoReplay bool

	// Logger gets at level Info what was not answered, and at Debug what was sent on.
	// nil means slog.Default().
	Logger *slog.Logger

	getenv func(string) string                          // os.Getenv, but in tests
	now    func() time.Time                             // time.Now, but in tests
	peerIn func(region string) (addr string, err error) // Peer, of a region
}

// Validate returns all that is wrong with c, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("replay: "+format, args...)) }
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"ReadWait", c.ReadWait}, {"WriteWait", c.WriteWait}, {"TokenAge", c.TokenAge}, {"MaxLag", c.MaxLag}} {
		if d.value < 0 {
			bad("Config.%s is %v: use 0 for the default", d.name, d.value)
		}
	}
	if c.HoldBytes < 0 {
		bad("Config.HoldBytes is %d: use 0 for the default", c.HoldBytes)
	}
	if c.Key != nil && len(c.Key) < minKey {
		bad("Config.Key has %d bytes: use %d random ones or more", len(c.Key), minKey)
	}
	if name := fileName(c.DB); strings.Contains(name, "?") || strings.HasPrefix(c.DB, "file:") || strings.Contains(c.DB, "://") {
		bad("Config.DB is a URL: give the name of the file, such as app.db; appdb.Path has it")
	} else if c.DB != "" && !plainName(name) {
		bad("Config.DB %.100q is no name of a file that a token can have", c.DB)
	}
	_, err := newMarks(c.Always, c.Never)
	errs = append(errs, err)
	return errors.Join(errs...)
}

const minKey = 16

// fileName is the last part of a path, "" where there is none.
func fileName(p string) string {
	p = strings.ReplaceAll(p, `\`, "/")
	return p[strings.LastIndexByte(p, '/')+1:]
}

// withDefaults fills in what is not set, also from the environment.
func (c Config) withDefaults() (Config, error) {
	if c.getenv == nil {
		c.getenv = os.Getenv
	}
	if c.now == nil {
		c.now = time.Now
	}
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&c.ReadWait, DefaultReadWait)
	set(&c.WriteWait, DefaultWriteWait)
	set(&c.TokenAge, DefaultTokenAge)
	set(&c.MaxLag, DefaultMaxLag)
	if c.HoldBytes == 0 {
		c.HoldBytes = DefaultHoldBytes
	}
	c.DB = fileName(c.DB)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if key := c.getenv("FLYSQL_REPLAY_KEY"); c.Key == nil && key != "" {
		if len(key) < minKey {
			return c, fmt.Errorf("replay: FLYSQL_REPLAY_KEY has %d bytes: use %d random ones or more (fly secrets set FLYSQL_REPLAY_KEY=$(openssl rand -hex 32))", len(key), minKey)
		}
		c.Key = []byte(key)
	}
	if c.Port == "" {
		c.Port = c.getenv("PORT")
	}
	if c.Port == "" {
		c.Port = "8080"
	}
	if _, err := strconv.ParseUint(c.Port, 10, 16); err != nil {
		return c, fmt.Errorf("replay: port %.20q is not between 0 and 65535", c.Port)
	}
	if c.peerIn = c.Peer; c.Peer == nil {
		peers, err := parsePeers(c.getenv("FLYSQL_REPLAY_PEERS"))
		if err != nil {
			return c, err
		}
		c.Peer, c.peerIn = c.defaultPeer(peers, ".vm."), c.defaultPeer(peers, ".")
	}
	return c, nil
}

// onFly tells whether Fly's proxy is in front: only a machine of an app has an ID.
func (c Config) onFly() bool { return c.getenv("FLY_MACHINE_ID") != "" }

// parsePeers does not quote an address in its errors: there may be a password in it.
func parsePeers(list string) (map[string]string, error) {
	peers := map[string]string{}
	n := 0
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		n++
		name, addr, ok := strings.Cut(item, "=")
		if !ok || name == "" || strings.ContainsAny(name, "/@") {
			return nil, fmt.Errorf("replay: entry %d of FLYSQL_REPLAY_PEERS has no hostname: write hostname=http://host:port, by commas", n)
		}
		if !isOrigin(addr) {
			return nil, fmt.Errorf("replay: entry %d of FLYSQL_REPLAY_PEERS has no address for %.100q that it can use: write hostname=http://host:port, by commas", n, name)
		}
		if addr = strings.TrimSuffix(addr, "/"); peers[name] != "" && peers[name] != addr {
			return nil, fmt.Errorf("replay: FLYSQL_REPLAY_PEERS has two addresses for %.100q: keep one of them", name)
		}
		peers[name] = addr
	}
	return peers, nil
}

// isOrigin tells whether a URL is that of a server, and no more.
func isOrigin(addr string) bool {
	u, err := url.Parse(addr)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" || strings.ContainsAny(addr, "?#") {
		return false
	}
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	port, err := strconv.ParseUint(cmp.Or(u.Port(), "80"), 10, 16)
	return err == nil && port > 0
}

// defaultPeer finds the app of a machine, or of a region, on Fly.io by its name in DNS:
// https://fly.io/docs/networking/private-networking/
func (c Config) defaultPeer(peers map[string]string, in string) func(string) (string, error) {
	app, port := c.getenv("FLY_APP_NAME"), c.Port
	return func(primary string) (string, error) {
		if addr, ok := peers[primary]; ok {
			return addr, nil
		}
		if app != "" && port != "0" && isHostname(primary) { // 0 is any free one, as in a test
			return "http://" + net.JoinHostPort(primary+in+app+".internal", port), nil
		}
		return "", fmt.Errorf("it is not known where the app of %q listens: FLYSQL_REPLAY_PEERS=%s=http://host:port says so", primary, primary)
	}
}

// isHostname is what can be a label of DNS.
func isHostname(s string) bool {
	if s == "" || len(s) > 63 {
		return false
	}
	for _, c := range s {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// findLiteFS follows the LiteFS of this machine; nil where there is none.
func (c Config) findLiteFS() (*litefs.Node, error) {
	conf := litefs.Config{Addr: c.getenv("FLYSQL_LITEFS_ADDR"), FUSEDir: c.getenv("FLYSQL_LITEFS_DIR"), Logger: c.Logger}
	if conf.Addr == "" && conf.FUSEDir == "" && !mountedByFUSE(litefs.DefaultFUSEDir) {
		return nil, nil
	}
	return litefs.Open(conf)
}

// A Router routes the requests of one app. Its methods may be called by several
// goroutines at once.
type Router struct {
	cfg     Config
	engine  engine.Engine // nil: every request is this machine's
	own     *litefs.Node  // to be closed; nil where the engine is the caller's
	exact   positionReader
	commits *engine.Commits // nil where the engine has none
	onFly   bool
	marks   marks
	open    openRequests
	waiting waitLimit
	metrics metrics
	proxy   forwarder
}

// positionReader is an engine that can tell a position as it is at this moment.
type positionReader interface {
	ReadPosition(ctx context.Context, db string) (engine.Pos, error)
}

// New returns a router, which follows the engine until Close. Its error is one of
// [Config.Validate], or of what it found in the environment.
func New(c Config) (*Router, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Router{cfg: c, engine: c.Engine, onFly: c.onFly() && !c.NoReplay}
	if r.engine == nil {
		if r.own, err = c.findLiteFS(); err != nil {
			return nil, fmt.Errorf("replay: %w", err)
		}
		if r.own != nil {
			r.engine = r.own
		}
	}
	if r.engine == nil {
		c.Logger.Info("replay", "outcome", "off", "why", "neither FLYSQL_LITEFS_ADDR nor a mount at "+litefs.DefaultFUSEDir+" tells of LiteFS: every request is this machine's")
	}
	if e, ok := r.engine.(positionReader); ok {
		r.exact = e
	}
	if e, ok := r.engine.(interface{ Commits() *engine.Commits }); ok {
		r.commits = e.Commits()
	}
	if r.marks, err = newMarks(c.Always, c.Never); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.proxy = newForwarder(r)
	return r, nil
}

// Engine is what the router asks: for appdb.Config.Engine, say. It is nil where no
// other machine is beside this one.
func (r *Router) Engine() engine.Engine { return r.engine }

// Close ends the following of the LiteFS that New found. Requests that wait for a
// primary are answered at once then. Close it after the server has shut down.
func (r *Router) Close() error {
	if r.proxy.transport != nil {
		r.proxy.transport.CloseIdleConnections()
	}
	if r.own == nil {
		return nil
	}
	return r.own.Close()
}

// Handler routes the requests of next. Where next is an http.ServeMux, the marks
// [Always] and [Never] of its handlers are seen before any of them runs.
func (r *Router) Handler(next http.Handler) http.Handler {
	if r.engine == nil {
		return next
	}
	mux, _ := next.(*http.ServeMux)
	return &handler{router: r, next: next, mux: mux}
}
