package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/flysql/flysql/internal/emulator/latency"
)

// consulPatience is how long a Consul may take to answer this program.
const consulPatience = 5 * time.Second

// useConsul makes a Consul the lease server. Machines ask it by way of this program, which
// alone has its token.
func useConsul(raw string) (*leaseServer, error) {
	u, err := consulURL(raw)
	if err != nil {
		return nil, err
	}
	token, _ := u.User.Password()
	base := &url.URL{Scheme: u.Scheme, Host: u.Host}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(base)
		if token != "" {
			r.Out.Header.Set("X-Consul-Token", token)
		}
	}}
	client := &http.Client{Timeout: consulPatience}
	get := func(key string) ([]byte, bool, error) {
		return consulKey(client, base.JoinPath("v1/kv", key).String(), token)
	}
	end := func() error { client.CloseIdleConnections(); return nil }
	return &leaseServer{Handler: proxy, prefix: strings.TrimSuffix(u.Path, "/"), get: get, end: end}, nil
}

// consulURL reads FLY_CONSUL_URL's form: https://:token@host/prefix. No error shows it.
func consulURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the URL of the Consul cannot be read: write http://host:port, or as FLY_CONSUL_URL is")
	}
	if u.User == nil {
		u.User = &url.Userinfo{}
	}
	return u, nil
}

// consulKey reads a key, and tells whether a session holds it. One that is not there is
// empty.
func consulKey(client *http.Client, at, token string) (value []byte, held bool, err error) {
	req, err := http.NewRequest(http.MethodGet, at, nil)
	if err != nil {
		return nil, false, err
	}
	if token != "" {
		req.Header.Set("X-Consul-Token", token)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, false, fmt.Errorf("ask Consul: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if res.StatusCode == http.StatusNotFound || err != nil {
		return nil, false, err
	}
	var keys []struct {
		Value   []byte
		Session string
	}
	if err := json.Unmarshal(body, &keys); res.StatusCode != http.StatusOK || err != nil || len(keys) != 1 {
		return nil, false, fmt.Errorf("ask Consul for a key: %s", res.Status)
	}
	return keys[0].Value, keys[0].Session != "", nil
}

// free waits until nobody holds the lease in a Consul: a run that was killed has left its
// session there, which ends by itself. Longer than that it is of somebody else's machines,
// and these must not join them.
func (c *Cluster) free(ctx context.Context, ttl time.Duration) error {
	for end := time.Now().Add(2*ttl + 5*time.Second); ; {
		value, held, err := c.lease.get(c.lease.key)
		if err != nil || !held {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("the lease at %s in Consul is held by other machines (%s), which these would join: end those, or use another Consul", c.lease.key, hostname(value))
		}
		if !latency.Wait(ctx, 20*pollPause) {
			return context.Cause(ctx)
		}
	}
}

// ours is an error where a Consul knows the cluster's data by an ID that no machine here
// has: with it none of them could become the primary.
func (c *Cluster) ours() error {
	key := path.Join(c.lease.key, "clusterid")
	id, _, err := c.lease.get(key)
	if err != nil || len(id) == 0 {
		return err
	}
	for _, m := range c.machines {
		if own, err := os.ReadFile(filepath.Join(m.places.volume, "litefs", "clusterid")); err == nil && strings.TrimSpace(string(own)) == string(id) {
			return nil
		}
	}
	return fmt.Errorf("the Consul knows a cluster (%s in %s) whose data is not in %s: remove that key (consul kv delete %s), or use another Consul", id, key, c.opt.Dir, key)
}
