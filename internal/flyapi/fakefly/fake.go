package fakefly

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	fly "github.com/superfly/fly-go"
)

// Token is the token that the fake accepts, of the form that Fly's tokens have: several
// with commas between. ReadToken may read and change nothing.
const (
	Token     = "FlyV1 fm2_lJPECAAAAAAAAsecretONEw/8+c2Vzc2lvbg==,fm2_lJPETsecretTWOwA/b+ZGlzY2hhcmdl"
	ReadToken = "FlyV1 fm2_lJPECAAAAAAAAsecretREADw/8+cmVhZA=="
)

// Fake is Fly. All methods may be called at once with requests.
type Fake struct {
	server *httptest.Server
	done   chan struct{} // closed when the fake ends: what waits, ends

	closing sync.Once

	mu        sync.Mutex
	now       time.Time
	made      map[string]int // how many ids of a kind there are
	apps      map[string]*app
	regions   []*region
	faults    map[string][]*Fault
	journal   []Request
	eventual  int              // in so many lists, what is new is missing
	limits    func() time.Time // the clock of the rate limits; nil: none
	buckets   map[string]*bucket
	exec      func(machine *fly.Machine, command string) fly.MachineExecResponse
	listeners []io.Closer
}

// Request is one that the fake was sent.
type Request struct {
	Call   string // CreateVolume; empty where the fake has no such call
	Method string
	Path   string
	Query  string
	Body   string
	Nonce  string // the lease's
	Status int    // 0: the connection was closed
	Done   bool   // it had its effect, whatever was answered
}

type app struct {
	id, name, org string
	volumes       []*volume
	machines      []*machine
	secrets       map[string]string
}

// Start serves a fake for as long as a test runs.
func Start(t testing.TB) *Fake {
	t.Helper()
	f := New()
	t.Cleanup(f.Close)
	return f
}

// New serves a fake, until it is closed. It has Fly's regions and no app.
func New() *Fake {
	f := &Fake{
		done:    make(chan struct{}),
		now:     time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		made:    map[string]int{},
		apps:    map[string]*app{},
		regions: someRegions(),
		faults:  map[string][]*Fault{},
		buckets: map[string]*bucket{},
	}
	f.server = httptest.NewServer(f)
	return f
}

// URL is where the fake is, for FLY_FLAPS_BASE_URL.
func (f *Fake) URL() string { return f.server.URL }

// Env is the environment of a command that is to speak to the fake, as fast as it can.
func (f *Fake) Env() []string {
	return []string{"FLY_FLAPS_BASE_URL=" + f.URL(), "FLY_API_TOKEN=" + Token, "FLYSQL_FLY_SPEED=1000", "FLY_ACCESS_TOKEN="}
}

// Close ends the fake, and what its machines serve. Connections are refused from then on.
func (f *Fake) Close() { f.closing.Do(f.close) }

func (f *Fake) close() {
	close(f.done)
	f.server.CloseClientConnections()
	f.server.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.listeners {
		l.Close()
	}
}

// Now is what the fake's clock says. It stands until Advance, but for a millisecond with
// each thing made, so that one is older than the next.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// Advance moves the clock: leases end, rate limits fill up.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// tick is the time at which a thing is made.
func (f *Fake) tick() time.Time {
	f.now = f.now.Add(time.Millisecond)
	return f.now
}

// EventualListing makes a new volume or machine be missing in so many lists.
func (f *Fake) EventualListing(lists int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.eventual = lists
}

// LimitRates switches on Fly's rate limits, by a clock: time.Now for a command that is run
// as it is; nil is the fake's own, which stands, so three requests of a kind pass until
// Advance.
func (f *Fake) LimitRates(now func() time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limits = now
	if now == nil {
		f.limits = func() time.Time { return f.now }
	}
}

// Journal is what was asked, in order.
func (f *Fake) Journal() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.journal)
}

// Calls counts what was asked, by the call's name.
func (f *Fake) Calls() map[string]int {
	calls := map[string]int{}
	for _, r := range f.Journal() {
		calls[r.Call]++
	}
	return calls
}

// Writes are the requests that were to change something.
func (f *Fake) Writes() []Request {
	return slices.DeleteFunc(f.Journal(), func(r Request) bool { return r.Method == http.MethodGet })
}

// ForgetJournal empties it: what a test sets up by way of the API is not counted then.
func (f *Fake) ForgetJournal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.journal = nil
}

// id makes an id that follows from how many of its kind there are, and looks like Fly's.
func (f *Fake) id(kind string) string {
	f.made[kind]++
	sum := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, f.made[kind])))
	switch kind {
	case "volume":
		return "vol_" + sum[:16]
	case "snapshot":
		return "vs_" + sum[:16]
	case "instance":
		return "01" + strings.ToUpper(sum[:24])
	}
	return sum[:14]
}

// answer is what a call answers with. A nil body is an empty one.
type answer struct {
	status int
	body   any
}

func ok(body any) answer {
	data, err := json.Marshal(body) // now, while nothing changes it
	if err != nil {
		panic(err)
	}
	return answer{http.StatusOK, json.RawMessage(data)}
}

// refuse is an error as Fly writes them.
func refuse(status int, format string, a ...any) answer {
	return answer{status, map[string]string{"error": fmt.Sprintf(format, a...)}}
}

// refuseAs is refuse with the word for programs.
func refuseAs(status int, code, format string, a ...any) answer {
	return answer{status, map[string]string{"error": fmt.Sprintf(format, a...), "status": code}}
}

// ServeHTTP answers one request: a fault before it, its effect, a fault after it.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return
	}
	op, args := route(r)
	entry := Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Body: string(body), Nonce: r.Header.Get(nonceHeader)}
	if op != nil {
		entry.Call = op.call
	}
	fault := f.nextFault(entry.Call)
	if !fault.begin(f, r) {
		return
	}
	var a answer
	switch refused, has := f.admit(op, args, r, fault); {
	case has:
		a = refused
	default:
		f.mu.Lock()
		a = op.do(f, &request{Request: r, args: args, body: body, fault: fault})
		f.mu.Unlock()
		entry.Done = a.status < 300
	}
	a = fault.end(a)
	if fault.kind == dropAfter || fault.kind == dropBefore {
		a.status = 0
	}
	entry.Status = a.status
	f.record(entry)
	if a.status == 0 {
		panic(http.ErrAbortHandler) // closes the connection
	}
	f.write(w, a, fault)
}

// admit says what refuses a request before it is looked at.
func (f *Fake) admit(op *operation, args []string, r *http.Request, fault *Fault) (answer, bool) {
	if fault.kind == dropBefore {
		return answer{}, true
	}
	if a, has := fault.refusal(); has {
		return a, true
	}
	switch header := r.Header.Get("Authorization"); header {
	case Token:
	case ReadToken:
		if r.Method != http.MethodGet {
			return refuse(http.StatusForbidden, "forbidden: the token is read-only"), true
		}
	default:
		return refuse(http.StatusUnauthorized, "unauthorized"), true
	}
	if op == nil {
		return refuse(http.StatusNotFound, "404 page not found"), true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.limits != nil && !f.pass(op, args) {
		return refuse(http.StatusTooManyRequests, "rate limit exceeded"), true
	}
	return answer{}, false
}

func (f *Fake) record(r Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.journal = append(f.journal, r)
}

func (f *Fake) write(w http.ResponseWriter, a answer, fault *Fault) {
	w.Header().Set("fly-request-id", fmt.Sprintf("01FAKE%08d-ams", len(f.Journal())))
	if a.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", fmt.Sprint(fault.retryAfter()))
	}
	if raw, ok := a.body.([]byte); ok {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(a.status)
		w.Write(raw)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	if a.body == nil {
		return
	}
	data, err := json.Marshal(a.body)
	if err != nil {
		panic(err)
	}
	w.Write(append(data, '\n'))
}

// copyOf is a value that shares nothing with the fake's own.
func copyOf[T any](v T) T {
	var out T
	data, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		panic(err)
	}
	return out
}
