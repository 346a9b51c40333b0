package edge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/flyconf"
)

// Whatever a machine writes is understood or refused, and what is understood can be said
// again without breaking a header.
func FuzzReplay(f *testing.F) {
	for _, seed := range []string{`region="iad,ord,us,any";state=x`, "instance=a1;timeout=5s;fallback=force_self", "elsewhere=true", ";;=", `region="`, "app=x;prefer_instance=y",
		`{"region":"iad,us","transform":{"path":"/x?y=z","delete_headers":["cookie"],"set_headers":[{"name":"a","value":"b"}]},"cache":{"prefix":"/x/*","ttl":60}}`} {
		f.Add(seed)
	}
	by := Machine{ID: "m1", Region: "ams"}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func() (*replay, error){
			func() (*replay, error) { return parseReplay(text) },
			func() (*replay, error) { return parseReplayJSON([]byte(text)) },
		} {
			r, err := parse()
			if err != nil {
				if !strings.Contains(err.Error(), "PA03") {
					t.Errorf("%q: %v", text, err)
				}
				continue
			}
			for _, header := range []string{r.source(by), r.failed(by, failedTimeout, time.Second, "app")} {
				if strings.Count(header, "region=") < 1 || !printable(header) || strings.Count(header, ";t=") > strings.Count(text, ";t=")+1 {
					t.Errorf("%q: %s", text, header)
				}
			}
			_ = r.uncacheable()
		}
	})
}

// Whatever the pattern and the path, what is cached for a request is found by it, and by
// none whose path is not under the pattern.
func FuzzReplayCache(f *testing.F) {
	f.Add("/api/*", "/api/x", "/other")
	f.Add("example.com/", "/", "//a")
	f.Add("/", strings.Repeat("/a", 3000), "/b")
	f.Fuzz(func(t *testing.T, pattern, path, other string) {
		request := func(path string) *http.Request {
			r := httptest.NewRequest("GET", "http://example.com/", nil)
			r.URL.Path = path
			return r
		}
		r := request(path)
		c := &replayCache{}
		note := c.remember(r, &replay{wish: wish{instance: "a"}, cache: &caching{Prefix: pattern, Seconds: 60}}, nil)
		if _, _, found := c.find(r, nil); found != (note == "") {
			t.Errorf("%q for %q: found %v, note %q", pattern, path, found, note)
		}
		if _, _, found := c.find(request(other), nil); found {
			if _, prefix := prefixOf(pattern); !strings.HasPrefix(slashed(other), prefix) {
				t.Errorf("%q is not under %q", other, pattern)
			}
		}
	})
}

// What a client sends as its session takes no room to speak of, and no host does that
// cannot be one.
func TestReplayCacheKeysAreShort(t *testing.T) {
	rules := []flyconf.ReplayCache{{PathPrefix: "/", TTLSeconds: 60, Type: "header", Name: "Authorization"}}
	c := &replayCache{}
	for host, want := range map[string]string{"a.example": "", strings.Repeat("a", 300) + ".example": "not cached: / is not under /"} {
		r := httptest.NewRequest("GET", "http://"+host+"/", nil)
		r.Header.Set("Authorization", strings.Repeat("x", 1<<20))
		if note := c.remember(r, &replay{wish: wish{instance: "a"}, cache: &caching{Prefix: "/", Seconds: 60}}, rules); note != want {
			t.Errorf("%.20s: %q, want %q", host, note, want)
		}
	}
	if len(c.entries) != 2 {
		t.Errorf("%d entries, want one by path and one by session", len(c.entries))
	}
	for k := range c.entries {
		if n := len(k.host) + len(k.prefix) + len(k.rule) + len(k.value); n > 100 {
			t.Errorf("a key of %d bytes", n)
		}
	}
}

// The cache has its bounds; what ends next makes room.
func TestReplayCacheBound(t *testing.T) {
	c := &replayCache{}
	until := time.Now().Add(time.Hour)
	for i := range maxCached {
		c.put(cacheKey{host: "a", value: string(rune(i))}, cached{until: until.Add(time.Duration(i))})
	}
	c.put(cacheKey{host: "b"}, cached{until: until.Add(time.Hour)})
	_, first := c.entries[cacheKey{host: "a", value: "\x00"}]
	_, second := c.entries[cacheKey{host: "a", value: "\x01"}]
	if len(c.entries) != maxCached || first || !second {
		t.Errorf("%d entries, the first %v, the second %v", len(c.entries), first, second)
	}
}
