package dev

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flysql/flysql/flyconf"
)

func TestChooseRegions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		asked, primary string
		want, err      string
	}{
		{asked: "", primary: "ord", want: "ord,sin,jnb"},
		{asked: "", primary: "ams", want: "ams,syd,gru"},
		{asked: "syd,ord,ams", primary: "ord", want: "ord,syd,ams"},
		{asked: "ord", primary: "ord", want: "ord"},
		{asked: "syd,ams", primary: "ord", err: "primary_region ord is not among the regions syd,ams"},
		{asked: "ord,ord", primary: "ord", err: "the region ord is given twice"},
		{asked: "ord,amx", primary: "ord", err: `"amx" is no region of Fly's: did you mean ams (Amsterdam)?`},
		{asked: "ord,", primary: "ord", err: `"" is no region of Fly's: there are ams, `},
		{asked: "ord,dro", primary: "ord", err: `did you mean ord (Chicago)?`},
	} {
		var asked []string
		if tt.asked != "" {
			asked = strings.Split(tt.asked, ",")
		}
		got, err := chooseRegions(asked, tt.primary)
		wantError(t, err, tt.err)
		if got := strings.Join(got, ","); got != tt.want {
			t.Errorf("%q with %s is %q, want %q", tt.asked, tt.primary, got, tt.want)
		}
	}
	if r := regionOf("ams"); fmt.Sprint(r) != "{ams Amsterdam 52.31 4.76  false 0}" {
		t.Error(r)
	}
}

// What runs where, as far as LiteFS is not looked for.
func TestMakePlan(t *testing.T) {
	t.Parallel()
	volume := plainFly + "[mounts]\n  source = \"data\"\n  destination = \"/data\"\n"
	for _, tt := range []struct {
		name, fly string
		litefs    bool
		o         Options
		want, err string
	}{
		{name: "a volume", fly: volume, want: "volume [ord]x1"},
		{name: "a volume in three regions", fly: volume, o: Options{Regions: []string{"ord", "ams"}}, want: "volume [ord]x1 the app has no litefs.yml, so each machine would have a database of its own: flysql init --mode litefs"},
		{name: "several machines", fly: volume, o: Options{PerRegion: 2}, want: "volume [ord]x1 the app has no litefs.yml, so each machine would have a database of its own: flysql init --mode litefs"},
		{name: "nothing to keep", fly: plainFly, want: "volume [ord]x1"},
		{name: "nothing to keep, anywhere", fly: plainFly, o: Options{Regions: []string{"ams", "ord"}, PerRegion: 2}, want: "volume [ord ams]x2"},
		{name: "LiteFS that nobody wants", fly: volume, litefs: true, o: Options{Single: true}, want: "volume [ord]x1 one machine was asked for"},
		{name: "a litefs that is not there", fly: volume, litefs: true, o: Options{LiteFS: "testdata/litefs"}, err: "testdata/litefs is no program: it was named as litefs"},
		{name: "too many", fly: plainFly, o: Options{Regions: []string{"ord"}, PerRegion: 65}, err: "65 machines in each of 1 regions: want 1 to 64 in all"},
		{name: "too few", fly: plainFly, o: Options{PerRegion: -1}, err: "-1 machines"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"fly.toml": tt.fly}
			if tt.litefs {
				files["litefs.yml"] = liteFSYML
			}
			tt.o.Dir, tt.o.Command = write(t, files), []string{"x"}
			a, err := readApp(t.Context(), tt.o)
			if err != nil {
				t.Fatal(err)
			}
			p, err := makePlan(tt.o, a)
			wantError(t, err, tt.err)
			if err != nil {
				return
			}
			if got := strings.TrimSpace(fmt.Sprintf("%s %vx%d %s", p.engine, p.regions, p.perRegion, p.why)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if n := len(p.machines()); n != len(p.regions)*p.perRegion {
				t.Errorf("%d machines", n)
			}
		})
	}
}

// flysql-entrypoint boots an app that has a SQLite database, and starts any other as it is.
func TestWithoutDatabase(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env     map[string]string
		secrets []string
		skip    bool
	}{
		{skip: true},
		{env: map[string]string{"DATABASE_URL": "postgres://db/shop"}, skip: true},
		{env: map[string]string{"DATABASE_URL": "postgres://db/shop", "FLYSQL_DB": "/data/x.db"}},
		{env: map[string]string{"DATABASE_URL": "file:///data/x.db"}},
		{env: map[string]string{"DATABASE_URL": "file:///data/x.db"}, secrets: []string{"DATABASE_URL=mysql:x"}, skip: true},
		{secrets: []string{"FLYSQL_DB=/data/x.db"}},
	} {
		if tt.env == nil {
			tt.env = map[string]string{}
		}
		c := &flyconf.Config{Env: tt.env}
		if got := withoutDatabase(c, tt.secrets).Env["FLYSQL_SKIP"] == "1"; got != tt.skip || c.Env["FLYSQL_SKIP"] != "" {
			t.Errorf("%v %v: skips %v, want %v", tt.env, tt.secrets, got, tt.skip)
		}
	}
}
