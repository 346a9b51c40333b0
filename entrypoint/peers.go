package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// peer is another node of the cluster, as it has just answered.
type peer struct {
	addr string // host:port of its API
	info nodeInfo
}

const (
	// lookupLimit bounds the question for the machines of the app.
	lookupLimit = 2 * time.Second
	// stragglers is how much longer than the first that is looked for the other nodes
	// may take to answer.
	stragglers = 300 * time.Millisecond
)

// peers asks the other nodes of the cluster what they are. LiteFS tells nobody who
// follows the primary, so they are found by their addresses; who is of another
// cluster is none. They come in the order of their addresses. silent are addresses at
// which somebody may be who is too slow to answer: once one that is wanted has
// answered, the others have little time. One next door that is not wanted ends
// nothing, for who is wanted may be on the other side of the world.
func (b *boot) peers(ctx context.Context, own nodeInfo, wanted func(nodeInfo) bool) (found []peer, silent []string, err error) {
	addrs, err := b.peerAddrs(ctx)
	if err != nil {
		return nil, nil, err
	}
	type answer struct {
		peer
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	answers := make(chan answer)
	for _, addr := range addrs {
		go func() {
			info, err := infoOf(ctx, addr)
			answers <- answer{peer{addr, info}, err}
		}()
	}
	enough := time.AfterFunc(patience, cancel)
	defer enough.Stop()
	defer cancel()
	for range addrs {
		switch a := <-answers; {
		case errors.Is(a.err, unix.ECONNREFUSED):
		case a.err != nil:
			silent = append(silent, a.addr)
		case a.info.id != "" && a.info.id != own.id && a.info.ClusterID == own.ClusterID:
			found = append(found, a.peer)
			if wanted(a.info) {
				enough.Reset(stragglers)
			}
		}
	}
	slices.SortFunc(found, func(p, q peer) int { return strings.Compare(p.addr, q.addr) })
	return found, sorted(silent), nil
}

// peerAddrs are those that are configured, or those of the app's machines that run.
// https://fly.io/docs/networking/private-networking/#fly-io-internal-dns
func (b *boot) peerAddrs(ctx context.Context) ([]string, error) {
	if len(b.Peers) > 0 {
		return sorted(b.Peers), nil
	}
	app := b.getenv("FLY_APP_NAME")
	if app == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	resolver := &net.Resolver{PreferGo: true}
	ips, err := resolver.LookupNetIP(ctx, "ip6", app+".internal")
	if err != nil {
		return nil, fmt.Errorf("look up %s.internal: %w", app, err)
	}
	var addrs []string
	for _, ip := range ips {
		addrs = append(addrs, net.JoinHostPort(ip.String(), b.node.port()))
	}
	return sorted(addrs), nil
}

// port is where nodes reach each other's API: all are configured alike.
func (n *node) port() string {
	if u, err := url.Parse(n.conf.Lease.AdvertiseURL); err == nil && u.Port() != "" {
		return u.Port()
	}
	_, port, err := net.SplitHostPort(n.api)
	if err != nil { // Validate has looked
		return "20202"
	}
	return port
}

// hostname is what this node is called in the lease.
func (n *node) hostname() string {
	if n.conf.Lease.Hostname != "" {
		return n.conf.Lease.Hostname
	}
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// peerAddr reads one address of a peer: host:port, or a URL as in advertise-url.
func peerAddr(s string) (string, error) {
	addr := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "http://"), "/")
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || host == "" || strings.Contains(host, "/") {
		return "", fmt.Errorf("%.100q is no address of a LiteFS node: write host:port", s)
	}
	return addr, nil
}
