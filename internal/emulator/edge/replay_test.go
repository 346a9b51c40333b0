package edge_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/flysql/flysql/internal/emulator/edge"
)

// Each case is a point of the facts on fly-replay; says is its sentence.
func TestReplay(t *testing.T) {
	a1, o1, s1, i1 := machine(t, "a1", "ams", nil), machine(t, "o1", "ord", nil), machine(t, "s1", "syd", nil), machine(t, "i1", "iad", nil)
	l1 := gone(t, "l1", "lhr")
	other := machine(t, "x1", "syd", nil)
	other.App = "other"
	all := []edge.Machine{a1, o1, s1, i1, l1, other}
	for _, tt := range []struct {
		name, says, want string
		do               http.HandlerFunc // of the machine in cdg, where the request comes in
		more             []edge.Machine
	}{
		{"instance", "instance", "200 o1 POST /m body src:instance=c1;region=cdg cache:miss", gives("instance=o1"), nil},
		{"region", "region", "200 s1 POST /m body src:instance=c1;region=cdg cache:miss", gives("region=syd"), nil},
		{"regions in order", `region ("iad,ord,us,any")`, "200 i1 POST /m body src:instance=c1;region=cdg cache:miss", gives(`region="lax,iad,ord"`), nil},
		{"a group", "geographic aliases like us, eu, or sa to target a broader area", "200 i1 POST /m body src:instance=c1;region=cdg cache:miss", gives("region=us"), nil},
		{"any", "region, or fallback to any available machine", "200 c1 POST /m body src:instance=c1;region=cdg cache:miss", once(gives(`region="lax,any"`)), nil},
		{"a group that nobody is in", "no_candidate", `503 edge: PR01: no machine takes requests for this: no known healthy machine`, gives("region=sa"), nil},
		{"an unquoted list", "lists quoted", `502 edge: PA03: fly-replay: region=iad,ord: a list of regions must be quoted`, gives("region=iad,ord"), nil},
		{"both", "fields together", "200 a1 POST /m body src:instance=c1;region=cdg;state=x cache:miss", gives(`instance=a1;region="ams,ord";state=x`), nil},
		{"state", "state", "200 o1 POST /m body src:instance=c1;region=cdg;state=a,b=c cache:miss", gives("instance=o1;state=a,b=c"), nil},
		{"spaces, and an empty field", "k=v;k=v", "200 o1 POST /m body src:instance=c1;region=cdg;state=x cache:miss", gives(" instance=o1 ; ; state=x;"), nil},
		{"elsewhere", "elsewhere=true", "200 a1 POST /m body src:instance=c1;region=cdg cache:miss", gives("elsewhere=true"), nil},
		{"elsewhere within a region", "excludes responding Machine from next load-balance", "200 c2 POST /m body src:instance=c1;region=cdg cache:miss", gives("elsewhere=true;region=cdg"), []edge.Machine{machine(t, "c2", "cdg", nil)}},
		{"prefer_instance", "prefer_instance", "200 o1 POST /m body src:instance=c1;region=cdg cache:miss", gives("prefer_instance=o1"), nil},
		{"prefer_instance that there is not", "fly-preferred-instance-unavailable tells of a miss", "200 s1 POST /m body src:instance=c1;region=cdg cache:miss missed:gone", gives("prefer_instance=gone;region=syd"), nil},
		{"prefer_instance that takes nothing", "a different Machine that matches the remaining fields", "200 a1 POST /m body src:instance=c1;region=cdg cache:miss missed:l1", gives("prefer_instance=l1;region=ams"), nil},
		{"app", "app", "200 x1 POST /m body src:instance=c1;region=cdg cache:miss", gives("app=other"), nil},
		{"its own app", "app", "200 o1 POST /m body src:instance=c1;region=cdg cache:miss", gives("app=guestbook;region=ord"), nil},
		{"an app that there is not", "refused unless configured", `502 edge: PA04: fly-replay to the app "nowhere", which this edge does not have`, gives("app=nowhere"), nil},
		{"a machine of another app", "logically valid", "503 edge: PR01: no machine takes requests for this: no known healthy machine", gives("instance=x1"), nil},
		{"an instance that there is not", "no_candidate", "503 edge: PR01: no machine takes requests for this: no known healthy machine", gives("instance=nobody"), nil},
		{"timeout not needed", "timeout (10s, 800ms)", "200 o1 POST /m body src:instance=c1;region=cdg cache:miss", gives("instance=o1;timeout=800ms"), nil},
		{"fallback not needed", "fallback", "200 o1 POST /m body src:instance=c1;region=cdg cache:miss", gives("instance=o1;fallback=force_self"), nil},
		{"force_self, no connection", "the original machine gets the request again with fly-replay-failed",
			"200 c1 POST /m body failed:instance=l1;app=guestbook;region=;replay_source=c1;reason=retries_exhausted", gives("instance=l1;fallback=force_self;timeout=10s"), nil},
		{"force_self, nobody", "reason=no_candidate",
			"200 c1 POST /m body failed:instance=;app=guestbook;region=sa;replay_source=c1;reason=no_candidate", gives("region=sa;fallback=force_self"), nil},
		{"prefer_self", "prefer_self",
			"200 c1 POST /m body failed:instance=gone;app=other;region=;replay_source=c1;reason=no_candidate", gives("app=other;instance=gone;fallback=prefer_self"), nil},
		{"a fallback that is given on", "must not answer that with another replay",
			"502 edge: a replay that failed is answered by fly-replay: instance=gone;fallback=force_self;state=again", gives("instance=gone;fallback=force_self;state=again"), nil},
		{"no such field", "unknown fields", `502 edge: PA03: fly-replay: instance=a1;cheese=5s: there is no field "cheese"`, gives("instance=a1;cheese=5s"), nil},
		{"no such fallback", "fallback (force_self | prefer_self)", `502 edge: PA03: fly-replay: instance=a1;fallback=me: fallback=me: want force_self or prefer_self`, gives("instance=a1;fallback=me"), nil},
		{"no such duration", "timeout (10s, 800ms)", `502 edge: PA03: fly-replay: instance=a1;timeout=5: timeout=5: want a duration such as 10s or 800ms`, gives("instance=a1;timeout=5"), nil},
		{"to nobody", "fields", `502 edge: PA03: fly-replay: state=x: it names no instance, region or app`, gives("state=x"), nil},
		{"no value", "k=v", `502 edge: PA03: fly-replay: instance: "instance" has no value`, gives("instance"), nil},
		{"in a circle", "returned too many times, stopping there", "508 edge: PA02: replayed 5 times", gives("instance=c1"), nil},
		{"two in a row", "instance: ID of Machine that sent fly-replay", "200 o1 POST /m body src:instance=h2;region=arn cache:miss", gives("instance=h2;state=1"), []edge.Machine{machine(t, "h2", "arn", gives("instance=o1"))}},

		{"JSON", "content type application/vnd.fly.replay+json, the same fields", "200 o1 POST /m body src:instance=c1;region=cdg;state=x cache:miss", givesJSON(`{"instance":"o1","state":"x"}`), nil},
		{"JSON, regions", `"region": "iad,us"`, "200 i1 POST /m body src:instance=c1;region=cdg cache:miss", givesJSON(`{"region":"iad,us"}`), nil},
		{"JSON, elsewhere", "elsewhere", "200 a1 POST /m body src:instance=c1;region=cdg cache:miss", givesJSON(`{"elsewhere":true}`), nil},
		{"JSON, fallback", "timeout, fallback", "200 c1 POST /m body failed:instance=gone;app=guestbook;region=;replay_source=c1;reason=no_candidate", givesJSON(`{"instance":"gone","timeout":"10s","fallback":"force_self"}`), nil},
		{"JSON, path", "transform.path", "200 o1 POST /new/path?param=value body src:instance=c1;region=cdg cache:miss", givesJSON(`{"instance":"o1","transform":{"path":"/new/path?param=value"}}`), nil},
		{"JSON that is none", "JSON", "502 edge: PA03: fly-replay: the JSON form: invalid character 'n' looking for beginning of object key string", givesJSON(`{no`), nil},
		{"JSON, more after it", "JSON", "502 edge: PA03: fly-replay: the JSON form: more follows it", givesJSON(`{"region":"ord"}{}`), nil},
		{"JSON, no such field", "JSON", `502 edge: PA03: fly-replay: the JSON form: json: unknown field "cheese"`, givesJSON(`{"cheese":1}`), nil},
		{"JSON, a state that no header can have", "state", `502 edge: PA03: fly-replay: "a\x01" must not contain ; or a control character`, givesJSON(`{"instance":"o1","state":"a\u0001"}`), nil},
		{"JSON, a field in a field", "fly-replay-failed", `502 edge: PA03: fly-replay: "l1;reason=timeout" must not contain ; or a control character`, givesJSON(`{"instance":"l1;reason=timeout","fallback":"force_self"}`), nil},
		{"JSON, a header that is none", "transform.set_headers", `502 edge: PA03: fly-replay: transform.set_headers: "a b" is no header, or its value is none`, givesJSON(`{"instance":"o1","transform":{"set_headers":[{"name":"a b","value":"x"}]}}`), nil},
		{"JSON, two headers in one", "transform.set_headers", `502 edge: PA03: fly-replay: transform.set_headers: "a" is no header, or its value is none`, givesJSON(`{"instance":"o1","transform":{"set_headers":[{"name":"a","value":"x\r\nb: y"}]}}`), nil},
		{"a state that fits into no request", "state", `502 edge: PA03: fly-replay: it has more than 64 KB`, gives("instance=o1;state=" + strings.Repeat("x", 64<<10)), nil},
		{"JSON, a path from nowhere", "transform.path", `502 edge: PA03: fly-replay: transform.path "new" must begin with /`, givesJSON(`{"instance":"o1","transform":{"path":"new"}}`), nil},
		{"JSON without end", "JSON", `502 edge: PA03: fly-replay: the JSON form has more than 64 KB`, givesJSON(`{"state":"` + strings.Repeat("x", 65<<10) + `"}`), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			machines := append([]edge.Machine{machine(t, "c1", "cdg", tt.do)}, tt.more...)
			e := newEdge(t, edge.Options{App: "guestbook"}, append(machines, all...)...)
			if got := ask(e, "POST", "http://cdg.localhost/m", "body", "fly-prefer-instance-id", "c1"); got != tt.want {
				t.Errorf("%s:\ngot  %q\nwant %q", tt.says, got, tt.want)
			}
		})
	}
}

// "force_self ... returns a proxy error if that Machine is no longer available"; prefer_self
// may "fall back to any Machine in the original app".
func TestFallbackWithoutSelf(t *testing.T) {
	for how, want := range map[string]string{
		"force_self":  "503 edge: PR01: no machine takes requests for this: no known healthy machine",
		"prefer_self": "200 a1 POST /m body failed:instance=gone;app=guestbook;region=;replay_source=c1;reason=no_candidate",
	} {
		e, a1 := newEdge(t, edge.Options{App: "guestbook"}), machine(t, "a1", "ams", nil)
		e.Set([]edge.Machine{a1, machine(t, "c1", "cdg", func(w http.ResponseWriter, r *http.Request) {
			e.Set([]edge.Machine{a1})
			gives("instance=gone;fallback="+how)(w, r)
		})})
		if got := ask(e, "POST", "http://cdg.localhost/m", "body"); got != want {
			t.Errorf("%s: got %q, want %q", how, got, want)
		}
	}
}

// once lets the second request through.
func once(do http.HandlerFunc) http.HandlerFunc {
	var asked atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			do(w, r)
		}
	}
}

// fly-replay-src is `instance=..;region=..;t=<µs>;state=..`, and fly-replay-failed ends
// with elapsed_ms.
func TestReplayTimes(t *testing.T) {
	var src, failed string
	a1 := machine(t, "a1", "ams", func(_ http.ResponseWriter, r *http.Request) { src = r.Header.Get("fly-replay-src") })
	o1 := machine(t, "o1", "ord", func(w http.ResponseWriter, r *http.Request) {
		if failed = r.Header.Get("fly-replay-failed"); failed == "" {
			w.Header().Set("fly-replay", r.Header.Get("Want"))
		}
	})
	e := newEdge(t, edge.Options{App: "guestbook"}, a1, o1)
	ask(e, "POST", "http://ord.localhost/", "", "Want", "instance=a1;state=s")
	if ok := matches(`^instance=o1;region=ord;t=\d{16};state=s$`, src); !ok {
		t.Errorf("fly-replay-src: %s", src)
	}
	ask(e, "POST", "http://ord.localhost/", "", "Want", "instance=b1;fallback=force_self")
	if ok := matches(`^instance=b1;app=guestbook;region=;replay_source=o1;reason=no_candidate;elapsed_ms=\d+$`, failed); !ok {
		t.Errorf("fly-replay-failed: %s", failed)
	}
}

// "Delete headers from the request, hiding them from the replay target"; "set new headers
// on the request, overwriting headers of the same name". A fallback gets "still the
// original request".
func TestReplayTransforms(t *testing.T) {
	var got http.Header
	see := func(w http.ResponseWriter, r *http.Request) { got = r.Header.Clone() }
	form, _ := json.Marshal(map[string]any{
		"instance": "a1", "fallback": "force_self",
		"transform": map[string]any{
			"path":           "/other?token=secret",
			"delete_headers": []string{"x-secret", "cookie"},
			"set_headers":    []map[string]string{{"name": "x-new", "value": "1"}, {"name": "authorization", "value": "Bearer 2"}},
		},
	})
	o1 := machine(t, "o1", "ord", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("fly-replay-failed") == "" {
			givesJSON(string(form))(w, r)
			return
		}
		see(w, r)
	})
	header := []string{"X-Secret", "s", "Cookie", "a=b", "Authorization", "Basic 1"}
	e := newEdge(t, edge.Options{}, machine(t, "a1", "ams", see), o1)
	events := e.Subscribe(1)
	if answer := ask(e, "POST", "http://ord.localhost/p", "body", header...); !strings.HasPrefix(answer, "200 a1 POST /other?token=secret body") {
		t.Error(answer)
	}
	const shown = `{"instance":"a1","fallback":"force_self","transform":{"path":"/other","delete_headers":["x-secret","cookie"],"set_headers":[{"name":"x-new","value":"1"},{"name":"authorization","value":"(8 bytes)"}]}}`
	if ev := <-events.C; ev.Hops[0].Replay != shown {
		t.Errorf("the event has %s", ev.Hops[0].Replay)
	}
	if got.Get("X-Secret") != "" || got.Get("Cookie") != "" || got.Get("X-New") != "1" || got.Get("Authorization") != "Bearer 2" {
		t.Errorf("the target got %v", got)
	}
	e.Set([]edge.Machine{o1})
	if answer := ask(e, "POST", "http://ord.localhost/p", "body", header...); !strings.HasPrefix(answer, "200 o1 POST /p body failed:") {
		t.Error(answer)
	}
	if got.Get("X-Secret") != "s" || got.Get("X-New") != "" || got.Get("Authorization") != "Basic 1" {
		t.Errorf("the fallback got %v", got)
	}
}

// "Requests larger than 1MB cannot be replayed." One that is not replayed may be.
func TestReplayLimit(t *testing.T) {
	e := newEdge(t, edge.Options{}, machine(t, "a1", "ams", nil), machine(t, "o1", "ord", gives("instance=a1")))
	for _, tt := range []struct {
		url  string
		size int
		want string
	}{
		{"http://ord.localhost/m", 1 << 20, "200 a1 POST /m xxxxxxxxxxxxxxxxxxxx src:instance=o1;region=ord cache:miss"},
		{"http://ord.localhost/m", 1<<20 + 1, "413 edge: PA01: a request over 1 MB cannot be replayed"},
		{"http://ams.localhost/m", 3 << 20, "200 a1 POST /m xxxxxxxxxxxxxxxxxxxx"},
	} {
		if got := ask(e, "POST", tt.url, strings.Repeat("x", tt.size)); got != tt.want {
			t.Errorf("%d bytes: got %q, want %q", tt.size, got, tt.want)
		}
	}
	// A length that is not declared is known once it has been read.
	req, err := http.NewRequest("POST", serve(t, e), io.LimitReader(endless{}, 1<<20+1))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(edge.RegionHeader, "ord")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("chunked: %s", res.Status)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// What a machine may have done is not done again by another.
func TestSentOnce(t *testing.T) {
	for _, requests := range []bool{false, true} {
		var asked atomic.Int32
		breaks := func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			panic(http.ErrAbortHandler)
		}
		e := newEdge(t, edge.Options{Service: edge.Service{Requests: requests}}, machine(t, "a1", "ams", breaks), machine(t, "a2", "ams", breaks))
		got := ask(e, "POST", "http://localhost/", "body")
		if !strings.HasPrefix(got, "502 edge: PU02: could not complete the request: machine a") || asked.Load() != 1 {
			t.Errorf("%q, asked %d times, want an error after one", got, asked.Load())
		}
	}
}

// No source says that the proxy strips a client's own fly-replay-src: it arrives, where
// no replay replaces it.
func TestForgedSource(t *testing.T) {
	e := newEdge(t, edge.Options{}, machine(t, "a1", "ams", nil), machine(t, "o1", "ord", gives("instance=a1")))
	for url, want := range map[string]string{
		"http://ams.localhost/": "200 a1 POST /  src:instance=forged",
		"http://ord.localhost/": "200 a1 POST /  src:instance=o1;region=ord cache:miss",
	} {
		if got := ask(e, "POST", url, "", "fly-replay-src", "instance=forged"); got != want {
			t.Errorf("%s: got %q, want %q", url, got, want)
		}
	}
}
