package follow

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// chunk is messages of the server's in a row.
type chunk struct {
	data []byte
	ends []int
}

// fullChunk is how many bytes a chunk holds about, while the one before it is worked on.
const fullChunk = 1 << 20

// stream receives messages ahead of who applies them, and tells the server now and then
// what is on disk, whatever the applier is at: a silent follower would be cut off.
type stream struct {
	r       *replication
	chunks  chan *chunk // closed at the end
	free    chan *chunk
	flushed atomic.Uint64 // LSN
	err     error         // once chunks is closed

	stop context.CancelFunc
	wg   sync.WaitGroup
}

// statusEvery is well below PostgreSQL's wal_sender_timeout.
const statusEvery = 5 * time.Second

func newStream(ctx context.Context, r *replication, position LSN) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{r: r, chunks: make(chan *chunk, 1), free: make(chan *chunk, 3), stop: cancel}
	s.flushed.Store(uint64(position))
	for range cap(s.free) {
		s.free <- new(chunk)
	}
	s.wg.Go(func() {
		s.err = s.receive(ctx)
		close(s.chunks)
	})
	s.wg.Go(func() {
		tick := time.NewTicker(statusEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				r.conn.Conn().SetDeadline(time.Unix(1, 0)) // it wakes who receives
				return
			case <-tick.C:
				r.confirm(LSN(s.flushed.Load()), true) // an error shows when receiving
			}
		}
	})
	return s
}

// end stops the stream, and closes its connection.
func (s *stream) end() {
	s.stop()
	s.wg.Wait()
	s.r.close() // it is cut, or about to be
}

func (s *stream) receive(ctx context.Context) error {
	frontend := s.r.conn.Frontend()
	now := <-s.free
	for {
		message, err := frontend.Receive()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("receive changes: %w", err)
		}
		switch m := message.(type) {
		case *pgproto3.CopyData:
			now.data = append(now.data, m.Data...)
			now.ends = append(now.ends, len(now.data))
		case *pgproto3.ErrorResponse:
			err := pgconn.ErrorResponseToPgError(m)
			return fmt.Errorf("receive changes: %w%s", err, hint(err))
		case *pgproto3.CopyDone:
			return fmt.Errorf("receive changes: PostgreSQL has ended them: %w", errEnded)
		default:
			continue
		}
		if now = s.send(ctx, now); now == nil {
			return ctx.Err()
		}
	}
}

// send hands a chunk over where that can be done at once, or it is full; it returns the
// one to fill.
func (s *stream) send(ctx context.Context, now *chunk) *chunk {
	if len(now.data) < fullChunk {
		select {
		case s.chunks <- now:
		default:
			return now
		}
	} else {
		select {
		case s.chunks <- now:
		case <-ctx.Done():
			return nil
		}
	}
	select {
	case next := <-s.free:
		return next
	case <-ctx.Done():
		return nil
	}
}

// done gives a chunk back.
func (s *stream) done(c *chunk) {
	if cap(c.data) > 4*fullChunk { // a huge row
		c.data = nil
	}
	c.data, c.ends = c.data[:0], c.ends[:0]
	s.free <- c
}

// data is a message of the server's with changes, or its sign of life.
type data struct {
	message []byte // of pgoutput; nil is a sign of life
	end     LSN    // how far the server has read its WAL
	reply   bool   // it wants an answer
}

func readData(b []byte) (d data, err error) {
	switch {
	case len(b) >= 25 && b[0] == 'w':
		return data{message: b[25:], end: LSN(binary.BigEndian.Uint64(b[9:]))}, nil
	case len(b) >= 18 && b[0] == 'k':
		return data{end: LSN(binary.BigEndian.Uint64(b[1:])), reply: b[17] != 0}, nil
	}
	return d, fmt.Errorf("a message of replication's of an unknown form")
}
