package entrypoint

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// patience is how long an answer is waited for that costs the other side no work.
const patience = 2 * time.Second

// maxAnswer bounds what is read of one into memory. A database takes less than a
// kilobyte of it.
const maxAnswer = 1 << 20

// server is where a question goes.
type server struct {
	addr string // host:port to connect to
	host string // of the URL; "" is addr
	tls  bool
	name string // in its certificate
}

func (s server) connect(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.addr)
	if err != nil || !s.tls {
		return conn, err
	}
	secure := tls.Client(conn, &tls.Config{ServerName: s.name})
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

// request is the little of HTTP that a question to LiteFS or its lease server
// needs; net/http would double this binary's memory. As a client of HTTP/1.0 it gets
// a body that simply ends.
type request struct {
	method   string // "" is GET
	to       server
	path     string
	header   string        // lines, each with its end
	patience time.Duration // 0 is the constant's
	body     io.Reader     // of size bytes
	size     int64
	into     io.Writer // where a good answer's body of any size goes; nil for the answer's
}

type answer struct {
	status int
	head   textproto.MIMEHeader
	body   []byte
}

// ask asks, and takes any status for an answer.
func (q request) ask(ctx context.Context) (a answer, err error) {
	if q.method == "" {
		q.method = "GET"
	}
	if q.patience == 0 {
		q.patience = patience
	}
	if q.to.host == "" {
		q.to.host = q.to.addr
	}
	ctx, cancel := context.WithTimeout(ctx, q.patience)
	defer cancel()
	conn, err := q.to.connect(ctx)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	// What hangs is ended by a deadline that has passed.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.0\r\nHost: %s\r\nContent-Length: %d\r\n%s\r\n", q.method, q.path, q.to.host, q.size, q.header); err != nil {
		return a, err
	}
	var sent error
	if q.body != nil {
		_, sent = io.CopyN(conn, q.body, q.size) // the answer may have come before the end
	}
	limit := &io.LimitedReader{R: conn, N: maxAnswer}
	r := bufio.NewReader(limit)
	line, err := r.ReadString('\n')
	if err != nil {
		if sent != nil {
			err = sent
		}
		return a, err
	}
	f := strings.Fields(line)
	if len(f) < 2 || !strings.HasPrefix(f[0], "HTTP/1.") {
		return a, fmt.Errorf("%s %s: %.64q is no answer of HTTP", q.method, q.path, strings.TrimSpace(line))
	}
	if a.status, err = strconv.Atoi(f[1]); err != nil {
		return a, fmt.Errorf("%s %s: the status is %.64q", q.method, q.path, f[1])
	}
	if a.head, err = textproto.NewReader(r).ReadMIMEHeader(); err != nil {
		return a, err
	}
	if q.into != nil && a.status == 200 {
		limit.N = 1 << 62
		_, err = io.Copy(q.into, r)
		return a, err
	}
	a.body, err = io.ReadAll(r)
	return a, err
}

// do asks. An answer other than 200 is an error with what LiteFS says in it.
func (q request) do(ctx context.Context) (textproto.MIMEHeader, []byte, error) {
	a, err := q.ask(ctx)
	if a.status != 0 && a.status != 200 {
		return nil, nil, &refusal{q.method, q.path, a.status, strings.TrimSpace(string(a.body))}
	}
	return a.head, a.body, err
}

// refusal is LiteFS's answer that it did not do what it was asked for.
type refusal struct {
	method, path string
	status       int
	text         string
}

func (e *refusal) Error() string {
	return fmt.Sprintf("%s %s: status %d: %.200s", cmp.Or(e.method, "GET"), e.path, e.status, e.text)
}
