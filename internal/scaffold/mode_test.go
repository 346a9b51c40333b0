package scaffold

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPorts: who listens on what, in both modes and from one to the other.
func TestPorts(t *testing.T) {
	reads, fixed := shop, strings.Replace(shop, `":"+os.Getenv("PORT")`, `":3000"`, 1)
	routes, routesFixed := routing, strings.Replace(routing, `":"+os.Getenv("PORT")`, `":3000"`, 1)
	toml := func(internal, db string) string {
		return "-- fly.toml --\napp = 'shop'\n[env]\nDATABASE_URL = '" + db + "'\n[http_service]\ninternal_port = " + internal + "\n"
	}
	litefs := func(addr, target string) string {
		return "-- litefs.yml --\nproxy:\n  addr: \"" + addr + "\"\n  target: \"" + target + "\"\n"
	}
	tests := []struct {
		name, repo  string
		in          Answers
		port, proxy int
		from        Mode
	}{
		{"volume", reads, Answers{}, 8080, 0, ""},
		{"volume, fixed", fixed, Answers{}, 3000, 0, ""},
		{"volume, given", reads, Answers{Port: 4000}, 4000, 0, ""},
		{"litefs: the app moves", reads, Answers{Mode: LiteFS}, 8081, 8080, ""},
		{"litefs: the proxy moves", fixed, Answers{Mode: LiteFS}, 3000, 3001, ""},
		{"litefs, given", reads, Answers{Mode: LiteFS, Port: 4000}, 4000, 4001, ""},
		{"litefs, beside its own API", reads, Answers{Mode: LiteFS, Port: 20201}, 20201, 20203, ""},
		{"litefs, at the end", reads, Answers{Mode: LiteFS, Port: 65535}, 65535, 8080, ""},
		{"fly.toml's port", reads + toml("9000", "/data/shop.db"), Answers{}, 9000, 0, Volume},
		{"from volume: Fly's port stays", reads + toml("9000", "/data/shop.db"), Answers{Mode: LiteFS}, 9001, 9000, Volume},
		{"from volume: the code's port stays", fixed + toml("3000", "/data/shop.db"), Answers{Mode: LiteFS}, 3000, 3001, Volume},
		{"litefs stays", reads + toml("9000", "/litefs/shop.db") + litefs(":9000", "localhost:9999"), Answers{}, 9999, 9000, LiteFS},
		{"litefs, given again", reads + toml("9000", "/litefs/shop.db") + litefs(":9000", "localhost:9999"), Answers{Port: 9999}, 9999, 9000, LiteFS},
		{"back: the app takes Fly's port", reads + toml("9000", "/litefs/shop.db") + litefs(":9000", "localhost:9999"), Answers{Mode: Volume}, 9000, 0, LiteFS},
		{"back: Fly takes the code's port", fixed + toml("3001", "/litefs/shop.db") + litefs(":3001", "localhost:3000"), Answers{Mode: Volume}, 3000, 0, LiteFS},
		{"a router needs no proxy", routes, Answers{Mode: LiteFS}, 8080, 0, ""},
		{"a router, fixed", routesFixed, Answers{Mode: LiteFS}, 3000, 0, ""},
		{"a router, from volume", routes + toml("9000", "/data/shop.db"), Answers{Mode: LiteFS}, 9000, 0, Volume},
		{"a router, with a proxy until now", routes + toml("9000", "/litefs/shop.db") + litefs(":9000", "localhost:9999"), Answers{}, 9000, 0, LiteFS},
		{"a router, fixed, with a proxy until now", routesFixed + toml("3001", "/litefs/shop.db") + litefs(":3001", "localhost:3000"), Answers{}, 3000, 0, LiteFS},
		{"litefs.yml alone is not the mode", reads + toml("9000", "/data/shop.db") + litefs(":9000", "localhost:9999"), Answers{}, 9000, 0, Volume},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := detect(t, repo(t, tt.repo))
			a, err := f.Complete(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if a.Port != tt.port || a.Proxy != tt.proxy || a.From != tt.from {
				t.Errorf("port %d, proxy %d, from %q; want %d, %d, %q", a.Port, a.Proxy, a.From, tt.port, tt.proxy, tt.from)
			}
			again, err := f.Complete(a)
			if diff := cmp.Diff(a, again); err != nil || diff != "" {
				t.Errorf("complete answers change: %v (-once +twice):\n%s", err, diff)
			}
		})
	}
}

// TestWhereTheDatabaseWas: the steps of a change of the mode take along what there
// is, also where only the code, or nothing, says which file that is.
func TestWhereTheDatabaseWas(t *testing.T) {
	const mount = "-- fly.toml --\napp = 'shop'\nprimary_region = 'ams'\n[mounts]\nsource = 'v'\ndestination = '/data'\n"
	tests := []struct{ name, repo, db, step string }{
		{"fly.toml", shop + mount + "[env]\nDATABASE_URL = 'file:///data/x.db'\n", "/litefs/x.db", "--env FLYSQL_LITEFS_IMPORT=/data/x.db"},
		{"the code", strings.Replace(shop, `os.Getenv("DATABASE_URL")`, `sql.Open("sqlite", "/data/y.db")`, 1) + mount, "/litefs/y.db", "--env FLYSQL_LITEFS_IMPORT=/data/y.db"},
		{"nobody", shop + mount, "/litefs/shop.db", `fly ssh console -C "ls -l /data"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := plan(t, repo(t, tt.repo), Answers{Mode: LiteFS}, fakeFlysql("v1.0.0"))
			var commands []string
			for _, s := range p.Next {
				commands = append(commands, s.Command)
			}
			if text := strings.Join(commands, "\n"); p.Answers.DB != tt.db || !strings.Contains(text, tt.step) || !strings.Contains(text, "FLYSQL_LITEFS_IMPORT=/data/") {
				t.Errorf("database %s, want %s; steps:\n%s\nwant %s", p.Answers.DB, tt.db, text, tt.step)
			}
		})
	}
}

func TestParseRegions(t *testing.T) {
	got := ParseRegions([]string{"ams, syd", "ams", "", "ord,"})
	if diff := cmp.Diff([]string{"ams", "syd", "ord"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
