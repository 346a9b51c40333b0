package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/flysql/flysql/entrypoint"
)

// status is flysql-entrypoint --status.
func status(ctx context.Context, inv entrypoint.Invocation, stdout, stderr io.Writer) int {
	s, err := entrypoint.Look(ctx, inv.Config)
	if err == nil {
		s.Version = version()
		if inv.JSON {
			err = json.NewEncoder(stdout).Encode(s)
		} else {
			_, err = io.WriteString(stdout, statusText(s))
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "flysql-entrypoint:", err)
		return entrypoint.ExitFailed
	}
	return 0
}

// statusText is a fact a line, its name first.
func statusText(s entrypoint.Status) string {
	var b strings.Builder
	line := func(name, format string, a ...any) {
		fmt.Fprintf(&b, "%-11s"+format+"\n", append([]any{name}, a...)...)
	}
	line("version", "%s", s.Version)
	line("mode", "%s", s.Mode)
	line("ready", "%s", cmp.Or(prefixed("no: ", s.Why), "yes"))
	if n := s.LiteFS; n != nil {
		line("role", "%s%s", cmp.Or(n.Role, "not known: LiteFS does not answer"), map[bool]string{true: ", a candidate"}[n.Candidate])
		if n.Answers {
			line("primary", "%s", cmp.Or(n.Primary, "nobody"))
		}
		holder := cmp.Or(prefixed("not known: ", n.Lease.Why), n.Lease.Holder, "nobody")
		if n.Lease.Type == "static" {
			holder = "static"
		}
		line("lease", "%s", holder)
		if n.LagMS != nil {
			line("lag", "%dms", *n.LagMS)
		}
		line("cluster", "%s", cmp.Or(n.ClusterID, "not known"))
		if n.Watchdog != "" {
			line("watchdog", "%s", n.Watchdog)
		}
	}
	for _, db := range s.Databases {
		at := prefixed("  at ", db.Position)
		line("database", "%s  %s  wal %s%s", db.Name, bytesOf(db.Size), bytesOf(db.WAL), at)
	}
	line("volume", "%s  %.1fMB free of %.1fMB", cmp.Or(s.Volume.Path, "not known"), float64(s.Volume.Free)/(1<<20), float64(s.Volume.Size)/(1<<20))
	line("migrations", "%s", migrationsText(s))
	return b.String()
}

func migrationsText(s entrypoint.Status) string {
	m := s.Migrations
	switch {
	case m.Why != "":
		return strings.TrimSpace(m.Tool + " not known: " + m.Why)
	case m.Tool == "":
		return "none"
	}
	text := fmt.Sprintf("%s  %d applied, %d pending", m.Tool, m.Applied, len(m.Pending))
	if m.Dirty {
		text += ", dirty"
	}
	if len(m.Pending) > 0 {
		text += ": " + strings.Join(m.Pending, " ")
	}
	return text
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func bytesOf(n *int64) string {
	if n == nil {
		return "?"
	}
	return fmt.Sprintf("%.1fMB", float64(*n)/(1<<20))
}
