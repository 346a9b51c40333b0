package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/flysql/flysql/internal/dev"
)

// devText writes a session for people: what is run, each machine as it comes up, the
// URLs, and from then on what happens, a line each. One goroutine uses it.
type devText struct {
	out    io.Writer
	colors bool
	page   bool            // there is one
	all    bool            // lines of machines, also those that say that all is well
	given  bool            // the app was, built
	line   *importProgress // of a terminal, for what takes a while; it stands nowhere else
	now    func() time.Time

	began time.Time // of what goes on: the build, and then the boots
	state *dev.State
	up    map[string]bool // machines that have served
	build string          // how long it took
	built bool
	open  bool   // the URLs stand there: all serve that will
	over  bool   // machines are being stopped
	last  string // that a machine printed before
	err   error
}

// Events of this command's own: Start has returned, and the end has begun.
const (
	typeStarted  = "started"
	typeStopping = "stopping"
)

func (c *cli) newDevText(page, given, all bool) *devText {
	p := &devText{out: c.stdout, colors: c.colors(c.stdout), page: page, given: given, all: all, line: &importProgress{}, now: time.Now, up: map[string]bool{}}
	if terminal(c.stdout) != nil && c.getenv("TERM") != "dumb" {
		p.line.terminal = c.stdout
	}
	p.began = p.now()
	return p
}

// event writes one.
func (p *devText) event(e dev.Event) error {
	switch {
	case e.Type == typeStarted:
		p.started()
	case e.Type == typeStopping:
		p.over = true
	case e.State != nil:
		p.changed(e.State)
	case e.Request != nil:
		p.print("%s", p.request(e.Request))
	case e.Log != nil:
		p.log(e.Log)
	case e.Action != nil:
		p.print("%s %s", clock(e.Time), p.action(e.Action))
	}
	p.waiting()
	return p.err
}

// print writes a line over what stands for a while.
func (p *devText) print(format string, a ...any) {
	p.line.end()
	if _, err := fmt.Fprintf(p.out, format+"\n", a...); err != nil {
		p.err = cmp.Or(p.err, err)
	}
}

// paint colours a text where that is wanted.
func (p *devText) paint(color, text string) string {
	if !p.colors {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

const dim = "2"

// changed writes what is new in a state.
func (p *devText) changed(s *dev.State) {
	before := p.state
	if before == nil {
		before = &dev.State{}
		p.print("%s", p.what(s))
	}
	p.state = s
	if s.Doing != "" && s.Doing != before.Doing && p.open {
		p.print("%s %s", clock(p.now()), visible(s.Doing))
	}
	if before.Doing != "" && s.Doing == "" && !p.built {
		p.build, p.began = p.took(), p.now() // or that has failed
	}
	if !p.built && slices.ContainsFunc(s.Machines, func(m dev.Machine) bool { return m.PID != 0 }) {
		p.built = true
		if p.build != "" && !p.given {
			p.print("  built  %s", p.build)
		}
	}
	for i := range s.Machines {
		p.machine(&s.Machines[i], machineOf(before, s.Machines[i].ID))
	}
	if p.open && !p.over && s.Primary != before.Primary {
		p.print("%s primary: %s", clock(p.now()), cmp.Or(s.Primary, "none"))
	}
	if s.Ready {
		p.started()
	}
}

// started writes the URLs, once. A machine that did not come up is none to wait for.
func (p *devText) started() {
	if !p.open && p.state != nil {
		p.open = true
		for _, m := range p.state.Machines {
			if m.Error != "" && !p.up[m.ID] {
				p.print("  %-6s %s\n%s", m.ID, p.paint(red, "did not come up"), indented(m.Error))
			}
		}
		p.urls(p.state)
	}
}

func machineOf(s *dev.State, id string) *dev.Machine {
	for i := range s.Machines {
		if s.Machines[i].ID == id {
			return &s.Machines[i]
		}
	}
	return &dev.Machine{}
}

// what is run, in a line or two.
func (p *devText) what(s *dev.State) string {
	per := map[string]int{}
	var codes []string
	for _, m := range s.Machines {
		if per[m.Region]++; per[m.Region] == 1 {
			codes = append(codes, m.Region)
		}
	}
	text := fmt.Sprintf("%s: %s in %s", visible(s.App), counted(len(s.Machines), "machine"), strings.Join(codes, ", "))
	if s.Engine == "litefs" {
		text += fmt.Sprintf(", on LiteFS; latency %s", visible(s.Latency))
	} else {
		text += ", without LiteFS"
	}
	if s.Why != "" {
		text += "\n" + p.paint(yellow, "  "+flat(s.Why))
	}
	return text
}

func (p *devText) took() string { return p.paint(dim, roundTime(p.now().Sub(p.began))) }

// machine writes what has become of one.
func (p *devText) machine(m, before *dev.Machine) {
	switch {
	case m.Healthy && !p.up[m.ID]:
		p.up[m.ID] = true
		p.print("  %s", strings.TrimSpace(fmt.Sprintf("%-6s %s  %s", m.ID, p.took(), p.role(m.Role))))
	case p.over:
		if p.up[m.ID] && m.State == "stopped" && before.State != "stopped" {
			p.print("%s %s stopped", clock(p.now()), m.ID)
		}
	case !p.open: // where Start fails, its error says the same
	case m.Error != "" && m.Error != before.Error:
		p.print("%s %s: %s", clock(p.now()), m.ID, p.paint(red, firstOf(m.Error, m.Log)))
	case m.State != before.State && before.State != "" && p.up[m.ID] && (m.State == "started" || m.State == "stopped"):
		p.print("%s %s %s", clock(p.now()), m.ID, m.State)
	case m.Healthy != before.Healthy && before.State == "started" && m.State == "started" && p.up[m.ID]:
		p.print("%s %s %s", clock(p.now()), m.ID, p.health(m))
	}
}

func (p *devText) role(role string) string {
	if role == "primary" {
		return p.paint(green, role)
	}
	return role
}

// health is how a machine's checks stand.
func (p *devText) health(m *dev.Machine) string {
	if m.Healthy {
		return p.paint(green, "healthy")
	}
	text := "not healthy"
	for _, check := range m.Checks {
		if !check.Passing {
			text += fmt.Sprintf("; check %s: %s", visible(check.Name), shorten(flat(check.Output), 200))
		}
	}
	return p.paint(red, text)
}

// urls are where a browser goes.
func (p *devText) urls(s *dev.State) {
	rows := [][2]string{{s.URL, "as in " + s.Region}}
	for _, r := range s.Regions {
		rows = append(rows, [2]string{r.URL, r.Name})
	}
	if p.page {
		rows = append(rows, [2]string{s.URL + dev.PagePrefix, "the machines on a page"})
	}
	widest := 0
	for _, row := range rows {
		widest = max(widest, len(row[0]))
	}
	p.print("")
	for _, row := range rows {
		p.print("  %-*s  %s", widest, row[0], p.paint(dim, row[1]))
	}
	p.print("")
}

// log writes a line of a machine's, once all serve; before, only the build's: of a boot
// that fails, the error has the lines.
func (p *devText) log(l *dev.Log) {
	line := strings.TrimRight(l.Line, "\r\n")
	switch {
	case l.Machine == "":
		p.print("  %s %s", p.paint(dim, "build |"), visible(line))
	case p.open && !p.all && usual(line):
	case p.open:
		p.print("%s %s", p.paint(dim, l.Machine+" |"), visible(line))
	default:
		p.last = l.Machine + ": " + line
	}
}

// usual tells of lines by which LiteFS and flysql-entrypoint say that all goes its way.
// They are in the log, and would hide what the app prints.
func usual(line string) bool {
	switch {
	case strings.HasPrefix(line, "level=INFO msg="): // LiteFS's, which has no time
		return true
	case line == "signal received, litefs shutting down", line == "litefs shut down complete", line == "waiting for signal or subprocess to exit",
		strings.HasPrefix(line, "LiteFS "):
		return true
	}
	f := strings.Fields(line)
	if len(f) < 3 || f[0] != "flysql" {
		return false
	}
	switch f[2] { // the outcome of a step
	case "ok", "skipped", "started", "stopped", "waiting", "exec", "litefs", "volume":
		return true
	case "ended":
		return slices.Contains(f, "exit=0")
	}
	return false
}

// request is one in a line.
func (p *devText) request(r *dev.Request) string {
	status, color := fmt.Sprint(r.Status), green
	switch {
	case r.Status == 0:
		status, color = "gone", yellow
	case r.Status >= 500:
		color = red
	case r.Status >= 400:
		color = yellow
	}
	text := fmt.Sprintf("%s %s %s %s  %s", clock(r.Time), visible(r.Method), shorten(flat(r.Path), 200), p.paint(color, status), visible(r.Way))
	if r.Error != "" {
		text += "  " + p.paint(red, flat(r.Error))
	}
	return text
}

// action is one in a line.
func (p *devText) action(a *dev.Action) string {
	text := strings.TrimSpace(a.Name + " " + visible(a.Target))
	switch {
	case a.Error != "":
		return text + ": " + p.paint(red, firstOf(a.Error, ""))
	case a.Done:
		return text + ": done"
	}
	return text
}

// waiting shows on a terminal what is waited for, until all serve.
func (p *devText) waiting() {
	if p.line.terminal == nil || p.state == nil || p.open || p.over {
		return
	}
	text := "building"
	if p.built {
		var off []string
		for _, m := range p.state.Machines {
			if !p.up[m.ID] && m.Error == "" {
				off = append(off, m.ID)
			}
		}
		text = "waiting for " + strings.Join(off, ", ")
		if p.last != "" {
			text += "; " + p.last
		}
	}
	p.line.write(flat("  " + text))
}

// firstOf is an error without the lines below it, which a machine or the build has printed
// already; all of them are in the log.
func firstOf(text, log string) string {
	first, _, more := strings.Cut(text, "\n")
	if more && log != "" {
		first += "; its log is " + log
	}
	return visible(first)
}

// indented is text below a line that it belongs to.
func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(visible(text)), "\n", "\n    ")
}

func clock(t time.Time) string { return t.Local().Format(time.TimeOnly) }
