package edge

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// maxReplayed is the body that can be sent a second time: "requests over 1 MB cannot be
// replayed". Whether that is 10^6 or 2^20 bytes, no document says.
const maxReplayed = 1 << 20

// body is a request's, which goes to a machine as it comes in, and is kept as long as
// it could be sent to another one.
type body struct {
	length int64      // as declared; -1 is not known
	read   sync.Mutex // held by who reads from src
	src    io.Reader

	mu   sync.Mutex
	kept []byte
	over bool  // more has been read than is kept: nobody can begin again
	err  error // of src, at the end of what is kept
}

func newBody(r *http.Request) *body {
	if r.Body == nil || r.Body == http.NoBody {
		return &body{src: http.NoBody, err: io.EOF}
	}
	return &body{length: r.ContentLength, src: r.Body}
}

// again tells whether the request can be sent once more.
func (b *body) again() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.over && b.length <= maxReplayed
}

// open is the body from its beginning. Who has opened it before gets nothing more
// once that is closed.
func (b *body) open() io.ReadCloser {
	if b.length == 0 {
		return http.NoBody
	}
	return &reader{body: b}
}

type reader struct {
	body   *body
	at     int
	mu     sync.Mutex
	closed bool
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
	r.at += n
	if !b.over && len(b.kept)+n > maxReplayed {
		b.over, b.kept = true, nil
	}
	if !b.over {
		b.kept = append(b.kept, p[:n]...)
	}
	return n, err
}

// fromKept reads what has been read before; ok is false where src is to be read.
func (r *reader) fromKept(p []byte) (n int, err error, ok bool) {
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over && r.at < len(b.kept) {
		n = copy(p, b.kept[r.at:])
		r.at += n
		return n, nil, true
	}
	return 0, b.err, b.err != nil
}
