package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"sync"
	"time"

	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/poll"
)

// visitor is one person who asks from a region. Visitors who share a jar are one
// person who travels: the app sees by its cookie what they have written, and answers
// when the machine has it. As on Fly the cookie is for https alone, which ends at Fly's
// proxy; there is none here, so that it is only said.
func (c *cluster) visitor(region string, jar http.CookieJar) *guestbook.Client {
	transport := from{region, &http.Transport{DisableKeepAlives: true}}
	return guestbook.At("https://127.0.0.1:"+strconv.Itoa(c.port), &http.Client{Transport: transport, Jar: jar, Timeout: 20 * time.Second})
}

// from says to the proxy where a request comes from.
type from struct {
	region string
	http.RoundTripper
}

func (f from) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("fly-prefer-region", f.region)
	r.URL.Scheme = "http"
	return f.RoundTripper.RoundTrip(r)
}

// everywhere are the regions, each once.
func everywhere() (names []string) {
	for _, p := range placed {
		if len(names) == 0 || names[len(names)-1] != p.region {
			names = append(names, p.region)
		}
	}
	return names
}

// traveller is one person with a client in each region.
func (c *cluster) traveller() (map[string]*guestbook.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	clients := map[string]*guestbook.Client{}
	for _, region := range everywhere() {
		clients[region] = c.visitor(region, jar)
	}
	return clients, nil
}

// writer signs the guestbook from every region at once, each without a pause, until
// it is stopped.
type writer struct {
	cancel context.CancelFunc
	busy   sync.WaitGroup

	mu      sync.Mutex
	acked   []string // the messages of which the app said that it has them
	refused int
	last    time.Time
	longest time.Duration // between two that were acknowledged
}

func (c *cluster) startWriter(ctx context.Context) *writer {
	ctx, cancel := context.WithCancel(ctx)
	w := &writer{cancel: cancel, last: time.Now()}
	for _, region := range everywhere() {
		w.busy.Go(func() {
			client := c.visitor(region, nil)
			for n := 0; ctx.Err() == nil; n++ {
				message := fmt.Sprintf("written while deploying, %d, by way of %s", n, region)
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

func (w *writer) note(message string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.refused++
		return
	}
	w.acked = append(w.acked, message)
	w.longest = max(w.longest, time.Since(w.last))
	w.last = time.Now()
}

// stop waits for the last answer.
func (w *writer) stop() {
	w.cancel()
	w.busy.Wait()
}

// kept wants every acknowledged message among rows, and none twice.
func (w *writer) kept(rows []guestbook.Message) error {
	count := map[string]int{}
	for _, m := range rows {
		count[m.Body]++
	}
	var errs []error
	lost := 0
	for _, body := range w.acked {
		if count[body] == 0 {
			lost++
		}
	}
	if lost > 0 {
		errs = append(errs, fmt.Errorf("%d of %d acknowledged messages are lost", lost, len(w.acked)))
	}
	for body, n := range count {
		if n > 1 {
			errs = append(errs, fmt.Errorf("%q is there %d times", body, n))
		}
	}
	return errors.Join(errs...)
}
