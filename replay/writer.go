package replay

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// nobody is written to after a request has ended.
type nobody struct{}

func (nobody) Header() http.Header       { return http.Header{} }
func (nobody) Write([]byte) (int, error) { return 0, http.ErrHandlerTimeout }
func (nobody) WriteHeader(int)           {}

// writer is what the handler gets.
func (x *exchange) writer() http.ResponseWriter {
	_, push := x.w.(http.Pusher)
	switch flush, hijack := can(x.w); {
	case flush && hijack:
		x.http1.exchange = x
		return &x.http1
	case flush && push:
		x.http2.exchange = x
		return &x.http2
	case flush:
		x.flusher.exchange = x
		return &x.flusher
	}
	x.plain.exchange = x
	return &x.plain
}

// can tells what a writer can do, or one under it that http.ResponseController would
// find.
func can(w http.ResponseWriter) (flush, hijack bool) {
	for range maxUnwrap {
		switch w.(type) {
		case http.Flusher, interface{ FlushError() error }:
			flush = true
		}
		if _, ok := w.(http.Hijacker); ok {
			hijack = true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	return flush, hijack
}

// maxUnwrap is how many writers around each other are looked through.
const maxUnwrap = 32

type (
	plainWriter struct{ *exchange }
	flushWriter struct{ *exchange }
	http1Writer struct{ *exchange }
	http2Writer struct{ *exchange }
)

func (w *flushWriter) Flush()                                       { _ = w.FlushError() }
func (w *http1Writer) Flush()                                       { _ = w.FlushError() }
func (w *http2Writer) Flush()                                       { _ = w.FlushError() }
func (w *http1Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }
func (w *http1Writer) ReadFrom(r io.Reader) (int64, error)          { return w.readFrom(r) }
func (w *http2Writer) Push(target string, o *http.PushOptions) error {
	if p, ok := w.w.(http.Pusher); ok {
		return p.Push(target, o)
	}
	return http.ErrNotSupported
}

// Unwrap is for http.ResponseController. It asks the exchange itself for what would
// send something.
func (x *exchange) Unwrap() http.ResponseWriter { return x.w }
