package flyapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/superfly/fly-go/flaps"
)

const (
	// answerMost bounds an answer: a machine is some 10 KB, and an app has hundreds.
	answerMost = 64 << 20
	// readTime and writeTime are how long one try may take, beside what the call itself
	// waits for.
	readTime, writeTime = 30 * time.Second, time.Minute
	// readTries is how often a read is sent, and limitTries what a rate limit refuses.
	readTries, limitTries = 4, 6
	// pauseFirst lies between the first two tries of a read, and doubles.
	pauseFirst = 250 * time.Millisecond
	// retryAfterMost is the longest that is waited on the API's word.
	retryAfterMost = time.Minute
)

// transport carries fly-go's requests, and is where all rules are kept: it paces, counts,
// tries again, and turns every answer but a good one into an [Error]. fly-go retries
// what is answered with 502 or 503, POSTs too; it never sees one.
type transport struct {
	client *Client
	base   http.RoundTripper
	to     *url.URL
}

// RoundTrip answers with a 2xx, whole, or an *Error.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	call, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return nil, errors.New("flyapi: a request that is no call of this package")
	}
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		if err = errors.Join(err, req.Body.Close()); err != nil {
			return nil, err
		}
	}
	for try := 1; ; try++ {
		if err := t.client.limiter.wait(ctx, call); err != nil {
			return nil, t.ended(ctx, call, false)
		}
		resp, failed := t.once(req, call, body, try)
		if failed == nil {
			return resp, nil
		}
		wait, again := t.again(call, failed, try)
		if !again {
			return nil, failed.Error
		}
		if pause(ctx, wait) != nil {
			return nil, t.ended(ctx, call, false)
		}
	}
}

// failure is an Error and what only the next try needs.
type failure struct {
	*Error
	after time.Duration // what Retry-After asks for
}

// again says whether a request is sent once more, and when. A write is, only where it was
// refused before it was looked at.
func (t *transport) again(call *call, f *failure, try int) (time.Duration, bool) {
	wait := time.Duration(float64(pauseFirst<<(try-1)) / t.client.limiter.scale)
	switch {
	case f.is(context.Canceled), f.is(context.DeadlineExceeded):
		return 0, false
	case f.is(ErrRateLimited):
		wait = max(wait, f.after)
		return wait, try < limitTries && wait <= retryAfterMost
	case f.is(ErrUnavailable) && call.read:
		return max(wait, f.after), try < readTries && f.after <= retryAfterMost
	}
	return 0, false
}

// once sends a request once, and reads its answer to the end.
func (t *transport) once(req *http.Request, call *call, body []byte, try int) (*http.Response, *failure) {
	t.client.count(call.name)
	ctx, cancel := context.WithTimeout(req.Context(), call.limit())
	defer cancel()
	var sent atomic.Bool // a connection was there: the server may have what was written
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	began := time.Now()
	resp, err := t.base.RoundTrip(t.request(ctx, req, body))
	var data []byte
	if err == nil {
		sent.Store(true)
		data, err = readAnswer(resp)
	}
	status := 0
	if resp != nil {
		status = resp.StatusCode
	}
	t.client.log.LogAttrs(req.Context(), slog.LevelDebug, "fly api", slog.String("call", call.name), slog.String("method", req.Method),
		slog.String("path", t.client.redact.text(req.URL.Path)), slog.Int("status", status), slog.Int("try", try), slog.Duration("took", time.Since(began)))
	switch {
	case err != nil && req.Context().Err() != nil: // an answer that has come counts, though
		return nil, &failure{Error: t.ended(req.Context(), call, sent.Load())}
	case err != nil:
		return nil, &failure{Error: t.lost(call, err, sent.Load())}
	case status < 200 || status > 299:
		return nil, &failure{Error: t.refused(call, resp, data), after: retryAfter(resp.Header)}
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return resp, nil
}

// request is fly-go's, sent where the client was told to, with the token.
func (t *transport) request(ctx context.Context, req *http.Request, body []byte) *http.Request {
	out := req.Clone(ctx)
	out.URL.Scheme, out.URL.Host, out.URL.User = t.to.Scheme, t.to.Host, nil
	out.URL.Path = strings.TrimSuffix(t.to.Path, "/") + req.URL.Path
	out.URL.RawPath = ""
	out.Host = t.to.Host
	if out.Header.Get(flaps.NonceHeader) == "" {
		out.Header.Del(flaps.NonceHeader)
	}
	out.Header.Set("Authorization", t.client.token.header())
	out.Body, out.GetBody = nil, nil
	if body != nil {
		out.Body = io.NopCloser(bytes.NewReader(body))
		out.ContentLength = int64(len(body))
	}
	return out
}

// limit is how long one try may take.
func (c *call) limit() time.Duration {
	if c.read {
		return readTime + c.waits
	}
	return writeTime + c.waits
}

func readAnswer(resp *http.Response) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerMost+1))
	if closing := resp.Body.Close(); err == nil {
		err = closing
	}
	if err == nil && len(data) > answerMost {
		err = fmt.Errorf("the answer is longer than %d MB", answerMost>>20)
	}
	return data, err
}

// refused reads what the API says about a request.
func (t *transport) refused(call *call, resp *http.Response, data []byte) *Error {
	var said struct{ Error, Message, Status string }
	message := ""
	if json.Unmarshal(data, &said) == nil {
		message = said.Error
		if said.Message != "" {
			message = said.Message
		}
	} else if text := strings.TrimSpace(string(data)); !strings.HasPrefix(text, "<") {
		message = text // a page is a gateway's, and tells nothing
	}
	if message = t.client.redact.foreign(message); message == "" {
		message = strings.ToLower(http.StatusText(resp.StatusCode))
	}
	e := &Error{Call: call.name, Doing: call.doing, Status: resp.StatusCode, Message: message,
		RequestID: t.client.redact.foreign(resp.Header.Get("fly-request-id")), kinds: kindsOf(call, resp.StatusCode, said.Status, message)}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		e.Message = "the API sends elsewhere, which is not followed, since the token would go there"
	}
	e.Hint = t.client.hint(call, e)
	return e
}

// lost is a request without an answer. Where no connection was made, nothing was done.
func (t *transport) lost(call *call, err error, sent bool) *Error {
	e := &Error{Call: call.name, Doing: call.doing, Message: t.client.redact.foreign(err.Error()), kinds: []error{ErrUnavailable}}
	if errors.Is(err, context.DeadlineExceeded) {
		e.Message = fmt.Sprintf("no answer within %v", call.limit())
	}
	if sent {
		e.kinds = call.failed()
	}
	e.Hint = t.client.hint(call, e)
	return e
}

// ended is a call that the caller's context ended.
func (t *transport) ended(ctx context.Context, call *call, sent bool) *Error {
	e := &Error{Call: call.name, Doing: call.doing, Message: "stopped", kinds: []error{ctx.Err()}}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Message = "there was no time left"
	}
	if cause := context.Cause(ctx); cause != ctx.Err() {
		e.kinds = append(e.kinds, cause)
	}
	if sent && !call.read {
		e.kinds = append(e.kinds, ErrUnknown)
		e.Hint = t.client.hint(call, e)
	}
	return e
}

// retryAfter is the header's wish: seconds, or a date.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if s, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(s, 0), 1<<20)) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return max(time.Until(at), 0)
}
