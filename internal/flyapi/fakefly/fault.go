package fakefly

import (
	"net/http"
	"time"
)

type faultKind int

const (
	none faultKind = iota
	refusal
	dropBefore
	dropAfter
	gatewayAfter
	garbage
	slow
	hook
	stuckCreated
)

// Fault is what goes wrong with a call. As given, it befalls the next one.
type Fault struct {
	kind   faultKind
	answer answer
	wait   time.Duration
	retry  int // seconds of Retry-After
	before func()
	after  func()
	skip   int
	times  int // how often more; negative: always
}

// page is what a gateway answers with: no JSON.
var page = []byte("<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>\n")

var (
	// BadGateway answers with 502, and nothing was done.
	BadGateway = Fault{kind: refusal, answer: answer{http.StatusBadGateway, page}}
	// BadGatewayAfterSuccess answers with 502, and what was asked was done.
	BadGatewayAfterSuccess = Fault{kind: gatewayAfter, answer: answer{http.StatusBadGateway, page}}
	// ServerError answers with 500.
	ServerError = Fault{kind: refusal, answer: refuse(http.StatusInternalServerError, "internal server error")}
	// Unavailable answers with 503.
	Unavailable = Fault{kind: refusal, answer: refuse(http.StatusServiceUnavailable, "service unavailable")}
	// RateLimited answers with 429, and asks to wait no time: see RetryAfter.
	RateLimited = Fault{kind: refusal, answer: refuse(http.StatusTooManyRequests, "rate limit exceeded")}
	// Unauthorized answers with 401.
	Unauthorized = Fault{kind: refusal, answer: refuse(http.StatusUnauthorized, "unauthorized")}
	// Forbidden answers with 403.
	Forbidden = Fault{kind: refusal, answer: refuse(http.StatusForbidden, "forbidden")}
	// NotFound answers with 404.
	NotFound = Fault{kind: refusal, answer: refuse(http.StatusNotFound, "not found")}
	// Drop closes the connection, and nothing was done.
	Drop = Fault{kind: dropBefore}
	// DropAfterSuccess closes the connection, and what was asked was done.
	DropAfterSuccess = Fault{kind: dropAfter}
	// Garbage answers with 200 and what is no JSON; it was done.
	Garbage = Fault{kind: garbage, answer: answer{http.StatusOK, page}}
	// NoCapacity answers as Fly does for a region that is full.
	NoCapacity = Fault{kind: refusal, answer: refuseAs(http.StatusUnprocessableEntity, "insufficient_capacity", "insufficient resources: no capacity available in this region")}
	// StuckCreated makes a launched machine stay in created.
	StuckCreated = Fault{kind: stuckCreated}
)

// Slow answers only after a time, or never if the caller gives up before; what was asked
// is not done then.
func Slow(d time.Duration) Fault { return Fault{kind: slow, wait: d} }

// Before runs a function before the call has its effect; After runs one when it has had
// it, before it is answered. The test can kill who asked.
func Before(do func()) Fault { return Fault{kind: hook}.When(do) }

// After is the other one.
func After(do func()) Fault { return Fault{kind: hook, after: do} }

// Answer answers with a status and Fly's form of an error, and nothing was done.
func Answer(status int, message string) Fault {
	return Fault{kind: refusal, answer: refuse(status, "%s", message)}
}

// Page answers with a status and a page that is no JSON, as a gateway does, and nothing was
// done.
func Page(status int, text string) Fault {
	return Fault{kind: refusal, answer: answer{status, []byte(text)}}
}

// Times is the fault for the next n calls.
func (f Fault) Times(n int) Fault { f.times = n; return f }

// Always is the fault for every call, until Heal.
func (f Fault) Always() Fault { f.times = -1; return f }

// When runs a function as the fault begins.
func (f Fault) When(do func()) Fault { f.before = do; return f }

// Skip lets n calls pass first.
func (f Fault) Skip(n int) Fault { f.skip = n; return f }

// RetryAfter is what a 429 asks to wait.
func (f Fault) RetryAfter(seconds int) Fault { f.retry = seconds; return f }

// Fail makes calls of a name fail; "*" is every call. Faults of one name come one after
// the other.
func (f *Fake) Fail(call string, faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range faults {
		if fault.times == 0 {
			fault.times = 1
		}
		f.faults[call] = append(f.faults[call], &fault)
	}
}

// Heal takes all faults away.
func (f *Fake) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.faults)
}

// nextFault is what befalls a call: nothing, most of the time.
func (f *Fake) nextFault(call string) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range []string{call, "*"} {
		for len(f.faults[name]) > 0 {
			fault := f.faults[name][0]
			switch {
			case fault.times == 0:
				f.faults[name] = f.faults[name][1:]
				continue
			case fault.skip > 0:
				fault.skip--
			default:
				if fault.times > 0 {
					fault.times--
				}
				return fault
			}
			break
		}
	}
	return &Fault{}
}

// begin is what happens before the request is looked at. Where it is false, whoever asked
// is gone.
func (t *Fault) begin(f *Fake, r *http.Request) bool {
	if t.before != nil {
		t.before()
	}
	if t.kind != slow {
		return true
	}
	timer := time.NewTimer(t.wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-f.done:
	}
	return false
}

func (t *Fault) refusal() (answer, bool) { return t.answer, t.kind == refusal }

// end is what becomes of an answer.
func (t *Fault) end(a answer) answer {
	if t.after != nil {
		t.after()
	}
	if t.kind == gatewayAfter || t.kind == garbage {
		return t.answer
	}
	return a
}

// retryAfter is what a 429 says; of the fake's own limits, a second.
func (t *Fault) retryAfter() int {
	if t.kind == refusal {
		return t.retry
	}
	return 1
}
