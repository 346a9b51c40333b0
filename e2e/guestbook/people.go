package guestbook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flysql/flysql/e2e/poll"
	"github.com/flysql/flysql/internal/emulator/edge"
)

// In is a client in a region, of the proxy on a port of this machine. Clients who share a
// jar are one person who travels: the app sees by its cookie what they have written, and
// answers when the machine has it. As on Fly the cookie is for https alone, which ends at
// Fly's proxy; there is none here, so that it is only said.
func In(port int, region string, jar http.CookieJar) *Client {
	transport := from{region, &http.Transport{DisableKeepAlives: true}}
	return At("https://127.0.0.1:"+strconv.Itoa(port), &http.Client{Transport: transport, Jar: jar, Timeout: 20 * time.Second})
}

// from says to the proxy where a request comes from.
type from struct {
	region string
	http.RoundTripper
}

func (f from) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(edge.RegionHeader, f.region)
	r.URL.Scheme = "http"
	return f.RoundTripper.RoundTrip(r)
}

// Person is one person, with a client in each region.
type Person struct {
	regions []string
	clients map[string]*Client
}

// Everywhere is a person in these regions, by way of the proxy on a port.
func Everywhere(port int, regions []string) (*Person, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	p := &Person{regions, map[string]*Client{}}
	for _, region := range regions {
		p.clients[region] = In(port, region, jar)
	}
	return p, nil
}

// In is the person's client in a region.
func (p *Person) In(region string) *Client { return p.clients[region] }

// SignEverywhere signs from each region, and reads that at once in all of them: in the list,
// and on a page that counts its readers, which is a write in a GET. said hears of each
// region, and how many have read the page by then.
func (p *Person) SignEverywhere(ctx context.Context, said func(region string, reads int)) error {
	page, err := p.clients[p.regions[0]].Get(ctx, "/")
	if err != nil {
		return err
	}
	reads := Reads(page)
	for _, region := range p.regions {
		message := "Written by way of " + region
		if _, err := p.clients[region].Sign(ctx, "Ada", message); err != nil {
			return fmt.Errorf("in %s: %w", region, err)
		}
		for _, other := range p.regions {
			reads++
			if err := p.clients[other].shows(ctx, message, reads); err != nil {
				return fmt.Errorf("in %s, of what was written in %s: %w", other, region, err)
			}
		}
		said(region, reads)
	}
	return nil
}

// shows wants a message in the list and on the page, and so many readers.
func (c *Client) shows(ctx context.Context, message string, reads int) error {
	list, err := c.Messages(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(m Message) bool { return m.Body == message }) {
		return fmt.Errorf("the list does not show %q", message)
	}
	page, err := c.Get(ctx, "/")
	if err != nil {
		return err
	}
	if !strings.Contains(page, message) || Reads(page) != reads {
		return fmt.Errorf("the page does not show %q, or counts %d readers, want %d", message, Reads(page), reads)
	}
	return nil
}

// Messages returns all messages, which must be the same in every region.
func (p *Person) Messages(ctx context.Context) (rows []Message, err error) {
	for i, region := range p.regions {
		got, err := p.clients[region].Messages(ctx)
		switch {
		case err != nil:
			return nil, fmt.Errorf("in %s: %w", region, err)
		case i == 0:
			rows = got
		case !slices.EqualFunc(got, rows, Message.Equal):
			return nil, fmt.Errorf("in %s: %d messages that are not the %d of %s", region, len(got), len(rows), p.regions[0])
		}
	}
	return rows, nil
}

// BeforeKill signs once more, in the last region, and returns all messages, and how many
// have read the page.
func (p *Person) BeforeKill(ctx context.Context) (rows []Message, reads int, err error) {
	last := p.clients[p.regions[len(p.regions)-1]]
	if _, err := last.Sign(ctx, "Grace", "Before the kill."); err != nil {
		return nil, 0, err
	}
	if rows, err = p.Messages(ctx); err != nil {
		return nil, 0, err
	}
	page, err := last.Get(ctx, "/")
	return rows, Reads(page), err
}

// Uncounted waits until the page is served in a region without being counted, as where there
// is no primary. It must show a message, and as many readers as before.
func (p *Person) Uncounted(ctx context.Context, region, message string, reads int) error {
	// One that comes before its machine has noticed waits for the next primary, and so
	// is given up.
	err := poll.Until(ctx, "a page", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		page, err := p.clients[region].Get(ctx, "/")
		switch {
		case err != nil:
			return err
		case !strings.Contains(page, message):
			return poll.Stop(errors.New("the page does not show the last message"))
		case Reads(page) != reads:
			return poll.Stop(errors.New("the page was served only when there was a primary again, which counted it"))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("in %s, without a primary: %w", region, err)
	}
	return nil
}

// SignAgain signs by way of a region until that is taken.
func (p *Person) SignAgain(ctx context.Context, region, what string) error {
	try := 0
	return poll.Until(ctx, "somebody who takes a message by way of "+region, func(ctx context.Context) error {
		try++
		_, err := p.clients[region].Sign(ctx, "Grace", fmt.Sprintf("%s, try %d.", what, try))
		return err
	})
}

// StillThere wants the messages of before to be the first of all in every region, and more
// after them.
func (p *Person) StillThere(ctx context.Context, before []Message) error {
	after, err := p.Messages(ctx)
	if err != nil {
		return err
	}
	if len(after) <= len(before) || !slices.EqualFunc(before, after[:len(before)], Message.Equal) {
		return fmt.Errorf("%d messages before, and now %d that do not begin with them", len(before), len(after))
	}
	return nil
}
