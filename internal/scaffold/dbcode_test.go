package scaffold

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDetectDatabase(t *testing.T) {
	const sqlite = "_ \"modernc.org/sqlite\"\n"
	tests := []struct {
		name, imports, code string
		want                Database
	}{
		{"nothing", "", ``, Database{}},
		{"appdb", `"github.com/flysql/flysql/appdb"`, `appdb.Open(ctx, os.Getenv("DATABASE_URL"))`, Database{Var: "DATABASE_URL", Place: "main.go:6"}},
		{"a driver", sqlite, `sql.Open("sqlite", os.Getenv("DB_PATH"))`, Database{Var: "DB_PATH", Place: "main.go:7", Path: true}},
		{"DATABASE_URL of a driver", sqlite, `sql.Open("sqlite", os.Getenv("DATABASE_URL"))`, Database{Var: "DATABASE_URL", Place: "main.go:7", Path: true}},
		{"any name, where it is opened", sqlite, `sql.Open("sqlite", os.Getenv("STORE"))`, Database{Var: "STORE", Place: "main.go:7", Path: true}},
		{"by way of a variable", sqlite, `path := os.Getenv("SQLITE_PATH")
	if path == "" { path = "app.db" }
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")`, Database{Var: "SQLITE_PATH", Place: "main.go:7", Path: true}},
		{"LookupEnv", sqlite, `if v, ok := os.LookupEnv("DB_FILE"); ok { file = v }
	sqlx.MustConnect("sqlite3", file)`, Database{Var: "DB_FILE", Place: "main.go:7", Path: true}},
		{"with a default", sqlite, `dsn := getenv("DB_DSN", "file:app.db"); sql.Open("sqlite", dsn)`, Database{Var: "DB_DSN", Place: "main.go:7", Path: true}},
		{"a constant's name", sqlite, `const envDB = "APP_DB_PATH"; sql.Open("sqlite", os.Getenv(envDB))`, Database{Var: "APP_DB_PATH", Place: "main.go:7", Path: true}},
		{"envconfig", sqlite, "var cfg struct { DBPath string `envconfig:\"DB_PATH\" default:\"app.db\"` }\n sql.Open(\"sqlite\", cfg.DBPath)", Database{Var: "DB_PATH", Place: "main.go:7", Path: true}},
		{"env tags with more", sqlite, "var cfg struct { Store string `env:\"SQLITE_DB,required\"` }\n sql.Open(\"sqlite\", cfg.Store)", Database{Var: "SQLITE_DB", Place: "main.go:7", Path: true}},
		{"gorm", `"github.com/glebarez/sqlite"`, `gorm.Open(sqlite.Open(os.Getenv("DB_PATH")), nil)`, Database{Var: "DB_PATH", Place: "main.go:6", Path: true}},
		{"zombiezen", `"zombiezen.com/go/sqlite/sqlitex"`, `sqlitex.NewPool(os.Getenv("DB_PATH"), opts)`, Database{Var: "DB_PATH", Place: "main.go:6", Path: true}},
		{"ncruces", `"github.com/ncruces/go-sqlite3/driver"`, `driver.Open(os.Getenv("DB_PATH"))`, Database{Var: "DB_PATH", Place: "main.go:6", Path: true}},
		{"mattn", `_ "github.com/mattn/go-sqlite3"`, `sql.Open("sqlite3", os.Getenv("DB_PATH"))`, Database{Var: "DB_PATH", Place: "main.go:6", Path: true}},
		{"only mentioned", sqlite, `viper.BindEnv("db", "DATABASE_PATH")`, Database{Var: "DATABASE_PATH", Place: "main.go:7", Path: true}},
		{"several", sqlite, `_ = os.Getenv("SQLITE_PATH"); _ = os.Getenv("DATABASE_URL"); _ = os.Getenv("DB_FILE")`, Database{Var: "DATABASE_URL", Place: "main.go:7", Path: true, Others: []string{"DB_FILE", "SQLITE_PATH"}}},
		{"of a test", sqlite, `_ = os.Getenv("TEST_DB_PATH")`, Database{Path: true}},
		{"Fly's own", sqlite, `sql.Open("sqlite", os.Getenv("FLY_DB_PATH"))`, Database{Path: true}},
		{"another database", sqlite, `sql.Open("postgres", os.Getenv("PG")); sql.Open("sqlite", "./data/app.db")`, Database{Path: true, Literal: "./data/app.db", LiteralPlace: "main.go:7"}},
		{"a literal", sqlite, `sql.Open("sqlite", "app.db?_fk=1")`, Database{Path: true, Literal: "app.db", LiteralPlace: "main.go:7"}},
		{"a literal as a URI", sqlite, `sql.Open("sqlite", "file:./app.sqlite3?mode=rwc")`, Database{Path: true, Literal: "./app.sqlite3", LiteralPlace: "main.go:7"}},
		{"a constant", sqlite, `const path = "app.db"
	sql.Open("sqlite", path)`, Database{Path: true, Literal: "app.db", LiteralPlace: "main.go:7"}},
		{"in memory", sqlite, `sql.Open("sqlite", ":memory:")`, Database{Path: true}},
		{"a flag", sqlite, `db := flag.String("db", "app.db", "the database"); sql.Open("sqlite", *db)`, Database{Path: true, Flag: "db", Place: "main.go:7", Literal: "app.db", LiteralPlace: "main.go:7"}},
		{"a flag with a variable", sqlite, `flag.StringVar(&cfg.dsn, "db-dsn", "app.db", "x"); sql.Open("sqlite", cfg.dsn)`, Database{Path: true, Flag: "db-dsn", Place: "main.go:7", Literal: "app.db", LiteralPlace: "main.go:7"}},
		{"a flag's name alone", sqlite, `sql.Open("sqlite", k.String("db.path"))`, Database{Path: true}},
		{"a key with a default", sqlite, `viper.SetDefault("db.path", "app.db"); sql.Open("sqlite", viper.GetString("db.path"))`, Database{Path: true, Literal: "app.db", LiteralPlace: "main.go:7"}},
		{"a key by viper", sqlite, `v.SetEnvPrefix("app"); v.AutomaticEnv(); sql.Open("sqlite", v.GetString("db_path"))`, Database{Path: true, Var: "APP_DB_PATH", Place: "main.go:7"}},
		{"a key that makes no variable", sqlite, `v.AutomaticEnv(); sql.Open("sqlite", v.GetString("db.path"))`, Database{Path: true}},
		{"a tag that viper reads", sqlite, "type c struct { Source string `mapstructure:\"DB_SOURCE\"` }; v.AutomaticEnv(); sql.Open(\"sqlite\", cfg.Source)", Database{Path: true, Var: "DB_SOURCE", Place: "main.go:7"}},
		{"a prefix for all", sqlite, "type c struct { P string `env:\"DB_PATH\"` }; env.ParseWithOptions(&cfg, env.Options{Prefix: \"APP_\"}); sql.Open(\"sqlite\", cfg.P)", Database{Path: true, Var: "APP_DB_PATH", Place: "main.go:7"}},
		{"a prefix in a prefix", sqlite, "type A struct { P string `env:\"PATH\"` }; type B struct { A *A `envPrefix:\"DB_\"` }; type C struct { B B `envPrefix:\"APP_\"` }; sql.Open(\"sqlite\", c.B.A.P)", Database{Path: true, Var: "APP_DB_PATH", Place: "main.go:7"}},
		{"two prefixes for one struct", sqlite, "type A struct { P string `env:\"DSN\"` }; type B struct { X A `envPrefix:\"X_\"`; Y A `envPrefix:\"Y_\"` }; sql.Open(\"sqlite\", b.X.P)", Database{Path: true}},
		{"prefixes round in circles", sqlite, "type A struct { B *B `envPrefix:\"X_\"`; P string `env:\"DSN\"` }; type B struct { A *A `envPrefix:\"Y_\"` }; sql.Open(\"sqlite\", a.P)", Database{Path: true}},
		{"a flag as a value", sqlite, `_ = &cli.StringFlag{Name: "db", Value: "app.db", Destination: &file}; sql.Open("sqlite", file)`, Database{Path: true, Flag: "db", Place: "main.go:7", Literal: "app.db", LiteralPlace: "main.go:7"}},
		{"a directory", sqlite, `sql.Open("sqlite", filepath.Join(os.Getenv("DATA_DIR"), "app.db"))`, Database{Path: true, Literal: "app.db", LiteralPlace: "main.go:7", DirVar: "DATA_DIR", DirPlace: "main.go:7"}},
		{"a directory added to", sqlite, `sql.Open("sqlite", "file:" + os.Getenv("DATA_DIR") + "/app.db?_fk=1")`, Database{Path: true, Literal: "app.db", LiteralPlace: "main.go:7", DirVar: "DATA_DIR", DirPlace: "main.go:7"}},
		{"a directory by a flag", sqlite, `dir := flag.String("dir", ".", ""); sql.Open("sqlite", fmt.Sprintf("%s/app.db", *dir))`, Database{Path: true, Literal: "app.db", LiteralPlace: "main.go:7", DirFlag: "dir", DirPlace: "main.go:7"}},
		{"a directory, and a file somehow", sqlite, `sql.Open("sqlite", filepath.Join(os.Getenv("DATA_DIR"), name))`, Database{Path: true}},
		{"deeper in a directory", sqlite, `sql.Open("sqlite", filepath.Join(os.Getenv("DATA_DIR"), "db", "app.db"))`, Database{Path: true, Literal: "db/app.db", LiteralPlace: "main.go:7"}},
		{"below home", sqlite, `sql.Open("sqlite", filepath.Join(os.Getenv("HOME"), "app.db"))`, Database{Path: true, Literal: "app.db", LiteralPlace: "main.go:7"}},
		{"a path of parts", sqlite, `sql.Open("sqlite", filepath.Join("var", "app.db"))`, Database{Path: true, Literal: "var/app.db", LiteralPlace: "main.go:7"}},
		{"two files", sqlite, `sql.Open("sqlite", "a.db"); sql.Open("sqlite", "b.db"); sql.Open("sqlite", "file:b.db?mode=ro")`, Database{Path: true, Literal: "a.db", LiteralPlace: "main.go:7", OtherLiterals: []string{`"b.db" (main.go:7)`}}},
		{"a driver's name by a constant", sqlite, `const d = "postgres"; sql.Open(d, os.Getenv("DATABASE_URL")); sql.Open("sqlite", "a.db")`, Database{Path: true, Literal: "a.db", LiteralPlace: "main.go:7"}},
		{"a server's variable", sqlite, `pgxpool.New(ctx, os.Getenv("DATABASE_URL")); sql.Open("sqlite", "a.db")`, Database{Path: true, Literal: "a.db", LiteralPlace: "main.go:7"}},
		{"a server alone", `_ "github.com/lib/pq"`, `sql.Open("postgres", os.Getenv("DATABASE_URL"))`, Database{Server: "PostgreSQL (github.com/lib/pq)"}},
		{"dbmate's URL", `_ "github.com/amacneil/dbmate/v2/pkg/driver/sqlite"`, `u, _ := url.Parse(os.Getenv("DATABASE_URL")); dbmate.New(u).Migrate()`, Database{Path: true, Var: "DATABASE_URL", Place: "main.go:6", Scheme: "sqlite:"}},
		{"no variable's name", sqlite, `_ = "0_DB_FILE"; v.BindEnv("db", "db path"); sql.Open("sqlite", v.GetString("db"))`, Database{Path: true}},
		{"round in circles", sqlite, `a := b; b = a; sql.Open("sqlite", a)`, Database{Path: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code := "package main\nimport (\n" + tt.imports + "\n)\nfunc main() {\n\t" + tt.code + "\n}\n"
			m := detect(t, repo(t, "-- go.mod --\nmodule m\n-- main.go --\n"+code)).Mains[0]
			if diff := cmp.Diff(tt.want, m.Database); diff != "" {
				t.Errorf("%s\n(-want +got):\n%s", code, diff)
			}
		})
	}
}

// layered is an app whose configuration, store and migrations are packages of
// their own, with two programs.
const layered = `
-- go.mod --
module example.com/acme/shop
go 1.25
-- go.sum --
-- cmd/web/main.go --
package main

import (
	"net/http"

	"example.com/acme/shop/internal/config"
	"example.com/acme/shop/internal/store"
)

func main() {
	cfg := config.Load()
	db, err := store.Open(cfg.Store)
	http.ListenAndServe(":4000", nil)
}
-- cmd/worker/main.go --
package main

import "example.com/acme/shop/internal/store"

func main() { store.Open("x") }
-- cmd/gen/main.go --
package main
-- internal/config/config.go --
package config

import "os"

type Config struct{ Store string }

func Load() Config {
	return Config{Store: os.Getenv("SHOP_DB")}
}
-- internal/store/store.go --
package store

import (
	"database/sql"
	"embed"

	"github.com/pressly/goose/v3"
	_ "github.com/ncruces/go-sqlite3/driver"
)

//go:embed migrations/*.sql
var migrations embed.FS

func Open(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		return nil, err
	}
	return db, goose.Up(db, "migrations")
}
-- internal/store/migrations/1_a.sql --
-- +goose Up
`

func TestDetectLayered(t *testing.T) {
	dir := repo(t, layered)
	p := plan(t, dir, Answers{Main: "./cmd/web", Region: "ord", SizeGB: 1}, fakeFlysql("v1.0.0"))
	found := strings.Join(p.Found, "\n")
	for _, want := range []string{
		"cgo         no: github.com/ncruces/go-sqlite3/driver",
		"database    /data/shop.db: the app reads SHOP_DB (internal/config/config.go:8), as a path",
		`port        4000: the code has ":4000"`,
		"migrations  internal/store/migrations (goose)",
	} {
		if !strings.Contains(found, want) {
			t.Errorf("found:\n%s\nlacks %q", found, want)
		}
	}
	notes := []string{
		"the app migrates by itself (goose, internal/store/store.go:19; the files are embedded, internal/store/store.go:11), and flysql-entrypoint does it before: one of them is enough. The entrypoint takes a snapshot first and undoes what fails; --migrations none leaves it to the app",
		"./cmd/gen is not part of the image, which runs ./cmd/web",
		"./cmd/worker, which uses SQLite too, is not started: a volume belongs to one machine, so what shares the database must run on the app's own machine, best as part of the app; a process group of its own would have an empty database",
	}
	if diff := cmp.Diff(notes, p.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	files := map[string]string{}
	for _, f := range p.Files {
		files[f.Path] = string(f.Content)
	}
	for file, want := range map[string]string{
		"fly.toml":   "  PORT = \"4000\"\n  # On the volume below. Whatever is written elsewhere is lost with the machine.\n  SHOP_DB = \"/data/shop.db\"\n",
		"Dockerfile": "\nENV FLYSQL_USER=app FLYSQL_DB=/data/shop.db FLYSQL_MIGRATIONS=/app/migrations\n",
	} {
		if !strings.Contains(files[file], want) {
			t.Errorf("%s lacks %q:\n%s", file, want, files[file])
		}
	}
	if strings.Contains(files["fly.toml"], databaseURL) {
		t.Error("DATABASE_URL is set, which the app does not read")
	}
}

// TestDatabaseNotes: what is left to do is said with the place in the code.
func TestDatabaseNotes(t *testing.T) {
	tests := []struct {
		name, code, command string
		wantDB              string
		want                []string
	}{
		{"literal", `sql.Open("sqlite", "app.db")`, "", "/data/m.db",
			[]string{`the database's path stands in the code (main.go:5 opens "app.db"): have it read DATABASE_URL, which is set to the path on the volume, for what the app writes elsewhere is lost with the machine`}},
		{"literal on the volume", `sql.Open("sqlite", "/data/app.db")`, "", "/data/app.db", nil},
		{"flag", `db := flag.String("db", "app.db", ""); sql.Open("sqlite", *db)`, "", "/data/m.db",
			[]string{`the database's path is the flag -db (main.go:5): start the app with it, --command "m -db /data/m.db", for what the app writes elsewhere is lost with the machine`}},
		{"flag given", `db := flag.String("db", "app.db", ""); sql.Open("sqlite", *db)`, "m -db /data/m.db", "/data/m.db", nil},
		{"nothing", ``, "", "/data/m.db",
			[]string{"the code does not mention DATABASE_URL: have the app open the database that it names (/data/m.db), for what it writes elsewhere is lost with the machine"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := repo(t, "-- go.mod --\nmodule m\ngo 1.25\n-- main.go --\npackage main\nimport _ \"modernc.org/sqlite\"\nconst addr = \":3000\"\nfunc main() {\n"+tt.code+"\n}\n")
			a := defaults()
			a.Command = tt.command
			p := plan(t, dir, a, fakeFlysql("v1.0.0"))
			if p.Answers.DB != tt.wantDB {
				t.Errorf("database %s, want %s", p.Answers.DB, tt.wantDB)
			}
			if diff := cmp.Diff(tt.want, p.Notes, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
