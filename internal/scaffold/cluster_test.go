package scaffold

import (
	"testing"
	"time"

	"github.com/flysql/flysql/entrypoint"
)

// What init counts with is what the entrypoint does.
func TestEntrypointsDefaults(t *testing.T) {
	if defaultGrace != entrypoint.DefaultGrace || defaultHandoff != entrypoint.DefaultHandoff {
		t.Errorf("init counts with %v and %v, the entrypoint with %v and %v", defaultGrace, defaultHandoff, entrypoint.DefaultGrace, entrypoint.DefaultHandoff)
	}
	env := map[string]string{}
	litefsEnv(Answers{Mode: LiteFS, Migrations: "migrations"}, env)
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	inv, err := entrypoint.FromEnv([]string{"app"}, environ)
	if err != nil || inv.Grace != litefsGrace || inv.MigrateFrom != entrypoint.FromAny {
		t.Errorf("the entrypoint reads %v as %v, %q, %v", environ, inv.Grace, inv.MigrateFrom, err)
	}
	if need := wayDown(env); need >= litefsKillTimeout {
		t.Errorf("kill_timeout is %v, and the way down takes %v", litefsKillTimeout, need)
	}
}

func TestWayDown(t *testing.T) {
	m := func(kv ...string) map[string]string {
		env := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			env[kv[i]] = kv[i+1]
		}
		return env
	}
	tests := []struct {
		name       string
		first, own map[string]string
		need, kill time.Duration
	}{
		{"nothing", nil, nil, 18 * time.Second, time.Minute},
		{"the first wins", m(graceVar, "30s"), m(graceVar, "1s", handoffVar, "5s"), 65 * time.Second, 75 * time.Second},
		{"no hand-over", m(handoffVar, "0", graceVar, "20s"), nil, 40 * time.Second, time.Minute},
		{"refused", m(graceVar, "20"), m(graceVar, "1m"), 18 * time.Second, time.Minute},
		{"empty", m(graceVar, ""), m(graceVar, "1m"), 130 * time.Second, 140 * time.Second},
		{"more than Fly gives", m(graceVar, "1000h"), nil, 5 * time.Minute, 5 * time.Minute},
		{"overflow", m(graceVar, "2562047h"), nil, 5 * time.Minute, 5 * time.Minute},
	}
	for _, tt := range tests {
		if need := wayDown(tt.first, tt.own); need != tt.need || litefsKill(need) != tt.kill {
			t.Errorf("%s: %v, kill_timeout %v; want %v, %v", tt.name, need, litefsKill(need), tt.need, tt.kill)
		}
	}
}
