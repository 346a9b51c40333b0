package dev

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const goMod = "module example.com/shop\n\ngo 1.24\n"
const liteFSYML = "fuse:\n  dir: /litefs\nlease:\n  type: consul\n  hostname: ${FLY_MACHINE_ID}\n  advertise-url: http://${FLY_MACHINE_ID}:20202\n  consul:\n    url: ${FLY_CONSUL_URL}\n    key: shop\n"
const mainGo = "package main\n\nfunc main() {}\n"

// What a directory's files say is run, built and known to the app.
func TestReadApp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		files map[string]string
		o     Options

		command string // joined by spaces, without the program's directory
		build   string // dir, package and flags, and its environment
		env     string // what was in the image, by commas; DIR is the app's
		workDir string
		litefs  string
		err     string
	}{
		{
			name:  "as flysql init writes it",
			files: map[string]string{"Dockerfile": "FROM golang AS build\nWORKDIR /src\nCOPY . .\nRUN CGO_ENABLED=0 go build -trimpath -ldflags=\"-s -w\" -o bin/shop ./cmd/shop\nRUN go build -o bin/flysql-entrypoint github.com/flysql/flysql/cmd/flysql-entrypoint\nFROM debian\nWORKDIR /app\nCOPY --from=build /src/bin/flysql-entrypoint /src/bin/shop /usr/local/bin/\nCOPY db/migrations/ /app/migrations\nENV FLYSQL_USER=app FLYSQL_MIGRATIONS=/app/migrations\nENTRYPOINT [\"flysql-entrypoint\"]\nCMD [\"shop\", \"-v\"]\n", "db/migrations/1.sql": "", "cmd/shop/main.go": mainGo, "go.mod": goMod},

			command: "shop -v", build: ". ./cmd/shop CGO_ENABLED=0", env: "FLYSQL_MIGRATIONS=DIR/db/migrations",
		},
		{
			name:    "LiteFS",
			files:   map[string]string{"Dockerfile": "FROM golang AS build\nRUN go build -o /shop .\nFROM debian\nCOPY --from=build /shop /shop\nCOPY --from=flyio/litefs:0.5 /usr/local/bin/litefs /usr/local/bin/litefs\nCOPY deploy/litefs.yml /etc/litefs.yml\nENTRYPOINT [\"/shop\"]\n", "deploy/litefs.yml": liteFSYML, "litefs.yml": "never: read\n"},
			command: "/shop", build: ". .", litefs: "deploy/litefs.yml",
		},
		{
			name:    "litefs mount starts the app",
			files:   map[string]string{"Dockerfile": "FROM golang\nRUN go build -o /shop .\nCOPY litefs.yml /etc/litefs.yml\nENTRYPOINT litefs mount\n", "litefs.yml": liteFSYML + "exec:\n- cmd: /shop -addr :8081\n"},
			command: "/shop -addr :8081", build: ". .", litefs: "litefs.yml",
		},
		{
			name:    "litefs mount with a command",
			files:   map[string]string{"Dockerfile": "FROM golang\nRUN go build -o /shop .\nENTRYPOINT [\"litefs\", \"mount\", \"--\", \"/shop\"]\n", "litefs.yml": liteFSYML},
			command: "/shop", build: ". .", litefs: "litefs.yml",
		},
		{
			name:    "a litefs.yml that is left over",
			files:   map[string]string{"Dockerfile": "FROM golang\nRUN go build -o /shop .\nCMD [\"/shop\"]\n", "litefs.yml": liteFSYML},
			command: "/shop", build: ". .",
		},
		{
			name:    "a shell form, another directory, tags",
			files:   map[string]string{"Dockerfile": "FROM golang\nENV CGO_ENABLED=1\nWORKDIR /src\nCOPY server ./server\nRUN cd server && go build -tags \"fts5 x\" -ldflags '-s -X main.v=1' -o ../out/\nCMD exec ./out/server --port 80\n", "server/main.go": mainGo},
			command: "./out/server --port 80", build: "server . -tags=fts5 x -ldflags=-X main.v=1 CGO_ENABLED=1", env: "CGO_ENABLED=1",
		},
		{
			name:    "fly.toml's group of the service",
			files:   map[string]string{"fly.toml": plainFly + "  processes = [\"web\"]\n[processes]\n  web = \"shop web\"\n  worker = \"shop work\"\n", "Dockerfile": "FROM golang\nRUN go install ./cmd/shop\nENTRYPOINT [\"flysql-entrypoint\", \"--migrations\", \"/m\", \"--supervise\", \"--\"]\nCOPY sql /m\nCMD [\"shop\"]\n", "sql/1.sql": ""},
			command: "shop web", build: ". ./cmd/shop", env: "FLYSQL_MIGRATIONS=DIR/sql,FLYSQL_SUPERVISE=1",
		},
		{
			name:    "by the module, where the Dockerfile only copies",
			files:   map[string]string{"Dockerfile": "FROM debian\nCOPY bin/shop /usr/local/bin/\nCMD [\"shop\"]\n", "go.mod": goMod, "main.go": mainGo},
			command: "shop", build: ". .",
		},
		{
			name:    "a stage that fly.toml names, arguments, a variable",
			files:   map[string]string{"fly.toml": plainFly + "[build]\n  dockerfile = \"docker/app\"\n  build-target = \"web\"\n[build.args]\n  NAME = \"shop\"\n[env]\n  STATIC = \"/static\"\n", "docker/app": "FROM golang AS web\nARG NAME\nENV A=$NAME B=/static/x C=b\nCOPY public /static\nRUN go build -o /$NAME ./cmd/shop\nCMD [\"/shop\"]\nFROM scratch\n", "public/x": ""},
			command: "/shop", build: ". ./cmd/shop", env: "A=shop,B=DIR/public/x,C=b,STATIC=DIR/public",
		},
		{
			name:    "a directory that the program runs in",
			files:   map[string]string{"Dockerfile": "FROM golang AS b\nWORKDIR /src\nCOPY . .\nRUN go build -o /out/shop\nFROM scratch\nWORKDIR /app\nCOPY --from=b /src/web /app\nCOPY --from=b /out/shop /bin/\nCMD [\"shop\"]\n", "web/index.html": ""},
			command: "shop", build: ". .", workDir: "web",
		},
		{
			name: "a command", files: map[string]string{"Dockerfile": "FROM node\nENV A=1\nENTRYPOINT [\"flysql-entrypoint\", \"--check=full\", \"--user\", \"app\"]\nCMD node server.js\n"}, o: Options{Command: []string{"npm", "start"}},
			command: "npm start", env: "A=1,FLYSQL_CHECK=full",
		},
		{
			name:    "an init, a Makefile",
			files:   map[string]string{"Dockerfile": "FROM golang:1.26 AS b\nRUN make\nFROM debian\nCOPY --from=b /x /server\nENTRYPOINT [\"/usr/bin/tini\", \"-g\", \"--\", \"/server\"]\nCMD [\"-v\"]\n", "go.mod": goMod, "cmd/web/main.go": mainGo},
			command: "/server -v", build: ". ./cmd/web",
		},
		{name: "a tool in Go", files: map[string]string{"Dockerfile": "FROM node\nCMD node server.js\n", "go.mod": goMod, "main.go": mainGo}, err: "flysql dev -- node server.js"},
		{name: "not Go", files: map[string]string{"Dockerfile": "FROM node\nCMD node server.js\n"}, err: `Dockerfile runs "node", which none of its lines builds with go build: give the command that runs the app here: flysql dev -- node server.js`},
		{name: "a script", files: map[string]string{"Dockerfile": "FROM debian\nCOPY docker/start.sh /start.sh\nENTRYPOINT [\"/start.sh\", \"web\"]\n", "docker/start.sh": ""}, err: `Dockerfile runs "/start.sh", which none of its lines builds with go build: give the command that runs the app here: flysql dev -- ./docker/start.sh web`},
		{name: "a shell", files: map[string]string{"Dockerfile": "FROM debian\nRUN true\nCMD ./a && ./b\n"}, err: "Dockerfile:3: CMD needs a shell: give the command that runs the app here: flysql dev -- COMMAND"},
		{name: "no command", files: map[string]string{"Dockerfile": "FROM debian\n"}, err: "it needs a CMD"},
		{name: "no Dockerfile", files: map[string]string{"main.go": mainGo}, err: "there is no Dockerfile that says what to build and run: give the command, such as flysql dev -- npm start"},
		{name: "an image", files: map[string]string{"fly.toml": plainFly + "[build]\n  image = \"nginx\"\n", "Dockerfile": "FROM x\nCMD y\n"}, err: "there is no Dockerfile"},
		{name: "a Dockerfile that is not there", files: map[string]string{"fly.toml": plainFly + "[build]\n  dockerfile = \"Docker\"\n"}, err: `fly.toml:6:3: build.dockerfile: "Docker" is not there`},
		{name: "a stage that is not there", files: map[string]string{"fly.toml": plainFly + "[build]\n  build-target = \"web\"\n", "Dockerfile": "FROM x\n"}, err: `build.build-target: Dockerfile has no stage "web"`},
		{name: "a Dockerfile that cannot be read", files: map[string]string{"Dockerfile": "RUN x\n"}, err: "Dockerfile:1:1: "},
		{name: "a litefs.yml that LiteFS refuses", files: map[string]string{"Dockerfile": "FROM x\nCOPY litefs.yml /etc/litefs.yml\nCMD x\n", "litefs.yml": "fuse:\n  dri: /litefs\n"}, err: "litefs.yml:2:3: "},
		{name: "no fly.toml", files: map[string]string{"fly.toml": ""}, o: Options{Config: "other.toml"}, err: "other.toml is not there: --config names"},
		{name: "a fly.toml with a slip", files: map[string]string{"fly.toml": plainFly + "[mount]\n  destination = \"data\"\n"}, err: "fly.toml:6:"},
		{name: "no primary_region", files: map[string]string{"fly.toml": "app = \"shop\"\n[http_service]\n  internal_port = 8080\n"}, err: "fly.toml: primary_region: is missing: "},
		{name: "no service", files: map[string]string{"fly.toml": "app = \"shop\"\nprimary_region = \"ord\"\n"}, err: "fly.toml: http_service: has no service for HTTP requests: add [http_service]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"fly.toml": plainFly}
			maps.Copy(files, tt.files)
			dir := write(t, files)
			tt.o.Dir = dir
			a, err := readApp(t.Context(), tt.o)
			wantError(t, err, tt.err)
			if err != nil {
				return
			}
			if got := strings.Join(a.command, " "); got != tt.command {
				t.Errorf("the command is %q, want %q", got, tt.command)
			}
			if got := buildText(a); got != tt.build {
				t.Errorf("it is built by %q, want %q", got, tt.build)
			}
			if got := envText(a); got != tt.env {
				t.Errorf("the environment is %q, want %q", got, tt.env)
			}
			if got := a.relative(a.workDir); got != cmpOr(tt.workDir, ".") {
				t.Errorf("it runs in %q, want %q", got, tt.workDir)
			}
			if got := a.relative(a.litefs); a.litefs != "" && got != tt.litefs || a.litefs == "" && tt.litefs != "" {
				t.Errorf("litefs.yml is %q, want %q", a.litefs, tt.litefs)
			}
		})
	}
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func buildText(a *app) string {
	if a.build == nil {
		return ""
	}
	return strings.Join(slices.Concat([]string{a.relative(a.build.dir), a.build.pkg}, a.build.flags, a.build.env), " ")
}

func envText(a *app) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(a.config.Env)) {
		all = append(all, name+"="+strings.ReplaceAll(a.config.Env[name], a.dir, "DIR"))
	}
	return strings.Join(all, ",")
}

// Without LiteFS, the database is on the volume.
func TestWithoutLiteFS(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"fly.toml":   plainFly + "[env]\n  DATABASE_URL = \"file:///litefs/shop.db?x=/litefs\"\n  OTHER = \"/litefsx/y\"\n  PLAIN = \"/litefs/p\"\n",
		"litefs.yml": liteFSYML,
	})
	a, err := readApp(t.Context(), Options{Dir: dir, Command: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	c := a.withoutLiteFS()
	for name, want := range map[string]string{"DATABASE_URL": "file:///data/shop.db?x=/litefs", "OTHER": "/litefsx/y", "PLAIN": "/data/p"} {
		if got := c.Env[name]; got != want {
			t.Errorf("%s=%s, want %s", name, got, want)
		}
	}
	if len(c.Mounts) != 1 || c.Mounts[0].Destination != "/data" || len(a.config.Mounts) != 0 {
		t.Errorf("mounts %+v, and of the app %+v", c.Mounts, a.config.Mounts)
	}
}

// The examples are read as their images say.
func TestExamples(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	a, err := readApp(t.Context(), Options{Dir: root, Config: "examples/regions/fly.toml"})
	if err != nil {
		t.Fatal(err)
	}
	if a.relative(a.litefs) != "examples/regions/litefs.yml" || buildText(a) != ". ./examples/guestbook CGO_ENABLED=0" || a.config.Env["FLYSQL_MIGRATIONS"] != filepath.Join(root, "examples/guestbook/migrations") {
		t.Errorf("%+v %s", a, buildText(a))
	}
	if a, err = readApp(t.Context(), Options{Dir: root}); err != nil {
		t.Fatal(err)
	}
	if a.litefs != "" || strings.Join(a.command, " ") != "guestbook" {
		t.Errorf("%+v", a)
	}
}

// What others have written in a Dockerfile ends in an error or a command, soon.
func FuzzReadDocker(f *testing.F) {
	f.Add("FROM golang AS a\nCOPY --from=a / /\nRUN go build -o /x .\nCMD [\"x\"]\n", "/x")
	f.Add("FROM a AS b\nFROM b AS a\nCOPY --from=b /a /b\nCOPY --from=a /b /a\nENV X=/a\nCMD /a\n", "/a")
	f.Add("FROM x AS a\n"+strings.Repeat("COPY --from=a / /\n", 200)+"CMD /a\n", "/a")
	f.Fuzz(func(t *testing.T, text, path string) {
		dir := write(t, map[string]string{"fly.toml": plainFly, "Dockerfile": text})
		a := &app{dir: dir}
		if err := a.readFly(""); err != nil {
			t.Fatal(err)
		}
		d, err := a.readDocker()
		if err != nil || d == nil {
			return
		}
		a.readEnv(d)
		if argv, err := a.argv(d); err == nil {
			d.buildOf(argv[0])
		}
		if p, ok := d.inRepo(path); ok && p != dir && !strings.HasPrefix(p, dir+"/") {
			t.Errorf("%q is %q, which is outside", path, p)
		}
	})
}
