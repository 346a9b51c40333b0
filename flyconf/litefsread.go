package flyconf

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// litefsKey is one key that LiteFS knows, and where its value goes.
type litefsKey struct {
	path   string
	target any // *string, *bool, *int, *time.Duration, *[]string or *[]LiteFSExec
}

// litefsKeys lists every key of LiteFS v0.5.
func litefsKeys(c *LiteFS) []litefsKey {
	return []litefsKey{
		{"exit-on-error", &c.ExitOnError},
		{"skip-sync", &c.SkipSync},
		{"strict-verify", &c.StrictVerify},
		{"exec", &c.Exec},
		{"data.dir", &c.Data.Dir},
		{"data.compress", &c.Data.Compress},
		{"data.retention", &c.Data.Retention},
		{"data.retention-monitor-interval", &c.Data.RetentionMonitorInterval},
		{"fuse.dir", &c.FUSE.Dir},
		{"fuse.allow-other", &c.FUSE.AllowOther},
		{"fuse.debug", &c.FUSE.Debug},
		{"http.addr", &c.HTTP.Addr},
		{"http.snapshot-timeout", &c.HTTP.SnapshotTimeout},
		{"proxy.addr", &c.Proxy.Addr},
		{"proxy.target", &c.Proxy.Target},
		{"proxy.db", &c.Proxy.DB},
		{"proxy.max-lag", &c.Proxy.MaxLag},
		{"proxy.debug", &c.Proxy.Debug},
		{"proxy.passthrough", &c.Proxy.Passthrough},
		{"proxy.always-forward", &c.Proxy.AlwaysForward},
		{"proxy.primary-redirect-timeout", &c.Proxy.PrimaryRedirectTimeout},
		{"proxy.read-timeout", &c.Proxy.ReadTimeout},
		{"proxy.read-header-timeout", &c.Proxy.ReadHeaderTimeout},
		{"proxy.write-timeout", &c.Proxy.WriteTimeout},
		{"proxy.idle-timeout", &c.Proxy.IdleTimeout},
		{"lease.type", &c.Lease.Type},
		{"lease.hostname", &c.Lease.Hostname},
		{"lease.advertise-url", &c.Lease.AdvertiseURL},
		{"lease.candidate", &c.Lease.Candidate},
		{"lease.promote", &c.Lease.Promote},
		{"lease.reconnect-delay", &c.Lease.ReconnectDelay},
		{"lease.demote-delay", &c.Lease.DemoteDelay},
		{"lease.databases", &c.Lease.Databases},
		{"lease.consul.url", &c.Lease.Consul.URL},
		{"lease.consul.key", &c.Lease.Consul.Key},
		{"lease.consul.ttl", &c.Lease.Consul.TTL},
		{"lease.consul.lock-delay", &c.Lease.Consul.LockDelay},
		{"backup.type", &c.Backup.Type},
		{"backup.path", &c.Backup.Path},
		{"backup.url", &c.Backup.URL},
		{"backup.cluster", &c.Backup.Cluster},
		{"backup.auth-token", &c.Backup.AuthToken},
		{"log.format", &c.Log.Format},
		{"log.timestamp", &c.Log.Timestamp},
		{"log.debug", &c.Log.Debug},
		{"tracing.enabled", &c.Tracing.Enabled},
		{"tracing.path", &c.Tracing.Path},
		{"tracing.max-size", &c.Tracing.MaxSizeMB},
		{"tracing.max-count", &c.Tracing.MaxCount},
		{"tracing.compress", &c.Tracing.Compress},
	}
}

func litefsExecKeys(e *LiteFSExec) []litefsKey {
	return []litefsKey{{"cmd", &e.Cmd}, {"if-candidate", &e.IfCandidate}}
}

// maxLiteFSProblems is when to stop: a file with as many is another file.
const maxLiteFSProblems = 1000

// maxLiteFSExec bounds what aliases can make of a small file.
const maxLiteFSExec = 100

// litefsFixed are keys that older documents have, and that LiteFS v0.5 refuses.
var litefsFixed = map[string]string{
	"backup.delay":              "LiteFS v0.5 has no such key, and always waits 1 s: remove it",
	"backup.full-sync-interval": "LiteFS v0.5 has no such key, and always waits 10 s: remove it",
}

// litefsReader fills a LiteFS from its YAML.
type litefsReader struct {
	doc      *litefsYAML
	problems *problems
	config   *LiteFS
}

func newLiteFSReader(doc *litefsYAML, c *LiteFS) *litefsReader {
	c.source = source{file: doc.name, keys: map[string]position{}}
	c.unresolved = map[string]bool{}
	return &litefsReader{doc: doc, config: c, problems: &problems{src: c.source, rule: ruleForm}}
}

func (r *litefsReader) read() { r.section("", r.doc.root, litefsKeys(r.config)) }

func (r *litefsReader) bad(key, format string, a ...any) { r.problems.add(key, format, a...) }

// section reads a mapping whose keys, with those below them, are known.
func (r *litefsReader) section(path string, n *yaml.Node, known []litefsKey) {
	n = litefsAlias(n)
	if isYAMLNull(n) || r.unknown(path, n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.bad(path, "is %s: write it as a section, with keys below it", describeYAML(n))
		return
	}
	entries, err := litefsEntries(n)
	if err != nil {
		r.bad(path, "%v", err)
		return
	}
	seen := map[string]bool{}
	for _, e := range entries {
		if len(r.problems.list) > maxLiteFSProblems {
			return
		}
		name, _ := r.doc.text.restore(e.key.Value)
		key := join(path, name)
		if variable := r.doc.variableAt(e.key); variable != "" && !litefsKnows(known, name) {
			key = join(path, variable)
			r.config.source.keys[key] = r.doc.position(e.key)
			r.bad(key, "the value of the variable makes a key that LiteFS does not know: put quotes around the variable")
			continue
		}
		if seen[name] {
			at := r.doc.position(e.key)
			r.problems.list = append(r.problems.list, &Problem{
				File: r.doc.name, Line: at.line, Col: at.col, Key: key, Message: "is given twice: keep one of them",
			})
			continue
		}
		seen[name] = true
		r.config.source.keys[key] = r.doc.position(e.key)
		r.entry(key, name, e.value, known)
	}
}

// litefsKnows reports whether a section has a key of that name.
func litefsKnows(known []litefsKey, name string) bool {
	return slices.ContainsFunc(known, func(k litefsKey) bool {
		first, _, _ := strings.Cut(k.path, ".")
		return first == name
	})
}

// entry reads one key of a section.
func (r *litefsReader) entry(key, name string, value *yaml.Node, known []litefsKey) {
	var below []litefsKey
	var names []string
	for _, k := range known {
		first, rest, nested := strings.Cut(k.path, ".")
		if !slices.Contains(names, first) {
			names = append(names, first)
		}
		switch {
		case first == name && nested:
			below = append(below, litefsKey{rest, k.target})
		case first == name:
			r.value(key, value, k.target)
			return
		}
	}
	if below != nil {
		r.section(key, value, below)
		return
	}
	if hint := litefsFixed[key]; hint != "" {
		r.bad(key, "%s", hint)
	} else if near := Nearest(name, names); near != "" {
		r.problems.as("FLY405").add(key, "unknown key; did you mean %s?", near)
	} else {
		r.problems.as("FLY405").add(key, "LiteFS has no such key, and does not start with it: remove it")
	}
}

// unknown reports whether a value depends on a variable that is not known.
func (r *litefsReader) unknown(key string, n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode {
		return false
	}
	_, marks := r.doc.text.restore(n.Value)
	if len(marks) > 0 {
		r.config.unresolved[key] = true
	}
	return len(marks) > 0
}

// value reads a value into target. An empty one leaves the default.
func (r *litefsReader) value(key string, n *yaml.Node, target any) {
	n = litefsAlias(n)
	if isYAMLNull(n) {
		return
	}
	switch target := target.(type) {
	case *[]LiteFSExec:
		r.exec(key, n, target)
		return
	case *[]string:
		r.list(key, n, target)
		return
	case *string:
		if n.Kind == yaml.ScalarNode && r.unknown(key, n) {
			*target, _ = r.doc.text.restore(n.Value)
			return
		}
	case *bool, *int:
		if n.Kind == yaml.ScalarNode && r.unknown(key, n) {
			if isYAMLQuoted(n) {
				r.bad(key, "is in quotes, which makes it a text whatever the variable is: remove the quotes")
			}
			return
		}
	}
	if n.Kind == yaml.ScalarNode && r.unknown(key, n) {
		return
	}
	if why := decodeLiteFSScalar(n, target); why != "" {
		r.bad(key, "is %s: %s", describeYAML(n), why)
	}
}

// decodeLiteFSScalar decodes as LiteFS does, or says how the value is written.
func decodeLiteFSScalar(n *yaml.Node, target any) string {
	if n.Kind == yaml.ScalarNode && n.Decode(target) == nil {
		return ""
	}
	switch target.(type) {
	case *string:
		return "write a text in quotes"
	case *bool:
		return "write true or false, without quotes"
	case *time.Duration:
		return `write a duration with its unit, as in "10s" or "5m"`
	}
	return "write a whole number, without quotes"
}

func (r *litefsReader) list(key string, n *yaml.Node, target *[]string) {
	if r.unknown(key, n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		r.bad(key, `is %s: write a list, as in ["/debug/*", "*.png"]`, describeYAML(n))
		return
	}
	*target = nil
	for i, child := range n.Content {
		element := fmt.Sprintf("%s[%d]", key, i)
		r.config.source.keys[element] = r.doc.position(child)
		var s string
		r.value(element, child, &s)
		*target = append(*target, s)
	}
}

func (r *litefsReader) exec(key string, n *yaml.Node, target *[]LiteFSExec) {
	switch {
	case r.unknown(key, n):
		s, _ := r.doc.text.restore(n.Value)
		*target = []LiteFSExec{{Cmd: s}}
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str":
		*target = []LiteFSExec{{Cmd: n.Value}}
	case n.Kind == yaml.SequenceNode && len(n.Content) > maxLiteFSExec:
		r.bad(key, "has more than %d commands", maxLiteFSExec)
	case n.Kind == yaml.SequenceNode:
		*target = nil
		for i, child := range n.Content {
			element := fmt.Sprintf("%s[%d]", key, i)
			r.config.source.keys[element] = r.doc.position(child)
			child = litefsAlias(child)
			var e LiteFSExec
			if child.Kind == yaml.MappingNode {
				r.section(element, child, litefsExecKeys(&e))
			} else {
				r.bad(element, "is %s: write it as cmd: with the command behind it", describeYAML(child))
			}
			*target = append(*target, e)
		}
	default:
		r.bad(key, "is %s: write one command in quotes, or a list of cmd: entries", describeYAML(n))
	}
}

func isYAMLNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func isYAMLQuoted(n *yaml.Node) bool {
	return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// describeYAML names a value in an error, without the value: it may be a secret.
func describeYAML(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a section"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias of itself"
	}
	switch n.ShortTag() {
	case "!!null":
		return "empty"
	case "!!bool":
		return "true or false"
	case "!!int":
		return "a number without a unit"
	case "!!float":
		return "a fraction"
	case "!!timestamp":
		return "a date"
	}
	return "a text"
}
