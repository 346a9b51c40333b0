package entrypoint

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"
)

// patience is how long an answer of LiteFS's is waited for that costs it no work.
const patience = 2 * time.Second

// maxAnswer bounds what is read of one. A database takes less than a kilobyte of it.
const maxAnswer = 1 << 20

// request is the little of HTTP that a question to LiteFS needs; net/http would
// double this binary's memory. As a client of HTTP/1.0 it gets a body that simply
// ends.
type request struct {
	method   string // "" is GET
	addr     string // host:port
	path     string
	patience time.Duration // 0 is the constant's
	body     io.Reader     // of size bytes
	size     int64
}

// do asks. An answer other than 200 is an error with what LiteFS says in it.
func (q request) do(ctx context.Context) (textproto.MIMEHeader, []byte, error) {
	if q.method == "" {
		q.method = "GET"
	}
	if q.patience == 0 {
		q.patience = patience
	}
	ctx, cancel := context.WithTimeout(ctx, q.patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", q.addr)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	// What hangs is ended by a deadline that has passed.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.0\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", q.method, q.path, q.addr, q.size); err != nil {
		return nil, nil, err
	}
	var sent error
	if q.body != nil {
		_, sent = io.CopyN(conn, q.body, q.size) // LiteFS may have answered before the end
	}
	r := bufio.NewReader(io.LimitReader(conn, maxAnswer))
	status, err := r.ReadString('\n')
	if err != nil {
		if sent != nil {
			err = sent
		}
		return nil, nil, err
	}
	f := strings.Fields(status)
	if len(f) < 2 || !strings.HasPrefix(f[0], "HTTP/1.") {
		return nil, nil, fmt.Errorf("%s %s: %.64q is no answer of LiteFS's", q.method, q.path, strings.TrimSpace(status))
	}
	head, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(r)
	if f[1] != "200" {
		return nil, nil, &refusal{q.method, q.path, strings.Join(f[1:], " "), strings.TrimSpace(string(body))}
	}
	return head, body, err
}

// refusal is LiteFS's answer that it did not do what it was asked for.
type refusal struct{ method, path, status, text string }

func (e *refusal) Error() string {
	return fmt.Sprintf("%s %s: %s: %.200s", e.method, e.path, e.status, e.text)
}

// get is the most frequent question.
func get(ctx context.Context, addr, path string) (textproto.MIMEHeader, []byte, error) {
	return request{addr: addr, path: path}.do(ctx)
}

// infoOf asks the LiteFS at addr what it is.
func infoOf(ctx context.Context, addr string) (nodeInfo, error) {
	head, body, err := get(ctx, addr, "/info")
	if err != nil {
		return nodeInfo{}, err
	}
	info := nodeInfo{id: head.Get("Litefs-Id")}
	if err := json.Unmarshal(body, &info); err != nil {
		return nodeInfo{}, fmt.Errorf("GET /info: %w", err)
	}
	return info, nil
}

// positionsOf asks the LiteFS at addr where its databases stand. One without a
// transaction is left out.
func positionsOf(ctx context.Context, addr string) (map[string]position, error) {
	_, body, err := get(ctx, addr, "/debug/vars")
	if err != nil {
		return nil, err
	}
	var vars struct {
		Store *struct {
			DBs map[string]struct{ TXID, Checksum string }
		}
	}
	if err := json.Unmarshal(body, &vars); err != nil {
		return nil, fmt.Errorf("GET /debug/vars: %w", err)
	}
	if vars.Store == nil {
		return nil, fmt.Errorf("GET /debug/vars: it says nothing of databases")
	}
	found := map[string]position{}
	for name, db := range vars.Store.DBs {
		at, err := parsePosition(db.TXID + "/" + db.Checksum)
		if err != nil {
			return nil, fmt.Errorf("GET /debug/vars: %w", err)
		}
		if at.tx > 0 {
			found[name] = at
		}
	}
	return found, nil
}

// notAt says which database of want does not stand there, or "".
func notAt(got, want map[string]position) string {
	for _, name := range sortedKeys(want) {
		if got[name] != want[name] {
			return fmt.Sprintf("%s at %v, not %v", name, got[name], want[name])
		}
	}
	return ""
}
