package scaffold

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// databaseURL is the variable that flysql-entrypoint reads by itself, and what an
// app gets where its code names no other.
const databaseURL = "DATABASE_URL"

// entrypointDB is flysql-entrypoint's own.
const entrypointDB = "FLYSQL_DB"

// variable is the one that fly.toml sets. DATABASE_URL is not, where that is another
// database's.
func (d Database) variable() string {
	switch {
	case d.Var != "":
		return d.Var
	case d.DirVar != "":
		return d.DirVar
	case d.Server != "", d.Flag != "", d.DirFlag != "": // the entrypoint alone reads it
		return entrypointDB
	}
	return databaseURL
}

// value is what the variable holds for the database at a path.
func (d Database) value(db string) string {
	switch {
	case d.variable() == d.DirVar:
		return path.Dir(db)
	case d.variable() == entrypointDB:
		return db
	case d.Scheme != "":
		return d.Scheme + db
	case d.Path:
		return db
	}
	return "file://" + db
}

// in is the path of the database that a variable's value names; empty where it names
// none.
func (d Database) in(variable, value string) string {
	dir := pathOf(value)
	if dir == "" || variable != d.DirVar {
		return dir
	}
	return path.Join(dir, d.Literal)
}

// checkName refuses another file than the code opens in the directory that it is told.
func (d Database) checkName(a Answers) error {
	if d.DirVar == "" || path.Base(a.DB) == d.Literal {
		return nil
	}
	return fmt.Errorf("--db %q: the code opens %q (%s) in the directory that %s names: give %s", a.DB, d.Literal, d.LiteralPlace, d.DirVar, path.Join(path.Dir(a.DB), d.Literal))
}

// describeDatabase says how the app learns of its database, in a line.
func (m Main) describeDatabase(a Answers) string {
	d := m.Database
	as := "a URL"
	if d.Path && d.Scheme == "" {
		as = "a path"
	}
	switch {
	case d.Server != "":
		return fmt.Sprintf("%s; the app has %s", a.DB, d.Server)
	case d.DirVar != "":
		return fmt.Sprintf("%s: the app opens %q (%s) where %s says (%s)", a.DB, d.Literal, d.LiteralPlace, d.DirVar, d.DirPlace)
	case d.DirFlag != "":
		return fmt.Sprintf("%s; the app opens %q (%s) where its flag -%s says (%s)", a.DB, d.Literal, d.LiteralPlace, d.DirFlag, d.DirPlace)
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
	const lost = "for what the app writes elsewhere is lost with the machine"
	if len(d.OtherLiterals) > 0 {
		add("the code also opens %s: what it writes outside %s is lost with the machine", strings.Join(d.OtherLiterals, ", "), a.mount())
	}
	if m.Driver == pocketBase {
		d.pocketBaseNotes(add, a, m)
		return list
	}
	switch {
	case d.Server != "":
		add("the app has %s, and no driver for SQLite was seen: nothing of what it stores would be on the volume. Is this the app, or the program (--main), that is meant?", d.Server)
	case d.DirVar != "" && a.Mode == LiteFS:
		add("%s names LiteFS's directory now (%s), which takes databases only: other files, and directories, belong on the volume, %s, where they are not copied", d.DirVar, d.DirPlace, a.mount())
	case d.DirVar != "":
	case d.DirFlag != "" && !strings.Contains(a.Command, a.mount()):
		add("the database is %q in the directory of the flag -%s (%s): start the app with it, --command \"%s -%s %s\", %s%s", d.Literal, d.DirFlag, d.DirPlace, m.Binary, d.DirFlag, a.mount(), lost, d.renamed(a))
	case d.DirFlag != "":
	case d.Var != "":
		if len(d.Others) > 0 {
			add("the code also mentions %s: %s is set, as it looks like the database's place; set the others in [env] if they are needed", strings.Join(d.Others, ", "), d.Var)
		}
	case d.Flag != "" && !strings.Contains(a.Command, a.DB):
		add("the database's path is the flag -%s (%s): start the app with it, --command \"%s -%s %s\", %s", d.Flag, d.Place, m.Binary, d.Flag, a.DB, lost)
	case d.Flag != "":
	case d.Literal != "" && d.Literal != a.DB:
		add("the database's path stands in the code (%s opens %q): have it read %s, which is set to the path on the volume, %s", d.LiteralPlace, d.Literal, databaseURL, lost)
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

// renamed says which --db has the file's name that the code has.
func (d Database) renamed(a Answers) string {
	if path.Base(a.DB) == d.Literal {
		return ""
	}
	return "; and tell flysql-entrypoint that file: --db " + path.Join(a.mount(), d.Literal)
}

// pocketBase is a framework that opens its own databases, in a directory.
const pocketBase = "github.com/pocketbase/pocketbase"

func (d Database) pocketBaseNotes(add func(string, ...any), a Answers, m Main) {
	db := path.Join(a.mount(), "data.db")
	if strings.Contains(a.Command, a.mount()) && a.DB == db {
		return
	}
	add("PocketBase keeps its databases in a directory, and listens where it is told: --db %s --command \"%s serve --http=0.0.0.0:%d --dir=%s\"", db, m.Binary, a.Port, a.mount())
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
