package latency

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"
)

// window is how many bytes may be on their way in one direction before their sender
// has to wait.
const window = 4 << 20

// perPiece is what a piece takes up beside its bytes: who sends single ones has to wait, too.
const perPiece = 128

// Join connects two connections: what one sends, the other gets later, by what there
// (from a to b) and back return at that moment. It returns when both directions have
// ended, and both connections are closed then. The end of one direction is passed on
// where both connections can end one alone, as TCP's can; else it is the end of both.
// What was sent before an end arrives, also where the other side has stopped to read.
func Join(a, b net.Conn, there, back func() time.Duration) { join(a, b, there, back, nil) }

// join is Join until stop is closed, if it is not nil. Then nothing is waited for: who
// closes it closes the connections, too.
func join(a, b net.Conn, there, back func() time.Duration, stop <-chan struct{}) {
	var ways sync.WaitGroup
	ways.Go(func() { oneWay(b, a, there, stop) })
	ways.Go(func() { oneWay(a, b, back, stop) })
	ways.Wait()
	_, _ = a.Close(), b.Close() // each may be closed already
}

// oneWay carries bytes until src ends. Who is at either end sees what failed: its own
// connection.
func oneWay(dst, src net.Conn, delay func() time.Duration, stop <-chan struct{}) {
	err := carry(dst, src, delay, stop)
	to, can := dst.(halfCloser)
	if _, both := src.(halfCloser); err == nil && can && both {
		_ = to.CloseWrite() // it may be gone: then there is nobody to tell
		return
	}
	_, _ = src.Close(), dst.Close()
}

type halfCloser interface{ CloseWrite() error }

// line is what is on its way.
type line struct {
	mu      sync.Mutex
	changed sync.Cond
	pieces  []piece
	size    int   // of the pieces, each with perPiece
	last    error // why nothing more will be put in
}

type piece struct {
	data []byte
	due  time.Time
}

// carry copies src to dst, each piece so long after it was read, until src has ended.
// What dst does not take is dropped; a sender has no other way to learn of it than its
// own direction's end.
func carry(dst io.Writer, src io.Reader, delay func() time.Duration, stop <-chan struct{}) error {
	l := &line{}
	l.changed.L = &l.mu
	var reader sync.WaitGroup
	reader.Go(func() { l.fill(src, delay) })
	err := l.drain(dst, stop)
	reader.Wait()
	return err
}

func (l *line) fill(src io.Reader, delay func() time.Duration) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		// What ends takes as long as what it ends.
		l.put(piece{bytes.Clone(buf[:n]), time.Now().Add(delay())}, err)
		if err != nil {
			return
		}
	}
}

// put adds a piece, and with an error says that it was the last one.
func (l *line) put(p piece, last error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.size >= window {
		l.changed.Wait()
	}
	l.pieces = append(l.pieces, p)
	l.size += len(p.data) + perPiece
	l.last = last
	l.changed.Broadcast()
}

// drain writes pieces when they are due, to the last one. Nothing overtakes where the
// delay has become less. An error is src's.
func (l *line) drain(dst io.Writer, stop <-chan struct{}) error {
	refused := false
	for {
		p, last := l.take()
		if wait := time.Until(p.due); wait > 0 {
			// An end cuts nothing short: what was sent arrives.
			select {
			case <-time.After(wait):
			case <-stop:
			}
		}
		if len(p.data) > 0 && !refused {
			_, err := dst.Write(p.data)
			refused = err != nil
		}
		if last == io.EOF {
			return nil
		}
		if last != nil {
			return last
		}
	}
}

// take waits for a piece. An error comes with the last one.
func (l *line) take() (p piece, last error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.pieces) == 0 {
		l.changed.Wait()
	}
	p = l.pieces[0]
	l.pieces[0] = piece{}
	l.pieces = l.pieces[1:]
	l.size -= len(p.data) + perPiece
	l.changed.Broadcast()
	if len(l.pieces) == 0 {
		last = l.last
	}
	return p, last
}
