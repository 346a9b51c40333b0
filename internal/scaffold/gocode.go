package scaffold

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// goPackage is what the Go files of one directory say. Test files and files for
// other systems than the image's are not read.
type goPackage struct {
	dir     string
	main    bool
	imports map[string]bool

	readsPort string   // why it listens on PORT; empty where it does not mention it
	listens   []string // addresses passed to something that listens
	listenAt  []listenPlace
	elsewhere bool     // something listens on what is no literal
	addresses []string // other strings that look like one
	health    map[string]bool

	database dbCode
	toHTTPS  string   // where it redirects http to https, "main.go:12"
	embeds   []string // where SQL files are embedded, "db.go:7"
	migrates []string // where a migration library is told to migrate
}

// goFile is a file while it is read into its package.
type goFile struct {
	*goPackage
	name string
	set  *token.FileSet
	gins map[string]bool // variables that hold a gin engine
}

// place is where a node stands, "internal/db/db.go:12".
func (f *goFile) place(node ast.Node) string {
	return fmt.Sprintf("%s:%d", f.name, f.set.Position(node.Pos()).Line)
}

var (
	address     = regexp.MustCompile(`^(|localhost|[0-9]+(?:\.[0-9]+){3}|\[[0-9a-f:]*\]):([1-9][0-9]{1,4})$`)
	healthRoute = regexp.MustCompile(`^(?:GET )?(/healthz|/health|/up)$`)
)

// buildContext decides which files belong to a build for the image.
func buildContext(root *os.Root) *build.Context {
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH = "linux", "amd64"
	ctx.CgoEnabled = true // so that files that import "C" are seen
	ctx.BuildTags, ctx.ToolTags = nil, nil
	ctx.JoinPath = path.Join
	ctx.OpenFile = func(name string) (io.ReadCloser, error) {
		data, err := readSmall(root, name)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(data)), nil
	}
	return &ctx
}

// readGo adds one Go file to the package of its directory. A file that does not
// parse counts as far as it does: the build, not init, is to complain about it.
func readGo(root *os.Root, ctx *build.Context, name string, packages map[string]*goPackage) {
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	if strings.HasSuffix(base, "_test.go") {
		return
	}
	if match, err := ctx.MatchFile(dir, base); err != nil || !match {
		return
	}
	data, err := readSmall(root, name)
	if err != nil {
		return
	}
	set := token.NewFileSet()
	file, _ := parser.ParseFile(set, name, data, parser.SkipObjectResolution|parser.ParseComments)
	if file == nil || file.Name == nil {
		return
	}
	pkg := packages[dir]
	if pkg == nil {
		pkg = &goPackage{dir: dir, imports: map[string]bool{}, health: map[string]bool{}, database: newDBCode()}
		packages[dir] = pkg
	}
	pkg.main = pkg.main || file.Name.Name == "main"
	for _, spec := range file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			pkg.imports[p] = true
		}
	}
	f := &goFile{goPackage: pkg, name: name, set: set, gins: map[string]bool{}}
	f.readEmbeds(file)
	f.readRedirect(file)
	ast.Inspect(file, f.inspect)
	ast.Inspect(file, f.inspectDatabase)
}

func (p *goFile) inspect(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.AssignStmt:
		p.noteGin(n)
	case *ast.CallExpr:
		if listener(n.Fun) {
			for _, arg := range n.Args {
				p.listensOn(arg)
			}
		}
		p.listensByFlag(n)
		p.noteElsewhere(n)
		if recv, name := called(n); name == "Run" && len(n.Args) == 0 && p.gins[recv] {
			p.readsPort = "gin's Run() reads PORT"
		}
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Addr" {
			p.listensOn(n.Value)
			_, literal := n.Value.(*ast.BasicLit)
			p.elsewhere = p.elsewhere || !literal
		}
	case *ast.BasicLit:
		s := text(n)
		switch {
		case s == "PORT":
			p.readsPort = "the app reads PORT"
		case address.MatchString(s):
			p.addresses = append(p.addresses, s)
		}
		if m := healthRoute.FindStringSubmatch(s); m != nil {
			p.health[m[1]] = true
		}
	}
	return true
}

func (p *goFile) listensOn(expr ast.Expr) {
	if lit, ok := expr.(*ast.BasicLit); ok {
		if s := text(lit); address.MatchString(s) {
			p.listens, p.listenAt = append(p.listens, s), append(p.listenAt, listenPlace{p.place(lit), false})
		}
	}
}

// listener tells whether a call's name is that of a function that listens:
// http.ListenAndServe, net.Listen, and the Run, Start and Listen of frameworks.
func listener(fun ast.Expr) bool {
	name := lastName(fun)
	return strings.HasPrefix(name, "Listen") || name == "Run" || name == "Start"
}

// lastName is x, or the x of a.b.x.
func lastName(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// called takes a call apart: recv.name(...). recv is empty for a plain function
// and for anything but a name before the dot.
func called(call *ast.CallExpr) (recv, name string) {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return "", f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			recv = x.Name
		}
		return recv, f.Sel.Name
	}
	return "", ""
}

// noteGin remembers r := gin.Default(): its Run() without an address reads PORT.
func (p *goFile) noteGin(n *ast.AssignStmt) {
	if len(n.Lhs) != 1 || len(n.Rhs) != 1 {
		return
	}
	call, ok := n.Rhs[0].(*ast.CallExpr)
	if !ok {
		return
	}
	if recv, name := called(call); recv == "gin" && (name == "Default" || name == "New") {
		p.gins[lastName(n.Lhs[0])] = true
	}
}

// addressFlag names flags that say what to listen on.
var addressFlag = regexp.MustCompile(`^(http|listen|server|bind|web)?[-_.]?(addr|address|port|listen|bind|http)$`)

// listensByFlag reads the default of a flag such as flag.String("addr", ":3000", "")
// or flag.Int("port", 3000, "").
func (p *goFile) listensByFlag(call *ast.CallExpr) {
	_, name := called(call)
	if !flagFunc.MatchString(name) {
		return
	}
	named := false
	for _, arg := range call.Args {
		lit, ok := arg.(*ast.BasicLit)
		switch {
		case !ok:
		case !named:
			named = addressFlag.MatchString(text(lit))
		case lit.Kind == token.INT && address.MatchString(":"+lit.Value):
			p.listens, p.listenAt = append(p.listens, ":"+lit.Value), append(p.listenAt, listenPlace{p.place(lit), true})
			return
		case address.MatchString(text(lit)):
			p.listens, p.listenAt = append(p.listens, text(lit)), append(p.listenAt, listenPlace{p.place(lit), true})
			return
		case address.MatchString(":" + text(lit)):
			p.listens, p.listenAt = append(p.listens, ":"+text(lit)), append(p.listenAt, listenPlace{p.place(lit), true})
			return
		}
	}
}

// flagFunc names the functions of flag and pflag that make one.
var flagFunc = regexp.MustCompile(`^(String|Int|Uint)(Var)?P?$`)

// text is the value of a string literal, or "".
func text(lit *ast.BasicLit) string {
	if lit.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}
