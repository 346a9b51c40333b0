package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Request is one kind of request. Make one by ParseRead or ParseWrite.
type Request struct {
	Name        string // "POST /messages", without a query, which may be secret
	Write       bool
	method      string
	path        pattern
	body        pattern
	contentType string
}

// mostBody is what a body may have, as all under way are in memory.
const mostBody = 1 << 20

// sample values, by which a request is tried before it is sent.
var tried = values{n: 1, region: "ams", run: "run", random: 1}

// ParseRead reads a path, which may have a query: "/search?q={{random}}".
func ParseRead(path string) (Request, error) {
	r := Request{method: http.MethodGet}
	if method, rest, ok := strings.Cut(path, " "); ok && rest != "" && strings.HasPrefix(strings.TrimSpace(rest), "/") && strings.Trim(method, upper) == "" {
		if method != http.MethodGet {
			return r, fmt.Errorf("column 1: %s is no read: give it by --write", method)
		}
		return r, fmt.Errorf("column 1: give the path alone: %s", strings.TrimSpace(rest))
	}
	return r, r.setPath(path, 1)
}

const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// ParseWrite reads a method, a path, and a body where there is one: "POST /messages
// text=hello+{{n}}". A body of its own goes before the one that is given beside it.
// Where contentType is "", it follows from the body: JSON, else a form, else text.
func ParseWrite(text, body, contentType string) (Request, error) {
	r := Request{Write: true}
	method, rest, _ := strings.Cut(text, " ")
	switch {
	case method == "" || strings.Trim(method, upper) != "" || len(method) > 20:
		return r, fmt.Errorf("column 1: %.40q is no method: give method, path and body, as in 'POST /messages text=hello'", method)
	case method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions || method == http.MethodTrace || method == http.MethodConnect:
		return r, fmt.Errorf("column 1: %s does not write: give POST, PUT, PATCH or DELETE, or the path by --read", method)
	}
	r.method = method
	column := len(method) + 2
	path, own, has := strings.Cut(rest, " ")
	if err := r.setPath(path, column); err != nil {
		return r, err
	}
	bodyAt := 1
	if has && own != "" {
		body, bodyAt = own, column+len([]rune(path))+1
	}
	if len(body) > mostBody {
		return r, fmt.Errorf("a body of %d bytes: at most %d", len(body), mostBody)
	}
	t, err := parsePattern(body, bodyAt)
	if err != nil {
		return r, inBody(err, has)
	}
	r.body, r.contentType = t, contentType
	if contentType == "" {
		r.contentType = contentTypeOf(t.fill(&tried))
	} else if contentType == "application/json" && !json.Valid([]byte(t.fill(&tried))) {
		return r, errors.New("the body is no JSON")
	}
	if r.contentType != "" && strings.ContainsFunc(r.contentType, func(c rune) bool { return c < ' ' || c > '~' }) {
		return r, errors.New("the content type has characters that none has")
	}
	return r, nil
}

func inBody(err error, own bool) error {
	if own {
		return err
	}
	return fmt.Errorf("the body: %w", err)
}

// setPath takes a path that begins in a column of what the user gave.
func (r *Request) setPath(path string, column int) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("column %d: a path begins with /", column)
	}
	for i, c := range []rune(path) {
		if c <= ' ' || c == 0x7f || c == '#' {
			return fmt.Errorf("column %d: %q cannot be in a path: write %s", column+i, c, url.QueryEscape(string(c)))
		}
	}
	var err error
	if r.path, err = parsePattern(path, column); err != nil {
		return err
	}
	if _, err := url.ParseRequestURI(r.path.fill(&tried)); err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return fmt.Errorf("column %d: the path cannot be read: %w", column, err)
	}
	name, _, _ := strings.Cut(path, "?")
	r.Name = r.method + " " + name
	return nil
}

// contentTypeOf is what a body seems to be; "" for none.
func contentTypeOf(body string) string {
	switch {
	case body == "":
		return ""
	case strings.ContainsAny(body[:1], "{[") && json.Valid([]byte(body)):
		return "application/json"
	case strings.Contains(body, "="):
		return "application/x-www-form-urlencoded"
	}
	return "text/plain; charset=utf-8"
}
