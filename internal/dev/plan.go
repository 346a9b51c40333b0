package dev

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/edge"
)

// plan is what runs where.
type plan struct {
	regions   []string
	perRegion int
	engine    string // as State.Engine
	why       string
	litefs    string // the path of litefs.yml; "" without LiteFS
	program   string // the directory of the program litefs; "" is PATH's
	config    *flyconf.Config
}

// The engines of State.
const (
	EngineLiteFS = "litefs"
	EngineVolume = "volume"
)

func makePlan(o Options, a *app) (plan, error) {
	regions, err := chooseRegions(o.Regions, a.config.PrimaryRegion)
	if err != nil {
		return plan{}, err
	}
	p := plan{regions: regions, perRegion: cmp.Or(o.PerRegion, 1), engine: EngineVolume, config: a.config}
	if n := p.perRegion * len(regions); o.PerRegion < 0 || n > maxMachines {
		return plan{}, fmt.Errorf("%d machines in each of %d regions: want 1 to %d in all", o.PerRegion, len(regions), maxMachines)
	}
	single := func(why string) {
		p.regions, p.perRegion, p.config = regions[:1], 1, a.withoutLiteFS()
		p.why = why
	}
	switch {
	case a.litefs != "" && o.Single:
		single("one machine was asked for")
	case a.litefs != "":
		dir, why, err := findLiteFS(o)
		if err != nil {
			return plan{}, err
		}
		if why != "" {
			single(why)
			break
		}
		p.engine, p.litefs, p.program = EngineLiteFS, a.litefs, dir
	case len(a.config.Mounts) == 0 && len(o.Regions) > 0: // nothing to keep: any number of machines
	default:
		single("")
		if len(o.Regions) > 1 || o.PerRegion > 1 {
			p.why = "the app has no litefs.yml, so each machine would have a database of its own: flysql init --mode litefs"
		}
	}
	if p.litefs == "" {
		p.config = withoutDatabase(p.config, o.Env)
	}
	p.config = checkedAtOnce(p.config)
	return p, nil
}

// withoutDatabase is a configuration by which flysql-entrypoint starts an app that has no
// SQLite database: it has nothing to do then, and would refuse.
func withoutDatabase(c *flyconf.Config, secrets []string) *flyconf.Config {
	env := maps.Clone(c.Env)
	for _, one := range secrets {
		name, value, _ := strings.Cut(one, "=")
		env[name] = value
	}
	scheme, _, _ := strings.Cut(env["DATABASE_URL"], ":")
	server := slices.Contains([]string{"postgres", "postgresql", "mysql"}, scheme)
	if env["FLYSQL_DB"] != "" || env["FLYSQL_SKIP"] != "" || env["DATABASE_URL"] != "" && !server {
		return c
	}
	skip := *c
	skip.Env = maps.Clone(c.Env)
	skip.Env["FLYSQL_SKIP"] = "1"
	return &skip
}

// checkedAtOnce is a configuration whose checks have no grace period: they begin when the app
// listens, and who waits for them is somebody.
func checkedAtOnce(c *flyconf.Config) *flyconf.Config {
	now := *c
	if c.HTTPService != nil {
		h := *c.HTTPService
		h.Checks = slices.Clone(h.Checks)
		for i := range h.Checks {
			h.Checks[i].GracePeriod = 0
		}
		now.HTTPService = &h
	}
	now.Services = slices.Clone(c.Services)
	for i := range now.Services {
		v := &now.Services[i]
		v.TCPChecks, v.HTTPChecks = slices.Clone(v.TCPChecks), slices.Clone(v.HTTPChecks)
		for j := range v.TCPChecks {
			v.TCPChecks[j].GracePeriod = 0
		}
		for j := range v.HTTPChecks {
			v.HTTPChecks[j].GracePeriod = 0
		}
	}
	return &now
}

// machines are those that there will be.
func (p plan) machines() []Machine {
	all := []Machine{}
	for _, r := range p.regions {
		for n := range p.perRegion {
			all = append(all, Machine{ID: fmt.Sprintf("%s%d", r, n+1), Region: r, State: edge.Stopped.String(), Databases: []Database{}, Checks: []Check{}})
		}
	}
	return slices.Clip(all)
}
