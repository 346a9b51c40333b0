package flyconf

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Comments are notes that Render writes into the file, each above the key or
// the table that it is about: "mounts", "http_service.min_machines_running". An
// array of tables has one note for all its elements, so no index is part of a
// path. The note of "" opens the file. A note may have several lines, and one
// whose key is not in the file is left out.
type Comments map[string]string

// Render writes c as a fly.toml, with comments, which may be nil. The same input
// gives the same bytes. It refuses a Config that Validate refuses.
//
// The layout is flyctl's own: its order of sections, nested tables indented, and
// [[mounts]] as an array of tables, which is how flyctl writes its list of mounts
// even where the list has one element; a second [[mounts]] can be added below,
// whereas TOML forbids to mix it with [mounts].
func Render(c *Config, comments Comments) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	w := &writer{comments: comments}
	if note := comments[""]; note != "" {
		w.comment(note)
		w.buf.WriteByte('\n')
	}
	w.str("app", c.App)
	w.str("primary_region", c.PrimaryRegion)
	w.str("kill_signal", c.KillSignal)
	w.duration("kill_timeout", c.KillTimeout)
	if d := c.Deploy; d != nil {
		w.table("deploy")
		w.str("strategy", d.Strategy)
		w.duration("wait_timeout", d.WaitTimeout)
	}
	if c.Env != nil {
		w.table("env")
		w.strs(c.Env)
	}
	for i, m := range c.Mounts {
		w.element("mounts", i)
		w.mount(m)
	}
	if c.HTTPService != nil {
		w.httpService(c.HTTPService)
	}
	for i, vm := range c.VMs {
		w.element("vm", i)
		w.str("size", vm.Size)
		if vm.MemoryMB != 0 {
			w.str("memory", formatMemoryMB(vm.MemoryMB))
		}
	}
	return w.buf.Bytes(), nil
}

// writer writes one key or table a call. What is empty is left out.
type writer struct {
	buf      bytes.Buffer
	comments Comments
	path     string // of the open table, without indexes
	indent   string
}

func (w *writer) mount(m Mount) {
	w.str("source", m.Source)
	w.str("destination", m.Destination)
	w.sizeGB("initial_size", m.InitialSizeGB)
	w.number("auto_extend_size_threshold", m.AutoExtendThresholdPercent)
	w.sizeGB("auto_extend_size_increment", m.AutoExtendIncrementGB)
	w.sizeGB("auto_extend_size_limit", m.AutoExtendLimitGB)
	w.number("snapshot_retention", m.SnapshotRetentionDays)
}

func (w *writer) httpService(s *HTTPService) {
	w.table("http_service")
	w.number("internal_port", s.InternalPort)
	w.value("force_https", strconv.FormatBool(s.ForceHTTPS))
	w.str("auto_stop_machines", s.AutoStop)
	if s.AutoStart != nil {
		w.value("auto_start_machines", strconv.FormatBool(*s.AutoStart))
	}
	w.value("min_machines_running", strconv.Itoa(s.MinMachinesRunning))
	if c := s.Concurrency; c != nil {
		w.table("http_service.concurrency")
		w.str("type", c.Type)
		w.number("soft_limit", c.SoftLimit)
		w.number("hard_limit", c.HardLimit)
	}
	for i, c := range s.Checks {
		w.element("http_service.checks", i)
		w.str("method", c.Method)
		w.str("path", c.Path)
		w.duration("interval", c.Interval)
		w.duration("timeout", c.Timeout)
		w.duration("grace_period", c.GracePeriod)
		if c.Headers != nil {
			w.table("http_service.checks.headers")
			w.strs(c.Headers)
		}
	}
}

// table opens [path], indented by its depth.
func (w *writer) table(path string) { w.open(path, "["+path+"]", true) }

// element opens the i-th [[path]]; the note stands above the first.
func (w *writer) element(path string, i int) { w.open(path, "[["+path+"]]", i == 0) }

func (w *writer) open(path, header string, noted bool) {
	w.path = path
	w.indent = strings.Repeat("  ", strings.Count(path, "."))
	w.buf.WriteByte('\n')
	if note := w.comments[path]; noted && note != "" {
		w.comment(note)
	}
	w.buf.WriteString(w.indent + header + "\n")
	w.indent += "  "
}

func (w *writer) value(key, text string) {
	if note := w.comments[join(w.path, key)]; note != "" {
		w.comment(note)
	}
	fmt.Fprintf(&w.buf, "%s%s = %s\n", w.indent, quoteKey(key), text)
}

func (w *writer) comment(note string) {
	for line := range strings.Lines(note) {
		line = strings.TrimRight(w.indent+"# "+strings.TrimRight(line, "\r\n"), " ")
		w.buf.WriteString(line + "\n")
	}
}

func (w *writer) str(key, s string) {
	if s != "" {
		w.value(key, quote(s))
	}
}

func (w *writer) number(key string, n int) {
	if n != 0 {
		w.value(key, strconv.Itoa(n))
	}
}

func (w *writer) sizeGB(key string, n int) {
	if n != 0 {
		w.str(key, formatSizeGB(n))
	}
}

func (w *writer) duration(key string, d time.Duration) {
	if d != 0 {
		w.str(key, formatDuration(d))
	}
}

// strs writes a map in the order of its keys. Empty values are values here.
func (w *writer) strs(m map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		w.value(key, quote(m[key]))
	}
}
