package edge

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flysql/flysql/flyconf"
)

const (
	cacheHeader        = "Fly-Replay-Cache"
	cacheTTLHeader     = "Fly-Replay-Cache-Ttl-Secs"
	cacheBypassHeader  = "Fly-Replay-Cache-Allow-Bypass"
	cacheControlHeader = "Fly-Replay-Cache-Control"
	cacheStatusHeader  = "Fly-Replay-Cache-Status"
)

// minTTL is the least: "the TTL needs to be a minimum of 10 seconds".
const minTTL = 10 * time.Second

// maxCached bounds the cache; what is to end next makes room.
const maxCached = 10_000

// maxPrefix bounds a prefix: each of a request's is looked up. maxHost is more than DNS
// has.
const (
	maxPrefix = 1 << 10
	maxHost   = 255
)

// replayCache is what is remembered of replays: by host and path, or by host, path and
// the value of a cookie or header.
type replayCache struct {
	mu      sync.Mutex
	entries map[cacheKey]cached
}

type cacheKey struct {
	host, prefix string // the prefix begins and ends with /
	rule         string // of fly.toml, and a hash of the session's value, which may be long; "" by path alone
	value        string
}

type cached struct {
	wish   wish
	until  time.Time
	bypass bool // a client may skip it
}

// cachingOf reads the headers beside fly-replay; nil is none.
func cachingOf(h http.Header) *caching {
	prefix := h.Get(cacheHeader)
	if prefix == "" {
		return nil
	}
	if prefix == "invalidate" {
		return &caching{Invalidate: true}
	}
	seconds, err := strconv.Atoi(h.Get(cacheTTLHeader))
	if err != nil {
		seconds = 0 // too short, which is said
	}
	return &caching{Prefix: prefix, Seconds: seconds, AllowBypass: strings.EqualFold(h.Get(cacheBypassHeader), "yes")}
}

// hostOf is a request's host without its port, by which caches are kept apart.
func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return strings.ToLower(host)
}

// prefixOf splits a pattern: "/api", "/api/*", "example.com/api/". "It implicitly ends
// with a wildcard."
func prefixOf(pattern string) (host, prefix string) {
	host, path, _ := strings.Cut(strings.TrimSuffix(pattern, "*"), "/")
	return strings.ToLower(host), slashed(path)
}

// slashed is a path between slashes, which begins with any prefix that it is under.
func slashed(path string) string {
	if path = strings.Trim(path, "/"); path == "" {
		return "/"
	}
	return "/" + path + "/"
}

// keyOf is where a request's replay is kept by a pattern, if it is one of its paths.
func keyOf(r *http.Request, pattern string) (k cacheKey, ok bool) {
	host, prefix := prefixOf(pattern)
	k = cacheKey{host: hostOf(r), prefix: prefix}
	return k, (host == "" || host == k.host) && len(k.host) <= maxHost && len(prefix) <= maxPrefix && strings.HasPrefix(slashed(r.URL.Path), prefix)
}

// sessionOf is the rule of fly.toml for a request, and where its replay is kept. "When
// multiple rules match, the longest matching path takes precedence."
func sessionOf(r *http.Request, rules []flyconf.ReplayCache) (rule *flyconf.ReplayCache, k cacheKey) {
	for i := range rules {
		one, ok := keyOf(r, rules[i].PathPrefix)
		if !ok || rule != nil && len(one.prefix) <= len(k.prefix) {
			continue
		}
		value := sessionValue(r, &rules[i])
		if value == "" {
			continue
		}
		hash := sha256.Sum256([]byte(value))
		one.value = string(hash[:])
		one.rule = rules[i].Type + " " + rules[i].Name
		rule, k = &rules[i], one
	}
	return rule, k
}

func sessionValue(r *http.Request, rule *flyconf.ReplayCache) string {
	if rule.Type == "header" {
		return r.Header.Get(rule.Name)
	}
	if c, err := r.Cookie(rule.Name); err == nil {
		return c.Value
	}
	return ""
}

// find is what is remembered for a request: by path, the longest first, or by session.
func (c *replayCache) find(r *http.Request, rules []flyconf.ReplayCache) (k cacheKey, e cached, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) == 0 {
		return k, e, false
	}
	host, path := hostOf(r), slashed(r.URL.Path)
	if len(path) > maxPrefix {
		path = path[:strings.LastIndexByte(path[:maxPrefix], '/')+1]
	}
	for n := len(path); n > 0; n = strings.LastIndexByte(path[:n-1], '/') + 1 {
		k = cacheKey{host: host, prefix: path[:n]}
		if e, ok = c.live(k); ok {
			return k, e, true
		}
	}
	rule, k := sessionOf(r, rules)
	if rule == nil {
		return k, e, false
	}
	e, ok = c.live(k)
	return k, e, ok
}

// live is an entry that has not ended. The caller has c.mu.
func (c *replayCache) live(k cacheKey) (cached, bool) {
	e, ok := c.entries[k]
	if ok && !time.Now().Before(e.until) {
		delete(c.entries, k)
		ok = false
	}
	return e, ok
}

func (c *replayCache) drop(k cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, k)
}

// remember keeps a replay where it says so, or fly.toml does, or forgets what there is
// for its request. The note says what was not kept, and why.
func (c *replayCache) remember(r *http.Request, p *replay, rules []flyconf.ReplayCache) (note string) {
	rule, session := sessionOf(r, rules)
	if p.cache != nil && p.cache.Invalidate {
		if k, _, ok := c.find(r, nil); ok {
			c.drop(k)
		}
		if rule != nil {
			c.drop(session)
		}
		return ""
	}
	if p.cache == nil && rule == nil {
		return ""
	}
	if why := p.uncacheable(); why != "" {
		return "not cached: " + why
	}
	if p.cache != nil {
		note = c.rememberPath(r, p)
	}
	if rule != nil {
		c.put(session, cached{p.wish, time.Now().Add(time.Duration(rule.TTLSeconds) * time.Second), rule.AllowBypass})
	}
	return note
}

func (c *replayCache) rememberPath(r *http.Request, p *replay) (note string) {
	k, ok := keyOf(r, p.cache.Prefix)
	switch {
	case !ok:
		return fmt.Sprintf("not cached: %s is not under %s", r.URL.Path, p.cache.Prefix)
	case p.cache.Seconds < int(minTTL.Seconds()):
		return fmt.Sprintf("not cached: %d s is under the least, %v", p.cache.Seconds, minTTL)
	}
	// A day is longer than anybody's edge runs, and no overflow.
	seconds := min(p.cache.Seconds, 24*60*60)
	c.put(k, cached{p.wish, time.Now().Add(time.Duration(seconds) * time.Second), p.cache.AllowBypass})
	return ""
}

// uncacheable is what a replay has that cannot be combined with the cache.
func (p *replay) uncacheable() string {
	switch {
	case p.state != "":
		return "it has a state"
	case p.transform != nil:
		return "it has a transformation"
	case p.timeout > 0:
		return "it has a timeout"
	case p.fallback != noFallback:
		return "it has a fallback"
	}
	return ""
}

func (c *replayCache) put(k cacheKey, e cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[cacheKey]cached{}
	}
	if _, there := c.entries[k]; !there && len(c.entries) >= maxCached {
		var first cacheKey
		var ends time.Time
		for k, e := range c.entries {
			if ends.IsZero() || e.until.Before(ends) {
				first, ends = k, e.until
			}
		}
		delete(c.entries, first)
	}
	c.entries[k] = e
}
