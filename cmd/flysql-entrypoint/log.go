package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// newLogger writes what a person reads to a terminal, and logfmt elsewhere,
// unless format (FLYSQL_LOG) says otherwise.
func newLogger(w io.Writer, format string, environ []string) *slog.Logger {
	terminal := isTerminal(w)
	if format == "" {
		format = "logfmt"
		if terminal {
			format = "text"
		}
	}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, nil))
	case "text":
		return slog.New(&textHandler{w: w, mu: &sync.Mutex{}, color: terminal && !noColor(environ)})
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// noColor follows https://no-color.org: any value but the empty one.
func noColor(environ []string) bool {
	for _, kv := range environ {
		if v, ok := strings.CutPrefix(kv, "NO_COLOR="); ok && v != "" {
			return true
		}
	}
	return false
}

// textHandler prints a step a line, in columns: name, outcome, time, facts. What
// a person has to read (an error, a warning, a hint) gets a line of its own.
type textHandler struct {
	w     io.Writer
	mu    *sync.Mutex
	color bool
	attrs []slog.Attr
}

func (h *textHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(append([]slog.Attr{}, h.attrs...), attrs...)
	return &c
}

// WithGroup leaves the keys as they are: the entrypoint uses no groups.
func (h *textHandler) WithGroup(string) slog.Handler { return h }

func (h *textHandler) Handle(_ context.Context, r slog.Record) error {
	var outcome, took string
	var facts, own []string
	each := func(a slog.Attr) bool {
		switch a.Key {
		case "outcome":
			outcome = a.Value.String()
		case "ms":
			took = fmt.Sprintf("%.1fms", a.Value.Float64())
		case "err", "warning", "hint":
			own = append(own, a.Key+": "+a.Value.String())
		default:
			facts = append(facts, a.Key+"="+quoted(a.Value.String()))
		}
		return true
	}
	for _, a := range h.attrs {
		each(a)
	}
	r.Attrs(each)

	var line bytes.Buffer
	fmt.Fprintf(&line, "%s %-8s %s %8s  %s", h.paint("2", "flysql"), r.Message, h.paint(colorOf(r.Level), fmt.Sprintf("%-12s", outcome)), took, h.paint("2", strings.Join(facts, " ")))
	text := strings.TrimRight(line.String(), " ")
	for _, o := range own {
		text += "\n       " + h.paint(colorOf(r.Level), o)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, text+"\n")
	return err
}

func (h *textHandler) paint(code, s string) string {
	if !h.color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func colorOf(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "31"
	case l >= slog.LevelWarn:
		return "33"
	}
	return "32"
}

func quoted(s string) string {
	if strings.ContainsAny(s, " \t\n\"=") {
		return fmt.Sprintf("%q", s)
	}
	return s
}
