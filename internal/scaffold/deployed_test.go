package scaffold

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const deployed = "-- fly.toml --\napp = 'shop'\nprimary_region = 'ams'\n[mounts]\nsource = 'v'\ndestination = '/data'\n"

// databaseIn is the shop with another way to its database.
func databaseIn(code string) string {
	return strings.Replace(shop, `os.Getenv("DATABASE_URL")`, code, 1)
}

// TestDatabaseOfRunningApp: an app that runs keeps its database, wherever it is named.
// Another name would be another, empty database.
func TestDatabaseOfRunningApp(t *testing.T) {
	const (
		fallback = `path := os.Getenv("SHOP_DB"); if path == "" { path = "/data/prod.db" }; sql.Open("sqlite", path)`
		dir      = `sql.Open("sqlite", filepath.Join(os.Getenv("DATA_DIR"), "notes.db"))`
		reads    = `sql.Open("sqlite", os.Getenv("SHOP_DB"))`
		mount    = "-- litefs.yml --\nfuse:\n  dir: /litefs\ndata:\n  dir: /data/litefs\nproxy:\n  db: prod.db\n"
	)
	docker := func(env string) string {
		return "-- Dockerfile --\nFROM debian\n" + env + "\nCMD [\"shop\"]\n"
	}
	tests := []struct {
		name, repo string
		mode       Mode
		db, env    string // the line of fly.toml
		unsaid     bool   // which database is on the volume
	}{
		{"the code's default", databaseIn(fallback) + deployed, Volume, "/data/prod.db", `SHOP_DB = "/data/prod.db"`, false},
		{"the code's default, elsewhere", databaseIn(strings.Replace(fallback, "/data/", "/var/", 1)) + deployed, Volume, "/data/shop.db", `SHOP_DB = "/data/shop.db"`, false},
		{"two defaults", databaseIn(strings.Replace(fallback, `sql.Open`, `path = "/data/b.db"; sql.Open`, 1)) + deployed, Volume, "/data/shop.db", `SHOP_DB = "/data/shop.db"`, false},
		{"the image's variable, as it is written", databaseIn(reads) + deployed + docker(`ENV SHOP_DB="/data/prod.sqlite?_fk=1"`), Volume, "/data/prod.sqlite", `SHOP_DB = "/data/prod.sqlite?_fk=1"`, false},
		{"the image's variable, by another", databaseIn(reads) + deployed + docker("ENV DIR=/data\nENV SHOP_DB=$DIR/prod.db"), Volume, "/data/prod.db", `SHOP_DB = "/data/prod.db"`, false},
		{"the image's variable, not on the volume", databaseIn(reads) + deployed + docker("ENV SHOP_DB=/app/dev.db"), Volume, "/data/shop.db", `SHOP_DB = "/data/shop.db"`, false},
		{"fly.toml goes before the image", databaseIn(reads) + deployed + "[env]\nSHOP_DB = '/data/a.db'\n" + docker("ENV SHOP_DB=/data/b.db"), Volume, "/data/a.db", `SHOP_DB = '/data/a.db'`, false},
		{"a directory", databaseIn(dir) + deployed, Volume, "/data/notes.db", `DATA_DIR = "/data"`, true},
		{"a directory in fly.toml", databaseIn(dir) + deployed + "[env]\nDATA_DIR = '/data/' # ours\n", Volume, "/data/notes.db", "DATA_DIR = '/data/' # ours", false},
		{"a directory in the image", databaseIn(dir) + deployed + docker("ENV DATA_DIR=/data"), Volume, "/data/notes.db", `DATA_DIR = "/data"`, false},
		{"a directory that is wrong", databaseIn(dir) + deployed + "[env]\nDATA_DIR = './data' # ours\n", Volume, "/data/notes.db", "DATA_DIR = '/data' # ours", true},
		{"LiteFS, of which the image alone tells", databaseIn(reads) + deployed + mount + docker("COPY --from=flyio/litefs:0.5 /usr/local/bin/litefs /usr/local/bin/litefs"), LiteFS, "/litefs/prod.db", `SHOP_DB = "/litefs/prod.db"`, false},
		{"LiteFS by the image's variable", databaseIn(reads) + deployed + mount + docker("ENV LITEFS_DIR=/litefs\nENV SHOP_DB=$LITEFS_DIR/sqlite.db"), LiteFS, "/litefs/sqlite.db", `SHOP_DB = "/litefs/sqlite.db"`, false},
		{"litefs.yml that no image uses", databaseIn(reads) + deployed + mount, Volume, "/data/shop.db", `SHOP_DB = "/data/shop.db"`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := repo(t, tt.repo)
			p := plan(t, dir, Answers{}, fakeFlysql("v1.0.0"))
			if p.Answers.DB != tt.db || p.Answers.Mode != tt.mode || p.Answers.From != tt.mode {
				t.Errorf("database %s, mode %s from %q; want %s, %s", p.Answers.DB, p.Answers.Mode, p.Answers.From, tt.db, tt.mode)
			}
			unknown := strings.Contains(strings.Join(p.Notes, "\n"), "no file says which database is on it")
			if guessed := tt.db == "/data/shop.db" || tt.unsaid; unknown != guessed {
				t.Errorf("notes %q", p.Notes)
			}
			changes, err := p.Compare(false)
			if err != nil {
				t.Fatal(err)
			}
			if err := changes.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			toml, err := os.ReadFile(filepath.Join(dir, "fly.toml"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(toml), tt.env+"\n") {
				t.Errorf("fly.toml lacks %q:\n%s", tt.env, toml)
			}
			again, err := plan(t, dir, Answers{}, fakeFlysql("v1.0.0")).Compare(false)
			if err != nil {
				t.Fatal(err)
			}
			if again.Pending() {
				t.Error("a second run changes something")
			}
		})
	}
}

// TestDirectoryVariable: where the code names the file, --db cannot name another, and
// LiteFS's directory is no place for others.
func TestDirectoryVariable(t *testing.T) {
	f := detect(t, repo(t, databaseIn(`sql.Open("sqlite", filepath.Join(os.Getenv("DATA_DIR"), "notes.db"))`)))
	tests := []struct {
		in   Answers
		want string // of the error
		note string
	}{
		{Answers{}, "", ""},
		{Answers{DB: "/data/notes.db"}, "", ""},
		{Answers{DB: "/data/shop.db"}, `--db "/data/shop.db": the code opens "notes.db" (main.go:11) in the directory that DATA_DIR names: give /data/notes.db`, ""},
		{Answers{Mode: LiteFS}, "", "DATA_DIR names LiteFS's directory now (main.go:11), which takes databases only"},
	}
	for _, tt := range tests {
		a, err := f.Complete(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		p, err := f.Plan(a, fakeFlysql("v1.0.0"))
		if tt.want != "" {
			if err == nil || err.Error() != tt.want {
				t.Errorf("%+v: %v; want %s", tt.in, err, tt.want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		notes := strings.Join(p.Notes, "\n")
		if !strings.Contains(notes, tt.note) || tt.note == "" && strings.Contains(notes, "DATA_DIR") {
			t.Errorf("%+v: notes\n%s\nwant %q", tt.in, notes, tt.note)
		}
	}
}

// TestLiteFSMountStartsTheApp: what litefs mount ran becomes the image's command.
func TestLiteFSMountStartsTheApp(t *testing.T) {
	litefs := func(exec string) string {
		return deployed + "-- litefs.yml --\nfuse:\n  dir: /litefs\ndata:\n  dir: /data/litefs\n" + exec
	}
	const execs = "exec:\n  - cmd: \"shop migrate\"\n    if-candidate: true\n  - cmd: \"shop -addr :8081\"\n"
	tests := []struct{ name, image, exec, command, note string }{
		{"exec form", `ENTRYPOINT ["litefs", "mount"]`, execs, "shop -addr :8081", `"shop migrate", which it ran before, is not run any more`},
		{"shell form", "ENTRYPOINT litefs mount", execs, "shop -addr :8081", ""},
		{"CMD", `CMD ["/usr/local/bin/litefs", "mount"]`, execs, "shop -addr :8081", ""},
		{"behind --", `ENTRYPOINT ["litefs", "mount", "--", "shop", "-v"]`, "", "shop -v", ""},
		{"a list of one", `ENTRYPOINT ["litefs", "mount"]`, "exec: \"shop ${X}\"\n", `sh -c 'exec shop ${X}'`, ""},
		{"nothing to run", `ENTRYPOINT ["litefs", "mount"]`, "", "", ""},
		{"another program", `ENTRYPOINT ["mount", "litefs"]`, "", "-", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := detect(t, repo(t, shop+litefs(tt.exec)+"-- Dockerfile --\nFROM debian\nCOPY --from=flyio/litefs:0.5 /usr/local/bin/litefs /usr/local/bin/\n"+tt.image+"\n"))
			a, err := f.Complete(Answers{})
			if tt.command == "" {
				if err == nil || !strings.HasPrefix(err.Error(), "--command is missing: the Dockerfile runs litefs mount") {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.command == "-" {
				tt.command = ""
			}
			if a.Command != tt.command {
				t.Errorf("command %q, want %q", a.Command, tt.command)
			}
			p, err := f.Plan(a, fakeFlysql("v1.0.0"))
			if err != nil {
				t.Fatal(err)
			}
			if notes := strings.Join(p.Notes, "\n"); !strings.Contains(notes, tt.note) {
				t.Errorf("notes:\n%s\nwant %s", notes, tt.note)
			}
		})
	}
}

// TestDockerfileComments: those of the other mode do not stay in a Dockerfile that its
// owner went on with. The template has each of them, or the list is out of date.
func TestDockerfileComments(t *testing.T) {
	archive := databaseIn(`sql.Open("sqlite", os.Getenv("SHOP_DB"))`)
	rendered := map[Mode]string{}
	for _, mode := range []Mode{Volume, LiteFS} {
		p := plan(t, repo(t, archive), Answers{Mode: mode, Region: "ams"}, fakeFlysql("v1.0.0"))
		rendered[mode] = string(p.Files[1].Content)
	}
	comment := func(s string) string { return "# " + strings.ReplaceAll(s, "\n", "\n# ") + "\n" }
	for _, c := range dockerComments {
		if c.litefs != rootComment && !strings.Contains(rendered[LiteFS], comment(c.litefs)) {
			t.Errorf("the template has no comment\n%s", c.litefs)
		}
		if c.volume != "" && c.litefs != rootComment && !strings.Contains(rendered[Volume], comment(c.volume)) {
			t.Errorf("the template has no comment\n%s", c.volume)
		}
	}
	dir := repo(t, archive)
	name := filepath.Join(dir, "Dockerfile")
	for _, mode := range []Mode{LiteFS, Volume, LiteFS, Volume} {
		changes, err := plan(t, dir, Answers{Mode: mode, Region: "ams"}, fakeFlysql("v1.0.0")).Compare(false)
		if err != nil {
			t.Fatal(err)
		}
		if err := changes.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		if mode == Volume && strings.Contains(text, "LiteFS") {
			t.Errorf("LiteFS has gone, and is spoken of:\n%s", text)
		}
		if mode == LiteFS && strings.Contains(text, "FLYSQL_USER, and runs migrations") {
			t.Errorf("in LiteFS mode:\n%s", text)
		}
		if !strings.Contains(text, "ENV MINE=1") { // the owner goes on with it
			if err := os.WriteFile(name, []byte(strings.Replace(text, "EXPOSE", "ENV MINE=1\nEXPOSE", 1)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestLiteFSByVariables is a shape that templates have: litefs.yml in a directory that
// only the Dockerfile names, and in it the image's variables.
func TestLiteFSByVariables(t *testing.T) {
	const app = `
-- package.json --
{"scripts": {"start": "node ."}}
-- other/litefs.yml --
# Documented elsewhere.
fuse:
  # Required.
  dir: "${LITEFS_DIR}"
data:
  dir: "/data/litefs"
proxy:
  addr: ":${INTERNAL_PORT}"
  target: "localhost:${PORT}"
  db: "${DATABASE_FILENAME}"
lease:
  type: "consul"
  candidate: ${FLY_REGION == PRIMARY_REGION}
  promote: true
  advertise-url: "http://${HOSTNAME}.vm.${FLY_APP_NAME}.internal:20202"
  consul:
    url: "${FLY_CONSUL_URL}"
    key: "stack/${FLY_APP_NAME}"
exec:
  - cmd: npx prisma migrate deploy
    if-candidate: true
  - cmd: npm start
-- Dockerfile --
FROM node:22-bookworm-slim AS base
RUN apt-get update && apt-get install -y fuse3 openssl sqlite3 ca-certificates
FROM base
ENV LITEFS_DIR="/litefs/data"
ENV DATABASE_FILENAME="sqlite.db"
ENV DATABASE_PATH="$LITEFS_DIR/$DATABASE_FILENAME"
ENV DATABASE_URL="file:$DATABASE_PATH"
ENV INTERNAL_PORT="8080"
ENV PORT="8081"
WORKDIR /myapp
ADD . .
COPY --from=flyio/litefs:0.5.11 /usr/local/bin/litefs /usr/local/bin/litefs
ADD other/litefs.yml /etc/litefs.yml
CMD ["litefs", "mount"]
-- fly.toml --
app = "stack"
primary_region = "sjc"
[mounts]
source = "data"
destination = "/data"
[[services]]
internal_port = 8080
protocol = "tcp"
`
	dir := repo(t, app)
	p := plan(t, dir, Answers{}, fakeFlysql("v1.0.0"))
	a := p.Answers
	if a.Mode != LiteFS || a.From != LiteFS || a.DB != "/litefs/data/sqlite.db" || a.FUSE != "/litefs/data" || a.Proxy != 8080 || a.Port != 8081 || a.Command != "npm start" {
		t.Errorf("answers %+v", a)
	}
	changes, err := p.Compare(false)
	if err != nil {
		t.Fatal(err)
	}
	if err := changes.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "other/litefs.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Documented elsewhere.", `dir: "${LITEFS_DIR}"`, `addr: ":${INTERNAL_PORT}"`, `target: "localhost:${PORT}"`, `db: "${DATABASE_FILENAME}"`, "promote: false"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("other/litefs.yml lacks %s:\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "exec") {
		t.Errorf("other/litefs.yml has exec:\n%s", got)
	}
}

// TestNoEmptyListStays: to LiteFS and back, a file without checks has none again.
func TestNoEmptyListStays(t *testing.T) {
	for _, service := range []string{"http_service.internal_port = 8080\n", "[http_service]\ninternal_port = 8080\n", "http_service = { internal_port = 8080 }\n", "[[services]]\ninternal_port = 8080\n"} {
		dir := repo(t, shop+"-- fly.toml --\napp = 'shop'\nprimary_region = 'ams'\nmounts.source = 'v'\nmounts.destination = '/data'\nenv.DATABASE_URL = '/data/shop.db'\n"+service)
		for _, mode := range []Mode{LiteFS, Volume} {
			changes, err := plan(t, dir, Answers{Mode: mode}, fakeFlysql("v1.0.0")).Compare(false)
			if err != nil {
				t.Fatal(err)
			}
			if err := changes.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		toml, err := os.ReadFile(filepath.Join(dir, "fly.toml"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(toml), "checks") {
			t.Errorf("from %q:\n%s", service, toml)
		}
	}
}
