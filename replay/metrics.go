package replay

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flysql/flysql/engine"
)

// metrics counts what became of requests.
type metrics struct {
	here      atomic.Uint64
	sent      [reasons]atomic.Uint64
	replayed  atomic.Uint64
	forwarded atomic.Uint64
	refused   atomic.Uint64
	unknown   atomic.Uint64
	gone      atomic.Uint64
	stale     atomic.Uint64
	broken    atomic.Uint64
	waiting   atomic.Int64     // reads that wait at this moment
	waits     [2]atomic.Uint64 // in vain, and not
	waitNanos atomic.Uint64
}

func (m *metrics) waited(took time.Duration, ok bool) {
	i := 0
	if ok {
		i = 1
	}
	m.waits[i].Add(1)
	m.waitNanos.Add(uint64(took))
}

// MetricsHandler answers counters of the router in Prometheus's text format. Keep it
// on the private network.
func (rt *Router) MetricsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		rt.writeMetrics(&b)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = io.WriteString(w, b.String()) // it fails where the client has gone
	})
}

func (rt *Router) writeMetrics(b *strings.Builder) {
	m := &rt.metrics
	head := func(name, kind, help string) {
		fmt.Fprintf(b, "# HELP flysql_replay_%s %s\n# TYPE flysql_replay_%s %s\n", name, help, name, kind)
	}
	counter := func(name, help string, n uint64) {
		head(name, "counter", help)
		fmt.Fprintf(b, "flysql_replay_%s %d\n", name, n)
	}
	counter("here_total", "Requests that this machine's handler ran.", m.here.Load())
	head("elsewhere_total", "counter", "Requests that were the primary's, by reason.")
	for i := range m.sent {
		fmt.Fprintf(b, "flysql_replay_elsewhere_total{reason=%q} %d\n", reason(i), m.sent[i].Load())
	}
	counter("replayed_total", "Requests that Fly's proxy was asked to send on.", m.replayed.Load())
	counter("forwarded_total", "Requests that were sent on over the private network.", m.forwarded.Load())
	counter("refused_total", "Requests answered with 503: nothing was done.", m.refused.Load())
	counter("unknown_total", "Requests answered with 502: they may have been done.", m.unknown.Load())
	counter("gone_total", "Requests whose client went while they waited.", m.gone.Load())
	counter("stale_total", "Answers that may lack the client's own writes, and say so: no primary was known, or another is.", m.stale.Load())
	counter("broken_total", "Responses broken off: a write was refused after they had begun.", m.broken.Load())
	head("waiting", "gauge", "Reads that wait for a client's own writes now.")
	fmt.Fprintf(b, "flysql_replay_waiting %d\n", m.waiting.Load())
	head("waits_total", "counter", "Reads that waited for a client's own writes, by outcome.")
	for i, outcome := range []string{"late", "reached"} {
		fmt.Fprintf(b, "flysql_replay_waits_total{outcome=%q} %d\n", outcome, m.waits[i].Load())
	}
	head("wait_seconds_total", "counter", "How long they waited, all together.")
	fmt.Fprintf(b, "flysql_replay_wait_seconds_total %g\n", time.Duration(m.waitNanos.Load()).Seconds())
	if rt.engine == nil {
		return
	}
	st := rt.engine.State()
	head("role", "gauge", "1 for the role that this machine has.")
	for _, role := range []engine.Role{engine.RolePrimary, engine.RoleReplica, engine.RoleUnknown} {
		is := 0
		if st.Role == role {
			is = 1
		}
		fmt.Fprintf(b, "flysql_replay_role{role=%q} %d\n", role, is)
	}
	head("lag_seconds", "gauge", "How far this machine is behind the primary.")
	fmt.Fprintf(b, "flysql_replay_lag_seconds %g\n", st.Lag.Seconds())
	head("txid", "gauge", "The last transaction of a database here.")
	for _, db := range st.Databases {
		fmt.Fprintf(b, "flysql_replay_txid{db=%q} %d\n", db.Name, db.Pos.TXID)
	}
}
