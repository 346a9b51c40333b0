package entrypoint

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// waiting tells of a wait: soon, when its reason changes (but some change to and
// fro), and now and then.
type waiting struct {
	b    *boot
	step string
	why  string
	said time.Time // or, while why is empty, when the wait began
}

func (b *boot) waiting(step string) *waiting {
	return &waiting{b: b, step: step, said: time.Now()}
}

// How far it is may cost a question, which is asked when there is a line to write.
func (w *waiting) say(ctx context.Context, why string, progress ...func() string) {
	quiet := 2 * time.Second
	switch w.why {
	case "": // what takes no longer is not worth a line
		quiet = time.Second / 2
	case why:
		quiet = 10 * time.Second
	}
	if time.Since(w.said) < quiet {
		return
	}
	w.why, w.said = why, time.Now()
	attrs := []slog.Attr{slog.String("outcome", "waiting"), slog.String("why", why)}
	for _, f := range progress {
		if text := f(); text != "" {
			attrs = append(attrs, slog.String("progress", text))
		}
	}
	w.b.Logger.LogAttrs(ctx, slog.LevelInfo, w.step, attrs...)
}

// progress says how many transactions of its databases a replica has, and how many
// the primary, where that is known; "" where there is nothing to tell.
func (b *boot) progress(ctx context.Context, info nodeInfo) string {
	if info.IsPrimary || info.Primary.Hostname == "" {
		return ""
	}
	at, err := positionsOf(ctx, b.node.api)
	if err != nil {
		return ""
	}
	all := map[string]position{}
	if addr := b.primaryAddr(ctx); addr != "" {
		if found, err := positionsOf(ctx, addr); err == nil {
			all = found
		}
	}
	var parts []string
	for _, name := range sortedKeys(all) {
		parts = append(parts, fmt.Sprintf("%s: %d of %d transactions", name, at[name].tx, all[name].tx))
	}
	for _, name := range sortedKeys(at) {
		if _, both := all[name]; !both {
			parts = append(parts, fmt.Sprintf("%s: %d transactions", name, at[name].tx))
		}
	}
	return strings.Join(parts, ", ")
}

// primaryAddr is where the primary's API is, by the lease; "" where that is not known.
func (b *boot) primaryAddr(ctx context.Context) string {
	to := b.node.conf.Lease.AdvertiseURL // of a static lease, the primary's
	if key := b.node.leaseKey(b.getenv); key != nil {
		h, _, err := key.holder(ctx, patience)
		if err != nil {
			return ""
		}
		to = h.AdvertiseURL
	}
	addr, err := peerAddr(to)
	if err != nil {
		return ""
	}
	return addr
}
