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

// logWriter prints what a machine writes, line by line, set apart from the
// demo's own, and keeps it.
type logWriter struct {
	say *printer

	mu   sync.Mutex
	all  bytes.Buffer
	line []byte // not ended yet
}

func (w *logWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(b)
	w.line = append(w.line, b...)
	for {
		n := bytes.IndexByte(w.line, '\n')
		if n < 0 {
			return len(b), nil
		}
		w.say.write(w.say.err, w.say.paint(dim, "  | "+string(w.line[:n]))+"\n")
		w.line = w.line[n+1:]
	}
}

func (w *logWriter) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}

// machineLog keeps what one of several machines writes, in a file, and prints what
// the entrypoint says of the boot: all of it would be too much to read.
type machineLog struct {
	say  *printer
	name string
	file *os.File

	mu   sync.Mutex
	line []byte   // not ended yet
	last []string // the newest lines
}

// tailLines is how much of a log an error shows.
const tailLines = 15

func newMachineLog(say *printer, name, file string) (*machineLog, error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	return &machineLog{say: say, name: name, file: f}, err
}

func (l *machineLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.file.Write(b); err != nil {
		return 0, err
	}
	l.line = append(l.line, b...)
	for {
		n := bytes.IndexByte(l.line, '\n')
		if n < 0 {
			return len(b), nil
		}
		line := string(l.line[:n])
		l.line = l.line[n+1:]
		if l.last = append(l.last, line); len(l.last) > tailLines {
			l.last = l.last[1:]
		}
		if strings.HasPrefix(line, "flysql ") {
			l.say.write(l.say.err, l.say.paint(dim, "  | "+l.name+" | "+line)+"\n")
		}
	}
}

// tail is the end of the log.
func (l *machineLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, "\n")
}

func (l *machineLog) Close() error { return l.file.Close() }
