package litefs

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// maxInfo bounds what is read of an answer that should be short.
	maxInfo = 64 << 10
	// expectLimit is how long an import waits to be asked for its body.
	expectLimit = 10 * time.Second
)

// api is LiteFS's HTTP API.
type api struct {
	base   *url.URL
	client *http.Client
}

func newAPI(base *url.URL) *api {
	return &api{base, &http.Client{
		Transport: &http.Transport{
			// No proxy of the environment stands between a program and its LiteFS.
			DialContext: (&net.Dialer{
				Timeout: infoLimit,
				// LiteFS sends no heartbeat: a peer that has vanished is found by TCP.
				KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
			}).DialContext,
			DisableCompression:     true,
			ExpectContinueTimeout:  expectLimit,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: maxInfo,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (a *api) closeIdle() { a.client.CloseIdleConnections() }

// A statusError is an answer other than 200.
type statusError struct {
	path, host string
	code       int
	text       string // what LiteFS says, bounded
}

func (e *statusError) Error() string {
	return fmt.Sprintf("LiteFS at %s answers %s with %d: %s", e.host, e.path, e.code, quote(e.text))
}

// do makes a request; the caller closes the body. An error is a *statusError where
// LiteFS has answered.
func (a *api) do(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	u := *a.base
	u.Path, u.RawQuery = path, query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		// One that is refused must not be sent: the answer is lost when LiteFS closes
		// a connection that is being written to.
		req.Header.Set("Expect", "100-continue")
	}
	res, err := a.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("reach LiteFS: %w", err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 512)) // as much of it as there is
	return nil, &statusError{path, a.base.Host, res.StatusCode, strings.TrimSpace(string(text))}
}

// says tells whether err is LiteFS's answer, with that text in it.
func says(err error, text string) bool {
	var status *statusError
	return errors.As(err, &status) && strings.Contains(status.text, text)
}

func hasCode(err error, code int) bool {
	var status *statusError
	return errors.As(err, &status) && status.code == code
}

// info is the answer to GET /info.
type info struct {
	ClusterID string                    `json:"clusterID"`
	IsPrimary bool                      `json:"isPrimary"`
	Candidate bool                      `json:"candidate"`
	Primary   struct{ Hostname string } `json:"primary"`
	nodeID    string
}

func (a *api) info(ctx context.Context) (info, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, infoLimit, fmt.Errorf("LiteFS at %s does not answer /info within %v", a.base.Host, infoLimit))
	defer cancel()
	res, err := a.do(ctx, "GET", "/info", nil, nil)
	if err != nil {
		return info{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxInfo))
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return info{}, fmt.Errorf("read /info: %w", err)
	}
	in := info{nodeID: res.Header.Get("Litefs-Id")}
	if err := json.Unmarshal(data, &in); err != nil {
		return info{}, fmt.Errorf("read /info of %s: is that LiteFS? %w", a.base.Host, err)
	}
	return in, checkHostname(in.Primary.Hostname)
}

// Export writes a database to w, as one SQLite file, in the state of one
// transaction. A replica can do it too. On an error what was written is of no use.
// The errors to branch on are [ErrNoDatabase] and those of w and ctx.
func (n *Node) Export(ctx context.Context, db string, w io.Writer) error {
	if err := n.export(ctx, db, w); err != nil {
		return fmt.Errorf("litefs: export %s: %w", quote(db), err)
	}
	return nil
}

func (n *Node) export(ctx context.Context, db string, w io.Writer) error {
	if err := checkName(db); err != nil {
		return err
	}
	res, err := n.api.do(ctx, "GET", "/export", url.Values{"name": {db}}, nil)
	if hasCode(err, http.StatusNotFound) {
		return fmt.Errorf("%w: %w", ErrNoDatabase, err)
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var head bytes.Buffer
	if _, err := io.Copy(&head, io.LimitReader(res.Body, sqliteHeader)); err != nil {
		return causeOr(ctx, err)
	}
	size := databaseSize(head.Bytes())
	got, err := io.Copy(w, io.MultiReader(&head, res.Body))
	if err != nil {
		return causeOr(ctx, err)
	}
	// LiteFS has answered 200 by the time it may fail, and then adds the error to
	// what it has sent.
	if got != size {
		return fmt.Errorf("LiteFS sent %d bytes of a database of %d, and ended: its log says why", got, size)
	}
	return nil
}

func causeOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// sqliteHeader is the length of the header of a SQLite file.
// https://sqlite.org/fileformat2.html#the_database_header
const sqliteHeader = 100

// databaseSize is the size in bytes that the header of a SQLite file tells, 0 for
// an empty file and -1 for anything else.
func databaseSize(head []byte) int64 {
	if len(head) == 0 {
		return 0
	}
	if len(head) < sqliteHeader || !bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
		return -1
	}
	pageSize := int64(binary.BigEndian.Uint16(head[16:]))
	if pageSize == 1 {
		pageSize = 1 << 16
	}
	return pageSize * int64(binary.BigEndian.Uint32(head[28:]))
}

// Import makes the SQLite file that r reads the database db, on the primary: a new
// one, or instead of what db had. It is one transaction, which every replica gets.
// The file must be whole, without a WAL beside it. Programs that have the database
// open see the new one in their next transaction; prepared statements may fail.
//
// The errors to branch on are [ErrNotPrimary], and those of r and ctx: the database
// is then as it was, unless the answer was lost on the way.
func (n *Node) Import(ctx context.Context, db string, r io.Reader) error {
	if err := n.importFrom(ctx, db, r); err != nil {
		return fmt.Errorf("litefs: import %s: %w", quote(db), err)
	}
	return nil
}

func (n *Node) importFrom(ctx context.Context, db string, r io.Reader) error {
	if err := checkName(db); err != nil {
		return err
	}
	// Only Read of r: net/http would close it, and look for its length.
	res, err := n.api.do(ctx, "POST", "/import", url.Values{"name": {db}}, struct{ io.Reader }{r})
	if hasCode(err, http.StatusServiceUnavailable) || says(err, "read only replica") {
		return fmt.Errorf("%w: %w", ErrNotPrimary, err)
	}
	if err != nil {
		return err
	}
	return res.Body.Close()
}
