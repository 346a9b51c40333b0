package lease_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// The tests in this file ask this package's server and a real Consul the same, and
// compare. Without a Consul (make consul) they are not run.

// litefs is the session that LiteFS asks for.
const litefs = `{"Behavior":"delete","LockDelay":"0ms","Name":"litefs","NodeChecks":[],"TTL":"60s"}`

// What LiteFS asks, and what it could, one after the other.
func TestLikeConsul(t *testing.T) {
	p := newPair(t)
	large := strings.Repeat("x", 512<<10)
	const unknown = "/12345678-1234-1234-1234-123456789abc"
	for i, s := range []struct{ method, path, body, want string }{
		{"GET", "/v1/kv/app/primary", "", "404"},
		{"PUT", "/v1/session/create", litefs, "200 map[ID:{0}]"},
		{"PUT", "/v1/session/create", strings.Replace(litefs, "delete", "release", 1), "200 map[ID:{1}]"},
		{"PUT", "/v1/session/renew/{0}", "", "200"},
		{"PUT", "/v1/session/renew/{1}", "", "200"},
		// One holds it, and may write it again.
		{"PUT", "/v1/kv/app/primary?acquire={0}", "one", "200 true"},
		{"GET", "/v1/kv/app/primary", "", "200"},
		{"PUT", "/v1/kv/app/primary?acquire={1}", "two", "200 false"},
		{"PUT", "/v1/kv/app/primary?acquire={0}", "one", "200 true"},
		{"GET", "/v1/kv/app/primary", "", "200"},
		{"PUT", "/v1/kv/app/primary?acquire={0}", "one more", "200 true"},
		{"GET", "/v1/kv/app/primary", "", "200"},
		{"PUT", "/v1/kv/app/primary?acquire={0}&flags=7", "one more", "200 true"},
		{"GET", "/v1/kv/app/primary", "", "200"},
		// Whoever writes without a session takes no lock and breaks none.
		{"PUT", "/v1/kv/app/primary", "stranger", "200 true"},
		{"GET", "/v1/kv/app/primary", "", "200"},
		{"PUT", "/v1/kv/app/primary?flags=18446744073709551615", "stranger", "200 true"},
		{"GET", "/v1/kv/app/primary", "", "200"},
		{"PUT", "/v1/kv/app/primary?flags=many", "stranger", "500"},
		{"PUT", "/v1/kv/app/primary?release={1}", "", "200 false"},
		{"PUT", "/v1/kv/app/primary?release={0}", "", "200 true"},
		{"GET", "/v1/kv/app/primary", "", "200"},
		{"PUT", "/v1/kv/app/primary?release={0}", "", "200 false"},
		{"PUT", "/v1/kv/app/nothing?release={0}", "", "200 false"},
		{"GET", "/v1/kv/app/nothing", "", "404"},
		// What names no session must not be taken as a plain write.
		{"PUT", "/v1/kv/app/primary?acquire=", "x", "500"},
		{"PUT", "/v1/kv/app/primary?release=", "x", "500"},
		{"PUT", "/v1/kv/app/primary?acquire={0}&release={0}", "x", "400"},
		{"PUT", "/v1/kv/app/primary?acquire=nobody", "x", "500"},
		{"PUT", "/v1/kv/app/primary?release=nobody", "x", "200 false"},
		{"PUT", "/v1/kv/app/primary?acquire=" + unknown[1:], "x", "500"},
		{"PUT", "/v1/kv/?acquire={0}", "x", "400"},
		{"GET", "/v1/kv/app/primary", "", "200"},
		{"GET", "/v1/kv/", "", "400"},
		// Behavior: release leaves the key, delete takes it.
		{"PUT", "/v1/kv/app/primary?acquire={1}", "two", "200 true"},
		{"PUT", "/v1/kv/app/other?acquire={1}", "too", "200 true"},
		{"PUT", "/v1/session/destroy/{1}", "", "200 true"},
		{"GET", "/v1/kv/app/primary", "", "200"},
		{"GET", "/v1/kv/app/other", "", "200"},
		{"PUT", "/v1/kv/app/primary?acquire={1}", "dead", "500"},
		{"PUT", "/v1/kv/app/primary?release={1}", "dead", "200 false"},
		{"PUT", "/v1/kv/app/primary?acquire={0}", "one", "200 true"},
		{"PUT", "/v1/session/destroy/{0}", "", "200 true"},
		{"GET", "/v1/kv/app/primary", "", "404"},
		{"GET", "/v1/kv/app/nothing", "", "404"},
		{"PUT", "/v1/session/renew/{0}", "", "404"},
		{"PUT", "/v1/session/destroy/{0}", "", "200 true"},
		{"PUT", "/v1/session/destroy" + unknown, "", "200 true"},
		{"PUT", "/v1/session/renew" + unknown, "", "404"},
		{"PUT", "/v1/session/renew/nobody", "", "404"},
		{"PUT", "/v1/session/destroy/nobody", "", "200 true"},
		{"PUT", "/v1/session/renew/", "", "400"},
		{"PUT", "/v1/session/destroy/", "", "400"},
		{"GET", "/v1/session/renew/{0}", "", "405"},
		{"GET", "/v1/session/create", "", "405"},
		{"POST", "/v1/kv/app/primary", "", "405"},
		{"GET", "/v1/catalog/register", "", "405"},
		{"PUT", "/v1/catalogue", "", "404"},
		// Sessions as nobody should ask for them.
		{"PUT", "/v1/session/create", "", "200 map[ID:{2}]"},
		{"PUT", "/v1/session/renew/{2}", "", "200"},
		{"PUT", "/v1/session/create", "{", "400"},
		{"PUT", "/v1/session/create", `{"TTL":"soon"}`, "500"},
		{"PUT", "/v1/session/create", `{"TTL":"-10s"}`, "500"},
		{"PUT", "/v1/session/create", `{"TTL":"25h"}`, "500"},
		{"PUT", "/v1/session/create", `{"TTL":10}`, "400"},
		{"PUT", "/v1/session/create", `{"Behavior":"keep"}`, "500"},
		{"PUT", "/v1/session/create", `{"LockDelay":"soon"}`, "400"},
		{"PUT", "/v1/session/create", `{"TTL":"0s","LockDelay":"2m","Unknown":1}`, "200 map[ID:{3}]"},
		{"PUT", "/v1/session/renew/{3}", "", "200"},
		{"PUT", "/v1/session/create", `{"ttl":"90s","lockdelay":5}`, "200 map[ID:{4}]"},
		{"PUT", "/v1/session/renew/{4}", "", "200"},
		{"PUT", "/v1/session/create", `{"LockDelay":5000000000,"NodeChecks":["serfHealth"]}`, "200 map[ID:{5}]"},
		{"PUT", "/v1/session/renew/{5}", "", "200"},
		{"PUT", "/v1/session/create", `{"NodeChecks":["nothing"]}`, "500"},
		{"PUT", "/v1/session/create", `{"ServiceChecks":[{"ID":"nothing"}]}`, "500"},
		{"PUT", "/v1/session/create", `{"Node":""}`, "500"},
		// With a prefix LiteFS registers a node, and has sessions of it.
		{"PUT", "/v1/session/create", `{"Node":"app-1/litefs","NodeChecks":[]}`, "500"},
		{"PUT", "/v1/catalog/register", `{}`, "500"},
		{"PUT", "/v1/catalog/register", `{"Node":"app-1/litefs"}`, "500"},
		{"PUT", "/v1/catalog/register", `{`, "400"},
		{"PUT", "/v1/catalog/register", `{"ID":"","Node":"app-1/litefs","Address":"localhost","TaggedAddresses":null,"NodeMeta":null,"Datacenter":"","Service":null,"Check":null,"Checks":null,"SkipNodeUpdate":false}`, "200 true"},
		{"PUT", "/v1/catalog/register", `{"Node":"app-1/litefs","Address":"localhost"}`, "200 true"},
		{"PUT", "/v1/session/create", `{"Node":"app-1/litefs"}`, "500"},
		{"PUT", "/v1/session/create", `{"Node":"app-1/litefs","NodeChecks":[],"Behavior":"delete","TTL":"10s","LockDelay":"1000ms"}`, "200 map[ID:{6}]"},
		{"PUT", "/v1/session/renew/{6}", "", "200"},
		{"PUT", "/v1/kv/app-1/litefs/primary?acquire={6}", "v", "200 true"},
		{"GET", "/v1/kv/app-1/litefs/primary", "", "200"},
		// Values of any kind, and keys.
		{"PUT", "/v1/kv/app/primary/clusterid", "LFSC0123456789ABCDEF", "200 true"},
		{"GET", "/v1/kv/app/primary/clusterid", "", "200"},
		{"PUT", "/v1/kv/binary", "\x00\xff\n", "200 true"},
		{"GET", "/v1/kv/binary", "", "200"},
		{"PUT", "/v1/kv/empty", "", "200 true"},
		{"GET", "/v1/kv/empty", "", "200"},
		{"PUT", "/v1/kv/empty", "", "200 true"},
		{"GET", "/v1/kv/empty", "", "200"},
		{"PUT", "/v1/kv/large", large, "200 true"},
		{"GET", "/v1/kv/large", "", "200"},
		{"PUT", "/v1/kv/large", large + "x", "413"},
		{"PUT", "/v1/kv/a%20b%2Fc+d/%C3%A9", "v", "200 true"},
		{"GET", "/v1/kv/a%20b%2Fc+d/%C3%A9", "", "200"},
		{"GET", "/v1/kv/a%20b/c+d/%C3%A9", "", "200"},
		{"GET", "/v1/kv/app/primary?consistent", "", "404"},
		{"GET", "/v1/kv/binary?stale", "", "200"},
	} {
		if got := p.ask(s.method, s.path, s.body); !strings.HasPrefix(got, s.want) {
			t.Errorf("%d: %s %s %.80s: %.200s, want %s", i, s.method, s.path, s.body, got, s.want)
		}
	}
	p.inOrder()
}

// Without ACLs any token will do, in the header or the query.
func TestTokenLikeConsul(t *testing.T) {
	p := newPair(t)
	p.token = "some-token"
	for _, s := range []struct{ method, path, body, want string }{
		{"PUT", "/v1/session/create", litefs, "200 map[ID:{0}]"},
		{"PUT", "/v1/kv/k?acquire={0}", "v", "200 true"},
		{"GET", "/v1/kv/k", "", "200"},
		{"GET", "/v1/kv/k?token=another", "", "200"},
		{"PUT", "/v1/session/renew/{0}", "", "200"},
		{"PUT", "/v1/session/destroy/{0}", "", "200 true"},
	} {
		if got := p.ask(s.method, s.path, s.body); !strings.HasPrefix(got, s.want) {
			t.Errorf("%s %s: %s, want %s", s.method, s.path, got, s.want)
		}
	}
}

// Random calls, the same for both. Lock-delays are none or the longest, and TTLs long,
// so that no outcome hangs on a moment.
func TestRandomLikeConsul(t *testing.T) {
	p := newPair(t)
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		one := func(of ...string) string { return of[rnd.IntN(len(of))] }
		session := func() string {
			if n := len(p.sessions[0]); n > 0 && rnd.IntN(20) > 0 {
				return fmt.Sprintf("{%d}", max(0, n-1-rnd.IntN(6)))
			}
			return one("", "nobody", "12345678-1234-1234-1234-123456789abc")
		}
		for range 150 {
			key := fmt.Sprintf("/v1/kv/seed%d/%s", seed, one("a", "b", "b/clusterid"))
			value := one("", "one", "two")
			switch rnd.IntN(10) {
			case 0:
				p.ask("PUT", "/v1/session/create", fmt.Sprintf(`{"NodeChecks":[],"Name":%q,"Behavior":%q,"LockDelay":%q,"TTL":%q}`,
					value, one("delete", "release", ""), one("0s", "0s", "60s"), one("1h", "24h", "0s", "")))
			case 1, 2, 3:
				p.ask("PUT", key+"?acquire="+session()+one("", "&flags=1"), value)
			case 4:
				p.ask("PUT", key+"?release="+session(), value)
			case 5:
				p.ask("PUT", key+one("", "?flags=2"), value)
			case 6:
				p.ask("PUT", "/v1/session/renew/"+session(), "")
			case 7:
				p.ask("PUT", "/v1/session/destroy/"+session(), "")
			default:
				p.ask("GET", key, "")
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
	p.inOrder()
}

// The times are the server's own: each is asked by itself, and held to what Consul
// promises. A busy machine makes everything late, and nothing early.
func TestTimesLikeConsul(t *testing.T) {
	consul := testkit.NewConsul(t)
	for name, url := range map[string]string{"ours": newServer(t), "consul": consul.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &pair{t: t, urls: [2]string{url, url}}
			ask := func(method, path, body string) string {
				a := p.one(0, method, path, body)
				return strings.TrimSpace(fmt.Sprint(a.Status, " ", a.Body))
			}
			create := func(ttl, delay string) {
				t.Helper()
				if got := ask("PUT", "/v1/session/create", fmt.Sprintf(`{"NodeChecks":[],"Behavior":"delete","TTL":%q,"LockDelay":%q}`, ttl, delay)); !strings.HasPrefix(got, "200") {
					t.Fatal(got)
				}
			}
			const ttl, delay = 4 * time.Second, 3 * time.Second
			create(ttl.String(), delay.String())
			create("1h", "0s")
			ask("PUT", "/v1/kv/k?acquire={0}", "v")
			// For more than two TTLs it is renewed, and lives.
			for begin := time.Now(); time.Since(begin) < 2*ttl+time.Second; {
				if got := ask("PUT", "/v1/session/renew/{0}", ""); !strings.HasPrefix(got, "200") {
					t.Fatalf("renew: %s", got)
				}
				wait(t, time.Now().Add(ttl/4))
			}
			renewed := time.Now()
			if got := ask("PUT", "/v1/session/renew/{0}", ""); !strings.HasPrefix(got, "200") {
				t.Fatalf("renew: %s", got)
			}
			answered, alive := time.Now(), time.Time{}
			testkit.Poll(t, "the session's end", func() bool {
				asked := time.Now()
				if strings.HasPrefix(ask("GET", "/v1/kv/k", ""), "404") {
					return true
				}
				alive = asked
				return false
			})
			ended := time.Now()
			if d := ended.Sub(renewed); d < ttl {
				t.Errorf("it ended after %v, before its TTL", d)
			}
			if d := alive.Sub(answered); d > 2*ttl+5*time.Second {
				t.Errorf("it was alive %v after its renewal", d)
			}
			// Its lock-delay began when it ended, which was after alive.
			testkit.Poll(t, "the lock-delay's end", func() bool { return ask("PUT", "/v1/kv/k?acquire={1}", "w") == "200 true" })
			if d := time.Since(alive); d < delay {
				t.Errorf("acquired %v after it was held, within the lock-delay", d)
			}
			if got := ask("PUT", "/v1/kv/k?acquire={0}", "dead"); !strings.HasPrefix(got, "500") {
				t.Errorf("acquire with an ended session: %s", got)
			}
		})
	}
}

// wait lets time go by, which is what is tested.
func wait(t *testing.T, until time.Time) {
	t.Helper()
	testkit.Poll(t, "time", func() bool { return time.Now().After(until) })
}

// Within the lock-delay nobody gets the key, whoever asks: not even why.
func TestLockDelayLikeConsul(t *testing.T) {
	p := newPair(t)
	for i, s := range []struct{ method, path, body, want string }{
		{"PUT", "/v1/session/create", `{"NodeChecks":[],"LockDelay":"5m","Behavior":"delete"}`, "200"}, // cut to a minute
		{"PUT", "/v1/session/create", litefs, "200"},
		{"PUT", "/v1/kv/k?acquire={0}", "v", "200 true"},
		{"PUT", "/v1/kv/released?acquire={0}", "v", "200 true"},
		{"PUT", "/v1/kv/released?release={0}", "v", "200 true"},
		{"PUT", "/v1/session/destroy/{0}", "", "200 true"},
		{"PUT", "/v1/kv/k?acquire={1}", "w", "200 false"},
		{"PUT", "/v1/kv/k?acquire={0}", "w", "200 false"},
		{"PUT", "/v1/kv/k?acquire=nobody", "w", "200 false"},
		{"PUT", "/v1/kv/k?release={1}", "w", "200 false"},
		{"PUT", "/v1/kv/released?acquire={1}", "w", "200 true"},
		{"PUT", "/v1/kv/k", "plain", "200 true"},
		{"PUT", "/v1/kv/k?acquire={1}", "w", "200 false"},
		{"GET", "/v1/kv/k", "", "200"},
	} {
		if got := p.ask(s.method, s.path, s.body); !strings.HasPrefix(got, s.want) {
			t.Errorf("%d: %s %s: %s, want %s", i, s.method, s.path, got, s.want)
		}
	}
}
