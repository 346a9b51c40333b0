package flyconf

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseFull(t *testing.T) {
	data, err := os.ReadFile("testdata/full.toml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse("fly.toml", data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got, sameModel); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("Validate: %v", err)
	}
}

// TestParseForms reads what flyctl reads, in the other ways to write it.
func TestParseForms(t *testing.T) {
	start := true
	tests := []struct {
		name string
		text string
		want Config
	}{
		{"empty", "", Config{}},
		{"mounts as a table", "[mounts]\nsource='d'\ndestination='/data'", Config{Mounts: []Mount{{Source: "d", Destination: "/data"}}}},
		{"mount", "[mount]\nsource='d'", Config{Mounts: []Mount{{Source: "d"}}}},
		{"mount as an array", "[[mount]]\nsource='d'\n[[mount]]\nsource='e'", Config{Mounts: []Mount{{Source: "d"}, {Source: "e"}}}},
		{"compute", "[compute]\nmemory='1gb'", Config{VMs: []VM{{MemoryMB: 1024}}}},
		{"memory as a number", "[[vm]]\nmemory=256", Config{VMs: []VM{{MemoryMB: 256}}}},
		{"memory_mb", "[[vm]]\nmemory_mb=256", Config{VMs: []VM{{MemoryMB: 256}}}},
		{"size as a number", "[[mounts]]\ninitial_size=3", Config{Mounts: []Mount{{InitialSizeGB: 3}}}},
		{"unknown keys", "a=1\n[b]\nc=[{d=true}]", Config{Extra: map[string]any{"a": int64(1), "b": map[string]any{"c": []any{map[string]any{"d": true}}}}}},
		{"zeros", "console_command=''\n[[files]]\nlocal_path=''", Config{Files: []File{{Extra: map[string]any{"local_path": ""}}}, Extra: map[string]any{"console_command": ""}}},
		{"old concurrency", "[[services]]\nconcurrency='20,25'", Config{Services: []Service{{Extra: map[string]any{"concurrency": "20,25"}}}}},
		{"milliseconds", "[services]\n[services.tcp_checks]\ninterval=10000", Config{Services: []Service{{TCPChecks: []TCPCheck{{Interval: 10 * time.Second}}}}}},
		{"a port in quotes", "[[services]]\ninternal_port='80'", Config{Services: []Service{{InternalPort: 80}}}},
		{"one string", "[experimental]\ncmd='run'", Config{Experimental: &Experimental{Cmd: []string{"run"}}}},
		{"memory without a unit", "[[vm]]\nmemory='256'", Config{VMs: []VM{{MemoryMB: 256}}}},
		{"size without a unit", "[[mounts]]\ninitial_size='3'", Config{Mounts: []Mount{{InitialSizeGB: 3}}}},
		{"size in lower case", "[[mounts]]\ninitial_size='3 gb'", Config{Mounts: []Mount{{InitialSizeGB: 3}}}},
		{"kill_timeout in seconds", "kill_timeout = 5", Config{KillTimeout: 5 * time.Second}},
		{"env scalars", "[env]\nA=1\nB=true\nC='x'\nD=1.5", Config{Env: map[string]string{"A": "1", "B": "true", "C": "x", "D": "1.5"}}},
		{"autostop as a boolean", "[http_service]\ninternal_port=80\nauto_stop_machines=true\nauto_start_machines=true", Config{HTTPService: &HTTPService{InternalPort: 80, AutoStop: "stop", AutoStart: &start}}},
		{"no autostop", "[http_service]\nauto_stop_machines=false", Config{HTTPService: &HTTPService{AutoStop: "off"}}},
		{"inline tables", "http_service = {internal_port = 80, checks = [{path = '/a'}]}", Config{HTTPService: &HTTPService{InternalPort: 80, Checks: []HTTPCheck{{Path: "/a"}}}}},
		{"dotted keys", "deploy.strategy = 'rolling'", Config{Deploy: &Deploy{Strategy: "rolling"}}},
		{"CRLF", "app = 'a'\r\n[env]\r\nX = 'y'\r\n", Config{App: "a", Env: map[string]string{"X": "y"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse("fly.toml", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got, sameModel); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseProblems(t *testing.T) {
	tests := []struct {
		name string
		text string
		want []string // the whole of each problem's text
	}{
		{"not TOML", "app = \"a\"\nprimary_region = ord\n",
			[]string{"fly.toml:2:18: "}},
		{"a key twice", "app = 'a'\napp = 'b'\n",
			[]string{"fly.toml"}},
		{"mounts mixed", "[mounts]\nsource='a'\n[[mounts]]\nsource='b'\n",
			[]string{"fly.toml"}},
		{"unknown key with a near one", "[[mounts]]\nsource = 'd'\n  snapshot_retension = 5\n",
			[]string{"fly.toml:3:3: mounts[0].snapshot_retension: unknown key, which flyctl drops without a word, even with --strict; did you mean snapshot_retention?"}},
		{"unknown key", "[[mounts]]\n[[mounts]]\ncolour = 5\n",
			[]string{"fly.toml:3:1: mounts[1].colour: unknown key, which flyctl drops without a word, even with --strict: remove it"}},
		{"statics as a table", "[statics]\nguest_path='/x'\n",
			[]string{"fly.toml:1:2: statics: is a table, which flyctl cannot load: write it as an array of tables, [[statics]]"}},
		{"restart as a table", "[restart]\npolicy='always'\n",
			[]string{"fly.toml:1:2: restart: is a table, which flyctl cannot load: write it as an array of tables, [[restart]]"}},
		{"all of them, in the order of the file", "app = 1\nap = 'x'\n[env]\nX = []\n[http_service]\ninternal_port = '80'\n",
			[]string{
				"fly.toml:1:1: app: is an integer: write it as a quoted string",
				"fly.toml:4:1: env.X: is an array: write it as a quoted string",
				"fly.toml:6:1: http_service.internal_port: is a string: write it as a number without quotes",
			}},
		{"integer duration", "[[http_service.checks]]\ninterval = 15\n",
			[]string{"fly.toml:2:1: http_service.checks[0].interval: is the integer 15, which flyctl reads as nanoseconds: write \"15s\" with quotes if it is seconds"}},
		{"integer duration of a service", "[[services]]\n[[services.tcp_checks]]\ninterval = 15\n",
			[]string{"fly.toml:3:1: services[0].tcp_checks[0].interval: is the integer 15, which flyctl reads as milliseconds: write \"15s\" with quotes if it is seconds"}},
		{"duration without a unit", "[deploy]\nwait_timeout = '15'\n",
			[]string{"fly.toml:2:1: deploy.wait_timeout: \"15\" is not a duration: write it as in \"15s\" or \"5m\""}},
		{"integer size", "[mounts]\nauto_extend_size_increment = 1\n",
			[]string{"fly.toml:2:1: mounts[0].auto_extend_size_increment: is an integer, which flyctl cannot load: write a quoted size, as in \"1GB\""}},
		{"size in megabytes", "[mount]\ninitial_size = '100MB'\n",
			[]string{"fly.toml:2:1: mounts[0].initial_size: \"100MB\" is not a size: write whole gigabytes, as in \"10GB\""}},
		{"checks as a table", "[http_service.checks]\npath = '/'\n",
			[]string{"fly.toml:1:2: http_service.checks: is a table, which flyctl cannot load: write it as an array of tables, [[http_service.checks]]"}},
		{"concurrency as an array", "[[http_service.concurrency]]\ntype = 'requests'\n",
			[]string{"fly.toml:1:3: http_service.concurrency: is an array, which flyctl cannot load: write it as a table, [http_service.concurrency]"}},
		{"mount and mounts", "[mount]\nsource='a'\n[[mounts]]\nsource='b'\n",
			[]string{"fly.toml:1:2: mount: is another name of mounts, which the file has too: keep one of them"}},
		{"an explicit zero", "[mounts]\nsnapshot_retention = 0\n",
			[]string{"fly.toml:2:1: mounts[0].snapshot_retention: is 0: give a number from 1 on, or leave the key out"}},
		{"kill_timeout too long", "kill_timeout = 301\n",
			[]string{"fly.toml:1:1: kill_timeout: 301 is not between 1 and 300 seconds"}},
		{"a string for a boolean", "[http_service]\nforce_https = 'true'\n",
			[]string{"fly.toml:2:1: http_service.force_https: is a string: write true or false, without quotes"}},
		{"array of numbers for tables", "mounts = [1]\n",
			[]string{"fly.toml:1:1: mounts[0]: is an integer: write it as a table, [[mounts]]"}},
		{"memory", "[[vm]]\nmemory = 'lots'\n",
			[]string{"fly.toml:2:1: vm[0].memory: \"lots\" is not an amount of memory: write it as in \"512mb\" or \"1gb\""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse("fly.toml", []byte(tt.text))
			if err == nil {
				t.Fatal("no error")
			}
			if c != nil {
				if text, err := Render(c, nil); err == nil {
					t.Errorf("Render takes what Parse could not read whole:\n%s", text)
				}
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(tt.want) {
				t.Fatalf("%d problems, want %d:\n%v", len(got), len(tt.want), err)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(got[i], want) || (strings.Count(want, ": ") > 1 && got[i] != want) {
					t.Errorf("problem %d\n got %s\nwant %s", i, got[i], want)
				}
			}
			var p *Problem
			if !errors.As(err, &p) || p.File != "fly.toml" {
				t.Errorf("%T holds no *Problem of fly.toml", err)
			}
		})
	}
}

// TestProblemsKeepSecrets: a value of [env] may be one, and must not be quoted.
func TestProblemsKeepSecrets(t *testing.T) {
	_, err := Parse("fly.toml", []byte("[env]\nTOKEN = ['hunter2']\n"))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("err = %v, want one without the value", err)
	}
	c := full()
	c.Env["TOKEN"] = "hunter2\x00"
	if err := c.Validate(); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Validate: %v, want a problem without the value", err)
	}
}
