package latency

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// window is how many bytes may be on their way in one direction before their sender
// has to wait.
const window = 4 << 20

// Join connects two connections: what one sends, the other gets later, by what there
// (from a to b) and back return at that moment. It returns when both directions have
// ended, or one has failed, and both connections are closed then. The end of one
// direction is passed on where both connections can end one alone, as TCP's can; else
// it is the end of both.
func Join(a, b net.Conn, there, back func() time.Duration) error {
	var ways sync.WaitGroup
	var errs [2]error
	ways.Go(func() { errs[0] = oneWay(b, a, there) })
	ways.Go(func() { errs[1] = oneWay(a, b, back) })
	ways.Wait()
	_, _ = a.Close(), b.Close() // each may be closed already
	return errors.Join(errs[:]...)
}

// oneWay carries bytes until src ends; when something fails, it ends the other
// direction too.
func oneWay(dst, src net.Conn, delay func() time.Duration) error {
	err := carry(dst, src, delay)
	if err == nil {
		to, can := dst.(halfCloser)
		if _, both := src.(halfCloser); can && both {
			_ = to.CloseWrite() // it may be gone: then there is nobody to tell
			return nil
		}
	}
	_, _ = src.Close(), dst.Close()
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		return nil // by the other direction
	}
	return err
}

type halfCloser interface{ CloseWrite() error }

// line is what is on its way.
type line struct {
	mu      sync.Mutex
	changed sync.Cond
	pieces  []piece
	size    int   // bytes of the pieces
	last    error // why nothing more will be put in
	broken  bool  // nothing more will be taken out
}

type piece struct {
	data []byte
	due  time.Time
}

// carry copies src to dst, each piece so long after it was read. It returns when
// everything has been written; without an error where src has ended.
func carry(dst io.Writer, src io.Reader, delay func() time.Duration) error {
	l := &line{}
	l.changed.L = &l.mu
	var reader sync.WaitGroup
	reader.Go(func() { l.fill(src, delay) })
	err := l.drain(dst)
	if err != nil {
		l.breakOff()
		if c, ok := src.(io.Closer); ok {
			_ = c.Close() // or the reader would wait for good
		}
	}
	reader.Wait()
	return err
}

func (l *line) fill(src io.Reader, delay func() time.Duration) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		// What ends takes as long as what it ends.
		if !l.put(piece{bytes.Clone(buf[:n]), time.Now().Add(delay())}, err) || err != nil {
			return
		}
	}
}

// put adds a piece, and with an error says that it was the last one. It is false when
// nobody takes pieces any more.
func (l *line) put(p piece, last error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.size >= window && !l.broken {
		l.changed.Wait()
	}
	if l.broken {
		return false
	}
	if n := len(l.pieces); n > 0 && p.due.Before(l.pieces[n-1].due) {
		p.due = l.pieces[n-1].due // nothing overtakes, where the delay has become less
	}
	l.pieces = append(l.pieces, p)
	l.size += len(p.data)
	l.last = last
	l.changed.Broadcast()
	return true
}

// drain writes pieces when they are due.
func (l *line) drain(dst io.Writer) error {
	for {
		p, last := l.take()
		if wait := time.Until(p.due); wait > 0 {
			// Close is not waited for: what was sent arrives.
			<-time.After(wait)
		}
		if len(p.data) > 0 {
			if _, err := dst.Write(p.data); err != nil {
				return err
			}
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
	l.size -= len(p.data)
	l.changed.Broadcast()
	if len(l.pieces) == 0 {
		last = l.last
	}
	return p, last
}

func (l *line) breakOff() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	l.changed.Broadcast()
}
