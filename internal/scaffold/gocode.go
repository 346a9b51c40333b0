package scaffold

import (
	"bytes"
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

	readsURL  bool     // it mentions "DATABASE_URL"
	readsPort bool     // it mentions "PORT"
	listens   []string // addresses passed to something that listens
	addresses []string // other strings that look like one
	health    map[string]bool
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
	file, _ := parser.ParseFile(token.NewFileSet(), name, data, parser.SkipObjectResolution)
	if file == nil || file.Name == nil {
		return
	}
	pkg := packages[dir]
	if pkg == nil {
		pkg = &goPackage{dir: dir, imports: map[string]bool{}, health: map[string]bool{}}
		packages[dir] = pkg
	}
	pkg.main = pkg.main || file.Name.Name == "main"
	for _, spec := range file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			pkg.imports[p] = true
		}
	}
	ast.Inspect(file, pkg.inspect)
}

func (p *goPackage) inspect(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.CallExpr:
		if listener(n.Fun) {
			for _, arg := range n.Args {
				p.listensOn(arg)
			}
		}
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Addr" {
			p.listensOn(n.Value)
		}
	case *ast.BasicLit:
		s := text(n)
		switch {
		case s == "DATABASE_URL":
			p.readsURL = true
		case s == "PORT":
			p.readsPort = true
		case address.MatchString(s):
			p.addresses = append(p.addresses, s)
		}
		if m := healthRoute.FindStringSubmatch(s); m != nil {
			p.health[m[1]] = true
		}
	}
	return true
}

func (p *goPackage) listensOn(expr ast.Expr) {
	if lit, ok := expr.(*ast.BasicLit); ok {
		if s := text(lit); address.MatchString(s) {
			p.listens = append(p.listens, s)
		}
	}
}

// listener tells whether a call's name is that of a function that listens:
// http.ListenAndServe, net.Listen, and the Run, Start and Listen of frameworks.
func listener(fun ast.Expr) bool {
	name := ""
	switch f := fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	return strings.HasPrefix(name, "Listen") || name == "Run" || name == "Start"
}

// text is the value of a string literal, or "".
func text(lit *ast.BasicLit) string {
	if lit.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}
