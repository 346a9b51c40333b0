// Package guestbook is a client of examples/guestbook.
package guestbook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/flysql/flysql/e2e/poll"
)

// Client talks to one guestbook. Its methods may be called from several
// goroutines. Make one with New or At.
type Client struct {
	base string // without a slash at the end
	http *http.Client
}

// New returns a client of the guestbook on a port of this machine.
func New(port int) *Client {
	// No connection is kept: one that waits would hold up the app's orderly end.
	transport := &http.Transport{DisableKeepAlives: true}
	return At("http://127.0.0.1:"+strconv.Itoa(port), &http.Client{Transport: transport, Timeout: 10 * time.Second})
}

// At returns a client of the guestbook at a URL without a slash at its end, which
// is asked by c.
func At(base string, c *http.Client) *Client { return &Client{base: base, http: c} }

// Message is one message as /messages.json has it.
type Message struct {
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	Body    string    `json:"message"`
	Created time.Time `json:"created"`
}

// Equal tells whether two messages are the same in every field.
func (m Message) Equal(o Message) bool {
	return m.ID == o.ID && m.Name == o.Name && m.Body == o.Body && m.Created.Equal(o.Created)
}

// StatusError is an answer with another status than was asked for.
type StatusError struct {
	Request string // "POST /messages"
	Status  int
	Body    string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: status %d: %s", e.Request, e.Status, strings.Join(strings.Fields(e.Body), " "))
}

func (c *Client) do(ctx context.Context, method, path string, form url.Values, want int) (string, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode != want {
		return "", &StatusError{Request: method + " " + path, Status: res.StatusCode, Body: string(data)}
	}
	return string(data), nil
}

// Get returns the body of a page that must answer 200.
func (c *Client) Get(ctx context.Context, path string) (string, error) {
	return c.do(ctx, http.MethodGet, path, nil, http.StatusOK)
}

var counter = regexp.MustCompile(`<data value="([0-9]{1,18})">`)

// Reads is how often a page says that it has been read; 0 where it does not say.
func Reads(page string) int {
	if found := counter.FindStringSubmatch(page); found != nil {
		n, _ := strconv.Atoi(found[1]) // digits, by the pattern
		return n
	}
	return 0
}

// Sign leaves a message and returns its id. Once it has returned without an
// error, the message must never be lost.
func (c *Client) Sign(ctx context.Context, name, message string) (int64, error) {
	data, err := c.do(ctx, http.MethodPost, "/messages", url.Values{"name": {name}, "message": {message}}, http.StatusCreated)
	if err != nil {
		return 0, err
	}
	var answer struct {
		ID int64 `json:"id"`
	}
	if err := json.Unmarshal([]byte(data), &answer); err != nil {
		return 0, fmt.Errorf("POST /messages: %w", err)
	}
	return answer.ID, nil
}

// Messages returns all messages, oldest first.
func (c *Client) Messages(ctx context.Context) ([]Message, error) {
	var all []Message
	for after, more := int64(0), true; more; {
		path := "/messages.json?after=" + strconv.FormatInt(after, 10)
		data, err := c.Get(ctx, path)
		if err != nil {
			return nil, err
		}
		var answer struct {
			Messages []Message `json:"messages"`
			More     bool      `json:"more"`
		}
		if err := json.Unmarshal([]byte(data), &answer); err != nil {
			return nil, fmt.Errorf("GET %s: %w", path, err)
		}
		if more = answer.More && len(answer.Messages) > 0; more {
			after = answer.Messages[len(answer.Messages)-1].ID
		}
		all = append(all, answer.Messages...)
	}
	return all, nil
}

// Healthy waits until the path answers 200. It stops waiting when ended is
// closed: the app is gone.
func (c *Client) Healthy(ctx context.Context, path string, ended <-chan struct{}) error {
	return poll.Until(ctx, "the app at "+c.base+path, func(ctx context.Context) error {
		select {
		case <-ended:
			return poll.Stop(fmt.Errorf("it ended before it served"))
		default:
		}
		_, err := c.Get(ctx, path)
		return err
	})
}
