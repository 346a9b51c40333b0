package scaffold

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// A repository without a Go program, but with a Dockerfile of its own: its language
// and how it is built are the Dockerfile's business. What init adds is the volume,
// and flysql-entrypoint in front of the app.

// framework is what is known of a kind of app that is not written in Go.
type framework struct {
	name string
	file string         // of the repository's root, by which it is known
	mark *regexp.Regexp // in that file; nil: the file will do
	port int
	// scheme is what stands before an absolute path in DATABASE_URL.
	scheme string
	// variable is what the app reads instead, as a path, where the file in
	// variableIn says so.
	variable, variableIn string
	health               string
	notes                []string
}

var frameworks = []framework{
	{
		name: "Rails", file: "Gemfile", mark: regexp.MustCompile(`(?m)^\s*gem\s+["']rails["']`), port: 3000, scheme: "sqlite3:", health: "/up",
		notes: []string{
			"Rails takes DATABASE_URL for its primary database only: in config/database.yml, put the others (cache, queue, cable) into the volume's directory too, as Active Storage in config/storage.yml",
			"bin/rails db:prepare in bin/docker-entrypoint keeps working. To have migrations checked, with a snapshot before them, remove it there and set FLYSQL_MIGRATE=\"bin/rails db:prepare\" in fly.toml's [env]",
		},
	},
	{
		name: "Django", file: "manage.py", mark: regexp.MustCompile(`django`), port: 8000, scheme: "sqlite:///", health: "/",
		notes: []string{
			"have Django's DATABASES read DATABASE_URL (dj-database-url and django-environ do)",
			"to migrate at boot, with a snapshot before, set FLYSQL_MIGRATE=\"python manage.py migrate --noinput\" in fly.toml's [env]",
		},
	},
	{
		name: "Flask", file: "requirements.txt", mark: regexp.MustCompile(`(?mi)^flask\b`), port: 5000, scheme: "sqlite:///", health: "/",
		notes: []string{pythonNote},
	},
	{
		name: "FastAPI", file: "requirements.txt", mark: regexp.MustCompile(`(?mi)^fastapi\b`), port: 8000, scheme: "sqlite:///", health: "/",
		notes: []string{pythonNote},
	},
	{
		name: "Laravel", file: "artisan", port: 8080, scheme: "sqlite:", health: "/up", variable: "DB_DATABASE", variableIn: "config/database.php",
		notes: []string{
			"set DB_CONNECTION=sqlite in fly.toml's [env], and have sessions, cache and uploads (config/session.php, cache.php, filesystems.php) in the database or on the volume",
			"to migrate at boot, with a snapshot before, set FLYSQL_MIGRATE=\"php artisan migrate --force\" in fly.toml's [env]",
		},
	},
	{
		name: "Phoenix", file: "mix.exs", mark: regexp.MustCompile(`:phoenix\b`), port: 4000, scheme: "sqlite:", health: "/", variable: "DATABASE_PATH", variableIn: "config/runtime.exs",
		notes: []string{
			"a release needs the secret SECRET_KEY_BASE, and PHX_HOST in fly.toml's [env]",
			"to migrate at boot, with a snapshot before, set FLYSQL_MIGRATE=\"/app/bin/migrate\" in fly.toml's [env] (mix phx.gen.release makes that script)",
		},
	},
	{
		name: "Bun", file: "bun.lock", port: 3000, scheme: "file:", health: "/",
		notes: []string{"have the app open the database that DATABASE_URL names: new Database() takes the path behind file:"},
	},
	{
		name: "Deno", file: "deno.json", port: 8000, scheme: "file:", health: "/",
		notes: []string{"have the app open the database that DATABASE_URL names: new DatabaseSync() takes the path behind file:; it needs --allow-env, and --allow-read and --allow-write for the volume"},
	},
	{
		name: "Node.js", file: "package.json", port: 3000, scheme: "file:", health: "/",
		notes: []string{"have the app open the database that DATABASE_URL names (Prisma takes it as it stands; other libraries take the path behind file:)"},
	},
}

// commandPort is a port among a server's arguments: --port 80, --bind 0.0.0.0:8000.
var commandPort = regexp.MustCompile(`(?:--port[= ]|--bind[= ]\S*:|-b \S*:)([1-9][0-9]{1,4})\b`)

const pythonNote = "have the app open the database that DATABASE_URL names (SQLAlchemy takes it as it stands; sqlite3.connect takes the path behind sqlite:///)"

// mentions is where a file of the repository has a word, "config/runtime.exs:7";
// empty where it has not.
func mentions(root *os.Root, file, word string) string {
	data, err := readSmall(root, file)
	if err != nil {
		return ""
	}
	before, _, found := strings.Cut(string(data), word)
	if !found {
		return ""
	}
	return fmt.Sprintf("%s:%d", file, 1+strings.Count(before, "\n"))
}

// readForeign describes the app of a repository that has a Dockerfile of its own
// and no Go program.
func (f *Facts) readForeign(root *os.Root) {
	m := Main{Port: DefaultPort, Health: "/", Database: Database{Scheme: "file://"}}
	for _, fw := range frameworks {
		data, err := readSmall(root, fw.file)
		if err != nil || fw.mark != nil && !fw.mark.Match(data) {
			continue
		}
		m.Framework, m.Port, m.Health, m.Notes = fw.name, fw.port, fw.health, fw.notes
		m.PortReason = "the default of " + fw.name
		m.Database.Scheme = fw.scheme
		if fw.variable != "" {
			if place := mentions(root, fw.variableIn, fw.variable); place != "" {
				m.Database = Database{Var: fw.variable, Place: place, Path: true}
			}
		}
		break
	}
	d := f.Docker
	if strings.Contains(d.Command, "thrust") {
		// Thruster listens on 80 unless told otherwise, and starts Rails on a
		// port of its own.
		m.Port, m.PortReason = DefaultPort, "Thruster listens on HTTP_PORT"
		m.PortVars, m.ReadsPort = []string{"HTTP_PORT"}, true
	} else if option := commandPort.FindStringSubmatch(d.Command); option != nil {
		if n, err := strconv.Atoi(option[1]); err == nil && n <= 65535 {
			m.Port, m.PortReason = n, fmt.Sprintf("the Dockerfile's command has %q", option[0])
		}
	} else if d.Port != 0 {
		m.Port, m.PortReason = d.Port, fmt.Sprintf("EXPOSE %d (%s)", d.Port, d.Place)
	}
	f.Foreign = &m
}
