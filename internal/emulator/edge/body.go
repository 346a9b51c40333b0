package edge

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
)

// maxReplayed is the body that can be sent a second time: "requests over 1 MB cannot be
// replayed". Whether that is 10^6 or 2^20 bytes, no document says.
const maxReplayed = 1 << 20

// body is a request's, which goes to a machine as it comes in, and is kept as long as
// it could be sent to another one.
type body struct {
	length  int64       // as declared; -1 is not known
	names   http.Header // of the trailer, as announced, without values; nil is none
	request *http.Request
	read    sync.Mutex // held by who reads from src
	src     io.Reader

	mu   sync.Mutex
	kept []byte
	size int64 // what has been read of src
	over bool  // more has been read than is kept: nobody can begin again
	err  error // of src, at the end of what is kept
}

func newBody(r *http.Request) *body {
	if r.Body == nil || r.Body == http.NoBody {
		return &body{src: http.NoBody, err: io.EOF}
	}
	return &body{length: r.ContentLength, names: r.Trailer.Clone(), request: r, src: r.Body}
}

// again tells whether the request can be sent once more.
func (b *body) again() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.over && b.length <= maxReplayed
}

// maxSkipped is what net/http reads of a body that its handler did not, rather than to
// close the connection.
const maxSkipped = 256 << 10

// muchLeft tells whether there may be more of the body than that.
func (b *body) muchLeft() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == nil && (b.length < 0 || b.length-b.size > maxSkipped)
}

// open is the body from its beginning, and its trailer, which has its values when the
// body has been read. Who has opened it before gets nothing more once that is closed.
func (b *body) open() (io.ReadCloser, http.Header) {
	if b.length == 0 {
		return http.NoBody, nil
	}
	r := &reader{body: b, trailer: b.names.Clone()}
	return r, r.trailer
}

// reopen is open for net/http, when a connection that waited to be used again was gone.
func (b *body) reopen() (io.ReadCloser, error) {
	if !b.again() {
		return nil, errLost
	}
	r, _ := b.open()
	return r, nil
}

type reader struct {
	body    *body
	trailer http.Header // its machine's alone: net/http fills in the client's at any time
	at      int64
	mu      sync.Mutex
	closed  bool
}

func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return nil
}

func (r *reader) gone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

var errClosed = errors.New("the body was closed")

// errLost is for who begins when the beginning is not kept any more: a machine that has
// given the request on may have been reading still.
var errLost = errors.New("the body has gone over what is kept of it")

func (r *reader) Read(p []byte) (int, error) {
	if r.gone() {
		return 0, errClosed
	}
	if n, err, ok := r.fromKept(p); ok {
		return n, err
	}
	b := r.body
	b.read.Lock()
	defer b.read.Unlock()
	if r.gone() {
		return 0, errClosed
	}
	if n, err, ok := r.fromKept(p); ok { // by who had the lock before
		return n, err
	}
	n, err := b.src.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	b.size += int64(n)
	r.at = b.size
	if !b.over && b.size > maxReplayed {
		b.over, b.kept = true, nil
	}
	if !b.over {
		b.kept = append(b.kept, p[:n]...)
	}
	return n, r.ended(err)
}

// fromKept reads what has been read before; ok is false where src is to be read.
func (r *reader) fromKept(p []byte) (n int, err error, ok bool) {
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case r.at == b.size:
		return 0, r.ended(b.err), b.err != nil
	case b.over:
		return 0, errLost, true
	}
	n = copy(p, b.kept[r.at:])
	r.at += int64(n)
	return n, nil, true
}

// ended fills in the trailer where the body has ended. The caller has b.mu.
func (r *reader) ended(err error) error {
	if err == io.EOF && r.trailer != nil {
		maps.Copy(r.trailer, r.body.request.Trailer)
	}
	return err
}
