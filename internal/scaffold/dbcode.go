package scaffold

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// dbCode is what the code of a package, or of an app, says about where its
// database is. It follows names, not types: good enough to find the variable that
// a person would find, and a wrong guess is shown before anything is written.
type dbCode struct {
	values   map[string][]origin // what is assigned to a name, a field, a parameter ("Open#1") or returned by a function
	opens    []origin            // what is given to calls that open an SQLite database
	mentions []located           // strings that are names of variables for a database
}

func newDBCode() dbCode { return dbCode{values: map[string][]origin{}} }

// located is a string of the code and where it stands.
type located struct{ text, place string }

// origin is what an expression is made of.
type origin struct {
	envs   []located // environment variables that it reads
	consts []located // names of constants that hold such a variable's name
	flags  []located // command line flags
	lits   []located // string literals
	names  []string  // what else it refers to
}

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
	Flag         string // the command line flag that gives the path, without dashes
}

var (
	envVariable = regexp.MustCompile(`^[A-Z][A-Z0-9_]+$`)
	// dbVariable is what is taken for a database's place even where nothing
	// shows that it is opened.
	dbVariable = regexp.MustCompile(`^([A-Z0-9]+_)*((DATABASE|DB|SQLITE3?)_(URL|URI|PATH|FILE|FILENAME|DSN|LOCATION)|SQLITE3?_(DB|DATABASE)|DSN)$`)
	// dbish is weaker: for what flows into a call that opens a database.
	dbish    = regexp.MustCompile(`(^|_)(DATABASE|DB|SQLITE3?|DSN)(_|$)`)
	envTag   = regexp.MustCompile(`\b(?:env|envconfig):"([A-Z][A-Z0-9_]+)`)
	dbFile   = regexp.MustCompile(`^(?:file:|sqlite3?:)?(?://)?([^?:*%]+\.(?:db|sqlite|sqlite3))(?:\?.*)?$`)
	openFunc = regexp.MustCompile(`^(Must)?(Open|OpenDB|OpenConn|Connect|NewPool|OpenReader)$`)
)

// openers are package names, as code writes them, whose Open and the like open an
// SQLite database, with the argument that says which.
var openers = map[string]int{
	"sql": 1, "sqlx": 1, "otelsql": 1, "ent": 1, "appdb": 1,
	"sqlite": 0, "sqlite3": 0, "sqlitex": 0, "gormlite": 0, "driver": 0, "libsql": 0,
}

// usable tells whether fly.toml may set a variable of that name.
func usable(variable string) bool {
	return !strings.HasPrefix(variable, "FLY") && variable != "PRIMARY_REGION" && !strings.Contains(variable, "TEST") &&
		!strings.HasPrefix(variable, "GOOSE_")
}

func (p *goFile) inspectDatabase(node ast.Node) bool {
	db := &p.database
	switch n := node.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.BasicLit:
		if s := text(n); dbVariable.MatchString(s) && usable(s) {
			db.mentions = append(db.mentions, located{s, p.place(n)})
		}
	case *ast.AssignStmt:
		for i, target := range n.Lhs {
			p.assign(lastName(target), n.Rhs[min(i, len(n.Rhs)-1)])
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if len(n.Values) > 0 {
				p.assign(name.Name, n.Values[min(i, len(n.Values)-1)])
			}
		}
	case *ast.KeyValueExpr:
		p.assign(lastName(n.Key), n.Value)
	case *ast.Field:
		p.readTag(n)
	case *ast.FuncDecl:
		p.readFunc(n)
	case *ast.CallExpr:
		p.readCall(n)
	}
	return true
}

func (p *goFile) assign(name string, value ast.Expr) {
	if name == "" || name == "_" || name == "err" {
		return
	}
	if o := p.origin(value); !o.empty() {
		p.database.values[name] = append(p.database.values[name], o)
	}
}

func (o origin) empty() bool {
	return len(o.envs)+len(o.consts)+len(o.flags)+len(o.lits)+len(o.names) == 0
}

// readTag reads struct tags as envconfig, caarlos0/env and the like have them.
func (p *goFile) readTag(field *ast.Field) {
	if field.Tag == nil {
		return
	}
	m := envTag.FindStringSubmatch(text(field.Tag))
	if m == nil || !dbish.MatchString(m[1]) || !usable(m[1]) {
		return
	}
	at := located{m[1], p.place(field)}
	if dbVariable.MatchString(m[1]) {
		p.database.mentions = append(p.database.mentions, at)
	}
	for _, name := range field.Names {
		p.database.values[name.Name] = append(p.database.values[name.Name], origin{envs: []located{at}})
	}
}

// readFunc ties a function's parameters to the arguments of its calls, and its
// name to what it returns.
func (p *goFile) readFunc(n *ast.FuncDecl) {
	i := 0
	for _, field := range n.Type.Params.List {
		for _, name := range field.Names {
			p.database.values[name.Name] = append(p.database.values[name.Name], origin{names: []string{n.Name.Name + "#" + strconv.Itoa(i)}})
			i++
		}
	}
	if n.Body == nil {
		return
	}
	ast.Inspect(n.Body, func(node ast.Node) bool {
		switch r := node.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			for _, result := range r.Results {
				p.assign(n.Name.Name, result)
			}
		}
		return true
	})
}

func (p *goFile) readCall(call *ast.CallExpr) {
	recv, name := called(call)
	if name == "" {
		return
	}
	if arg, ok := openers[recv]; ok && openFunc.MatchString(name) && arg < len(call.Args) && !isTarget(recv, call) {
		p.database.opens = append(p.database.opens, p.origin(call.Args[arg]))
	}
	if flagFunc.MatchString(name) && strings.Contains(name, "Var") && len(call.Args) > 2 {
		if target, ok := call.Args[0].(*ast.UnaryExpr); ok {
			p.assign(lastName(target.X), call)
		}
	}
	if migrateFunc.MatchString(name) {
		p.migrates = append(p.migrates, p.place(call))
	}
	for i, arg := range call.Args {
		p.assign(name+"#"+strconv.Itoa(i), arg)
	}
}

// isTarget tells whether a call of database/sql names a driver of another
// database.
func isTarget(recv string, call *ast.CallExpr) bool {
	if openers[recv] != 1 || recv == "appdb" {
		return false
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	return ok && !strings.Contains(text(lit), "sqlite") && text(lit) != "libsql"
}

// origin takes an expression apart.
func (p *goFile) origin(expr ast.Expr) origin {
	var o origin
	ast.Inspect(expr, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.FuncLit:
			return false
		case *ast.BasicLit:
			if s := text(n); s != "" {
				o.lits = append(o.lits, located{s, p.place(n)})
			}
		case *ast.Ident:
			o.names = append(o.names, n.Name)
		case *ast.SelectorExpr:
			o.names = append(o.names, n.Sel.Name)
			return false
		case *ast.KeyValueExpr:
			return false // a field of its own
		case *ast.CallExpr:
			_, name := called(n)
			if len(n.Args) == 0 {
				break
			}
			switch {
			case strings.Contains(strings.ToLower(name), "env"):
				if lit, ok := n.Args[0].(*ast.BasicLit); ok && envVariable.MatchString(text(lit)) {
					o.envs = append(o.envs, located{text(lit), p.place(n)})
				} else if c := lastName(n.Args[0]); c != "" {
					o.consts = append(o.consts, located{c, p.place(n)})
				}
			case flagFunc.MatchString(name):
				for _, arg := range n.Args {
					if lit, ok := arg.(*ast.BasicLit); ok && lit.Kind == token.STRING {
						o.flags = append(o.flags, located{text(lit), p.place(n)})
						break
					}
				}
			}
		}
		return true
	})
	return o
}

// findDatabase draws the conclusion from all of an app's packages.
func findDatabase(packages []*goPackage) Database {
	all := newDBCode()
	for _, p := range packages {
		for name, origins := range p.database.values {
			all.values[name] = append(all.values[name], origins...)
		}
		all.opens = append(all.opens, p.database.opens...)
		all.mentions = append(all.mentions, p.database.mentions...)
	}
	r := resolver{code: all, seen: map[string]bool{}}
	for _, o := range all.opens {
		r.follow(o, 0)
	}
	envs := r.envs
	if len(envs) == 0 {
		envs = all.mentions
	}
	var d Database
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
	if d.Var != "" {
		return d
	}
	if len(r.flags) > 0 {
		d.Flag, d.Place = r.flags[0].text, r.flags[0].place
	}
	for _, lit := range r.lits {
		if m := dbFile.FindStringSubmatch(lit.text); m != nil {
			d.Literal, d.LiteralPlace = m[1], lit.place
			break
		}
	}
	return d
}

// resolver follows names to where their values come from.
type resolver struct {
	code              dbCode
	seen              map[string]bool
	envs, flags, lits []located
}

// maxFollow is how many names stand between a variable and the call that opens
// the database, at most. Real code has one to four.
const maxFollow = 8

func (r *resolver) follow(o origin, depth int) {
	for _, e := range o.envs {
		// What is read in the call itself is meant; on the way there, names that
		// many things share may have led astray.
		if usable(e.text) && (depth == 0 || dbish.MatchString(e.text)) {
			r.envs = append(r.envs, e)
		}
	}
	for _, c := range o.consts {
		for _, value := range r.code.values[c.text] {
			for _, lit := range value.lits {
				if envVariable.MatchString(lit.text) && usable(lit.text) && dbish.MatchString(lit.text) {
					r.envs = append(r.envs, located{lit.text, c.place})
				}
			}
		}
	}
	for _, f := range o.flags {
		if depth == 0 || flagOfDB.MatchString(f.text) {
			r.flags = append(r.flags, f)
		}
	}
	r.lits = append(r.lits, o.lits...)
	if depth == maxFollow {
		return
	}
	for _, name := range o.names {
		if r.seen[name] {
			continue
		}
		r.seen[name] = true
		for _, next := range r.code.values[name] {
			r.follow(next, depth+1)
		}
	}
}

var flagOfDB = regexp.MustCompile(`(?i)^(.*[-_.])?(db|database|sqlite|sqlite3|dsn|data)([-_.].*)?$`)

// migrateFunc names what goose, golang-migrate and dbmate call to migrate. It
// counts only in an app that imports one of them.
var migrateFunc = regexp.MustCompile(`^(Up|UpContext|UpTo|UpByOne|Migrate|CreateAndMigrate|RunMigrations?)$`)

// migrationLibraries by what their import paths begin with.
var migrationLibraries = []struct{ path, name string }{
	{"github.com/pressly/goose", "goose"},
	{"github.com/golang-migrate/migrate", "golang-migrate"},
	{"github.com/amacneil/dbmate", "dbmate"},
}

// readEmbeds notes go:embed lines for SQL files.
func (p *goFile) readEmbeds(file *ast.File) {
	for _, group := range file.Comments {
		for _, c := range group.List {
			patterns, ok := strings.CutPrefix(c.Text, "//go:embed ")
			if ok && (strings.Contains(patterns, ".sql") || strings.Contains(path.Base(strings.TrimSpace(patterns)), "migrations")) {
				p.embeds = append(p.embeds, p.place(c))
			}
		}
	}
}

// selfMigration says by what and where the app migrates by itself; empty where it
// does not.
func selfMigration(packages []*goPackage) string {
	library, call, embed := "", "", ""
	for _, p := range packages {
		for _, l := range migrationLibraries {
			for imported := range p.imports {
				if within(imported, l.path) {
					library = l.name
				}
			}
		}
		if len(p.migrates) > 0 && call == "" {
			call = p.migrates[0]
		}
		if len(p.embeds) > 0 && embed == "" {
			embed = p.embeds[0]
		}
	}
	switch {
	case library == "" || call == "":
		return ""
	case embed != "":
		return library + ", " + call + "; the files are embedded, " + embed
	}
	return library + ", " + call
}
