package scaffold

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDetect(t *testing.T) {
	tests := []struct {
		name string
		repo string
		want Facts // but for Dir
	}{
		{"shop", shop, Facts{
			Module: "example.com/acme/shop", GoVersion: "1.25", App: "shop", HasGoSum: true,
			Mains: []Main{{
				Dir: ".", Binary: "shop", Database: Database{Var: "DATABASE_URL", Place: "main.go:11"}, CgoReason: "modernc.org/sqlite", Port: 8080, PortReason: "the app reads PORT, main.go:13", ReadsPort: true,
				Health: "/healthz", Migrations: []string{"migrations"},
			}},
		}},
		{"nothing but a module", "-- go.mod --\nmodule m\n", Facts{Module: "m", App: "m"}},
		{"toolchain newer than go", "-- go.mod --\nmodule m\ngo 1.24\ntoolchain go1.26.1\n", Facts{Module: "m", App: "m", GoVersion: "1.26"}},
		{"release candidate", "-- go.mod --\nmodule m\ngo 1.26rc1\n", Facts{Module: "m", App: "m", GoVersion: "1.26"}},
		{"major version in the path", "-- go.mod --\nmodule example.com/My.Shop_2/v3\n", Facts{Module: "example.com/My.Shop_2/v3", App: "my-shop-2"}},
		{"main packages in their order", `
-- go.mod --
module m
-- tools/gen/main.go --
package main
-- cmd/web/main.go --
package main
-- cmd/api/main.go --
package main
-- main.go --
package main
-- lib/lib.go --
package lib
`, Facts{Module: "m", App: "m", Mains: []Main{
			{Dir: ".", Binary: "m"}, {Dir: "cmd/api", Binary: "api"}, {Dir: "cmd/web", Binary: "web"}, {Dir: "tools/gen", Binary: "gen"},
		}}},
		{"what is no main package", `
-- go.mod --
module m
-- gen.go --
//go:build ignore

package main
-- win_windows.go --
package main
-- main_test.go --
package main
-- _x/main.go --
package main
-- .x/main.go --
package main
-- testdata/main.go --
package main
-- vendor/modules.txt --
-- vendor/v/main.go --
package main
-- node_modules/n/main.go --
package main
-- other/go.mod --
module other
-- other/main.go --
package main
-- with space/main.go --
package main
-- $(id)/main.go --
package main
-- broken/main.go --
packag main
`, Facts{Module: "m", App: "m", HasVendor: true}},
		{"broken code counts as far as it goes", "-- go.mod --\nmodule m\n-- main.go --\npackage main\nimport _ \"github.com/mattn/go-sqlite3\"\nfunc main() {\n", Facts{Module: "m", App: "m", Mains: []Main{
			{Dir: ".", Binary: "m", Cgo: true, CgoReason: "github.com/mattn/go-sqlite3"},
		}}},
		{"each program has its own facts", `
-- go.mod --
module m
require github.com/mattn/go-sqlite3 v1.14.0
-- cmd/a/main.go --
package main
import _ "m/internal/db"
-- cmd/a/migrations/1_x.up.sql --
-- cmd/b/main.go --
package main
import (
	"net/http"
	_ "zombiezen.com/go/sqlite/sqlitex"
)
func main() { http.ListenAndServe("0.0.0.0:3000", nil) }
-- internal/db/db.go --
package db
import _ "m/internal/driver"
const health = "/up"
-- internal/driver/driver.go --
package driver
import _ "github.com/mattn/go-sqlite3"
-- internal/store/migrations/1_x.sql --
-- migrate:up
`, Facts{Module: "m", App: "m", Requires: true, Mains: []Main{
			{Dir: "cmd/a", Binary: "a", Cgo: true, CgoReason: "github.com/mattn/go-sqlite3", Health: "/up", Migrations: []string{"cmd/a/migrations"}},
			{Dir: "cmd/b", Binary: "b", CgoReason: "zombiezen.com/go/sqlite/sqlitex", Port: 3000, PortReason: `the code has "0.0.0.0:3000", cmd/b/main.go:6`, Migrations: []string{"internal/store/migrations"}},
		}}},
		{"a driver behind an ORM", "-- go.mod --\nmodule m\nrequire github.com/mattn/go-sqlite3 v1.14.0 // indirect\n-- main.go --\npackage main\nimport _ \"example.com/orm\"\n", Facts{Module: "m", App: "m", Requires: true, Mains: []Main{
			{Dir: ".", Binary: "m", Cgo: true, CgoReason: "github.com/mattn/go-sqlite3"},
		}}},
		{"C of its own beside a pure driver", "-- go.mod --\nmodule m\n-- main.go --\npackage main\nimport \"C\"\nimport _ \"modernc.org/sqlite\"\n", Facts{Module: "m", App: "m", Mains: []Main{
			{Dir: ".", Binary: "m", Cgo: true, CgoReason: "C"},
		}}},
		{"go.mod and go.work", `
-- go.mod --
module m
tool github.com/flysql/flysql/cmd/flysql-entrypoint
replace (
	example.com/in => ./lib
	example.com/out => ../out
	example.com/fork => example.com/fork2 v1.0.0
	github.com/flysql/flysql v0.1.0 => /somewhere/flysql
)
-- go.work --
go 1.25
use (
	.
	./lib
	../elsewhere
)
`, Facts{Module: "m", App: "m", EntrypointTool: true, LocalReplace: true, OutsideReplaces: []string{"example.com/out"},
			FlysqlReplaced: "github.com/flysql/flysql@v0.1.0", HasWorkspace: true, WorkspaceOutside: []string{"../elsewhere"}}},
		{"a workspace inside", "-- go.mod --\nmodule m\n-- go.work --\ngo 1.25\nuse .\nuse ./lib\n", Facts{Module: "m", App: "m", HasWorkspace: true, UseWorkspace: true}},
		{"a workspace of one", "-- go.mod --\nmodule m\n-- go.work --\ngo 1.25\nuse .\n", Facts{Module: "m", App: "m", HasWorkspace: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := detect(t, repo(t, tt.repo))
			for i := range tt.want.Mains {
				m := &tt.want.Mains[i]
				if m.Port == 0 {
					m.Port = DefaultPort
				}
				if m.Health == "" {
					m.Health = "/"
				}
			}
			if diff := cmp.Diff(&tt.want, got, cmpopts.IgnoreFields(Facts{}, "Dir", "Tools", "Migrations"), cmpopts.IgnoreFields(Main{}, "Driver", "PortPlace"), cmpopts.IgnoreFields(Database{}, "Path")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDetectPort(t *testing.T) {
	tests := []struct {
		name, code string
		want       Main
	}{
		{"PORT", `os.Getenv("PORT"); http.ListenAndServe(":3000", nil)`, Main{Port: 8080, PortReason: "the app reads PORT", ReadsPort: true}},
		{"literal", `http.ListenAndServe(":3000", nil)`, Main{Port: 3000, PortReason: `the code has ":3000"`}},
		{"field", `_ = http.Server{Addr: "[::]:4000"}`, Main{Port: 4000, PortReason: `the code has "[::]:4000"`}},
		{"framework", `e.Start(":5000")`, Main{Port: 5000, PortReason: `the code has ":5000"`}},
		{"constant", `const addr = ":6000"`, Main{Port: 6000, PortReason: `the code has ":6000"`}},
		{"the one that listens", `x(":6060"); y(":6061"); http.ListenAndServe(":3000", nil)`, Main{Port: 3000, PortReason: `the code has ":3000"`}},
		{"loopback", `http.ListenAndServe("127.0.0.1:3000", nil)`, Main{Port: 3000, PortReason: `the code has "127.0.0.1:3000"`, Loopback: true}},
		{"localhost", `http.ListenAndServe("localhost:3000", nil)`, Main{Port: 3000, PortReason: `the code has "localhost:3000"`, Loopback: true}},
		{"localhost or not", `http.ListenAndServe(":3000", nil); http.ListenAndServe("localhost:3000", nil)`, Main{Port: 3000, PortReason: `the code has ":3000"`}},
		{"two", `http.ListenAndServe(":3000", nil); http.ListenAndServe("localhost:3001", nil)`, Main{Port: 8080}},
		{"none", ``, Main{Port: 8080}},
		{"flag", `flag.String("addr", ":3000", "where to listen")`, Main{Port: 3000, PortReason: `the code has ":3000"`}},
		{"flag with a variable", `flag.StringVar(&addr, "http-addr", "localhost:3000", ":1")`, Main{Port: 3000, PortReason: `the code has "localhost:3000"`, Loopback: true}},
		{"flag with a number", `flag.Int("port", 3000, "the port"); flag.Int("n", 4000, "")`, Main{Port: 3000, PortReason: `the code has ":3000"`}},
		{"flag with a number as text", `pflag.StringP("port", "p", "3000", "")`, Main{Port: 3000, PortReason: `the code has ":3000"`}},
		{"a flag for something else", `flag.Int("workers", 3000, "")`, Main{Port: 8080}},
		{"chi", `r := chi.NewRouter(); http.ListenAndServe(":3333", r)`, Main{Port: 3333, PortReason: `the code has ":3333"`}},
		{"echo", `e := echo.New(); e.Logger.Fatal(e.Start(":1323"))`, Main{Port: 1323, PortReason: `the code has ":1323"`}},
		{"fiber", `app := fiber.New(); log.Fatal(app.Listen(":3001"))`, Main{Port: 3001, PortReason: `the code has ":3001"`}},
		{"gin with an address", `r := gin.Default(); r.Run(":8088")`, Main{Port: 8088, PortReason: `the code has ":8088"`}},
		{"gin", `r := gin.Default(); r.Run()`, Main{Port: 8080, PortReason: "gin's Run() reads PORT", ReadsPort: true}},
		{"another Run", `r := exec.Command("x"); r.Run()`, Main{Port: 8080}},
		{"a variable of its own", `http.ListenAndServe(":"+os.Getenv("HTTP_PORT"), nil); smtp(os.Getenv("SMTP_PORT"))`, Main{Port: 8080, PortReason: "the app reads HTTP_PORT", PortVars: []string{"HTTP_PORT"}, ReadsPort: true}},
		{"two variables", `http.ListenAndServe(":"+os.Getenv("HTTP_PORT"), nil); http.ListenAndServe(":"+os.Getenv("ADMIN_PORT"), nil)`, Main{Port: 8080}},
		{"a variable with an address", `http.ListenAndServe(os.Getenv("HTTP_ADDR"), nil)`, Main{Port: 8080, Notes: []string{`the app listens on what HTTP_ADDR says (main.go:2): set it in [env], HTTP_ADDR = ":8080"`}}},
		{"a variable with an address, and a default", `addr := cmp.Or(os.Getenv("HTTP_ADDR"), ":3000"); http.ListenAndServe(addr, nil)`, Main{Port: 3000, PortReason: `the code has ":3000"`}},
		{"a port by name", `const port = 3000; const workers = 4000; http.ListenAndServe(fmt.Sprintf(":%d", port), pool(workers))`, Main{Port: 3000, PortReason: `the code has ":3000"`}},
		{"a port as text", `port := "3000"; net.Listen("tcp", net.JoinHostPort("", port))`, Main{Port: 3000, PortReason: `the code has ":3000"`}},
		{"a number that is no port", `n := 4000; http.ListenAndServe(pick(n), nil)`, Main{Port: 8080}},
		{"TLS", `http.ListenAndServeTLS(":8443", "c", "k", nil)`, Main{Port: 8443, PortReason: `the code has ":8443"`, Notes: []string{"the app serves TLS by itself (main.go:2): Fly's proxy does that, and speaks plain HTTP to the app; have it listen without TLS"}}},
		{"TLS or not", `if tls { s.ListenAndServeTLS("c", "k") } else { s.ListenAndServe() }`, Main{Port: 8080}},
		{"a Unix socket", `net.Listen("unix", "/run/app.sock")`, Main{Port: 8080, Notes: []string{"the app listens on a Unix socket (main.go:2), which Fly's proxy cannot reach: have it listen on a port"}}},
		{"not a port", `http.ListenAndServe(":99999", nil)`, Main{Port: 8080}},
		{"a time", `const t = "12:30"`, Main{Port: 8080}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := detect(t, repo(t, "-- go.mod --\nmodule m\n-- main.go --\npackage main\nfunc main() { "+tt.code+" }\n")).Mains[0]
			if tt.want.PortReason != "" {
				tt.want.PortReason += ", main.go:2"
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(Main{}, "Dir", "Binary", "Health", "PortPlace")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDetectMigrations(t *testing.T) {
	const goose, dbmate = "-- +goose Up\nCREATE TABLE t (a);\n", "-- migrate:up\nCREATE TABLE t (a);\n"
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"goose", map[string]string{"migrations/1.sql": goose}, []string{"migrations"}},
		{"dbmate", map[string]string{"db/migrations/1.sql": dbmate}, []string{"db/migrations"}},
		{"golang-migrate", map[string]string{"sql/000001_x.up.sql": "anything", "sql/000001_x.down.sql": ""}, []string{"sql"}},
		{"a BOM and CRLF", map[string]string{"migrations/1.sql": "\xef\xbb\xbf" + strings.ReplaceAll(goose, "\n", "\r\n")}, []string{"migrations"}},
		{"SQL that is none", map[string]string{"queries/a.sql": "SELECT 1; -- goose up", "migrations/b.sql": "x"}, nil},
		{"the usual place first", map[string]string{"migrations/1.sql": goose, "db/migrations/1.sql": goose, "x/migrations/1.sql": goose}, []string{"migrations"}},
		{"named migrations before others", map[string]string{"internal/db/migrations/1.sql": goose, "a/b/1.sql": goose}, []string{"internal/db/migrations"}},
		{"two as likely", map[string]string{"internal/b/migrations/1.sql": goose, "internal/a/migrations/1.sql": goose}, []string{"internal/a/migrations", "internal/b/migrations"}},
		{"not of dependencies and tests", map[string]string{"vendor/x/migrations/1.sql": goose, "x/testdata/migrations/1.sql": goose, ".x/migrations/1.sql": goose}, nil},
		{"a name that no Dockerfile takes", map[string]string{"my migrations/1.sql": goose}, nil},
		{"binary", map[string]string{"migrations/1.sql": "\x00" + goose}, nil},
		{"huge", map[string]string{"migrations/1.sql": goose + strings.Repeat(" ", maxFileSize)}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := repo(t, "-- go.mod --\nmodule m\n-- main.go --\npackage main\n")
			for name, content := range tt.files {
				write(t, filepath.Join(dir, name), content)
			}
			if diff := cmp.Diff(tt.want, detect(t, dir).Mains[0].Migrations); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDetectErrors(t *testing.T) {
	inModule := filepath.Join(repo(t, "-- go.mod --\nmodule m\n-- sub/x.txt --\n"), "sub")
	tests := []struct {
		name, dir string
		want      []string
	}{
		{"no module", repo(t, "-- main.go --\npackage main\n"), []string{"no go.mod in ", "go mod init"}},
		{"a module above", inModule, []string{"no go.mod in " + inModule, ", and no Dockerfile: run flysql init in the root of the module, which is " + filepath.Dir(inModule)}},
		{"broken go.mod", repo(t, "-- go.mod --\nmodule m\n\nrequire (\n"), []string{"go.mod cannot be read, mend it first", "go.mod:3"}},
		{"go.mod without a module", repo(t, "-- go.mod --\ngo 1.25\n"), []string{"go.mod names no module"}},
		{"broken go.work", repo(t, "-- go.mod --\nmodule m\n-- go.work --\nuse (\n"), []string{"go.work cannot be read", "go.work:1"}},
		{"no directory", filepath.Join(t.TempDir(), "none"), []string{"look at the repository", "no such file or directory"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Detect(t.Context(), tt.dir)
			if err == nil {
				t.Fatalf("no error but %+v", f)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
		})
	}
}

// TestDetectStaysInside: links lead nowhere, and what is no file is not opened.
func TestDetectStaysInside(t *testing.T) {
	outside := repo(t, "-- secret/main.go --\npackage main\n-- secret/migrations/1_x.up.sql --\n-- go.mod --\nmodule outside\n")
	dir := repo(t, "-- go.mod --\nmodule m\n")
	for _, link := range [][2]string{
		{filepath.Join(outside, "secret"), "linked"},
		{filepath.Join(outside, "secret/main.go"), "main.go"},
		{"..", "up"},
		{".", "loop"},
	} {
		if err := os.Symlink(link[0], filepath.Join(dir, link[1])); err != nil {
			t.Fatal(err)
		}
	}
	// Opening a pipe to read would wait for ever.
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.go"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := detect(t, dir).Mains; len(got) != 0 {
		t.Errorf("found %+v by way of links", got)
	}

	linked := t.TempDir()
	if err := os.Symlink(filepath.Join(outside, "go.mod"), filepath.Join(linked, "go.mod")); err != nil {
		t.Fatal(err)
	}
	if f, err := Detect(t.Context(), linked); err == nil {
		t.Errorf("read go.mod outside: %+v", f)
	}
}

func TestWalkIsBounded(t *testing.T) {
	dir := repo(t, "-- a.go --\n-- b.go --\n-- c.go --\n")
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for limit, want := range map[int]int{2: 1, 3: 2, 4: 3, 100: 3} {
		seen := 0
		truncated, err := walk(root, limit, func(string) { seen++ })
		if err != nil || seen != want || truncated != (want < 3) {
			t.Errorf("limit %d: %d files, truncated %v, err %v; want %d", limit, seen, truncated, err, want)
		}
	}
}

func TestComplete(t *testing.T) {
	two := repo(t, "-- go.mod --\nmodule m\n-- cmd/a/main.go --\npackage main\n-- cmd/b/main.go --\npackage main\n")
	ambiguous := repo(t, "-- go.mod --\nmodule m\n-- main.go --\npackage main\n-- a/migrations/1_x.up.sql --\n-- b/migrations/1_x.up.sql --\n")
	tests := []struct {
		name, dir string
		in        Answers
		want      Answers
		wantErr   string
	}{
		{"all from the repository", repo(t, shop), Answers{}, Answers{App: "shop", DB: "/data/shop.db", Main: ".", Port: 8080, Migrations: "migrations"}, ""},
		{"nothing from the repository", repo(t, shop), Answers{App: "a", Region: "ord", DB: "/data/x.db", SizeGB: 3, Main: "./", Port: 3000, Migrations: "none"},
			Answers{App: "a", Region: "ord", DB: "/data/x.db", SizeGB: 3, Main: ".", Port: 3000, Migrations: "none"}, ""},
		{"the database follows the app", repo(t, shop), Answers{App: "b"}, Answers{App: "b", DB: "/data/b.db", Main: ".", Port: 8080, Migrations: "migrations"}, ""},
		{"main is open", two, Answers{}, Answers{}, "the module has several main packages: give one of them with --main\n  --main ./cmd/a\n  --main ./cmd/b"},
		{"main given", two, Answers{Main: "cmd/b/"}, Answers{App: "m", DB: "/data/m.db", Main: "./cmd/b", Port: 8080, Migrations: "none"}, ""},
		{"main is none of them", two, Answers{Main: "./cmd/c"}, Answers{}, "--main \"./cmd/c\" is not one of the module's main packages:\n  ./cmd/a\n  ./cmd/b"},
		{"migrations are open", ambiguous, Answers{}, Answers{}, "the module has several directories with migrations: give one of them with --migrations\n  --migrations a/migrations\n  --migrations b/migrations\n  --migrations none"},
		{"migrations given", ambiguous, Answers{Migrations: "b/migrations"}, Answers{App: "m", DB: "/data/m.db", Main: ".", Port: 8080, Migrations: "b/migrations"}, ""},
		{"no program", repo(t, "-- go.mod --\nmodule m\n"), Answers{}, Answers{}, "no main package in "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := detect(t, tt.dir).Complete(tt.in)
			if tt.wantErr != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.wantErr) {
					t.Fatalf("err = %v\nwant %s", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Mode = Volume
			if tt.want.Region == "" {
				tt.want.Region, tt.want.SizeGB = DefaultRegion, DefaultSizeGB
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	dir := repo(t, shop+"-- notes.txt --\n")
	tests := []struct {
		name   string
		change func(*Answers)
		want   string
	}{
		{"app", func(a *Answers) { a.App = "My Shop" }, `--app "My Shop" is not an app name: use lowercase letters, digits and dashes, and no dash at either end`},
		{"region", func(a *Answers) { a.Region = "Ohio" }, `--region "Ohio" is not a region: use its three lowercase letters, such as "iad" (fly platform regions lists them)`},
		{"no region", func(a *Answers) { a.Region = "" }, `--region is missing: a volume needs a region to be made in, such as "iad"`},
		{"size 0", func(a *Answers) { a.SizeGB = 0 }, "--size 0: a volume has 1 to 500 GB"},
		{"size", func(a *Answers) { a.SizeGB = 501 }, "--size 501: a volume has 1 to 500 GB"},
		{"port", func(a *Answers) { a.Port = 65536 }, "--port 65536 is not a port: use 1 to 65535"},
		{"negative port", func(a *Answers) { a.Port = -1 }, "--port -1 is not a port: use 1 to 65535"},
		{"port of root", func(a *Answers) { a.Port = 80 }, "--port 80 needs root, and the app runs as a user of its own: have it listen on a port from 1024 on, such as 8080"},
		{"relative database", func(a *Answers) { a.DB = "app.db" }, `--db "app.db": give an absolute path in the container, such as /data/app.db`},
		{"database outside", func(a *Answers) { a.DB = "/var/lib/app.db" }, `--db "/var/lib/app.db" is not on the volume, which is mounted at /data: everything else is lost with the machine; use /data/app.db`},
		{"database beside the mount", func(a *Answers) { a.DB = "/database/app.db" }, `--db "/database/app.db" is not on the volume, which is mounted at /data: everything else is lost with the machine; use /data/app.db`},
		{"database out of the mount", func(a *Answers) { a.DB = "/data/../app.db" }, `--db "/data/../app.db": write it as /app.db`},
		{"database is the mount", func(a *Answers) { a.DB = "/data" }, `--db "/data" is not on the volume, which is mounted at /data: everything else is lost with the machine; use /data/data`},
		{"database deeper", func(a *Answers) { a.DB = "/data/sqlite/app.db" }, `--db "/data/sqlite/app.db" is in a directory below the volume's root: use /data/app.db`},
		{"database as a URL", func(a *Answers) { a.DB = "file:///data/app.db" }, `--db "file:///data/app.db": give an absolute path in the container, such as /data/app.db`},
		{"database with a query", func(a *Answers) { a.DB = "/data/app.db?mode=ro" }, `--db "/data/app.db?mode=ro": name the file with letters, digits, dots, dashes and underscores`},
		{"database hidden", func(a *Answers) { a.DB = "/data/.flysql" }, `--db "/data/.flysql": name the file with letters, digits, dots, dashes and underscores`},
		{"database as a WAL", func(a *Answers) { a.DB = "/data/app.db-wal" }, `--db "/data/app.db-wal": SQLite names its own files with -wal; choose another ending, such as .db`},
		{"migrations missing", func(a *Answers) { a.Migrations = "db" }, `--migrations "db": there is no such directory in the repository`},
		{"migrations a file", func(a *Answers) { a.Migrations = "notes.txt" }, `--migrations "notes.txt" is a file: give the directory that it is in`},
		{"migrations outside", func(a *Answers) { a.Migrations = "../db" }, `--migrations "../db": give a directory below the repository's root, named with letters, digits, dots, dashes and underscores`},
		{"migrations the root", func(a *Answers) { a.Migrations = "." }, `--migrations ".": give a directory below the repository's root, named with letters, digits, dots, dashes and underscores`},
		{"migrations to expand", func(a *Answers) { a.Migrations = "$HOME" }, `--migrations "$HOME": give a directory below the repository's root, named with letters, digits, dots, dashes and underscores`},
		{"all at once", func(a *Answers) { a.App, a.SizeGB = "", -1 }, "--app is missing: name the app\n--size -1: a volume has 1 to 500 GB"},
	}
	f := detect(t, dir)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := f.Complete(defaults())
			if err != nil {
				t.Fatal(err)
			}
			tt.change(&a)
			p, err := f.Plan(a, fakeFlysql(""))
			if err == nil {
				t.Fatalf("no error but %+v", p)
			}
			if err.Error() != tt.want {
				t.Errorf("\n got %s\nwant %s", err, tt.want)
			}
			var answer *AnswerError
			if !errors.As(err, &answer) {
				t.Errorf("%T is no *AnswerError", err)
			}
		})
	}
}

func TestPlanRefusesReplaceOutside(t *testing.T) {
	f := detect(t, repo(t, "-- go.mod --\nmodule m\nreplace example.com/x => ../x\n-- main.go --\npackage main\n"))
	a, err := f.Complete(defaults())
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Plan(a, fakeFlysql(""))
	if err == nil || !strings.Contains(err.Error(), "go.mod replaces example.com/x with a directory outside this repository") {
		t.Errorf("err = %v", err)
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"shop": "shop", "My.Shop_2": "my-shop-2", "--a--b--": "a-b", "Ünïcode": "n-code", "日本": "",
		strings.Repeat("a", 70): strings.Repeat("a", 63), strings.Repeat("a", 62) + ".b": strings.Repeat("a", 62),
	} {
		if got := appNameFrom(in); got != want {
			t.Errorf("appNameFrom(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"shop": "shop_data", "my-shop": "my_shop_data",
		strings.Repeat("a", 63):        strings.Repeat("a", 25) + "_data",
		strings.Repeat("a", 24) + "-b": strings.Repeat("a", 24) + "_data",
	} {
		if got := volumeName(in); got != want {
			t.Errorf("volumeName(%q) = %q, want %q", in, got, want)
		}
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
