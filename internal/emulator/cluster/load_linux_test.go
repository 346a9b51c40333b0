package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
)

// load is visitors who sign the guestbook and read it, one of each by way of each region.
type load struct {
	base string
	end  context.CancelFunc
	all  sync.WaitGroup

	mu     sync.Mutex
	acked  []string
	reads  int
	failed map[string]int // "POST 503: what was said"
}

func underLoad(t *testing.T, base string, regions ...string) *load {
	t.Helper()
	ctx, end := context.WithCancel(context.Background())
	l := &load{base: base, end: end, failed: map[string]int{}}
	t.Cleanup(func() { l.stop() })
	for _, region := range regions {
		l.all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				message := fmt.Sprintf("%s-%d.", region, i)
				status, body := ask(base, region, "", "POST", "/messages", url.Values{"name": {"L"}, "message": {message}})
				l.mu.Lock()
				if status/100 == 2 {
					l.acked = append(l.acked, message)
				} else {
					l.failed[fmt.Sprintf("POST %d: %.80s", status, body)]++
				}
				l.mu.Unlock()
			}
		})
		l.all.Go(func() {
			for ctx.Err() == nil {
				status, body := ask(base, region, "", "GET", "/messages.json?after=1000000", nil)
				l.mu.Lock()
				if l.reads++; status != 200 {
					l.failed[fmt.Sprintf("GET %d: %.80s", status, body)]++
				}
				l.mu.Unlock()
			}
		})
	}
	return l
}

func (l *load) stop() { l.end(); l.all.Wait() }

func (l *load) written() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// String is what came of it so far.
func (l *load) String() string {
	l.mu.Lock()
	reads := l.reads
	l.mu.Unlock()
	return fmt.Sprintf("%d written, %d read; POST: %q, GET: %q", l.written(), reads, l.errors("POST"), l.errors("GET"))
}

// errors are answers other than 2xx, each once with how often it came.
func (l *load) errors(method string) (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(l.failed)) {
		if strings.HasPrefix(what, method) {
			all = append(all, fmt.Sprintf("%s (%d)", what, l.failed[what]))
		}
	}
	return all
}

// missing are those messages of the acknowledged ones that a machine does not show.
func (l *load) missing(t *testing.T, region, machine string) (lost []string) {
	t.Helper()
	seen := map[string]bool{}
	for after := 0; ; {
		status, body := ask(l.base, region, machine, "GET", fmt.Sprintf("/messages.json?after=%d", after), nil)
		var page struct {
			Messages []struct {
				ID      int
				Message string
			}
			More bool
		}
		if err := json.Unmarshal([]byte(body), &page); status != 200 || err != nil {
			t.Fatalf("%s: %d %s (%v)", machine, status, body, err)
		}
		for _, m := range page.Messages {
			seen[m.Message], after = true, max(after, m.ID)
		}
		if !page.More || len(page.Messages) == 0 {
			break
		}
	}
	for _, m := range l.acked {
		if !seen[m] {
			lost = append(lost, m)
		}
	}
	return lost
}

// client gives up before a test does.
var client = &http.Client{Timeout: 30 * time.Second}

// ask asks by way of a region, with no cookie. Without an answer the status is 0.
func ask(base, region, machine, method, path string, form url.Values) (status int, body string) {
	return askBy(client, base, region, machine, method, path, form)
}

func askBy(client *http.Client, base, region, machine, method, path string, form url.Values) (status int, body string) {
	req, err := http.NewRequest(method, base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set(edge.RegionHeader, region)
	if machine != "" {
		req.Header.Set("Fly-Force-Instance-Id", machine)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(text)
}
