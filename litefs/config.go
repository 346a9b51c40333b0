package litefs

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// LiteFS's own defaults, and those of this package.
const (
	DefaultAddr       = "http://localhost:20202"
	DefaultFUSEDir    = "/litefs"
	DefaultCheckEvery = time.Second
	DefaultRetryMax   = time.Second
)

// Config says which node to follow. The zero value is right beside a LiteFS whose
// litefs.yml has Fly's usual settings.
type Config struct {
	// Addr is where LiteFS serves its API: http.addr of litefs.yml (":20202" is
	// this machine), a host:port, or an http:// URL without a path. "" means
	// [DefaultAddr].
	Addr string

	// FUSEDir is where LiteFS is mounted: fuse.dir of litefs.yml. A relative path
	// is taken from the working directory of the time of [Open]. "" means
	// [DefaultFUSEDir].
	FUSEDir string

	// Remote says that the node runs on another machine, whose mount is not here.
	// A database's position is then known from the next transaction on, and Lag
	// and Ready of [State] are not known at all.
	Remote bool

	// CheckEvery is how often a LiteFS that has nothing to say is asked whether it
	// still lives, and how old [State.Lag] may be. A hung LiteFS is told after
	// this and five seconds. 0 means [DefaultCheckEvery].
	CheckEvery time.Duration

	// RetryMax limits the pauses between attempts to reach a LiteFS that does not
	// answer; they begin at a few milliseconds and double, with jitter. 0 means
	// [DefaultRetryMax].
	RetryMax time.Duration

	// Logger gets changes of the role at level Info and lost connections at level
	// Debug. nil discards.
	Logger *slog.Logger
}

// Validate returns all that is wrong with c, joined.
func (c Config) Validate() error {
	var errs []error
	if _, err := c.base(); err != nil {
		errs = append(errs, err)
	}
	if strings.ContainsRune(c.FUSEDir, 0) {
		errs = append(errs, fmt.Errorf("litefs: Config.FUSEDir %s has a zero byte in it", quote(c.FUSEDir)))
	}
	if c.Remote && c.FUSEDir != "" {
		errs = append(errs, fmt.Errorf("litefs: Config.FUSEDir is %s though Remote is set: a node elsewhere has no mount here; leave one of them out", quote(c.FUSEDir)))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"CheckEvery", c.CheckEvery}, {"RetryMax", c.RetryMax}} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("litefs: Config.%s is %v: use 0 for the default", d.name, d.value))
		}
	}
	return errors.Join(errs...)
}

// base is the URL of the API, "http://host:port".
func (c Config) base() (*url.URL, error) {
	addr := c.Addr
	if addr == "" {
		addr = DefaultAddr
	}
	wrong := func(why string) (*url.URL, error) {
		return nil, fmt.Errorf("litefs: Config.Addr %s %s: write host:port or http://host:port, such as %s", shownAddr(addr), why, DefaultAddr)
	}
	hostport, isURL := addr, false
	if scheme, rest, ok := strings.Cut(addr, "://"); ok {
		if scheme != "http" {
			return wrong("is not http, which is all that LiteFS speaks")
		}
		hostport, isURL = strings.TrimSuffix(rest, "/"), true
	}
	if strings.ContainsAny(hostport, "/?#@ ") {
		return wrong("has more in it than a host and a port")
	}
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return wrong("has no port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return wrong("has no port between 1 and 65535")
	}
	if host == "" && isURL {
		return wrong("has no host")
	}
	// What LiteFS listens on when it listens everywhere.
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	u, err := url.Parse("http://" + net.JoinHostPort(host, port))
	if err != nil {
		return wrong("is no address")
	}
	return u, nil
}

// shownAddr leaves out whatever may be a password.
func shownAddr(addr string) string {
	if at := strings.LastIndexByte(addr, '@'); at >= 0 {
		addr = "..." + addr[at:]
	}
	return quote(addr)
}

func (c Config) withDefaults() Config {
	if c.FUSEDir == "" {
		c.FUSEDir = DefaultFUSEDir
	}
	if c.CheckEvery == 0 {
		c.CheckEvery = DefaultCheckEvery
	}
	if c.RetryMax == 0 {
		c.RetryMax = DefaultRetryMax
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
