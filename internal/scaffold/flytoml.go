package scaffold

import (
	"strconv"
	"strings"
	"time"

	"github.com/flysql/flysql/flyconf"
)

// Times that fly.toml and the entrypoint must agree on.
const (
	killTimeout = 30 * time.Second
	waitTimeout = 10 * time.Minute
)

// flyConfig is the fly.toml: for one machine with one volume, or for a machine
// with a volume in each region.
func (f *Facts) flyConfig(a Answers, m Main) *flyconf.Config {
	config := &flyconf.Config{
		App:           a.App,
		PrimaryRegion: a.Region,
		KillSignal:    "SIGTERM",
		KillTimeout:   killTimeout,
		Deploy:        &flyconf.Deploy{Strategy: "rolling", WaitTimeout: waitTimeout},
		Env:           f.env(a, m),
		Processes:     f.groups(a),
		Mounts:        []flyconf.Mount{mount(a)},
		HTTPService:   httpService(a, m),
		VMs:           []flyconf.VM{{Size: "shared-cpu-1x", MemoryMB: 512}},
	}
	if a.Mode == LiteFS {
		one := 1.0
		config.KillTimeout = litefsKill(wayDown(config.Env, f.imageEnv()))
		config.Deploy.MaxUnavailable = &one
	}
	if web := f.web(a, m); web != "" {
		config.Mounts[0].Processes = []string{web}
		config.HTTPService.Processes = []string{web}
	}
	return config
}

// env are the variables that the app and the entrypoint must have.
func (f *Facts) env(a Answers, m Main) map[string]string {
	env := map[string]string{
		m.Database.variable(): f.databaseValue(a, m),
		"PORT":                strconv.Itoa(a.Port),
	}
	for _, name := range m.PortVars {
		env[name] = strconv.Itoa(a.Port)
	}
	if a.Mode == LiteFS {
		litefsEnv(a, env)
	}
	if command := f.migrateCommand(a, m); command != "" {
		env["FLYSQL_MIGRATE"] = command
	}
	return env
}

// databaseValue is what the variable holds: as the Dockerfile has it, where that is
// right.
func (f *Facts) databaseValue(a Answers, m Main) string {
	d := m.Database
	if f.Docker != nil && d.variable() != entrypointDB {
		if value := f.Docker.Env[d.variable()]; d.in(d.variable(), value) == a.DB {
			return value
		}
	}
	return d.value(a.DB)
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) + "s" }

func mount(a Answers) flyconf.Mount {
	m := flyconf.Mount{
		Source:                a.volume(),
		Destination:           a.mount(),
		InitialSizeGB:         a.SizeGB,
		SnapshotRetentionDays: 14,
	}
	if limit := growthLimitGB(a.SizeGB); limit > a.SizeGB { // else it cannot grow
		m.AutoExtendThresholdPercent, m.AutoExtendIncrementGB, m.AutoExtendLimitGB = 80, 1, limit
	}
	return m
}

func httpService(a Answers, m Main) *flyconf.HTTPService {
	start := a.Mode != LiteFS
	service := &flyconf.HTTPService{
		InternalPort: a.listens(),
		ForceHTTPS:   true,
		AutoStop:     "stop",
		AutoStart:    &start,
		Concurrency:  &flyconf.Concurrency{Type: "requests", SoftLimit: 200, HardLimit: 250},
	}
	for _, path := range healthPaths(a, m) {
		service.Checks = append(service.Checks, check(path))
	}
	if a.Mode == LiteFS {
		service.AutoStop = "off"
	}
	return service
}

// litefsHealth is where LiteFS's proxy says how far the machine lags behind.
const litefsHealth = "/litefs/health"

// healthPaths are what Fly asks a machine to find out whether it is well.
func healthPaths(a Answers, m Main) []string {
	if a.proxied() {
		return []string{litefsHealth, m.Health}
	}
	return []string{m.Health}
}

func check(path string) flyconf.HTTPCheck {
	return flyconf.HTTPCheck{
		Method:      "GET",
		Path:        path,
		Interval:    15 * time.Second,
		Timeout:     5 * time.Second,
		GracePeriod: 30 * time.Second,
		Headers:     map[string]string{"X-Forwarded-Proto": "https"},
	}
}

// growthLimitGB is how far the volume may grow by itself: ten times its size,
// within what Fly allows.
func growthLimitGB(sizeGB int) int { return min(10*sizeGB, 500) }

// flyComments says why the file is as it is, for whoever edits it.
func (f *Facts) flyComments(a Answers, m Main) flyconf.Comments {
	stop := "Go servers stop on SIGTERM."
	if m.Framework != "" || m.Database.Scheme != "" {
		stop = "most servers stop on SIGTERM."
	}
	comments := flyconf.Comments{
		"": "How Fly.io runs " + a.App + ". Written by flysql init; yours to edit.\n" +
			"https://fly.io/docs/reference/configuration/",

		"kill_signal": "Named because Fly's documents disagree on the default; " + stop + "\n" +
			"kill_timeout is what the app has to finish its requests.",

		"deploy": "One machine at a time: canary and bluegreen cannot be used with a volume.\n" +
			"No release_command either: it runs on a machine that has no volume. Migrations\n" +
			"run at boot, by flysql-entrypoint, before the app starts; wait_timeout covers them.",

		"env." + m.Database.variable(): "On the volume below. Whatever is written elsewhere is lost with the machine.",
		"env.FLYSQL_MIGRATE":           "What was the release_command: flysql-entrypoint runs it where the volume is.",

		"processes": "Each group has machines of its own. Only the one with the volume has the database;\n" +
			"the others begin with " + skipFlag + ", for flysql-entrypoint, which stands before them all.",

		"mounts": "The first fly deploy makes the volume, with initial_size. It belongs to one\n" +
			"machine: a second machine would have a second, empty database. Above the threshold\n" +
			"(percent) it grows by the increment up to the limit.",
		"mounts.snapshot_retention": "Days that Fly keeps its daily snapshots. They reach up to a day back only.",

		"http_service.min_machines_running": "0: an idle machine is stopped, and started by the next request. 1 keeps it\n" +
			"running, for work between requests.",
		"http_service.checks.headers": "As the proxy would: an app that redirects http to https would fail the check.",
	}
	if a.Mode == LiteFS {
		litefsComments(comments, a, m, stop)
	}
	return comments
}

// litefsComments are those that LiteFS gives another reason.
func litefsComments(c flyconf.Comments, a Answers, m Main, stop string) {
	c["kill_signal"] = "Named because Fly's documents disagree on the default; " + stop + "\n" +
		"Of kill_timeout, the app has FLYSQL_GRACE to finish its requests, another machine\n" +
		"10 seconds to become the primary (FLYSQL_HANDOFF), and LiteFS FLYSQL_GRACE again."
	c["deploy"] = "One machine at a time, so that there is always one to write to.\n" +
		"No release_command: it runs on a machine that has no volume. Migrations run at\n" +
		"boot, by flysql-entrypoint, before the app starts, and wait_timeout covers them."
	c["env."+migrateFromVar] = "Whichever machine a deploy reaches first migrates: it becomes the primary for that,\n" +
		"so a plain fly deploy works in every order of the machines."
	c["env.FLYSQL_MIGRATE"] = "What was the release_command: flysql-entrypoint runs it, on the primary alone. So a\n" +
		"deploy begins there: fly deploy --only-regions " + a.Region + ", then fly deploy."
	c["env."+m.Database.variable()] = "LiteFS's directory: what is written here reaches the other machines. Whatever is\n" +
		"written elsewhere stays on one."
	c["mounts"] = "LiteFS keeps its own files here, in " + litefsData(a) + ": a volume for each machine.\n" +
		"The first fly deploy makes the first one, with initial_size. Above the threshold\n" +
		"(percent) it grows by the increment up to the limit."
	c["http_service.auto_stop_machines"] = "Off, both: a machine that slept through writes could become the primary when it\n" +
		"wakes, and newer rows of the others would be dropped."
	delete(c, "http_service.min_machines_running")
	if !a.proxied() {
		c["http_service.internal_port"] = "The app: with flysql's package replay it sends writes to the primary by itself."
		return
	}
	c["http_service.internal_port"] = "LiteFS's proxy, which sends writes to the primary. The app is behind it, on PORT."
	c["http_service.checks"] = "LiteFS's answer fails while this machine lags behind the primary; the app's own\n" +
		"comes next."
}

// renderFlyTOML writes fly.toml.
func (f *Facts) renderFlyTOML(a Answers, m Main) (File, error) {
	content, err := flyconf.Render(f.flyConfig(a, m), f.flyComments(a, m))
	if err != nil {
		return File{}, err
	}
	other := f.otherMode(a, m)
	own, err := flyconf.Render(f.flyConfig(other, m), f.flyComments(other, m))
	if err != nil {
		return File{}, err
	}
	return File{Path: "fly.toml", Content: content, Edit: f.flyEdit(a, m, content), Own: [][]byte{own}}, nil
}

// migrateCommand is what FLYSQL_MIGRATE is to be: the command that migrated before
// a release until now, where nothing else migrates and the image can run it.
func (f *Facts) migrateCommand(a Answers, m Main) string {
	if f.Fly == nil || a.Migrations != NoMigrations {
		return ""
	}
	if command := f.Fly.Env["FLYSQL_MIGRATE"]; command != "" {
		return command
	}
	if f.Fly.Release == "" || !f.runs(f.Fly.Release) {
		return ""
	}
	return f.Fly.Release
}

// runs tells whether the image can run a command: any that it ran until now, where
// the Dockerfile is the user's; those of its programs, where init writes it.
func (f *Facts) runs(command string) bool {
	if f.Docker != nil && !f.Docker.Written {
		return true
	}
	m, ok := f.started(command)
	if !ok {
		return false
	}
	word, _, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(command, skipFlag)), " ")
	return word == m.Binary || word == "/usr/local/bin/"+m.Binary
}
