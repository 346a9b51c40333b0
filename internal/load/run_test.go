package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// read and write are requests that tests send.
func read(t testing.TB, path string) Request {
	t.Helper()
	r, err := ParseRead(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func write(t testing.TB, text string) Request {
	t.Helper()
	r, err := ParseWrite(text, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func serve(t testing.TB, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// run runs, and expects no error.
func run(t *testing.T, o Options) *Report {
	t.Helper()
	result, err := Run(t.Context(), Patient(o), nil)
	if err != nil {
		t.Fatal(err)
	}
	return result.Report()
}

// Every request that is due is sent once: so many reads, so many writes, each with its own
// number, and what was answered is counted.
func TestCounts(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen, bodies := map[string]int{}, map[string]bool{}
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("X-Vegeta-Seq") != "" || r.UserAgent() != "flysql-load" {
			t.Errorf("header %v", r.Header)
		}
		seen[r.Method+" "+r.URL.RequestURI()]++
		if r.Method == "POST" {
			if bodies[string(body)] || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
				t.Errorf("%q came again, or as %q", body, r.Header.Get("Content-Type"))
			}
			bodies[string(body)] = true
			w.Header().Set("Location", "/messages?token=secret")
			w.WriteHeader(303)
			return
		}
		switch len(bodies) % 10 {
		case 3:
			http.Error(w, "no", http.StatusServiceUnavailable)
		default:
			fmt.Fprint(w, "hello")
		}
	})
	p := run(t, Options{URL: at + "/base/", Rate: 200, For: time.Second, Writes: 0.25, Reads: []Request{read(t, "/"), read(t, "/a%2Fb?q=1")}, Write: []Request{write(t, "POST /m text={{n}}+{{run}}")}, Run: "x1", Visitors: 5})
	if seen["POST /base/m"] != 50 || seen["GET /base/"] != 76 || seen["GET /base/a%2Fb?q=1"] != 75 || len(bodies) != 50 {
		t.Errorf("got %v, and %d bodies", seen, len(bodies)) // one to reach it
	}
	if p.Due != 200 || p.Unsent != 0 || p.All.Count != 200 || p.Reads.Count != 150 || p.Writes.Count != 50 || p.Writes.Failed != 0 || p.PerSecond != 200 {
		t.Errorf("%+v", p)
	}
	sum := 0
	for _, c := range p.Statuses {
		sum += c.Count
		if c.What == "503 Service Unavailable" && c.Count != p.All.Failed || c.What == "303 See Other" && c.Count != 50 {
			t.Errorf("%+v, of which %d failed", p.Statuses, p.All.Failed)
		}
	}
	if sum != 200 || len(p.Errors) != 0 || p.All.Success != float64(200-p.All.Failed)/200 {
		t.Errorf("%+v", p)
	}
	if text := fmt.Sprint(p.Notes); !strings.Contains(text, "POST /m: 303 to /messages") || strings.Contains(text, "secret") || !strings.Contains(text, "no response says which way") {
		t.Errorf("notes: %s", text)
	}
}

// The same seed sends the same requests by the same visitors, another one does not.
func TestSeed(t *testing.T) {
	o := Options{Writes: 0.3, Reads: []Request{{}, {}}, Write: []Request{{Write: true}}, Visitors: 7, Regions: []string{"ams", "ord"}}
	tell := func(seed uint64) string {
		p := newPlan(&o, 1000, seed, 0)
		var b strings.Builder
		for i := range p.kinds {
			fmt.Fprintln(&b, p.kinds[i], p.values(uint64(i)))
		}
		return b.String()
	}
	if first, again := tell(1), tell(1); first != again || first == tell(2) {
		t.Error("the seed does not decide")
	}
	p := newPlan(&o, 70_000, 3, 0)
	visitors, kinds := map[int]int{}, map[uint8]int{}
	for i := range p.kinds {
		v := p.values(uint64(i))
		visitors[v.visitor]++
		kinds[p.kinds[i]]++
		if want := o.Regions[v.visitor%2]; v.region != want || v.n != uint64(i)+1 {
			t.Fatalf("%+v", v)
		}
	}
	for visitor, n := range visitors {
		if n < 9_500 || n > 10_500 {
			t.Errorf("visitor %d: %d of 70000", visitor, n)
		}
	}
	if len(visitors) != 7 || kinds[0] != 24_500 || kinds[1] != 24_500 || kinds[2] != 21_000 {
		t.Errorf("%v %v", visitors, kinds)
	}
}

// Each visitor has its own cookies, and is always in the same region. What an app calls
// secure comes back on this machine, as browsers have it.
func TestVisitors(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	regions, first := map[string]string{}, map[string]bool{}
	var visitors atomic.Int64
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		region := r.Header.Get("Flysql-Dev-Region")
		c, err := r.Cookie("id")
		if err != nil {
			id := fmt.Sprint(visitors.Add(1))
			regions[id] = region
			http.SetCookie(w, &http.Cookie{Name: "id", Value: id, Secure: true, HttpOnly: true, Path: "/"})
			return
		}
		first[c.Value] = true
		if regions[c.Value] != region {
			t.Errorf("visitor %s is in %q, and was in %q", c.Value, region, regions[c.Value])
		}
	})
	p := run(t, Options{URL: strings.Replace(at, "127.0.0.1", "shop.localhost", 1), Rate: 200, For: time.Second, Reads: []Request{read(t, "/")}, Regions: []string{"ams", "syd", "ord"}, Visitors: 6, Max: 1})
	if len(regions) != 6 || len(first) != 6 {
		t.Errorf("%d visitors came, and %d came again", len(regions), len(first))
	}
	if len(p.From) != 3 || p.From[0].Name != "ams" || p.From[0].Count+p.From[1].Count+p.From[2].Count != 200 || p.From[1].Count < 40 {
		t.Errorf("%+v", p.From)
	}
}

// Fly's proxy knows where a client is; it can be told which machines to prefer.
func TestRegionOnFly(t *testing.T) {
	s, err := newSender(Options{URL: "https://user:secret@shop.fly.dev", Regions: []string{"ams"}, Reads: []Request{read(t, "/")}}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.request(t.Context(), &s.kinds[0], &values{region: "ams"})
	if err != nil {
		t.Fatal(err)
	}
	user, password, _ := r.BasicAuth()
	if r.Header.Get("Fly-Prefer-Region") != "ams" || r.Header.Get("Flysql-Dev-Region") != "" || user != "user" || password != "secret" || r.URL.String() != "https://shop.fly.dev/" {
		t.Errorf("%v %v", r.URL, r.Header)
	}
}

// An app that stands still does not stop the clock: what was due meanwhile has waited,
// though it could not be sent.
func TestWaitCounts(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 20 {
			time.Sleep(400 * time.Millisecond) // the app's, not the test's
		}
	})
	p := run(t, Options{URL: at, Rate: 100, For: time.Second, Reads: []Request{read(t, "/")}, Max: 1})
	// Some 40 requests were due in these 400 ms: half of them have waited for 200 and more.
	if p.All.Count != 100 || time.Duration(p.All.Latency.P90) < 100*time.Millisecond || time.Duration(p.HeldMS.Max) < 200*time.Millisecond {
		t.Errorf("%+v late %+v", p.All, p.HeldMS)
	}
	if text := fmt.Sprint(p.Notes); !strings.Contains(text, "until one of 1 under way (--max) had been answered") {
		t.Errorf("notes: %s", text)
	}
}

// What could not be sent at all is told, and by whose fault.
func TestUnsent(t *testing.T) {
	t.Parallel()
	at := serve(t, func(w http.ResponseWriter, r *http.Request) { time.Sleep(50 * time.Millisecond) })
	result, err := Run(t.Context(), Options{URL: at, Rate: 1000, For: 300 * time.Millisecond, Reads: []Request{read(t, "/")}, Max: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := result.Report()
	if p.Unsent == 0 || p.Unsent+p.All.Count != 300 {
		t.Errorf("%d unsent, %d sent", p.Unsent, p.All.Count)
	}
	if text := fmt.Sprint(p.Notes); !strings.Contains(text, " of 300 requests, as 2 were under way already (--max)") {
		t.Errorf("notes: %s", text)
	}
}

// Why there was no answer is told in words that are the same for all, and without anything
// of the request.
func TestReasons(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1: // to reach it
		case 2, 3, 4:
			panic(http.ErrAbortHandler)
		case 5, 6:
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("half"))
			panic(http.ErrAbortHandler)
		case 7:
			io.Copy(io.Discard, r.Body) // else nobody sees the client go
			<-r.Context().Done()
		case 8:
			w.Header().Set("Location", "http://%zz/")
			w.WriteHeader(302)
		}
	})
	p := run(t, Options{URL: at, Rate: 100, For: 100 * time.Millisecond, Writes: 1, Write: []Request{write(t, "POST /m?token=secret text={{n}}")}, Timeout: 2 * time.Second})
	want := []Count{{"the connection was closed before the answer's end", 5}, {"no answer within 2s", 1}}
	if fmt.Sprint(p.Errors) != fmt.Sprint(want) || p.All.Failed != 6 {
		t.Errorf("got %v, want %v; %+v", p.Errors, want, p.All)
	}
}

// What ends a run early ends it at once, and what was measured stays.
func TestEnded(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancelCause(t.Context())
	cause := errors.New("Ctrl-C")
	var n atomic.Int64
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 21 {
			end(cause)
			<-r.Context().Done()
		}
	})
	result, err := Run(ctx, Options{URL: at, Rate: 50, For: time.Hour, Reads: []Request{read(t, "/")}}, nil)
	if !errors.Is(err, cause) {
		t.Fatal(err)
	}
	p := result.Report()
	if !p.Ended || p.All.Count < 10 || p.All.Count+p.Stopped != p.Due || p.All.Failed != 0 || p.Unsent != 0 || p.Stopped == 0 || p.Seconds >= 3600 {
		t.Errorf("%+v", p)
	}
}

// A host that cannot be reached is known before all else, and why.
func TestReach(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()
	tls.Config.ErrorLog = nil
	moved := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+r.Host+"/", http.StatusMovedPermanently)
	})
	silent := serve(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for at, want := range map[string]string{
		"http://" + l.Addr().String(): " does not answer: dial: connection refused",
		tls.URL:                       " does not answer: the certificate is not good: x509: ",
		strings.Replace(tls.URL, "https", "http", 1): "",
		moved:  " sends its visitors to https: give that URL",
		silent: " does not answer: no answer within 100ms",
	} {
		limit := 20 * time.Second
		if at == silent {
			limit = 100 * time.Millisecond
		}
		r, err := New(Options{URL: at, Rate: 1, For: time.Second, Reads: []Request{read(t, "/")}, Timeout: limit})
		if err != nil {
			t.Fatal(err)
		}
		err = r.Reach(t.Context())
		r.Close()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), at+want)) {
			t.Errorf("%s: got %v, want %q", at, err, want)
		}
	}
}

// The raw results are vegeta's, and hold nothing that is secret.
func TestRaw(t *testing.T) {
	t.Parallel()
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "secret"})
		w.Header().Set("Flysql-Dev-Way", "nearest a1 ams")
		if r.Method == "POST" {
			w.WriteHeader(500)
		}
	})
	result, err := Run(t.Context(), Patient(Options{URL: strings.Replace(at, "http://", "http://user:secret@", 1), Rate: 200, For: 100 * time.Millisecond, Writes: 0.5, Reads: []Request{read(t, "/?token=secret")}, Write: []Request{write(t, "POST / text=secret")}, Regions: []string{"ams"}, Header: http.Header{"X-Token": {"secret"}}}), nil)
	if err != nil {
		t.Fatal(err)
	}
	var raw, html bytes.Buffer
	if err := errors.Join(result.WriteRaw(&raw), result.Report().WriteHTML(&html)); err != nil {
		t.Fatal(err)
	}
	printed, err := json.Marshal(result.Report())
	if err != nil || strings.Contains(raw.String()+html.String()+string(printed), "secret") {
		t.Errorf("%v\n%s\n%s", err, &raw, printed)
	}
	attacks := map[string]int{}
	decode := vegeta.NewJSONDecoder(&raw)
	for {
		var r vegeta.Result
		if err := decode(&r); err != nil {
			if err != io.EOF {
				t.Fatal(err)
			}
			break
		}
		attacks[fmt.Sprint(r.Attack, ": ", r.Code, " ", r.Error)]++
	}
	if attacks["GET /, ams, local: 200 "] != 10 || attacks["POST /, ams, local: 500 status 500"] != 10 || len(attacks) != 2 {
		t.Errorf("%v", attacks)
	}
}
