package flyapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// What a caller can branch on, with errors.Is. An error may be of several kinds: a POST
// that was answered with 502 is ErrUnavailable and ErrUnknown.
var (
	// ErrNoToken says that no token was found anywhere.
	ErrNoToken = errors.New("no token for Fly's API: run fly auth login, or set FLY_API_TOKEN, or give --access-token")

	// ErrToken says that the API does not accept the token (401).
	ErrToken = errors.New("token not accepted")

	// ErrForbidden says that the token may not do this (403).
	ErrForbidden = errors.New("not allowed")

	// ErrNotFound says that the app, machine or volume is not there (404).
	ErrNotFound = errors.New("not found")

	// ErrConflict says that something stands against it now: a lease that somebody else
	// holds, a name in use, a machine in another state (409, 412).
	ErrConflict = errors.New("conflict")

	// ErrRefused says that the request itself is wrong, and will be next time (other 4xx).
	ErrRefused = errors.New("refused")

	// ErrRateLimited says that Fly's rate limit did not let it pass in several tries.
	ErrRateLimited = errors.New("rate limited")

	// ErrCapacity says that the region, or the host of a volume, has no room for it, or
	// the organization may take no more.
	ErrCapacity = errors.New("no capacity")

	// ErrUnavailable says that the API did not answer, or answered with 5xx. For a read,
	// that it did so in several tries.
	ErrUnavailable = errors.New("unavailable")

	// ErrUnknown says that a request which changes something may have been carried out or
	// not: the connection was lost, or what answered was a gateway. List before anything
	// is asked for again. The request may even be carried out later.
	ErrUnknown = errors.New("outcome unknown")

	// ErrNotYet says that a machine did not come to the state in the time given.
	ErrNotYet = errors.New("not yet")
)

// Error is what a call of this package fails with. Match it with errors.Is and the kinds
// above.
type Error struct {
	Call      string // the call's name, as [Client.Calls] counts it: CreateVolume
	Doing     string // what was to be done: create volume data in ams
	Status    int    // the answer's status; 0 when there was none
	Message   string // what the API said, or what went wrong on the way to it; one line
	RequestID string // Fly's id of the request, for its support
	Hint      string // what to do next
	kinds     []error
}

// Error is one line: what was to be done, what went wrong, what to do next.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Doing)
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d", e.Status)
		if e.RequestID != "" {
			fmt.Fprintf(&b, ", request %s", e.RequestID)
		}
		b.WriteString(")")
	}
	if e.Hint != "" {
		b.WriteString(": " + e.Hint)
	}
	return b.String()
}

// Unwrap gives the kinds, and the context's error where it ended the call.
func (e *Error) Unwrap() []error { return e.kinds }

func (e *Error) is(kind error) bool { return errors.Is(e, kind) }

// capacityWords are what Fly says where it has no room, whatever the status: 400, 403,
// 409, 412, 422 and 503 have all been seen with them. No list of them is published.
var capacityWords = []string{
	"no capacity", "insufficient resources", "insufficient memory", "insufficient capacity", "insufficient cpu",
	"could not reserve resource", "over the allowed quota", "not enough capacity",
}

func isCapacity(code, message string) bool {
	if strings.Contains(code, "capacity") {
		return true
	}
	message = strings.ToLower(message)
	for _, words := range capacityWords {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

// kindsOf says what an answer means to the caller.
func kindsOf(call *call, status int, code, message string) []error {
	switch {
	case status == http.StatusTooManyRequests:
		return []error{ErrRateLimited}
	case isCapacity(code, message):
		return []error{ErrCapacity}
	case status == http.StatusUnauthorized:
		return []error{ErrToken}
	case status == http.StatusForbidden:
		return []error{ErrForbidden}
	case status == http.StatusNotFound:
		return []error{ErrNotFound}
	case status == http.StatusConflict, status == http.StatusPreconditionFailed:
		return []error{ErrConflict}
	case status == http.StatusRequestTimeout && call.name == "Wait":
		return []error{ErrNotYet}
	case status == http.StatusRequestTimeout, status >= 500:
		return call.failed()
	}
	return []error{ErrRefused}
}

// failed are the kinds of an error after which a write may have been carried out.
func (c *call) failed() []error {
	if c.read {
		return []error{ErrUnavailable}
	}
	return []error{ErrUnavailable, ErrUnknown}
}

// hint says what to do about an error. The later kinds are the more general ones.
func (c *Client) hint(call *call, e *Error) string {
	switch {
	case e.is(ErrUnknown):
		return "it may have been done or not: see what is there before it is tried again"
	case e.is(ErrUnavailable):
		return "Fly's API is not there now (https://status.flyio.net): try again"
	case e.is(ErrToken):
		return fmt.Sprintf("the token (%s) is not accepted, or not for app %s: renew it with fly auth login or fly tokens create deploy, and look with fly apps list whether the app is yours",
			c.token.Source(), c.app)
	case e.is(ErrForbidden):
		return fmt.Sprintf("the token (%s) has no right to it: take one of the app's organization (fly tokens create org)", c.token.Source())
	case e.is(ErrRateLimited):
		return "Fly's rate limit holds it up: wait a minute and try again"
	case e.is(ErrCapacity):
		return "try another region (fly platform regions), a smaller size, or later"
	case e.is(ErrNotFound):
		return "it is gone, or belongs to another app: list again"
	case e.is(ErrConflict) && strings.Contains(e.Message, "lease"):
		return "somebody else changes it now, maybe a deploy: let that end, then try again"
	case e.is(ErrConflict):
		return "see what it is now (fly status), then try again"
	case e.is(ErrNotYet):
		return "look at fly logs and fly machine status"
	}
	return ""
}
