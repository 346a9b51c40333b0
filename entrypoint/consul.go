package entrypoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"time"
)

// leaseKey is the key in Consul by which LiteFS chooses its primary, asked beside
// LiteFS and in the same words: https://github.com/superfly/litefs/blob/v0.5.14/consul/consul.go
type leaseKey struct {
	server server
	key    string
	token  string
	self   leaseHolder
}

// leaseHolder is the key's value: who says that it is the primary.
type leaseHolder struct {
	Hostname     string `json:"hostname"`
	AdvertiseURL string `json:"advertise-url"`
}

// is tells whether o, of the key, is this node's.
func (h leaseHolder) is(o leaseHolder) bool {
	return h.Hostname == o.Hostname && (h.AdvertiseURL == "" || h.AdvertiseURL == o.AdvertiseURL)
}

// defaultLeaseTTL is LiteFS's own.
const defaultLeaseTTL = 10 * time.Second

// leaseKey is nil where there is none: a static lease.
func (n *node) leaseKey(env func(string) string) *leaseKey {
	c := n.conf.Lease
	u, err := url.Parse(c.Consul.URL)
	if c.Type != "consul" || err != nil || u.Host == "" {
		return nil
	}
	k := &leaseKey{server: server{host: u.Host, tls: u.Scheme == "https"}, token: env("CONSUL_HTTP_TOKEN"),
		key: path.Join(strings.TrimPrefix(u.Path, "/"), c.Consul.Key), self: leaseHolder{c.Hostname, c.AdvertiseURL}}
	if k.self.Hostname == "" { // as LiteFS fills it in
		k.self.Hostname, _ = os.Hostname()
	}
	if u.User != nil {
		k.token, _ = u.User.Password()
	}
	port := u.Port()
	if port == "" {
		if port = "80"; k.server.tls {
			port = "443"
		}
	}
	k.server.addr, k.server.name = net.JoinHostPort(u.Hostname(), port), u.Hostname()
	return k
}

// leaseTTL is how long Consul keeps a session that nobody renews, at least.
func (n *node) leaseTTL() time.Duration {
	if ttl := n.conf.Lease.Consul.TTL; ttl > 0 {
		return ttl
	}
	return defaultLeaseTTL
}

func (k *leaseKey) request(patience time.Duration, method, path string) request {
	q := request{to: k.server, method: method, path: path, patience: patience}
	if k.token != "" {
		q.header = "X-Consul-Token: " + k.token + "\r\n"
	}
	return q
}

func (k *leaseKey) ask(ctx context.Context, patience time.Duration, method, path string) (int, []byte, error) {
	a, err := k.request(patience, method, path).ask(ctx)
	return a.status, a.body, err
}

// holder reads who holds the lease, by which session; both are empty when nobody does.
func (k *leaseKey) holder(ctx context.Context, patience time.Duration) (h leaseHolder, session string, err error) {
	value, session, err := k.get(ctx, patience, k.key)
	if err != nil || len(value) == 0 || session == "" {
		return h, "", err
	}
	if err := json.Unmarshal(value, &h); err != nil {
		return h, "", errors.New("the lease's key holds what LiteFS does not write")
	}
	return h, session, nil
}

// get reads a key, and which session holds it. One that is not there is empty.
func (k *leaseKey) get(ctx context.Context, patience time.Duration, key string) (value []byte, session string, err error) {
	status, body, err := k.ask(ctx, patience, "GET", kvPath(key))
	if err != nil || status == 404 {
		return nil, "", err
	}
	var keys []struct {
		Value   []byte
		Session string
	}
	if err := json.Unmarshal(body, &keys); status != 200 || err != nil || len(keys) != 1 {
		return nil, "", fmt.Errorf("GET a key: the server answers with status %d", status)
	}
	return keys[0].Value, keys[0].Session, nil
}

// put sets a key.
func (k *leaseKey) put(ctx context.Context, patience time.Duration, key string, value []byte) error {
	q := k.request(patience, "PUT", kvPath(key))
	q.body, q.size = bytes.NewReader(value), int64(len(value))
	a, err := q.ask(ctx)
	if err == nil && a.status != 200 {
		err = fmt.Errorf("PUT a key: the server answers with status %d", a.status)
	}
	return err
}

func kvPath(key string) string { return "/v1/kv/" + (&url.URL{Path: key}).EscapedPath() }

// renew makes a session live for another TTL at least; alive is false where it is
// no more.
func (k *leaseKey) renew(ctx context.Context, patience time.Duration, session string) (alive bool, err error) {
	status, _, err := k.ask(ctx, patience, "PUT", "/v1/session/renew/"+url.PathEscape(session))
	switch {
	case err != nil:
		return false, err
	case status == 404:
		return false, nil
	case status != 200:
		return false, fmt.Errorf("renew the lease's session: the server answers with status %d", status)
	}
	return true, nil
}

// claim is what the lease server says of this node's lease.
type claim struct {
	asked   time.Time // from when on it holds
	session string    // that holds the key, where it is ours
	lost    bool      // another session holds the key, or none
	holder  string    // the hostname of the other one
	err     error     // it is not known
	refused bool      // because the server answers, and not as it should
}

// claim asks whether this node still is the primary for others. That a session
// which holds the key with this node's name has just been renewed is the proof:
// until a TTL after the question nobody else can be primary.
func (k *leaseKey) claim(ctx context.Context, patience time.Duration, session string) claim {
	c := claim{asked: time.Now(), session: session}
	var renewed bool
	var renewErr error
	var both sync.WaitGroup
	defer both.Wait()
	renew := func() { renewed, renewErr = k.renew(ctx, patience, c.session) }
	if session != "" { // not one after the other: a slow server is slow twice
		both.Go(renew)
	}
	h, holds, err := k.holder(ctx, patience)
	if session == "" && err == nil && holds != "" && k.self.is(h) {
		c.session, c.asked = holds, time.Now()
		renew()
	}
	both.Wait()
	switch {
	case err != nil:
		c.err, c.refused = err, !isTimeout(err)
	case holds == "":
		c.lost = true
	case !k.self.is(h) && holds == c.session:
		c.err = fmt.Errorf("the lease is on its way to %s", h.Hostname)
	case !k.self.is(h):
		c.lost, c.holder = true, h.Hostname
	case holds != c.session: // this node has taken it anew
		c.session, c.err = holds, errors.New("this node holds the lease by a new session")
	case renewErr != nil:
		c.err, c.refused = renewErr, !isTimeout(renewErr)
	case !renewed:
		c.lost = true
	}
	return c
}

// isTimeout tells whether no answer came at all.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
