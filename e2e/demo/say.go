package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
)

// printer writes what the demo has to say: its own lines to stdout, the app's
// and errors to stderr. Nothing moves on the screen, so a pipe gets the same.
type printer struct {
	mu       sync.Mutex
	out, err io.Writer
	color    bool
	open     bool // the last line on stdout has not ended
}

func newPrinter(out, err io.Writer, environ []string) *printer {
	color := false
	if f, ok := out.(*os.File); ok {
		color = isatty.IsTerminal(f.Fd())
	}
	for _, kv := range environ {
		// https://no-color.org
		if v, ok := strings.CutPrefix(kv, "NO_COLOR="); ok && v != "" || kv == "TERM=dumb" {
			color = false
		}
	}
	return &printer{out: out, err: err, color: color}
}

// The codes of ECMA-48 that are used.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
)

func (p *printer) paint(code, s string) string {
	if !p.color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// write writes whole lines to w. An open line is ended before.
func (p *printer) write(w io.Writer, s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open {
		fmt.Fprintln(p.out)
		p.open = false
	}
	fmt.Fprint(w, s)
}

func (p *printer) line(s string) { p.write(p.out, strings.TrimRight(s, " ")+"\n") }

func (p *printer) failure(err error) {
	p.write(p.err, "\n"+p.paint(red, "FAILED")+"  "+strings.ReplaceAll(err.Error(), "\n", "\n        ")+"\n")
}

// step names what is being done, does it, and ends the line with what happened
// and how long it took.
func (p *printer) step(ctx context.Context, name string, do func(context.Context) (string, error)) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	fmt.Fprintf(p.out, "  %s ", p.paint(bold, fmt.Sprintf("%-12s", name)))
	p.open = true
	p.mu.Unlock()
	start := time.Now()
	result, err := do(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	took := ""
	if d := time.Since(start); d >= 100*time.Millisecond {
		took = fmt.Sprintf("  %.1f s", d.Seconds())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open { // something else was printed meanwhile
		fmt.Fprintf(p.out, "  %-12s ", "")
	}
	p.open = false
	fmt.Fprintln(p.out, result+p.paint(dim, took))
	return nil
}

// note adds a line to the step before.
func (p *printer) note(s string) { p.line(strings.Repeat(" ", 15) + p.paint(dim, s)) }

// ok is a check that has passed.
func (p *printer) ok(what string) { p.line("  " + p.paint(green, "ok") + "    " + what) }

// aside is something that a machine has printed, set apart from the demo's own lines.
func (p *printer) aside(s string) { p.write(p.err, p.paint(dim, "  | "+s)+"\n") }

// lines hands what is written to it to a function, line by line.
type lines struct {
	each func(line string)
	rest []byte // not ended yet
}

func (l *lines) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		line, rest, ended := bytes.Cut(l.rest, []byte{'\n'})
		if !ended {
			return len(b), nil
		}
		l.each(string(line))
		l.rest = rest
	}
}
