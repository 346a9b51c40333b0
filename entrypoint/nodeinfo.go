package entrypoint

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// nodeInfo is LiteFS's answer to GET /info.
type nodeInfo struct {
	IsPrimary bool `json:"isPrimary"`
	Candidate bool `json:"candidate"`
	Primary   struct {
		Hostname string `json:"hostname"` // "" when no primary is known
	} `json:"primary"`

	id string // of this run of LiteFS, by which it signs its transactions
}

func (i nodeInfo) role() string {
	if i.IsPrimary {
		return "primary"
	}
	return "replica"
}

// info asks LiteFS what it is.
func (n *node) info(ctx context.Context) (nodeInfo, error) {
	head, body, err := get(ctx, n.api, "/info")
	if err != nil {
		return nodeInfo{}, err
	}
	info := nodeInfo{id: head.Get("Litefs-Id")}
	if err := json.Unmarshal(body, &info); err != nil {
		return nodeInfo{}, fmt.Errorf("GET /info: %w", err)
	}
	return info, nil
}

// question is one request of HTTP, without a body.
type question struct {
	method, path string
	header       string // lines, each with its end
	patience     time.Duration
	into         io.Writer // where a body of any size goes; nil is the answer's
}

// ask is the little of HTTP that one question needs; net/http would double this
// binary's memory. As a client of HTTP/1.0 it gets a body that simply ends.
func (s server) ask(ctx context.Context, q question) (status int, head textproto.MIMEHeader, body []byte, err error) {
	const limit = 64 << 10
	ctx, cancel := context.WithTimeout(ctx, q.patience)
	defer cancel()
	conn, err := s.connect(ctx)
	if err != nil {
		return 0, nil, nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) // wakes what waits
	defer stop()
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.0\r\nHost: %s\r\nContent-Length: 0\r\n%s\r\n", q.method, q.path, s.host, q.header); err != nil {
		return 0, nil, nil, err
	}
	var all io.Reader = conn
	if q.into == nil {
		all = io.LimitReader(conn, limit)
	}
	r := bufio.NewReader(all)
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, nil, nil, err
	}
	f := strings.Fields(line)
	if len(f) < 2 || !strings.HasPrefix(f[0], "HTTP/1.") {
		return 0, nil, nil, fmt.Errorf("%s %s: %q is no answer of HTTP", q.method, q.path, strings.TrimSpace(line))
	}
	if status, err = strconv.Atoi(f[1]); err != nil {
		return 0, nil, nil, fmt.Errorf("%s %s: the status is %q", q.method, q.path, f[1])
	}
	if head, err = textproto.NewReader(r).ReadMIMEHeader(); err != nil {
		return 0, nil, nil, err
	}
	if q.into != nil {
		_, err = io.Copy(q.into, r)
		return status, head, nil, err
	}
	body, err = io.ReadAll(r)
	return status, head, body, err
}

// get asks a server on this machine.
func get(ctx context.Context, addr, path string) (textproto.MIMEHeader, []byte, error) {
	s := server{addr: addr, host: addr}
	status, head, body, err := s.ask(ctx, question{method: "GET", path: path, patience: 2 * time.Second})
	if err == nil && status != 200 {
		err = fmt.Errorf("GET %s: status %d is no answer of LiteFS's", path, status)
	}
	return head, body, err
}

// caughtUp tells whether a replica has all that the primary had when it connected:
// its lag is known only from then on.
func (n *node) caughtUp(ctx context.Context) bool {
	var lag []byte
	came, err := within(ctx, time.Second, func() (err error) {
		lag, err = os.ReadFile(filepath.Join(n.mount, ".lag"))
		return err
	})
	if !came || err != nil {
		return false
	}
	ms, err := strconv.ParseInt(strings.TrimSpace(string(lag)), 10, 64)
	return err == nil && ms < math.MaxInt32
}

// position is where a database stands: how many transactions, and the checksum of
// its content then. Its zero value is before the first one.
type position struct{ tx, checksum uint64 }

func (p position) String() string { return fmt.Sprintf("%016x/%016x", p.tx, p.checksum) }

func parsePosition(s string) (position, error) {
	tx, sum, found := strings.Cut(strings.TrimSpace(s), "/")
	a, err1 := strconv.ParseUint(tx, 16, 64)
	b, err2 := strconv.ParseUint(sum, 16, 64)
	if !found || len(tx) != 16 || len(sum) != 16 || err1 != nil || err2 != nil {
		return position{}, fmt.Errorf("%.64q is not a position of LiteFS's", s)
	}
	return position{a, b}, nil
}

// positionOf reads a database's position. One that is not there yet is at zero.
func positionOf(db string) (position, error) {
	data, err := os.ReadFile(db + "-pos")
	if isNotExist(err) {
		return position{}, nil
	}
	if err != nil {
		return position{}, err
	}
	return parsePosition(string(data))
}

// addSecretURL adds what is secret in a URL.
func addSecretURL(secrets map[string]string, raw string) {
	u, err := url.Parse(raw)
	if err != nil || u.User == nil {
		return
	}
	if password, _ := u.User.Password(); len(password) > 3 { // a shorter one would blot out words
		secrets[password] = "xxxxx"
	}
	secrets[raw] = u.Redacted()
}

// redactor passes whole lines on without the secrets in them.
type redactor struct {
	w       io.Writer
	replace *strings.Replacer

	mu   sync.Mutex
	line []byte
}

func newRedactor(w io.Writer, secrets map[string]string) *redactor {
	var pairs []string
	for secret, shown := range secrets {
		pairs = append(pairs, secret, shown)
	}
	return &redactor{w: w, replace: strings.NewReplacer(pairs...)}
}

// maxLine is how much of a line without an end is kept before it is passed on.
const maxLine = 64 << 10

func (r *redactor) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.line = append(r.line, p...)
	i := bytes.LastIndexByte(r.line, '\n') + 1
	if i == 0 && len(r.line) > maxLine {
		i = len(r.line)
	}
	r.pass(i)
	return len(p), nil
}

func (r *redactor) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pass(len(r.line))
}

// pass hands on the first n bytes. That a log cannot be written is no reason for
// LiteFS to block.
func (r *redactor) pass(n int) {
	if n > 0 {
		_, _ = io.WriteString(r.w, r.replace.Replace(string(r.line[:n])))
		r.line = append(r.line[:0], r.line[n:]...)
	}
}
