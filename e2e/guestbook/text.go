package guestbook

import (
	"context"
	"fmt"
	"html"
	"slices"
	"strings"
)

// texts are messages with the usual, and with what careless code mangles.
var texts = [...]struct{ name, message string }{
	{"Ada", "The first one here."},
	{"Grace", "It's <b>plain text</b> & it stays so."},
	{"Ada", "Grüße, 你好 🙂"},
}

// Texts is how many messages SignTexts leaves.
const Texts = len(texts)

// SignTexts leaves messages, reads them back, and returns all there are.
func (c *Client) SignTexts(ctx context.Context) ([]Message, error) {
	before, err := c.Messages(ctx)
	if err != nil {
		return nil, err
	}
	var last int64
	for _, m := range texts {
		id, err := c.Sign(ctx, m.name, m.message)
		if err != nil {
			return nil, err
		}
		if id <= last {
			return nil, fmt.Errorf("POST /messages: id %d after id %d", id, last)
		}
		last = id
	}
	rows, err := c.Messages(ctx)
	if err != nil {
		return nil, err
	}
	if got, want := len(rows), len(before)+len(texts); got != want {
		return nil, fmt.Errorf("GET /messages.json: %d messages, want %d", got, want)
	}
	for n, m := range texts {
		if got := rows[len(before)+n]; got.Name != m.name || got.Body != m.message {
			return nil, fmt.Errorf("GET /messages.json: %+v, want %+v", got, m)
		}
	}
	return rows, c.HasTexts(ctx, rows)
}

// HasTexts wants exactly these messages, as JSON, and on the page those of SignTexts.
func (c *Client) HasTexts(ctx context.Context, rows []Message) error {
	got, err := c.Messages(ctx)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(got, rows, Message.Equal) {
		return fmt.Errorf("GET /messages.json: %+v, want %+v", got, rows)
	}
	page, err := c.Get(ctx, "/")
	if err != nil {
		return err
	}
	for _, m := range texts {
		if !strings.Contains(page, html.EscapeString(m.message)) {
			return fmt.Errorf("GET /: the page does not show %q", m.message)
		}
	}
	return nil
}
