package flyconf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Parse reads a fly.toml; name is what errors call the file. It reports every
// problem that it finds, joined, each a *Problem with its place: TOML that is not
// valid, keys that the model does not hold (with the nearest one that it does),
// and values of the wrong type. Whether the values make sense together is
// Validate's to say.
//
// As flyctl does, it takes `mount` for `mounts` and `compute` for `vm`, a single
// table where an array of tables is meant, a boolean auto_stop_machines, and
// numbers and booleans as values of [env].
func Parse(name string, data []byte) (*Config, error) {
	m := map[string]any{}
	if err := toml.Unmarshal(data, &m); err != nil {
		return nil, syntaxProblem(name, err)
	}
	src := locate(name, data)
	p := &problems{src: src}
	top := &table{p: p, values: m}

	c := &Config{source: src}
	c.App = top.str("app")
	c.PrimaryRegion = top.str("primary_region")
	c.KillSignal = top.str("kill_signal")
	c.KillTimeout = top.killTimeout("kill_timeout")
	if t := top.table("deploy"); t != nil {
		c.Deploy = &Deploy{Strategy: t.str("strategy"), WaitTimeout: t.duration("wait_timeout")}
		t.end()
	}
	if t := top.table("env"); t != nil {
		c.Env = t.scalars()
	}
	for _, t := range top.tables("mounts", "mount") {
		c.Mounts = append(c.Mounts, parseMount(t))
	}
	if t := top.table("http_service"); t != nil {
		c.HTTPService = parseHTTPService(t)
	}
	for _, t := range top.tables("vm", "compute") {
		c.VMs = append(c.VMs, VM{Size: t.str("size"), MemoryMB: t.memoryMB("memory")})
		t.end()
	}
	top.end()
	if err := p.err(); err != nil {
		return nil, err
	}
	return c, nil
}

func parseMount(t *table) Mount {
	m := Mount{
		Source:                     t.str("source"),
		Destination:                t.str("destination"),
		InitialSizeGB:              t.sizeGB("initial_size"),
		AutoExtendThresholdPercent: t.positive("auto_extend_size_threshold"),
		AutoExtendIncrementGB:      t.sizeGB("auto_extend_size_increment"),
		AutoExtendLimitGB:          t.sizeGB("auto_extend_size_limit"),
		SnapshotRetentionDays:      t.positive("snapshot_retention"),
	}
	t.end()
	return m
}

func parseHTTPService(t *table) *HTTPService {
	s := &HTTPService{
		InternalPort:       t.positive("internal_port"),
		ForceHTTPS:         t.boolean("force_https"),
		AutoStop:           t.autoStop("auto_stop_machines"),
		MinMachinesRunning: t.integer("min_machines_running"),
	}
	if t.has("auto_start_machines") {
		start := t.boolean("auto_start_machines")
		s.AutoStart = &start
	}
	if c := t.table("concurrency"); c != nil {
		s.Concurrency = &Concurrency{
			Type:      c.str("type"),
			SoftLimit: c.positive("soft_limit"),
			HardLimit: c.positive("hard_limit"),
		}
		c.end()
	}
	for _, c := range t.arrayOfTables("checks") {
		check := HTTPCheck{
			Method:      c.str("method"),
			Path:        c.str("path"),
			Interval:    c.duration("interval"),
			Timeout:     c.duration("timeout"),
			GracePeriod: c.duration("grace_period"),
		}
		if h := c.table("headers"); h != nil {
			check.Headers = h.strs()
		}
		c.end()
		s.Checks = append(s.Checks, check)
	}
	t.end()
	return s
}

// syntaxProblem says where the TOML is broken.
func syntaxProblem(name string, err error) error {
	p := &Problem{File: name, Message: strings.TrimPrefix(err.Error(), "toml: ")}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		p.Line, p.Col = decode.Position()
	}
	return p
}

// table is one TOML table while it is read. Each reading method takes its key
// away; end reports what nobody took.
type table struct {
	p      *problems
	path   string
	values map[string]any
	known  []string // the keys that were asked for
}

func (t *table) key(name string) string { return join(t.path, name) }

func (t *table) has(name string) bool {
	_, ok := t.values[name]
	return ok
}

func (t *table) take(name string) (any, bool) {
	t.known = append(t.known, name)
	v, ok := t.values[name]
	delete(t.values, name)
	return v, ok
}

func (t *table) bad(name, format string, a ...any) { t.p.add(t.key(name), format, a...) }

func (t *table) str(name string) string {
	v, ok := t.take(name)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		t.bad(name, "is %s: write it as a quoted string", describe(v))
	}
	return s
}

func (t *table) integer(name string) int {
	v, ok := t.take(name)
	if !ok {
		return 0
	}
	n, ok := v.(int64)
	if !ok {
		t.bad(name, "is %s: write it as a number without quotes", describe(v))
	}
	if int64(int(n)) != n {
		t.bad(name, "%d is too large", n)
	}
	return int(n)
}

// positive reads a number whose absence is the model's 0, so that a 0 in the
// file would be lost.
func (t *table) positive(name string) int {
	here := t.has(name)
	_, number := t.values[name].(int64)
	n := t.integer(name)
	if here && number && n == 0 {
		t.bad(name, "is 0: give a number from 1 on, or leave the key out")
	}
	return n
}

func (t *table) boolean(name string) bool {
	v, ok := t.take(name)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		t.bad(name, "is %s: write true or false, without quotes", describe(v))
	}
	return b
}

func (t *table) autoStop(name string) string {
	if b, ok := t.values[name].(bool); ok {
		t.take(name)
		if b {
			return "stop"
		}
		return "off"
	}
	return t.str(name)
}

func (t *table) duration(name string) time.Duration {
	v, ok := t.take(name)
	if !ok {
		return 0
	}
	s, ok := v.(string)
	if !ok {
		t.bad(name, "is %s, which Fly does not read as seconds: write a quoted duration, as in \"15s\"", describe(v))
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		t.bad(name, "%q is not a duration: write it as in \"15s\" or \"5m\"", s)
		return 0
	}
	return d
}

// killTimeout is the one duration whose integer form means seconds.
func (t *table) killTimeout(name string) time.Duration {
	n, ok := t.values[name].(int64)
	if !ok {
		return t.duration(name)
	}
	t.take(name)
	if n < 1 || n > 300 {
		t.bad(name, "%d is not between 1 and 300 seconds", n)
		return 0
	}
	return time.Duration(n) * time.Second
}

func (t *table) sizeGB(name string) int {
	v, ok := t.take(name)
	if !ok {
		return 0
	}
	s, ok := v.(string)
	if !ok {
		t.bad(name, "is %s, which flyctl cannot load: write a quoted size, as in \"1GB\"", describe(v))
		return 0
	}
	n, err := parseSizeGB(s)
	if err != nil {
		t.bad(name, "%v", err)
	}
	return n
}

func (t *table) memoryMB(name string) int {
	v, ok := t.take(name)
	if !ok {
		return 0
	}
	s, ok := v.(string)
	if !ok {
		t.bad(name, "is %s, which flyctl cannot load: write a quoted amount, as in \"512mb\"", describe(v))
		return 0
	}
	n, err := parseMemoryMB(s)
	if err != nil {
		t.bad(name, "%v", err)
	}
	return n
}

// table reads a table inside t, or nil where there is none.
func (t *table) table(name string) *table {
	v, ok := t.take(name)
	if !ok {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		t.bad(name, "is %s, which flyctl cannot load: write it as a table, [%s]", describe(v), t.key(name))
		return nil
	}
	return &table{p: t.p, path: t.key(name), values: m}
}

// arrayOfTables reads an array of tables inside t.
func (t *table) arrayOfTables(name string) []*table {
	v, ok := t.take(name)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		t.bad(name, "is %s, which flyctl cannot load: write it as an array of tables, [[%s]]", describe(v), t.key(name))
		return nil
	}
	var out []*table
	for i, v := range list {
		path := fmt.Sprintf("%s[%d]", t.key(name), i)
		m, ok := v.(map[string]any)
		if !ok {
			t.p.add(path, "is %s: write it as a table, [[%s]]", describe(v), t.key(name))
			continue
		}
		out = append(out, &table{p: t.p, path: path, values: m})
	}
	return out
}

// tables reads an array of tables that flyctl also takes as one table, and by
// another name. Places are noted by the model's name for it.
func (t *table) tables(name, alias string) []*table {
	if t.has(alias) {
		if t.has(name) {
			t.take(name)
			t.take(alias)
			t.bad(alias, "is another name of %s, which the file has too: keep one of them", name)
			return nil
		}
		t.values[name] = t.values[alias]
		delete(t.values, alias)
		t.p.src.rename(t.key(alias), t.key(name))
	}
	if m, ok := t.values[name].(map[string]any); ok {
		t.values[name] = []any{m}
		t.p.src.rename(t.key(name), t.key(name)+"[0]")
	}
	return t.arrayOfTables(name)
}

// strs reads all values of t as strings.
func (t *table) strs() map[string]string {
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(t.values)) {
		out[name] = t.str(name)
	}
	return out
}

// scalars reads all values of t as strings, whatever scalar they are.
func (t *table) scalars() map[string]string {
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(t.values)) {
		switch v := t.values[name].(type) {
		case int64, float64, bool:
			t.take(name)
			out[name] = fmt.Sprint(v)
		default:
			out[name] = t.str(name)
		}
	}
	return out
}

// end reports the keys of t that nobody asked for.
func (t *table) end() {
	for _, name := range slices.Sorted(maps.Keys(t.values)) {
		hint := "flysql's model of the file has no such key"
		if near := nearest(name, t.known); near != "" {
			hint = fmt.Sprintf("unknown key; did you mean %s?", near)
		}
		t.bad(name, "%s", hint)
	}
}

// describe names a TOML value in an error, without the value: it may be a secret.
func describe(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case bool:
		return "a boolean"
	case []any:
		return "an array"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}
