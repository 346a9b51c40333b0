package scaffold

import (
	"fmt"
	"os"
	"regexp"
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
	health string
	notes  []string
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
		name: "Node.js", file: "package.json", port: 3000, scheme: "file:", health: "/",
		notes: []string{"have the app open the database that DATABASE_URL names (Prisma takes it as it stands; other libraries take the path behind file:)"},
	},
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
		break
	}
	d := f.Docker
	if strings.Contains(d.Command, "thrust") {
		// Thruster listens on 80 unless told otherwise, and starts Rails on a
		// port of its own.
		m.Port, m.PortReason = DefaultPort, "Thruster listens on HTTP_PORT"
		m.PortVars, m.ReadsPort = []string{"HTTP_PORT"}, true
	} else if d.Port != 0 {
		m.Port, m.PortReason = d.Port, fmt.Sprintf("EXPOSE %d (%s)", d.Port, d.Place)
	}
	f.Foreign = &m
}
