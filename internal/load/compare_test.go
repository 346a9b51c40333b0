package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Two targets are measured in turn, A B B A A B, each by the same requests.
func TestCompare(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var turns []string // who was asked, and how often in a row
	n := 0
	seen := map[string][]string{}
	target := func(name string, takes time.Duration) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			if l := len(turns); l > 0 && turns[l-1] == name {
				n++
			} else {
				if l > 0 {
					turns[l-1] += fmt.Sprint(n)
				}
				turns, n = append(turns, name), 1
			}
			seen[name] = append(seen[name], r.URL.Path+r.Header.Get("Flysql-Dev-Region"))
			mu.Unlock()
			time.Sleep(takes) // the app's time, not the test's
		})
	}
	o := Options{URL: target("A", 0), Rate: 100, For: 1200 * time.Millisecond, Reads: []Request{read(t, "/{{random}}/{{n}}")}, Regions: []string{"ams", "ord"}, Seed: 9}
	second := o
	second.URL = target("B", 150*time.Millisecond)
	rounds := map[string]bool{}
	c, err := Compare(t.Context(), Patient(o), Patient(second), 6, func(p Progress) { rounds[p.Round] = true })
	if err != nil {
		t.Fatal(err)
	}
	// The first two are asked whether they are there.
	if got := fmt.Sprint(turns); got != "[A1 B1 A20 B40 A40 B40 A40 B40 A]" {
		t.Errorf("the order was %s", got)
	}
	slices.Sort(seen["A"])
	slices.Sort(seen["B"])
	if !slices.Equal(seen["A"], seen["B"]) {
		t.Error("they got different requests")
	}
	p := c.Report()
	if p.Rounds != 6 || p.First.All.Count != 120 || p.Second.All.Count != 120 || p.First.Seconds != 1.2 || p.First.URL != o.URL || p.Second.URL != second.URL || p.First.Unsent != 0 {
		t.Errorf("%+v\n%+v", p.First, p.Second)
	}
	if r := p.Ratios[0]; r.What != "p50" || r.Of != "all" || r.Most <= 1 || r.Rounds != 6 {
		t.Errorf("%+v", p.Ratios)
	}
	if last := p.First.OverTime[len(p.First.OverTime)-1]; last.Second < 1 {
		t.Errorf("its rounds lie one upon another: the last moment is at %v", last.Second)
	}
}

// A round in which nothing succeeded at the second target is one where it did worse, and is
// not left out.
func TestCompareFailures(t *testing.T) {
	t.Parallel()
	first := serve(t, func(http.ResponseWriter, *http.Request) {})
	second := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	o := Options{URL: first, Rate: 200, For: 200 * time.Millisecond, Reads: []Request{read(t, "/")}}
	other := o
	other.URL = second
	c, err := Compare(t.Context(), Patient(o), Patient(other), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := c.Report().Ratios
	if r := all[len(all)-1]; r.What != "requests/s" || r.Rounds != 2 || r.Most != 0 {
		t.Errorf("%+v", all)
	}
}

// Rounds that would be too small.
func TestCompareRefused(t *testing.T) {
	at := serve(t, func(http.ResponseWriter, *http.Request) {})
	o := Options{URL: at, Rate: 100, For: time.Second, Reads: []Request{read(t, "/")}}
	for rounds, want := range map[int]string{
		0:   "0 rounds of 1s at 100 requests a second: from 1 to 100, of at least 20 requests each",
		-1:  "-1 rounds of 1s at 100 requests a second: from 1 to 100, of at least 20 requests each",
		6:   "6 rounds of 166ms at 100 requests a second: from 1 to 100, of at least 20 requests each",
		101: "101 rounds of 9ms at 100 requests a second: from 1 to 100, of at least 20 requests each",
	} {
		if _, err := Compare(t.Context(), o, o, rounds, nil); fmt.Sprint(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Ended before there was anything to compare, it says so.
func TestCompareEndedAtOnce(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancelCause(t.Context())
	cause := errors.New("Ctrl-C")
	var n atomic.Int64
	at := serve(t, func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 2+10 { // 2 are to see whether they answer
			end(cause)
		}
	})
	o := Options{URL: at, Rate: 100, For: time.Second, Reads: []Request{read(t, "/")}}
	c, err := Compare(ctx, Patient(o), Patient(o), 5, nil)
	if c != nil || !errors.Is(err, cause) || !strings.Contains(fmt.Sprint(err), "nothing can be compared") {
		t.Errorf("%v, %v", c, err)
	}
}

// Ended early, it keeps the rounds that both were measured in.
func TestCompareEnded(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancelCause(t.Context())
	cause := errors.New("Ctrl-C")
	var mu sync.Mutex
	n := 0
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n == 2+40+10 {
			end(cause)
		}
	})
	o := Options{URL: at, Rate: 100, For: time.Second, Reads: []Request{read(t, "/")}}
	c, err := Compare(ctx, Patient(o), Patient(o), 5, nil)
	if !errors.Is(err, cause) {
		t.Fatal(err)
	}
	if p := c.Report(); p.Rounds != 1 || p.First.All.Count != 20 || p.Second.All.Count != 20 || !p.First.Ended || p.First.Unsent != 0 {
		t.Errorf("%+v", p)
	}
}
