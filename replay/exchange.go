package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/flysql/flysql/engine"
)

// An exchange is a request that runs here, and the writer that its handler gets. It
// holds the response back until that is certain to be the answer: until the handler
// has returned, or wrote more than is held, or flushed.
type exchange struct {
	rt      *Router
	w       http.ResponseWriter
	r       *http.Request
	primary bool     // this machine was it when the request began
	epoch   uint64   // of the engine's state then
	witness *witness // nil for a read on the primary

	given   http.Header       // what the response had before the handler; nil for nothing
	before  []engine.Database // where they stood; never modified
	cluster string            // in which
	commits uint64            // of this process until then
	due     due               // what is to become of the client's token
	nonce   uint64            // of the open token that the response has gone out with; 0 for none

	status    int // 0 until the handler has set one
	buf       []byte
	committed bool // the response has gone out, or its head has
	hijacked  bool
	untouched bool // the handler has returned without a word
	head      bool // a HEAD request: there is no body

	body     *bytes.Reader // the request's, where it is kept to be sent again
	bodySize int64

	held    *handle       // the handler's
	handles []plainWriter // for requests to come
	free    bool          // nobody uses it any more
}

// due says what is to be done about a token.
type due uint8

const (
	dueIfWritten due = iota
	dueFresh         // the client's is to be replaced
	dueDrop          // the client's is worth nothing
	dueKeep          // the client's is of a later primary than this
)

var exchanges = sync.Pool{New: func() any { return &exchange{} }}

// maxKept is the largest buffer that goes back to the pool.
const maxKept = 256 << 10

func newExchange(rt *Router, w http.ResponseWriter, r *http.Request, st *engine.State) *exchange {
	x := exchanges.Get().(*exchange)
	*x = exchange{rt: rt, w: w, r: r, buf: x.buf, handles: x.handles, before: st.Databases, cluster: st.ClusterID, epoch: st.Epoch, head: r.Method == http.MethodHead}
	if rt.commits != nil {
		x.commits, _ = rt.commits.Load()
	}
	return x
}

// recycle lets another request have the exchange, unless a goroutine that the handler
// has left behind is in the middle of a call to it, or somebody may answer for the handler.
func (x *exchange) recycle() {
	if !x.free {
		return
	}
	if cap(x.buf) > maxKept {
		x.buf = nil
	}
	*x = exchange{buf: x.buf[:0], handles: x.handles}
	exchanges.Put(x)
}

// run runs the handler, and tells whether the request belongs elsewhere; otherwise
// the response is complete.
func (x *exchange) run(next http.Handler, r *http.Request) (again bool) {
	returned := false
	defer func() {
		x.close()
		if returned {
			return
		}
		p := recover()
		// A handler may well panic over a refused write. Nothing has gone out, and
		// nothing was written, so the request can still be answered.
		if p != nil && p != http.ErrAbortHandler && x.witness.again() && !x.committed && !x.hijacked {
			x.free = x.held.end()
			again = true
			return
		}
		if p != nil {
			panic(p)
		}
	}()
	next.ServeHTTP(x.writer(), r)
	x.free = x.held.end()
	returned = true
	switch {
	case x.hijacked:
		return false
	case x.failedDemoted():
		return true
	case !x.witness.again():
		// A router around this one may answer an error that the handler has returned to
		// it, by the handler's writer. From now on that is the server's.
		x.untouched = !x.committed && x.status == 0 && len(x.buf) == 0
		if x.witness != nil {
			x.witness.over.Store(true)
		}
		x.commit(true)
		if x.untouched {
			x.free = false
			x.held.resume()
		}
		return false
	case x.committed:
		// Half a page must not look like a whole one.
		x.rt.metrics.broken.Add(1)
		x.rt.log(r, "a write was refused when the response had been flushed already, or was larger than is held back; the connection is broken off")
		panic(http.ErrAbortHandler)
	}
	return true
}

// setStatus is WriteHeader.
func (x *exchange) setStatus(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", status)) // as the server does, and here
	}
	switch {
	case x.committed || x.hijacked:
		x.w.WriteHeader(status) // which logs that it is superfluous
	case status >= 100 && status < 200 && status != http.StatusSwitchingProtocols:
		// Early hints are of no use to a client that may be answered elsewhere.
		if x.primary || status == http.StatusContinue {
			x.w.WriteHeader(status)
		}
	case x.status == 0:
		x.status = status
		if status == http.StatusSwitchingProtocols {
			x.commit(false)
		}
	}
}

// write is Write.
func (x *exchange) write(p []byte) (int, error) {
	if !x.committed && !x.hijacked && !x.fits(len(p)) {
		x.commit(false)
	}
	if x.committed || x.hijacked {
		return x.w.Write(p)
	}
	if x.status == 0 {
		x.status = http.StatusOK
	}
	if !bodyAllowed(x.status) {
		return 0, http.ErrBodyNotAllowed
	}
	x.buf = append(x.buf, p...)
	return len(p), nil
}

func (x *exchange) writeString(s string) (int, error) {
	if x.committed || x.hijacked || !x.fits(len(s)) {
		return x.write([]byte(s))
	}
	if x.status == 0 {
		x.status = http.StatusOK
	}
	if !bodyAllowed(x.status) {
		return 0, http.ErrBodyNotAllowed
	}
	x.buf = append(x.buf, s...)
	return len(s), nil
}

// fits tells whether n bytes more, or all that are announced, can be held.
func (x *exchange) fits(n int) bool {
	limit := x.rt.cfg.HoldBytes
	if len(x.buf)+n > limit {
		return false
	}
	if len(x.buf) > 0 {
		return true
	}
	if cl := x.w.Header()["Content-Length"]; len(cl) == 1 && !x.head {
		if size, err := strconv.ParseInt(cl[0], 10, 64); err == nil && size > int64(limit) {
			return false
		}
	}
	return true
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// flush sends what there is.
func (x *exchange) flush() error {
	if x.hijacked {
		return http.ErrHijacked
	}
	x.commit(false)
	return http.NewResponseController(x.w).Flush()
}

func (x *exchange) hijack() (net.Conn, *bufio.ReadWriter, error) {
	if x.witness.again() && !x.committed {
		return nil, nil, errors.New("replay: the request is about to be sent to the primary")
	}
	conn, rw, err := http.NewResponseController(x.w).Hijack()
	x.hijacked = x.hijacked || err == nil
	return conn, rw, err
}

// readFrom lets a large file go out the server's fast way.
func (x *exchange) readFrom(r io.Reader) (n int64, err error) {
	for !x.committed && !x.hijacked && x.fits(1) {
		if x.status == 0 {
			x.status = http.StatusOK
		}
		if !bodyAllowed(x.status) {
			return n, http.ErrBodyNotAllowed
		}
		if len(x.buf) == cap(x.buf) {
			x.buf = append(x.buf, 0)[:len(x.buf)]
		}
		room := min(cap(x.buf), x.rt.cfg.HoldBytes)
		m, err := r.Read(x.buf[len(x.buf):room])
		x.buf, n = x.buf[:len(x.buf)+m], n+int64(m)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	if !x.committed && !x.hijacked {
		x.commit(false)
	}
	m, err := io.Copy(x.w, r)
	return n + m, err
}

// commit sends the head and what is held. whole says that the handler has returned.
func (x *exchange) commit(whole bool) {
	if x.committed || x.hijacked {
		return
	}
	x.committed = true
	if x.primary {
		x.giveToken(whole)
	}
	if x.status == 0 {
		if whole && len(x.buf) == 0 {
			return // the server answers 200 by itself
		}
		x.status = http.StatusOK
	}
	x.writeHead()
	if len(x.buf) > 0 {
		_, _ = x.w.Write(x.buf) // it fails where the client has gone
	}
	x.buf = x.buf[:0]
}

// writeHead sends the head without the trailers that the handler has set meanwhile.
func (x *exchange) writeHead() {
	h := x.w.Header()
	if len(h["Trailer"]) == 0 {
		x.w.WriteHeader(x.status)
		return
	}
	trailers := http.Header{}
	for _, line := range h["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if v, ok := h[name]; ok && name != "Trailer" {
				trailers[name] = v
				delete(h, name)
			}
		}
	}
	x.w.WriteHeader(x.status)
	maps.Copy(h, trailers)
}

// close is for the token that went out before the handler was done.
func (x *exchange) close() {
	if x.nonce != 0 {
		x.rt.open.done(x.nonce)
	}
}

// keepHeader keeps what middlewares around the router have set, for drop.
func (x *exchange) keepHeader() {
	if h := x.w.Header(); len(h) > 0 {
		x.given = h.Clone()
	}
}

// drop forgets the response.
func (x *exchange) drop() {
	h := x.w.Header()
	clear(h)
	maps.Copy(h, x.given)
	x.status, x.buf = 0, x.buf[:0]
}

// keepBody reads the body of a read, so that it can be sent elsewhere later, and
// tells whether that is possible.
func (x *exchange) keepBody(r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return true
	}
	if r.ContentLength < 0 || r.ContentLength > maxBody {
		return false
	}
	data := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, data); err != nil {
		return true // the handler meets the same error
	}
	x.body, x.bodySize = bytes.NewReader(data), r.ContentLength
	r.Body = io.NopCloser(bytes.NewReader(data))
	return true
}

// maxBody is how much of the body of a read is kept. Hardly any has one.
const maxBody = 64 << 10

// exchangeOf finds the exchange under whatever a middleware has put around what the
// handler got, for use until leave; nil where there is none, or where it has ended.
func exchangeOf(w http.ResponseWriter) (x *exchange, leave func()) {
	if h := handleOf(w); h != nil {
		if x = h.enter(); x != nil {
			return x, h.leave
		}
	}
	return nil, func() {}
}

func handleOf(w http.ResponseWriter) *handle {
	for range maxUnwrap {
		switch v := w.(type) {
		case *plainWriter:
			return &v.handle
		case *flushWriter:
			return &v.handle
		case *http1Writer:
			return &v.handle
		case *http2Writer:
			return &v.handle
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return nil
		}
	}
	return nil
}

// failedDemoted tells whether a read has failed on a machine that was the primary when
// it began, and is not any more: perhaps since a write was refused, of which a read there
// has no witness. Where nothing was written meanwhile it does no harm to try it again.
func (x *exchange) failedDemoted() bool {
	if !x.primary || x.witness != nil || x.committed || x.status < http.StatusInternalServerError || x.r.ContentLength != 0 || !x.demoted() {
		return false
	}
	wrote, known := x.wrote()
	return known && !wrote
}

// demoted tells whether this machine is not the primary any more.
func (x *exchange) demoted() bool {
	return x.rt.engine.State().Role != engine.RolePrimary
}
