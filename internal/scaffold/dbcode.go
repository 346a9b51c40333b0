package scaffold

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Database is how the app learns where its database is.
type Database struct {
	Var   string // the environment variable; empty where the code names none
	Place string // where it is read, "main.go:12"
	// Others are more variables that look like it.
	Others []string
	// Path: the code takes a plain path, as SQLite drivers do; appdb takes a URL.
	Path bool
	// Scheme is what stands before the path where it is another URL than appdb's:
	// "sqlite3:" for Rails. Empty: as Path says.
	Scheme string

	Literal      string // a path that the code has, where there is no variable
	LiteralPlace string
	// OtherLiterals are more files that it opens, `"cache.db" (main.go:13)`.
	OtherLiterals []string
	Flag          string // the command line flag that gives the path, without dashes

	// Default is a path that the code has beside the variable, for where that is not
	// set.
	Default string

	// DirVar, or DirFlag, names the directory in which the app opens Literal.
	DirVar, DirFlag, DirPlace string

	// Server is what the app has instead of an SQLite file, "PostgreSQL
	// (github.com/lib/pq)"; empty where it has one, or nothing that is known.
	Server string
}

var (
	envVariable = regexp.MustCompile(`^[A-Z][A-Z0-9_]+$`)
	// dbVariable is what is taken for a database's place even where nothing
	// shows that it is opened.
	dbVariable = regexp.MustCompile(`^([A-Z][A-Z0-9]*_([A-Z0-9]+_)*)?((DATABASE|DB|SQLITE3?)_(URL|URI|PATH|FILE|FILENAME|DSN|LOCATION)|SQLITE3?_(DB|DATABASE)|DSN)$`)
	// dbish is weaker: for what flows into a call that opens a database.
	dbish = regexp.MustCompile(`(^|_)(DATABASE|DB|SQLITE3?|DSN)(_|$)`)
	// dirVariable is never a file.
	dirVariable = regexp.MustCompile(`(^|_)(DIR|DIRECTORY|FOLDER|HOME|ROOT)$`)
	// ofUser are set by the system, for other purposes.
	ofUser   = regexp.MustCompile(`^(HOME|PATH|PWD|USER|TMPDIR|TEMP|TMP|APPDATA|LOCALAPPDATA|USERPROFILE|XDG_.*|GO[A-Z]+)$`)
	dirFlag  = regexp.MustCompile(`(?i)(^|[-_.]|data)(dir|directory|folder|root)$`)
	flagOfDB = regexp.MustCompile(`(?i)^(.*[-_.])?(db|database|sqlite|sqlite3|dsn|data)([-_.].*)?$`)
	dbFile   = regexp.MustCompile(`^(?:file:|sqlite3?:)?(?://)?([^?:*%]+\.(?:db|sqlite|sqlite3))(?:\?.*)?$`)
	openFunc = regexp.MustCompile(`^(Must)?(Open|OpenDB|OpenConn|Connect|ConnectContext|NewPool|OpenReader)$`)
)

// openers are package names, as code writes them, whose Open and the like open an
// SQLite database, with the argument that says which.
var openers = map[string]int{
	"sql": 1, "sqlx": 1, "otelsql": 1, "ent": 1, "entsql": 1, "appdb": 1,
	"sqlite": 0, "sqlite3": 0, "sqlitex": 0, "gormlite": 0, "driver": 0, "libsql": 0,
}

// servers are package names whose calls open a database of another kind. All of
// their arguments say which.
var servers = []string{"pgx", "pgxpool", "pgdriver", "postgres", "mysql", "mongo", "pq"}

var serverFunc = regexp.MustCompile(`^(Open|Connect|ConnectConfig|New|NewWithConfig|NewConnector|ParseConfig|WithDSN)$`)

// opened is a call that opens a database.
type opened struct {
	origin
	driver origin // the driver's name, where it is an argument
	server bool   // it is a database of another kind
	url    bool   // it takes a URL, as dbmate does
}

// usable tells whether fly.toml may set a variable of that name.
func usable(variable string) bool {
	return !strings.HasPrefix(variable, "FLY") && variable != "PRIMARY_REGION" && !strings.Contains(variable, "TEST") &&
		!strings.HasPrefix(variable, "GOOSE_") && !ofUser.MatchString(variable)
}

// inspectDatabase looks at a node for what it says about values, and databases
// above all.
func (p *goFile) inspectDatabase(node ast.Node) bool {
	if _, ok := node.(*ast.ImportSpec); ok {
		return false
	}
	p.readValues(node)
	p.readConfig(node)
	switch n := node.(type) {
	case *ast.BasicLit:
		if s := text(n); dbVariable.MatchString(s) && usable(s) {
			p.code.mentions = append(p.code.mentions, located{s, p.place(n)})
		}
	case *ast.CallExpr:
		p.readOpen(n)
		if _, name := called(n); migrateFunc.MatchString(name) {
			p.migrates = append(p.migrates, p.place(n))
		}
	}
	return true
}

// readOpen notes a call that opens a database.
func (p *goFile) readOpen(call *ast.CallExpr) {
	recv, name := called(call)
	arg, ok := openers[recv]
	switch {
	case ok && openFunc.MatchString(name) && arg < len(call.Args):
		if recv == "sqlx" && strings.HasSuffix(name, "Context") {
			arg++
		}
		if arg >= len(call.Args) {
			return
		}
		o := opened{origin: p.origin(call.Args[arg])}
		if arg > 0 && recv != "appdb" {
			o.driver = p.origin(call.Args[arg-1])
		}
		p.code.opens = append(p.code.opens, o)
	case recv == "dbmate" && name == "New" && len(call.Args) == 1:
		p.code.opens = append(p.code.opens, opened{origin: p.origin(call.Args[0]), url: true})
	case slices.Contains(servers, recv) && serverFunc.MatchString(name):
		for _, arg := range call.Args {
			p.code.opens = append(p.code.opens, opened{origin: p.origin(arg), server: true})
		}
	}
}

// findDatabase draws the conclusion from all of an app's code.
func (c *goCode) findDatabase() Database {
	r, other := newResolver(c), newResolver(c)
	var d Database
	for _, o := range c.opens {
		if o.server || c.ofServer(o.driver) {
			other.follow(o.origin, 0, "")
			continue
		}
		before := len(r.envs)
		r.follow(o.origin, 0, "")
		if o.url && len(r.envs) > before {
			d.Scheme = "sqlite:"
		}
	}
	// What another database is opened with is none of SQLite's.
	ofOther := func(e located) bool {
		return slices.ContainsFunc(other.envs, func(o located) bool { return o.text == e.text })
	}
	envs := slices.DeleteFunc(r.envs, dirEnv)
	if len(envs) == 0 && len(r.dirs) == 0 {
		envs = slices.DeleteFunc(c.mentions, ofOther)
	}
	d.nameVariables(envs)
	if d.Var == "" {
		d.nameFiles(r)
	} else if len(c.opens) == 1 {
		d.Default = fallback(r.lits)
	}
	return d
}

// fallback is the one absolute path among the literals that lead to a database.
func fallback(lits []located) string {
	found := ""
	for _, lit := range lits {
		m := dbFile.FindStringSubmatch(lit.text)
		switch {
		case m == nil, !path.IsAbs(m[1]), m[1] == found:
		case found != "":
			return ""
		default:
			found = m[1]
		}
	}
	return found
}

func dirEnv(e located) bool { return dirVariable.MatchString(e.text) }

func (d *Database) nameVariables(envs []located) {
	for _, e := range envs {
		switch {
		case d.Var == "", e.text == "DATABASE_URL" && d.Var != e.text:
			if d.Var != "" {
				d.Others = append(d.Others, d.Var)
			}
			d.Var, d.Place = e.text, e.place
		case e.text != d.Var && !slices.Contains(d.Others, e.text):
			d.Others = append(d.Others, e.text)
		}
	}
	slices.Sort(d.Others)
}

// nameFiles is for code that reads no variable: a flag, or a path of its own.
func (d *Database) nameFiles(r *resolver) {
	for _, f := range r.flags {
		if !dirFlag.MatchString(f.text) {
			d.Flag, d.Place = f.text, f.place
			break
		}
	}
	lits := r.lits
	for _, dir := range r.dirs {
		of := newResolver(r.code)
		of.inDir = true
		of.follow(dir.dir, 0, "")
		lits = append(lits, dir.file)
		if strings.Contains(dir.file.text, "/") || d.Flag != "" || d.DirVar+d.DirFlag != "" {
			continue // a directory below the volume's root is no place for a database
		}
		switch {
		case len(of.envs) > 0:
			d.DirVar, d.DirPlace = of.envs[0].text, of.envs[0].place
		case len(of.flags) > 0:
			d.DirFlag, d.DirPlace = of.flags[0].text, of.flags[0].place
		default:
			continue
		}
		d.Literal, d.LiteralPlace = dir.file.text, dir.file.place
	}
	for _, lit := range lits {
		m := dbFile.FindStringSubmatch(lit.text)
		switch {
		case m == nil:
		case d.Literal == "":
			d.Literal, d.LiteralPlace = m[1], lit.place
		case m[1] != d.Literal && path.Base(m[1]) != path.Base(d.Literal):
			if other := quotedAt(m[1], lit.place); !slices.Contains(d.OtherLiterals, other) {
				d.OtherLiterals = append(d.OtherLiterals, other)
			}
		}
	}
}

// ofServer tells whether a driver's name is that of another database.
func (c *goCode) ofServer(driver origin) bool {
	r := newResolver(c)
	r.depth = 2
	r.follow(driver, 0, "")
	named := slices.ContainsFunc(driver.names, func(name string) bool { return serverName.MatchString(name) })
	for _, lit := range r.lits {
		if strings.Contains(lit.text, "sqlite") || lit.text == "libsql" {
			return false
		}
		named = true
	}
	return named
}

var serverName = regexp.MustCompile(`(?i)postgres|pgx|mysql|mariadb|sqlserver|oracle|clickhouse`)

// usesFTS5 is SQL that go-sqlite3 takes only with a build tag.
var usesFTS5 = regexp.MustCompile(`(?i)\busing\s+fts5\b`)

// needsTags tells whether a driver has FTS5 only by a build tag.
func needsTags(driver string) bool {
	return within(driver, "github.com/mattn/go-sqlite3") || within(driver, "gorm.io/driver/sqlite")
}

func fts5Note(place string) string {
	return "the code uses FTS5 (" + place + "), which mattn/go-sqlite3 has only with a build tag: put ENV GOFLAGS=-tags=sqlite_fts5 below the line FROM ... AS build of the Dockerfile"
}

// serverDrivers by what their import paths begin with.
var serverDrivers = []struct{ path, name string }{
	{"github.com/jackc/pgx", "PostgreSQL"},
	{"github.com/lib/pq", "PostgreSQL"},
	{"gorm.io/driver/postgres", "PostgreSQL"},
	{"github.com/uptrace/bun/driver/pgdriver", "PostgreSQL"},
	{"github.com/go-pg/pg", "PostgreSQL"},
	{"github.com/go-sql-driver/mysql", "MySQL"},
	{"gorm.io/driver/mysql", "MySQL"},
	{"go.mongodb.org/mongo-driver", "MongoDB"},
	{"github.com/tursodatabase/libsql-client-go", "a libSQL server"},
}

// server names the database of an app that imports no driver for SQLite.
func server(packages []*goPackage) string {
	for _, s := range serverDrivers {
		for _, p := range packages {
			for imported := range p.imports {
				if within(imported, s.path) {
					return s.name + " (" + s.path + ")"
				}
			}
		}
	}
	return ""
}
