package scaffold

import (
	"strconv"
	"time"

	"github.com/flysql/flysql/flyconf"
)

// flyConfig is the fly.toml for one machine with one volume.
func flyConfig(a Answers, m Main) *flyconf.Config {
	autoStart := true
	env := map[string]string{
		m.Database.variable(): m.Database.value(a.DB),
		"PORT":                strconv.Itoa(a.Port),
	}
	for _, name := range m.PortVars {
		env[name] = strconv.Itoa(a.Port)
	}
	return &flyconf.Config{
		App:           a.App,
		PrimaryRegion: a.Region,
		KillSignal:    "SIGTERM",
		KillTimeout:   30 * time.Second,
		Deploy:        &flyconf.Deploy{Strategy: "rolling", WaitTimeout: 10 * time.Minute},
		Env:           env,
		Mounts: []flyconf.Mount{{
			Source:                     a.volume(),
			Destination:                a.mount(),
			InitialSizeGB:              a.SizeGB,
			AutoExtendThresholdPercent: 80,
			AutoExtendIncrementGB:      1,
			AutoExtendLimitGB:          growthLimitGB(a.SizeGB),
			SnapshotRetentionDays:      14,
		}},
		HTTPService: &flyconf.HTTPService{
			InternalPort: a.Port,
			ForceHTTPS:   true,
			AutoStop:     "stop",
			AutoStart:    &autoStart,
			Concurrency:  &flyconf.Concurrency{Type: "requests", SoftLimit: 200, HardLimit: 250},
			Checks: []flyconf.HTTPCheck{{
				Method:      "GET",
				Path:        m.Health,
				Interval:    15 * time.Second,
				Timeout:     5 * time.Second,
				GracePeriod: 30 * time.Second,
				Headers:     map[string]string{"X-Forwarded-Proto": "https"},
			}},
		},
		VMs: []flyconf.VM{{Size: "shared-cpu-1x", MemoryMB: 512}},
	}
}

// growthLimitGB is how far the volume may grow by itself: ten times its size,
// within what Fly allows.
func growthLimitGB(sizeGB int) int { return min(10*sizeGB, 500) }

// flyComments says why the file is as it is, for whoever edits it.
func flyComments(a Answers, m Main) flyconf.Comments {
	stop := "Go servers stop on SIGTERM."
	if m.Framework != "" || m.Database.Scheme != "" {
		stop = "most servers stop on SIGTERM."
	}
	return flyconf.Comments{
		"": "How Fly.io runs " + a.App + ". Written by flysql init; yours to edit.\n" +
			"https://fly.io/docs/reference/configuration/",

		"kill_signal": "Named because Fly's documents disagree on the default; " + stop + "\n" +
			"kill_timeout is what the app has to finish its requests.",

		"deploy": "One machine at a time: canary and bluegreen cannot be used with a volume.\n" +
			"No release_command either: it runs on a machine that has no volume. Migrations\n" +
			"run at boot, by flysql-entrypoint, before the app starts; wait_timeout covers them.",

		"env." + m.Database.variable(): "On the volume below. Whatever is written elsewhere is lost with the machine.",

		"mounts": "The first fly deploy makes the volume, with initial_size. It belongs to one\n" +
			"machine: a second machine would have a second, empty database. Above the threshold\n" +
			"(percent) it grows by the increment up to the limit.",
		"mounts.snapshot_retention": "Days that Fly keeps its daily snapshots. They reach up to a day back only.",

		"http_service.min_machines_running": "0: an idle machine is stopped, and started by the next request. 1 keeps it\n" +
			"running, for work between requests.",
		"http_service.checks.headers": "As the proxy would: an app that redirects http to https would fail the check.",
	}
}

// renderFlyTOML writes fly.toml.
func renderFlyTOML(a Answers, m Main) (File, error) {
	content, err := flyconf.Render(flyConfig(a, m), flyComments(a, m))
	if err != nil {
		return File{}, err
	}
	return File{Path: "fly.toml", Content: content}, nil
}
