package flyconf

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   string // the whole error; "" is none
	}{
		{"full", func(c *Config) {}, ""},
		{"no app", func(c *Config) { c.App = "" }, "app: is missing: name the app"},
		{"app in capitals", func(c *Config) { c.App = "Shop" }, `app: "Shop" is not an app name: use lowercase letters, digits and dashes, and no dash at either end`},
		{"app ends in a dash", func(c *Config) { c.App = "shop-" }, `app: "shop-" is not an app name: use lowercase letters, digits and dashes, and no dash at either end`},
		{"longest app", func(c *Config) { c.App = strings.Repeat("a", 63) }, ""},
		{"app too long", func(c *Config) { c.App = strings.Repeat("a", 64) }, `app: "` + strings.Repeat("a", 64) + `" is longer than 63 characters`},
		{"no region, no mounts", func(c *Config) { c.PrimaryRegion, c.Mounts = "", nil }, ""},
		{"no region", func(c *Config) { c.PrimaryRegion = "" }, `primary_region: is missing: a volume needs a region to be made in, such as "iad"`},
		{"region in capitals", func(c *Config) { c.PrimaryRegion = "IAD" }, `primary_region: "IAD" is not a region: use its three lowercase letters, such as "iad" (fly platform regions lists them)`},
		{"signal", func(c *Config) { c.KillSignal = "TERM" }, `kill_signal: "TERM" is not one of SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2, SIGKILL, SIGSTOP`},
		{"longest kill_timeout", func(c *Config) { c.KillTimeout = 5 * time.Minute }, ""},
		{"kill_timeout too long", func(c *Config) { c.KillTimeout = 301 * time.Second }, "kill_timeout: 5m1s is not a whole number of seconds up to 5m0s"},
		{"kill_timeout in fractions", func(c *Config) { c.KillTimeout = 1500 * time.Millisecond }, "kill_timeout: 1.5s is not a whole number of seconds up to 5m0s"},
		{"canary with a volume", func(c *Config) { c.Deploy.Strategy = "canary" }, `deploy.strategy: "canary" starts a second machine beside the first, which volumes do not allow: use "rolling"`},
		{"bluegreen with a volume", func(c *Config) { c.Deploy.Strategy = "bluegreen" }, `deploy.strategy: "bluegreen" starts a second machine beside the first, which volumes do not allow: use "rolling"`},
		{"canary without a volume", func(c *Config) { c.Deploy.Strategy, c.Mounts = "canary", nil }, ""},
		{"strategy", func(c *Config) { c.Deploy.Strategy = "fast" }, `deploy.strategy: "fast" is not one of rolling, immediate, canary, bluegreen`},
		{"negative wait_timeout", func(c *Config) { c.Deploy.WaitTimeout = -1 }, "deploy.wait_timeout: -1ns is negative"},
		{"FLY_ env", func(c *Config) { c.Env["FLY_REGION"] = "x" }, "env.FLY_REGION: names that begin with FLY_ are Fly's own: choose another"},
		{"PRIMARY_REGION env", func(c *Config) { c.Env["PRIMARY_REGION"] = "x" }, "env.PRIMARY_REGION: Fly sets it from primary_region: remove it here"},
		{"env name", func(c *Config) { c.Env["A B"] = "x" }, "env.A B: is not the name of an environment variable: use letters, digits and underscores"},
		{"env value", func(c *Config) { c.Env["A"] = "\xff" }, "env.A: is not UTF-8 text"},
		{"two mounts", func(c *Config) { c.Mounts = append(c.Mounts, c.Mounts[0]) }, "mounts[1]: a machine takes one volume: keep one [[mounts]]"},
		{"no source", func(c *Config) { c.Mounts[0].Source = "" }, "mounts[0].source: is missing: name the volume"},
		{"source with a dash", func(c *Config) { c.Mounts[0].Source = "my-data" }, `mounts[0].source: "my-data" is not a volume name: use lowercase letters, digits and underscores`},
		{"longest source", func(c *Config) { c.Mounts[0].Source = strings.Repeat("a", 30) }, ""},
		{"source too long", func(c *Config) { c.Mounts[0].Source = strings.Repeat("a", 31) }, `mounts[0].source: "` + strings.Repeat("a", 31) + `" is longer than 30 characters`},
		{"no destination", func(c *Config) { c.Mounts[0].Destination = "" }, `mounts[0].destination: is missing: say where the volume is mounted, such as "/data"`},
		{"relative destination", func(c *Config) { c.Mounts[0].Destination = "data" }, `mounts[0].destination: "data" cannot be mounted on: use an absolute path that is not /`},
		{"destination /", func(c *Config) { c.Mounts[0].Destination = "//" }, `mounts[0].destination: "//" cannot be mounted on: use an absolute path that is not /`},
		{"volume too large", func(c *Config) { c.Mounts[0].InitialSizeGB = 501 }, "mounts[0].initial_size: 501 GB is not between 1 and 500 GB"},
		{"negative volume", func(c *Config) { c.Mounts[0].InitialSizeGB = -1 }, "mounts[0].initial_size: -1 GB is not between 1 and 500 GB"},
		{"limit too large", func(c *Config) { c.Mounts[0].AutoExtendLimitGB = 501 }, "mounts[0].auto_extend_size_limit: 501 GB is not between 1 and 500 GB"},
		{"threshold", func(c *Config) { c.Mounts[0].AutoExtendThresholdPercent = 49 }, "mounts[0].auto_extend_size_threshold: 49 is not between 50 and 99 percent"},
		{"no limit", func(c *Config) { c.Mounts[0].AutoExtendLimitGB = 0 }, "mounts[0]: the volume will not grow: auto_extend_size_threshold, _increment and _limit are needed together"},
		{"no extension", func(c *Config) { c.Mounts[0] = Mount{Source: "d", Destination: "/data"} }, ""},
		{"retention", func(c *Config) { c.Mounts[0].SnapshotRetentionDays = 61 }, "mounts[0].snapshot_retention: 61 is not between 1 and 60 days"},
		{"no port", func(c *Config) { c.HTTPService.InternalPort = 0 }, "http_service.internal_port: is missing: give the port that the app listens on"},
		{"port", func(c *Config) { c.HTTPService.InternalPort = 65536 }, "http_service.internal_port: 65536 is not a port: use 1 to 65535"},
		{"autostop", func(c *Config) { c.HTTPService.AutoStop = "yes" }, `http_service.auto_stop_machines: "yes" is not one of off, stop, suspend`},
		{"negative minimum", func(c *Config) { c.HTTPService.MinMachinesRunning = -1 }, "http_service.min_machines_running: -1 is negative"},
		{"concurrency type", func(c *Config) { c.HTTPService.Concurrency.Type = "users" }, `http_service.concurrency.type: "users" is not one of requests, connections`},
		{"negative limit", func(c *Config) { c.HTTPService.Concurrency.SoftLimit = -1 }, "http_service.concurrency.soft_limit: -1 is negative"},
		{"method", func(c *Config) { c.HTTPService.Checks[1].Method = "G T" }, `http_service.checks[1].method: "G T" is not a method: write it as in "GET"`},
		{"path", func(c *Config) { c.HTTPService.Checks[1].Path = "up" }, `http_service.checks[1].path: "up" does not begin with /`},
		{"header name", func(c *Config) { c.HTTPService.Checks[0].Headers["A B"] = "x" }, `http_service.checks[0].headers: "A B" is not the name of a header`},
		{"header value", func(c *Config) { c.HTTPService.Checks[0].Headers["A"] = "x\ny" }, "http_service.checks[0].headers.A: holds control characters, or is not UTF-8"},
		{"negative interval", func(c *Config) { c.HTTPService.Checks[0].Interval = -1 }, "http_service.checks[0].interval: -1ns is negative"},
		{"memory", func(c *Config) { c.VMs[0].MemoryMB = 300 }, "vm[0].memory: 300mb is not an amount of memory: use a multiple of 256mb"},
		{"all at once", func(c *Config) { c.App, c.PrimaryRegion, c.HTTPService = "", "x", nil },
			"app: is missing: name the app\n" + `primary_region: "x" is not a region: use its three lowercase letters, such as "iad" (fly platform regions lists them)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := full()
			tt.change(c)
			got := ""
			if err := c.Validate(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestValidatePlaces: problems of a parsed file point into it, and a missing key
// at the table that lacks it.
func TestValidatePlaces(t *testing.T) {
	c, err := Parse("fly.toml", []byte("app = 'Shop'\nprimary_region = 'iad'\n\n[mounts]\n  source = 'a-b'\n"))
	if err != nil {
		t.Fatal(err)
	}
	err = c.Validate()
	var got []string
	for _, line := range strings.Split(err.Error(), "\n") {
		place, _, _ := strings.Cut(line, ": ")
		got = append(got, place)
	}
	want := "fly.toml:1:1 fly.toml:4:2 fly.toml:5:3"
	if strings.Join(got, " ") != want {
		t.Errorf("places %v, want %s\n%v", got, want, err)
	}
	var p *Problem
	if !errors.As(err, &p) || p.Line != 1 || p.Col != 1 || p.Key != "app" {
		t.Errorf("first problem %+v, want app at 1:1", p)
	}
}
