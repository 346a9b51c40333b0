package scaffold

import (
	"fmt"
	"slices"
	"strings"
)

// databaseURL is the variable that flysql-entrypoint reads by itself, and what an
// app gets where its code names no other.
const databaseURL = "DATABASE_URL"

// variable is the one that fly.toml sets.
func (d Database) variable() string {
	if d.Var == "" {
		return databaseURL
	}
	return d.Var
}

// value is what the variable holds for the database at a path.
func (d Database) value(db string) string {
	switch {
	case d.Scheme != "":
		return d.Scheme + db
	case d.Path:
		return db
	}
	return "file://" + db
}

// describeDatabase says how the app learns of its database, in a line.
func (m Main) describeDatabase(a Answers) string {
	d := m.Database
	as := "a URL"
	if d.Path {
		as = "a path"
	}
	switch {
	case d.Var != "":
		return fmt.Sprintf("%s: the app reads %s (%s), as %s", a.DB, d.Var, d.Place, as)
	case d.Flag != "":
		return fmt.Sprintf("%s: the app has a flag, -%s (%s)", a.DB, d.Flag, d.Place)
	case d.Literal != "":
		return fmt.Sprintf("%s; the app opens %q (%s)", a.DB, d.Literal, d.LiteralPlace)
	}
	return a.DB
}

// notes say what is left to do until the app opens the database on the volume.
func (d Database) notes(a Answers, m Main) []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	switch {
	case d.Var != "":
		if len(d.Others) > 0 {
			add("the code also mentions %s: %s is set, as it looks like the database's place; set the others in [env] if they are needed", strings.Join(d.Others, ", "), d.Var)
		}
	case d.Flag != "" && !strings.Contains(a.Command, a.DB):
		add("the database's path is the flag -%s (%s): start the app with it, --command \"%s -%s %s\", for what the app writes elsewhere is lost with the machine", d.Flag, d.Place, m.Binary, d.Flag, a.DB)
	case d.Flag != "":
	case d.Literal != "" && d.Literal != a.DB:
		add("the database's path stands in the code (%s opens %q): have it read %s, which is set to the path on the volume, for what the app writes elsewhere is lost with the machine", d.LiteralPlace, d.Literal, databaseURL)
	case d.Literal != "":
	case d.Scheme != "":
		if len(m.Notes) == 0 {
			add("have the app open the database that DATABASE_URL names (%s), for what it writes elsewhere is lost with the machine", a.DB)
		}
	default:
		add("the code does not mention DATABASE_URL: have the app open the database that it names (%s), for what it writes elsewhere is lost with the machine", a.DB)
	}
	return list
}

// forEntrypoint is what FLYSQL_DB must say; empty where DATABASE_URL does, in a
// form that flysql-entrypoint reads. With LiteFS it is always said: the image has
// its litefs.yml too, and neither does without the other.
func (d Database) forEntrypoint(a Answers) string {
	if a.Mode != LiteFS && d.variable() == databaseURL && d.Scheme == "" {
		return ""
	}
	return a.DB
}

// others tells of the module's other programs, which the image does not start.
func (f *Facts) others(a Answers, m Main) []string {
	var list []string
	for _, other := range f.Mains {
		switch {
		case other.Dir == m.Dir, slices.Contains(a.Workers, other.Package()), !within(other.Dir, "cmd"), m.Dir != "." && !within(m.Dir, "cmd"):
			// A tool or an example is no part of the app.
		case other.Driver != "":
			list = append(list, fmt.Sprintf("%s, which uses SQLite too, is not started: a volume belongs to one machine, so what shares the database must run on the app's own machine, best as part of the app; a process group of its own would have an empty database", other.Package()))
		default:
			list = append(list, fmt.Sprintf("%s is not part of the image, which runs %s", other.Package(), m.Package()))
		}
	}
	return list
}
