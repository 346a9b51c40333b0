package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/flysql/flysql/internal/inspect"
)

func bytesText(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// roleText is what a LiteFS node is.
func roleText(l *inspect.LiteFS) string {
	switch {
	case l.Primary != "":
		return "this machine has a replica, and the primary is " + l.Primary
	case l.Role.String() == "primary":
		return "this machine is the primary"
	}
	return "no primary is known at the moment"
}

func headText(db *inspect.Database) string {
	text := visible(db.Path) + "  (" + db.From + ")\n"
	if db.LiteFS != nil {
		text += "on LiteFS: " + visible(roleText(db.LiteFS)) + "\n"
	}
	return text
}

func printSize(w io.Writer, db *inspect.Database, s *inspect.Size) error {
	var b strings.Builder
	b.WriteString(headText(db))
	for _, f := range []struct {
		name string
		size int64
	}{{"file", s.File}, {"-wal", s.WAL}, {"-journal", s.Journal}, {"-shm", s.SHM}} {
		if f.size > 0 || f.name == "file" {
			fmt.Fprintf(&b, "%-9s %10s\n", f.name, bytesText(f.size))
		}
	}
	fmt.Fprintf(&b, "%-9s %10d of %s, %d free (%s)\n", "pages", s.Pages, bytesText(s.PageSize), s.FreePages, bytesText(s.FreePages*s.PageSize))
	if len(s.Objects) > 0 {
		fmt.Fprintf(&b, "\n%10s  %10s  %6s  %s\n", "size", "rows", "unused", "table, index")
	}
	for _, o := range s.Objects {
		name := o.Name
		if o.Type == "index" {
			name += "  (index of " + o.Table + ")"
		}
		fmt.Fprintf(&b, "%10s  %10d  %5d%%  %s\n", bytesText(o.Bytes), o.Entries, percent(o.Unused, o.Bytes), visible(name))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func percent(part, of int64) int64 {
	if of == 0 {
		return 0
	}
	return part * 100 / of
}

func printCheck(w io.Writer, db *inspect.Database, r *inspect.Report) error {
	var b strings.Builder
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "damage: %s\n", visible(p))
	}
	for _, o := range r.Orphans {
		row := "a row"
		if o.RowID != nil {
			row = fmt.Sprintf("rowid %d", *o.RowID)
		}
		fmt.Fprintf(&b, "orphan: %s, %s: %s names no row of %s\n", visible(o.Table), row, visible(o.Columns), visible(o.Parent))
	}
	if more := r.OrphanCount - len(r.Orphans); more > 0 {
		fmt.Fprintf(&b, "orphan: and %d rows more\n", more)
	}
	for _, p := range r.Broken {
		fmt.Fprintf(&b, "not checked: %s\n", visible(p))
	}
	if len(r.Problems) > 0 {
		b.WriteString("keep a copy of the file and of its -wal, and restore a backup; sqlite3 FILE .recover prints what can still be read\n")
	}
	if r.OK() {
		fmt.Fprintf(&b, "ok: %s\n", visible(db.Path))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *cli) printPragmas(w io.Writer, settings []inspect.Setting) error {
	colors := c.colors(w)
	var b strings.Builder
	for _, s := range settings {
		value, mark := s.Value, " "
		if value == "" {
			value = "(each connection's)"
		}
		if s.Fix != "" {
			mark = "!"
		}
		if s.Fix != "" && colors {
			mark = "\x1b[1;33m!\x1b[0m"
		}
		fmt.Fprintf(&b, "%s %-15s %-20s", mark, s.Name, value)
		if s.Advised != "" {
			fmt.Fprintf(&b, " advised: %s", s.Advised)
		}
		b.WriteString("\n")
		if s.Why != "" {
			fmt.Fprintf(&b, "    why: %s\n", s.Why)
		}
		if s.Fix != "" {
			fmt.Fprintf(&b, "    fix: %s\n", s.Fix)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printWAL(w io.Writer, db *inspect.Database, l *inspect.WAL) error {
	var b strings.Builder
	b.WriteString(headText(db))
	if l.Mode != "wal" {
		b.WriteString("its journal mode is not WAL: there is no log\n")
	} else {
		fmt.Fprintf(&b, "%-13s %s\n", "size", bytesText(l.Size))
		fmt.Fprintf(&b, "%-13s %d of %s count, room for %d\n", "frames", l.Frames, bytesText(l.PageSize), l.Room)
		if l.Checkpointed >= 0 {
			fmt.Fprintf(&b, "%-13s %d\n", "checkpointed", l.Checkpointed)
		}
	}
	for _, h := range l.Open {
		fmt.Fprintf(&b, "%-13s %s\n", "open in", visible(h.String()))
	}
	for _, r := range l.Readers {
		if r.Frame == 0 {
			fmt.Fprintf(&b, "%-13s %s, nothing of the log\n", "reads", visible(r.String()))
			continue
		}
		fmt.Fprintf(&b, "%-13s %s, up to frame %d\n", "reads", visible(r.String()), r.Frame)
	}
	if !l.Locks {
		b.WriteString("who has it open is not known here\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
