package scaffold

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// goCode is what the code of a package, or of an app, says about its database and
// what it listens on. It follows names, not types: good enough to find the variable
// that a person would find, and a wrong guess is shown before anything is written.
type goCode struct {
	// values are what is assigned to a name, a field, a parameter ("Open#1"), a key
	// of the configuration ("key:db.path") or returned by a function.
	values   map[string][]origin
	opens    []opened  // calls that open a database
	mentions []located // strings that are names of variables for a database
	config   envConfig // how variables come to their names

	portRead  string    // why it listens on PORT; empty where it does not mention it
	listens   []origin  // what is given to something that listens
	portFlags []located // defaults of flags that say what to listen on
	addresses []located // other strings that look like an address
	tls, unix string    // where it serves TLS, and on a Unix socket
	plain     bool      // it serves without TLS

	fts5 string // where it makes a table for full text search
}

func newGoCode() goCode {
	return goCode{values: map[string][]origin{}, config: envConfig{prefixes: map[string][]prefixed{}}}
}

// located is a string of the code and where it stands.
type located struct{ text, place string }

// origin is what an expression is made of.
type origin struct {
	envs   []located // environment variables that it reads
	consts []located // names of constants that hold such a variable's name
	flags  []located // command line flags
	keys   []located // keys of a configuration
	lits   []located // string literals
	ports  []located // numbers that may be a port, ":3000"
	dirs   []inDir   // files in a directory that it names
	names  []string  // what else it refers to
}

// inDir is a file and the origin of the directory that it is in.
type inDir struct {
	file located
	dir  origin
}

func (o origin) empty() bool {
	return len(o.envs)+len(o.consts)+len(o.flags)+len(o.keys)+len(o.lits)+len(o.ports)+len(o.dirs)+len(o.names) == 0
}

// maxOrigins is how many nodes of one file's expressions are taken apart, at most.
// Calls in calls are looked at once for each level, so that code made for it could
// otherwise take for ever.
const maxOrigins = 1 << 20

// keyPrefix stands before a configuration's key among the names in goCode.values.
const keyPrefix = "key:"

func (p *goFile) assign(name string, value ast.Expr) {
	if name == "" || name == "_" || name == "err" {
		return
	}
	p.set(name, p.origin(value))
}

func (p *goFile) set(name string, o origin) {
	if !o.empty() {
		p.code.values[name] = append(p.code.values[name], o)
	}
}

var (
	// flagFunc names the functions of flag and pflag that make one.
	flagFunc = regexp.MustCompile(`^(String|Int|Uint)(Var)?P?$`)
	// keyFunc names what reads a key of viper, koanf, cobra and cli.
	keyFunc = regexp.MustCompile(`^((Get|Must)?(String|Int|Uint|Path)|Lookup)$`)
	// fileInDir is a format such as "file:%s/app.db?mode=rwc".
	fileInDir = regexp.MustCompile(`^(?:file:(?://)?)?%[sv](/[^?:*%]+\.(?:db|sqlite|sqlite3))(?:\?.*)?$`)
)

// origin takes an expression apart.
func (p *goFile) origin(expr ast.Expr) origin {
	var o origin
	ast.Inspect(expr, func(node ast.Node) bool {
		if p.nodes++; p.nodes > maxOrigins {
			return false
		}
		switch n := node.(type) {
		case *ast.FuncLit:
			return false
		case *ast.BasicLit:
			p.literal(&o, n)
		case *ast.Ident:
			o.names = append(o.names, n.Name)
		case *ast.SelectorExpr:
			o.names = append(o.names, n.Sel.Name)
			return false
		case *ast.KeyValueExpr:
			return false // a field of its own
		case *ast.BinaryExpr:
			if file, ok := n.Y.(*ast.BasicLit); ok && n.Op == token.ADD && strings.HasPrefix(text(file), "/") {
				return !p.addDir(&o, file, text(file), n.X)
			}
		case *ast.CallExpr:
			return p.call(&o, n)
		}
		return true
	})
	return o
}

func (p *goFile) literal(o *origin, lit *ast.BasicLit) {
	if s := text(lit); s != "" {
		o.lits = append(o.lits, located{s, p.place(lit)})
	} else if lit.Kind == token.INT && address.MatchString(":"+lit.Value) {
		o.ports = append(o.ports, located{":" + lit.Value, p.place(lit)})
	}
}

// call adds what a call reads, and tells whether its parts are to be looked at.
func (p *goFile) call(o *origin, n *ast.CallExpr) bool {
	recv, name := called(n)
	if len(n.Args) == 0 {
		return true
	}
	first, isLit := n.Args[0].(*ast.BasicLit)
	last, _ := n.Args[len(n.Args)-1].(*ast.BasicLit)
	switch {
	case strings.Contains(strings.ToLower(name), "env"), name == "lookup":
		if isLit && envVariable.MatchString(text(first)) {
			o.envs = append(o.envs, located{text(first), p.place(n)})
		} else if c := lastName(n.Args[0]); c != "" {
			o.consts = append(o.consts, located{c, p.place(n)})
		}
	case flagFunc.MatchString(name) && len(n.Args) > 2:
		if key := firstText(n.Args); key != "" {
			o.flags = append(o.flags, located{key, p.place(n)})
		}
	case keyFunc.MatchString(name) && len(n.Args) == 1 && isLit:
		o.keys = append(o.keys, located{text(first), p.place(n)})
		return false
	case name == "Join" && (recv == "filepath" || recv == "path") && last != nil:
		return !p.join(o, n.Args, last)
	case name == "Sprintf" && isLit:
		if m := fileInDir.FindStringSubmatch(text(first)); m != nil {
			return !p.addDir(o, first, m[1], n.Args[1:]...)
		}
	}
	return true
}

func firstText(args []ast.Expr) string {
	for _, arg := range args {
		if lit, ok := arg.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			return text(lit)
		}
	}
	return ""
}

// join reads filepath.Join: a literal where all its parts are, else a file in a
// directory.
func (p *goFile) join(o *origin, args []ast.Expr, last *ast.BasicLit) bool {
	file := text(last)
	rest := args[:len(args)-1]
	for len(rest) > 0 {
		lit, ok := rest[len(rest)-1].(*ast.BasicLit)
		if !ok {
			return p.addDir(o, last, file, rest...)
		}
		file, rest = path.Join(text(lit), file), rest[:len(rest)-1]
	}
	o.lits = append(o.lits, located{file, p.place(last)})
	return true
}

// addDir notes a database's file in a directory, and tells whether it is one.
func (p *goFile) addDir(o *origin, at ast.Node, file string, dir ...ast.Expr) bool {
	m := dbFile.FindStringSubmatch(strings.TrimPrefix(file, "/"))
	if m == nil {
		return false
	}
	d := inDir{file: located{m[1], p.place(at)}}
	for _, expr := range dir {
		part := p.origin(expr)
		d.dir.envs, d.dir.consts = append(d.dir.envs, part.envs...), append(d.dir.consts, part.consts...)
		d.dir.flags, d.dir.keys = append(d.dir.flags, part.flags...), append(d.dir.keys, part.keys...)
		d.dir.names = append(d.dir.names, part.names...)
	}
	o.dirs = append(o.dirs, d)
	return true
}

// readValues notes what is assigned, passed and returned.
func (p *goFile) readValues(node ast.Node) {
	switch n := node.(type) {
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
		if lit, ok := n.Key.(*ast.BasicLit); ok {
			p.assign(keyPrefix+text(lit), n.Value)
		}
		p.assign(lastName(n.Key), n.Value)
	case *ast.FuncDecl:
		p.readFunc(n)
	case *ast.CallExpr:
		_, name := called(n)
		if name == "" {
			return
		}
		p.readFlag(name, n)
		for i, arg := range n.Args {
			p.assign(name+"#"+strconv.Itoa(i), arg)
		}
	}
}

// readFlag ties a flag's name to it, and to the variable that it is to set.
func (p *goFile) readFlag(name string, call *ast.CallExpr) {
	if !flagFunc.MatchString(name) || len(call.Args) < 3 {
		return
	}
	p.assign(keyPrefix+firstText(call.Args), call)
	if target, ok := call.Args[0].(*ast.UnaryExpr); ok {
		p.assign(lastName(target.X), call)
	}
}

// readFunc ties a function's parameters to the arguments of its calls, and its
// name to what it returns.
func (p *goFile) readFunc(n *ast.FuncDecl) {
	i := 0
	for _, field := range n.Type.Params.List {
		for _, name := range field.Names {
			p.set(name.Name, origin{names: []string{n.Name.Name + "#" + strconv.Itoa(i)}})
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
