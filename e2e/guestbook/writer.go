package guestbook

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flysql/flysql/e2e/poll"
)

// Writer signs the guestbook from every region at once, each without a pause, until
// it is stopped. After that, its fields stay as they are.
type Writer struct {
	Acked   []string // the messages of which the app said that it has them
	Refused int
	Longest time.Duration // between two that were acknowledged

	cancel context.CancelFunc
	busy   sync.WaitGroup
	mu     sync.Mutex
	last   time.Time
}

// StartWriter starts one, by way of the proxy on a port.
func StartWriter(ctx context.Context, port int, regions []string, while string) *Writer {
	ctx, cancel := context.WithCancel(ctx)
	w := &Writer{cancel: cancel, last: time.Now()}
	for _, region := range regions {
		w.busy.Go(func() {
			client := In(port, region, nil)
			for n := 0; ctx.Err() == nil; n++ {
				message := fmt.Sprintf("written while %s, %d, by way of %s", while, n, region)
				// A request that has begun is waited for: its answer is what counts.
				_, err := client.Sign(context.WithoutCancel(ctx), "Writer", message)
				if w.note(message, err); err != nil {
					<-time.After(poll.Every) // as a person who tries again
				}
			}
		})
	}
	return w
}

func (w *Writer) note(message string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.Refused++
		return
	}
	w.Acked = append(w.Acked, message)
	w.Longest = max(w.Longest, time.Since(w.last))
	w.last = time.Now()
}

// More waits until something is acknowledged from now on.
func (w *Writer) More(ctx context.Context) error {
	acked := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.Acked)
	}
	from := acked()
	return poll.Until(ctx, "a message that is taken", func(context.Context) error {
		if acked() == from {
			return errors.New("none is")
		}
		return nil
	})
}

// Stop waits for the last answer. That nothing was acknowledged is an error.
func (w *Writer) Stop() error {
	w.cancel()
	w.busy.Wait()
	if len(w.Acked) == 0 {
		return errors.New("nothing could be written")
	}
	return nil
}

// String is what came of it.
func (w *Writer) String() string {
	return fmt.Sprintf("%d messages acknowledged meanwhile, 0 lost; %d refused, longest wait %.1f s", len(w.Acked), w.Refused, w.Longest.Seconds())
}

// Kept wants every acknowledged message among rows, and none twice.
func (w *Writer) Kept(rows []Message) error {
	count := map[string]int{}
	for _, m := range rows {
		count[m.Body]++
	}
	var errs []error
	lost := 0
	for _, body := range w.Acked {
		if count[body] == 0 {
			lost++
		}
	}
	if lost > 0 {
		errs = append(errs, fmt.Errorf("%d of %d acknowledged messages are lost", lost, len(w.Acked)))
	}
	for body, n := range count {
		if n > 1 {
			errs = append(errs, fmt.Errorf("%q is there %d times", body, n))
		}
	}
	return errors.Join(errs...)
}
