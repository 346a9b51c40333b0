package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/flysql/flysql/internal/lease"
)

// leaseServer is where LiteFS's nodes elect: one in Consul's place, or a Consul.
type leaseServer struct {
	http.Handler
	prefix  string // of its paths, for who asks by serve's URLs
	key     string // of LiteFS's lease
	get     func(key string) (value []byte, held bool, err error)
	expire  func(key string) (bool, error) // ends the session that holds it; nil where that is not ours to do
	end     func() error
	servers []*http.Server
	serving sync.WaitGroup
}

func openLease(dir string) (*leaseServer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	state, err := lease.Open(lease.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	get := func(key string) ([]byte, bool, error) {
		value, held := state.Get(key)
		return value, held, nil
	}
	return &leaseServer{Handler: state, get: get, expire: state.Expire, end: state.Close}, nil
}

// serve answers one machine, as far as the network reaches, and returns the URL for it.
// In what it reads, another machine is where this one reaches it.
func (s *leaseServer) serve(c *Cluster, m *machine) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A site whose name leads here would have a browser ask by that name.
		if r.Host != l.Addr().String() {
			http.Error(w, "this is for a machine of flysql dev", http.StatusForbidden)
			return
		}
		// While the body has not been read, nothing tells that who asked has gone.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || c.network.cross(r.Context().Done(), m.Region, c.opt.Config.PrimaryRegion) != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.Method != http.MethodGet {
			s.ServeHTTP(w, r)
			if r.URL.Query().Has("acquire") {
				_ = c.remember() // where that cannot be written, a stop tries again, and says so
			}
			return
		}
		answer := &answer{ResponseWriter: w, status: http.StatusOK}
		s.ServeHTTP(answer, r)
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.status)
		_, _ = w.Write(c.seenBy(m, answer.body.Bytes())) // who asked may have gone
	})}
	s.servers = append(s.servers, server)
	s.serving.Go(func() { _ = server.Serve(l) }) // it always returns an error: that it was closed
	return "http://" + l.Addr().String() + s.prefix, nil
}

// answer keeps one of the lease server's until it is changed.
type answer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// seenBy is an answer of the lease server with the holder's advertise-url as a machine
// reaches it. What is no such answer stays as it is.
func (c *Cluster) seenBy(m *machine, body []byte) []byte {
	var keys []map[string]json.RawMessage
	if json.Unmarshal(body, &keys) != nil {
		return body
	}
	for _, k := range keys {
		var value []byte
		var holder map[string]any
		if json.Unmarshal(k["Value"], &value) != nil || json.Unmarshal(value, &holder) != nil {
			return body
		}
		name, _ := holder["hostname"].(string)
		p, err := c.find(name)
		if err != nil || p == m {
			return body
		}
		holder["advertise-url"] = "http://" + m.to[p].api.address()
		var errs [2]error
		value, errs[0] = json.Marshal(holder)
		k["Value"], errs[1] = json.Marshal(value)
		if errors.Join(errs[:]...) != nil {
			return body
		}
	}
	seen, err := json.Marshal(keys)
	if err != nil {
		return body
	}
	return append(bytes.TrimSpace(seen), '\n')
}

func (s *leaseServer) close() error {
	var errs []error
	for _, server := range s.servers {
		errs = append(errs, server.Close())
	}
	s.serving.Wait()
	return errors.Join(append(errs, s.end())...)
}
