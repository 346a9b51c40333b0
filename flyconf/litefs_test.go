package flyconf

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sameLiteFS compares what a file says, not where.
var sameLiteFS = cmpopts.IgnoreUnexported(LiteFS{})

const fullLiteFS = `
exit-on-error: false
skip-sync: true
strict-verify: true
exec:
  - cmd: "migrate -dsn 'a b'"
    if-candidate: true
  - cmd: app
data: {dir: /data/litefs, compress: false, retention: 1h, retention-monitor-interval: 5m}
fuse:
  dir: /litefs/x
  allow-other: yes
  debug: true
http:
  addr: ":1"
  snapshot-timeout: 1m
proxy:
  addr: ":8080"
  target: localhost:8081
  db: app.db
  max-lag: 1s
  debug: true
  passthrough: ["/debug/*"]
  always-forward:
    - /a
    - /b
  primary-redirect-timeout: 2s
  read-timeout: 3s
  read-header-timeout: 4s
  write-timeout: 5s
  idle-timeout: 6s
lease:
  type: consul
  hostname: h
  advertise-url: http://h:1
  candidate: false
  promote: true
  reconnect-delay: 7s
  demote-delay: 8s
  databases: [app.db]
  consul:
    url: http://c:8500
    key: litefs/app
    ttl: 15s
    lock-delay: 9s
backup:
  type: file
  path: /backup
  url: u
  cluster: c
  auth-token: t
log:
  format: json
  timestamp: true
  debug: true
tracing:
  enabled: false
  path: /trace
  max-size: 1
  max-count: 2
  compress: false
`

func TestParseLiteFSFull(t *testing.T) {
	got, err := ParseLiteFS("litefs.yml", []byte(fullLiteFS), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &LiteFS{SkipSync: true, StrictVerify: true, Exec: []LiteFSExec{{"migrate -dsn 'a b'", true}, {"app", false}}}
	want.Data.Dir, want.Data.Retention, want.Data.RetentionMonitorInterval = "/data/litefs", time.Hour, 5*time.Minute
	want.FUSE.Dir, want.FUSE.AllowOther, want.FUSE.Debug = "/litefs/x", true, true
	want.HTTP.Addr, want.HTTP.SnapshotTimeout = ":1", time.Minute
	p := &want.Proxy
	p.Addr, p.Target, p.DB, p.MaxLag, p.Debug = ":8080", "localhost:8081", "app.db", time.Second, true
	p.Passthrough, p.AlwaysForward = []string{"/debug/*"}, []string{"/a", "/b"}
	p.PrimaryRedirectTimeout, p.ReadTimeout, p.ReadHeaderTimeout = 2*time.Second, 3*time.Second, 4*time.Second
	p.WriteTimeout, p.IdleTimeout = 5*time.Second, 6*time.Second
	l := &want.Lease
	l.Type, l.Hostname, l.AdvertiseURL, l.Promote, l.Databases = "consul", "h", "http://h:1", true, []string{"app.db"}
	l.ReconnectDelay, l.DemoteDelay = 7*time.Second, 8*time.Second
	l.Consul.URL, l.Consul.Key, l.Consul.TTL, l.Consul.LockDelay = "http://c:8500", "litefs/app", 15*time.Second, 9*time.Second
	b := &want.Backup
	b.Type, b.Path, b.URL, b.Cluster, b.AuthToken = "file", "/backup", "u", "c", "t"
	want.Log.Format, want.Log.Timestamp, want.Log.Debug = "json", true, true
	want.Tracing.Path, want.Tracing.MaxSizeMB, want.Tracing.MaxCount = "/trace", 1, 2
	if diff := cmp.Diff(want, got, sameLiteFS); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Every key of the model is in the file, so that none was left out above.
	for _, k := range litefsKeys(&LiteFS{}) {
		if got.source.keys[k.path].line == 0 {
			t.Errorf("%s is not in the test's file", k.path)
		}
	}
}

func TestParseLiteFSForms(t *testing.T) {
	tests := []struct {
		name, text string
		want       func(c *LiteFS)
	}{
		{"defaults", "lease:\n  type: static\n", func(c *LiteFS) { c.Lease.Type = "static" }},
		{"empty document", "---\n", func(c *LiteFS) {}},
		{"empty sections and values", "data:\nexec:\nproxy: ~\nfuse: {dir: }\n", func(c *LiteFS) {}},
		{"one command", `exec: "app -x"`, func(c *LiteFS) { c.Exec = []LiteFSExec{{Cmd: "app -x"}} }},
		{"command on lines", "exec: |\n  app -x\n", func(c *LiteFS) { c.Exec = []LiteFSExec{{Cmd: "app -x\n"}} }},
		{"numbers as text", "proxy: {db: 5, target: true}", func(c *LiteFS) { c.Proxy.DB, c.Proxy.Target = "5", "true" }},
		{"flow", `{"lease": {"candidate": off}}`, func(c *LiteFS) { c.Lease.Candidate = false }},
		{"anchors", "fuse: {dir: &d /x}\ndata: {dir: *d}\n", func(c *LiteFS) { c.FUSE.Dir, c.Data.Dir = "/x", "/x" }},
		{"merge", "fuse: &f {debug: true, dir: /x}\nlog:\n  <<: [{debug: true, format: json}, {format: text}]\n", func(c *LiteFS) {
			c.FUSE.Debug, c.FUSE.Dir, c.Log.Debug, c.Log.Format = true, "/x", true, "json"
		}},
		{"CRLF and byte order mark", "\ufefflease:\r\n  type: static # c\r\n", func(c *LiteFS) { c.Lease.Type = "static" }},
		{"JSON numbers", "tracing: {max-size: 0x10, max-count: 1_0}", func(c *LiteFS) { c.Tracing.MaxSizeMB, c.Tracing.MaxCount = 16, 10 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseLiteFS("litefs.yml", []byte(tt.text), nil)
			if err != nil {
				t.Fatal(err)
			}
			want := newLiteFS()
			tt.want(want)
			if diff := cmp.Diff(want, got, sameLiteFS); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseLiteFSProblems(t *testing.T) {
	tests := []struct {
		name, text, want string
	}{
		{"empty", "", "litefs.yml: is empty, which LiteFS does not start with: it needs at least lease.type"},
		{"comments only", "# c\n", "litefs.yml: is empty, which LiteFS does not start with: it needs at least lease.type"},
		{"not YAML", "a: b\n  c: [\n", "litefs.yml:2:3: is not valid YAML: mapping values are not allowed in this context"},
		{"tab", "lease:\n\ttype: static\n", "litefs.yml:2:2: is not valid YAML: found character that cannot start any token"},
		{"not UTF-8", "a: b\nc: \xff\n", "litefs.yml:2:4: is not UTF-8 text"},
		{"UTF-16", "\xff\xfea\x00", "litefs.yml:1:4: holds a NUL byte: it is binary, or not saved as UTF-8"},
		{"not a mapping", "- a\n", "litefs.yml: is a list: write it as a section, with keys below it"},
		{"a text", "abc", "litefs.yml: is a text: write it as a section, with keys below it"},
		{"unknown keys", "lease:\n  tpye: static\n  hostnam: x\nporxy:\n  a: b\nqqqqqq: 1\n",
			"litefs.yml:2:3: lease.tpye: unknown key; did you mean type?\n" +
				"litefs.yml:3:3: lease.hostnam: unknown key; did you mean hostname?\n" +
				"litefs.yml:4:1: porxy: unknown key; did you mean proxy?\n" +
				"litefs.yml:6:1: qqqqqq: LiteFS has no such key, and does not start with it: remove it"},
		{"keys of older documents", "backup:\n  delay: 1s\n  full-sync-interval: 1s\n",
			"litefs.yml:2:3: backup.delay: LiteFS v0.5 has no such key, and always waits 1 s: remove it\n" +
				"litefs.yml:3:3: backup.full-sync-interval: LiteFS v0.5 has no such key, and always waits 10 s: remove it"},
		{"twice", "log:\n  debug: true\n  debug: true\n", "litefs.yml:3:3: log.debug: is given twice: keep one of them"},
		{"section as text", "lease: consul\n", "litefs.yml:1:1: lease: is a text: write it as a section, with keys below it"},
		{"types", "skip-sync: 'true'\ndata:\n  retention: 10\n  dir: [a]\nproxy: {max-lag: soon, passthrough: /x, always-forward: [{}]}\ntracing: {max-size: big}\nlease: {candidate: 1}\n",
			"litefs.yml:1:1: skip-sync: is a text: write true or false, without quotes\n" +
				"litefs.yml:3:3: data.retention: is a number without a unit: write a duration with its unit, as in \"10s\" or \"5m\"\n" +
				"litefs.yml:4:3: data.dir: is a list: write a text in quotes\n" +
				"litefs.yml:5:9: proxy.max-lag: is a text: write a duration with its unit, as in \"10s\" or \"5m\"\n" +
				"litefs.yml:5:24: proxy.passthrough: is a text: write a list, as in [\"/debug/*\", \"*.png\"]\n" +
				"litefs.yml:5:58: proxy.always-forward[0]: is a section: write a text in quotes\n" +
				"litefs.yml:6:11: tracing.max-size: is a text: write a whole number, without quotes\n" +
				"litefs.yml:7:9: lease.candidate: is a number without a unit: write true or false, without quotes"},
		{"exec", "exec:\n  - cmd: a\n    if-candidat: true\n  - b\n  -\n", "litefs.yml:3:5: exec[0].if-candidat: unknown key; did you mean if-candidate?\n" +
			"litefs.yml:4:5: exec[1]: is a text: write it as cmd: with the command behind it\n" +
			"litefs.yml:5:4: exec[2]: is empty: write it as cmd: with the command behind it"},
		{"exec as a number", "exec: 5\n", "litefs.yml:1:1: exec: is a number without a unit: write one command in quotes, or a list of cmd: entries"},
		{"second document", "lease:\n---\nlog:\n", "litefs.yml:2:1: begins a second document, which LiteFS does not read: remove the ---"},
		{"columns are bytes", "\"é\": 1\nlog: {\"ß\": 1, x: 2}\n", "litefs.yml:1:1: é: LiteFS has no such key, and does not start with it: remove it\n" +
			"litefs.yml:2:7: log.ß: LiteFS has no such key, and does not start with it: remove it\n" +
			"litefs.yml:2:16: log.x: LiteFS has no such key, and does not start with it: remove it"},
		{"behind a variable", "lease: {hostname: $HOSTNAME_OF_THIS, tpye: x}\n", "litefs.yml:1:38: lease.tpye: unknown key; did you mean type?"},
		{"variable in quotes", "lease:\n  candidate: \"${A == B}\"\n", "litefs.yml:2:3: lease.candidate: is in quotes, which makes it a text whatever the variable is: remove the quotes"},
		{"alias of itself", "lease: &l\n  consul: *l\n", "litefs.yml:2:3: lease.consul.consul: LiteFS has no such key, and does not start with it: remove it"},
		{"merge of itself", "lease: &l\n  <<: *l\n", "litefs.yml:1:1: lease: merges (<<) too much: write the keys out"},
		{"merge of a text", "lease:\n  <<: x\n", "litefs.yml:1:1: lease: merges (<<) what is not a mapping"},
		{"deep", "lease: " + strings.Repeat("[", 60) + strings.Repeat("]", 60), "litefs.yml:1:57: is nested more than 50 levels deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseLiteFS("litefs.yml", []byte(tt.text), nil)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseLiteFSHostile: none of these may panic, or take long; that they are
// read or refused does not matter.
func TestParseLiteFSHostile(t *testing.T) {
	const size = maxSourceBytes / 8
	repeat := func(s string) string { return strings.Repeat(s, size/len(s)) }
	laughs := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	for i := range 20 {
		laughs += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 8), i)
	}
	merges := "m0: &m0 {a: 1}\n"
	for i := range 20 {
		merges += fmt.Sprintf("m%d: &m%d {<<: [%s*m%d]}\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*m%d,", i), 8), i)
	}
	tests := map[string]string{
		"billion laughs":    laughs + "exec: *a20\nproxy: {passthrough: *a20}\n",
		"merges":            merges + "lease: *m20\nlog:\n  <<: *m20\n",
		"many aliases":      "x: &x {" + strings.Repeat("a: 1, ", 20000) + "}\nexec: [" + strings.Repeat("*x, ", 20000) + "]\n",
		"open braces":       "a: " + repeat("${"),
		"variables":         "a: " + repeat("$A "),
		"variables, braces": "a: " + repeat("${A == 'b'} "),
		"open brackets":     repeat("["),
		"open mappings":     repeat("{a: "),
		"dashes":            repeat("- "),
		"questions":         repeat("? "),
		"keys":              repeat("a: 1\n"),
		"comments":          "a:\n" + repeat("# c\n"),
		"one line":          "a: [" + repeat("é,") + "]",
		"quotes":            repeat("'"),
		"line ends":         "a: |\n" + repeat("\u2028"),
		"letters":           "a: $A " + strings.Repeat("ꀀꀁꀂ", 50000),
		"anchors":           repeat("&a "),
		"tags":              repeat("!a "),
		"control":           "a: \x01\x02\x7f",
	}
	env := func(name string) (string, bool) { return strings.Repeat(name, 3), true }
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			for _, env := range []func(string) (string, bool){nil, env} {
				if c, err := ParseLiteFS("litefs.yml", []byte(text), env); err == nil {
					_ = c.Validate() // it need only return
				}
			}
			if d, err := ParseLiteFSDocument("litefs.yml", []byte(text)); err == nil {
				if err := d.Set("lease.type", "static"); err == nil {
					if got, _ := d.Get("lease.type"); got != "static" {
						t.Errorf("lease.type is %q", got)
					}
				}
			}
		})
	}
}

func TestParseLiteFSEnvironment(t *testing.T) {
	const text = `# ${COMMENT}
lease:
  candidate: ${FLY_REGION == PRIMARY_REGION}
  promote: ${ X != 'y' }
  hostname: "${FLY_ALLOC_ID}.$APP"
  consul: {url: "${URL}", key: "a-${B == "c"}"}
proxy: {db: $DB, max-lag: $LAG}
exec:
- cmd: app ${ARGS}
`
	env := map[string]string{
		"FLY_REGION": "iad", "PRIMARY_REGION": "iad", "X": "y", "APP": "shop", "URL": "", "B": "c", "DB": "1", "LAG": "5s",
		"ARGS": "-a 'b' # c", "COMMENT": "x\ny: z",
	}
	t.Run("known", func(t *testing.T) {
		c, err := ParseLiteFS("litefs.yml", []byte(strings.TrimPrefix(text, "# ${COMMENT}\n")), func(name string) (string, bool) { return env[name], true })
		if err != nil {
			t.Fatal(err)
		}
		got := []any{c.Lease.Candidate, c.Lease.Promote, c.Lease.Hostname, c.Lease.Consul.URL, c.Lease.Consul.Key, c.Proxy.DB, c.Proxy.MaxLag, c.Exec[0].Cmd}
		want := []any{true, false, ".shop", "", "a-true", "1", 5 * time.Second, "app -a 'b'"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("a value that breaks the YAML", func(t *testing.T) {
		_, err := ParseLiteFS("litefs.yml", []byte(text), func(name string) (string, bool) { return env[name], true })
		var p *Problem
		if !errors.As(err, &p) || p.Key != "${COMMENT}" || p.Line != 1 || p.Col != 3 {
			t.Errorf("%v, want the key ${COMMENT} of 1:3", err)
		}
	})
	t.Run("not known", func(t *testing.T) {
		c, err := ParseLiteFS("litefs.yml", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := []any{c.Lease.Candidate, c.Lease.Promote, c.Lease.Hostname, c.Lease.Consul.URL, c.Lease.Consul.Key, c.Proxy.DB, c.Proxy.MaxLag, c.Exec[0].Cmd}
		want := []any{true, false, "${FLY_ALLOC_ID}.$APP", "${URL}", `a-${B == "c"}`, "$DB", 10 * time.Second, "app ${ARGS}"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		var uses []string
		for _, v := range c.Variables {
			uses = append(uses, fmt.Sprintf("%d:%d %s %s %t", v.Line, v.Col, v.Key, v.Name, v.Compared))
		}
		wantUses := []string{
			"3:14 lease.candidate FLY_REGION true", "3:14 lease.candidate PRIMARY_REGION true", "4:12 lease.promote X true",
			"5:14 lease.hostname FLY_ALLOC_ID false", "5:30 lease.hostname APP false",
			"6:18 lease.consul.url URL false", "6:35 lease.consul.key B true",
			"7:13 proxy.db DB false", "7:27 proxy.max-lag LAG false", "9:12 exec[0].cmd ARGS false",
		}
		if diff := cmp.Diff(wantUses, uses); diff != "" {
			t.Errorf("variables (-want +got):\n%s", diff)
		}
	})
	t.Run("some known", func(t *testing.T) {
		c, err := ParseLiteFS("litefs.yml", []byte("lease: {hostname: $A$B, candidate: ${A == B}}\nproxy: {db: $A, $A: 1}\n"), func(name string) (string, bool) { return "addr", name == "A" })
		var p *Problem
		if !errors.As(err, &p) || p.Error() != "litefs.yml:2:17: proxy.addr: is given twice: keep one of them" {
			// The key is proxy.addr only once $A is replaced.
			if err != nil {
				t.Fatal(err)
			}
		}
		if c.Lease.Hostname != "addr$B" || c.Proxy.DB != "addr" || c.Proxy.Addr != "1" {
			t.Errorf("hostname %q, db %q, addr %q", c.Lease.Hostname, c.Proxy.DB, c.Proxy.Addr)
		}
		var known []string
		for _, v := range c.Variables {
			known = append(known, fmt.Sprintf("%s %t", v.Name, v.Known))
		}
		if diff := cmp.Diff([]string{"A true", "B false", "A true", "B false", "A true", "A true"}, known); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("structure", func(t *testing.T) {
		// Without its value, the variable is no key, and the file no YAML.
		c, err := ParseLiteFS("litefs.yml", []byte("log: {debug: true}\n${MORE}\n"), func(string) (string, bool) { return "", true })
		if err != nil || !c.Log.Debug || len(c.Variables) != 1 || c.Variables[0].Line != 2 {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

// TestExpandLiteFS compares the replacement with os.Expand, which LiteFS uses.
func TestExpandLiteFS(t *testing.T) {
	for _, text := range []string{
		"", "$", "$$", "a$", "$ a", "$a", "$a_1-b", "${a}", "${a b}", "${}", "${", "${a", "$1x", "${1}", "$*$#$@$!$?$-", "${a}${b}$c", "$é", "${é}",
		"a${", "${${a}}", "}{$a}", "x$a}y${",
	} {
		mapping := func(name string) string { return "<" + strings.TrimSpace(name) + ">" }
		want := os.Expand(text, mapping)
		got, err := expandLiteFS("", []byte(text), func(name string) (string, bool) { return "<" + name + ">", true })
		if err != nil {
			t.Fatal(err)
		}
		if got.text != want {
			t.Errorf("%q: got %q, want %q", text, got.text, want)
		}
	}
}

// TestLiteFSSecrets: no error shows a value that may be a secret, also where it
// breaks the YAML that it is put into.
func TestLiteFSSecrets(t *testing.T) {
	for _, secret := range []string{"*hunter2", "&hunter2", "!hunter2 [", "\nhunter2: x", "\nlease:\n  hunter2: x", "\"hunter2", "a\n hunter2: [", "%hunter2", "- hunter2", "{hunter2: 1}"} {
		for _, text := range []string{"lease: {type: consul, consul: {url: $S}}", "backup:\n  type: litefs-cloud\n  auth-token: $S\n", "$S", "log: {$S: 1}\nfuse: {debug: $S}\n"} {
			c, err := ParseLiteFS("litefs.yml", []byte(text), func(string) (string, bool) { return secret, true })
			if err == nil {
				err = c.Validate()
			}
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q with %q: error %v", text, secret, err)
			}
		}
	}
	const secret = "hunter2"
	for _, text := range []string{
		"lease: {type: consul, consul: {url: hunter2}}",
		"lease: {type: consul, consul: {url: 'consul://x:hunter2@h'}}",
		"lease: {advertise-url: '${S}x'}",
		"backup: {auth-token: [hunter2]}",
		"backup: {auth-token: hunter2, type: litefs-cloud}",
		"data: {retention: $S}",
		"lease: $S",
	} {
		c, err := ParseLiteFS("litefs.yml", []byte(text), func(string) (string, bool) { return secret, true })
		if err == nil {
			err = c.Validate()
		}
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v", text, err)
		}
	}
}
