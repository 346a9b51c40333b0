package scaffold

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// What fly.toml and flysql-entrypoint must agree on beside LiteFS. The entrypoint
// stays beside the app: when the machine is stopped it ends the app, has another
// machine become the primary, then ends LiteFS. docs/entrypoint.md says how long each
// may take.
const (
	graceVar       = "FLYSQL_GRACE"
	handoffVar     = "FLYSQL_HANDOFF"
	migrateFromVar = "FLYSQL_MIGRATE_FROM"

	litefsKillTimeout = 60 * time.Second
	litefsGrace       = 20 * time.Second
	// litefsMigrateFrom lets whichever machine a deploy reaches first migrate: so it
	// works in every order of the machines.
	litefsMigrateFrom = "any"

	// The entrypoint's own defaults: a test holds them to it.
	defaultGrace   = 4 * time.Second
	defaultHandoff = 10 * time.Second
	// maxKillTimeout is Fly's.
	maxKillTimeout = 300 * time.Second
)

// wayDown is how long the entrypoint may take to end app and LiteFS, by the first of
// the environments that says so.
func wayDown(envs ...map[string]string) time.Duration {
	read := func(name string, fallback time.Duration) time.Duration {
		for _, env := range envs {
			value, there := env[name]
			if d, err := time.ParseDuration(value); err == nil && d >= 0 {
				return min(d, maxKillTimeout)
			}
			if there && value != "" {
				break // the entrypoint refuses it
			}
		}
		return fallback
	}
	return min(2*read(graceVar, defaultGrace)+read(handoffVar, defaultHandoff), maxKillTimeout)
}

// litefsKill is the kill_timeout that leaves room for the way down.
func litefsKill(need time.Duration) time.Duration {
	if need < litefsKillTimeout {
		return litefsKillTimeout
	}
	return min(need+10*time.Second, maxKillTimeout)
}

// imageEnv are the variables that the Dockerfile sets.
func (f *Facts) imageEnv() map[string]string {
	if f.Docker == nil {
		return nil
	}
	return f.Docker.Env
}

// litefsEnv are the entrypoint's settings beside LiteFS.
func litefsEnv(a Answers, env map[string]string) {
	env[graceVar] = seconds(litefsGrace)
	if a.Migrations != NoMigrations {
		env[migrateFromVar] = litefsMigrateFrom
	}
}

// killTimeout leaves room for the way down, by the variables as they will be.
func (e *flyEditor) killTimeout() {
	have := e.config.KillTimeout
	if e.Answers.Mode != LiteFS {
		if have == 0 {
			e.take("kill_timeout")
		}
		return
	}
	switch need := wayDown(e.config.Env, e.Env, e.Image); {
	case have == 0 && litefsKill(need) == litefsKillTimeout:
		e.take("kill_timeout")
	case have <= need && have < maxKillTimeout:
		e.set("kill_timeout", litefsKill(need))
	}
}

// forget takes out what only LiteFS's mode has, where it is as init wrote it.
func (e *flyEditor) forget() {
	if e.Answers.Mode == LiteFS {
		return
	}
	set := map[string]string{}
	litefsEnv(Answers{Mode: LiteFS}, set)
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if e.config.Env[name] == set[name] {
			e.remove("env." + name)
		}
	}
}

// restart has a machine with LiteFS started again when its node was given up: that
// ends with exit code 1.
func (e *flyEditor) restart() {
	if e.Answers.Mode != LiteFS {
		return
	}
	for i, r := range e.config.Restart {
		its := len(r.Processes) == 0 && (e.Web == "" || e.config.DefaultGroup() == e.Web) || slices.Contains(r.Processes, e.Web)
		if its && r.Policy == "never" {
			e.set("restart["+strconv.Itoa(i)+"].policy", "on-failure")
		}
	}
}
