package scaffold

import (
	"bytes"
	"cmp"
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
	health  map[string]bool

	code      goCode
	elsewhere bool     // something listens on what is no literal
	toHTTPS   string   // where it redirects http to https, "main.go:12"
	embeds    []string // where SQL files are embedded, "db.go:7"
	migrates  []string // where a migration library is told to migrate
}

// goFile is a file while it is read into its package.
type goFile struct {
	*goPackage
	name    string
	files   *token.FileSet
	gins    map[string]bool            // variables that hold a gin engine
	structs map[*ast.StructType]string // their names
	nodes   int                        // how many were taken apart
}

// place is where a node stands, "internal/db/db.go:12".
func (f *goFile) place(node ast.Node) string {
	return fmt.Sprintf("%s:%d", f.name, f.files.Position(node.Pos()).Line)
}

var healthRoute = regexp.MustCompile(`^(?:GET )?(/healthz|/health|/up)$`)

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
	file := parse(set, name, data)
	if file == nil {
		return
	}
	pkg := packages[dir]
	if pkg == nil {
		pkg = &goPackage{dir: dir, imports: map[string]bool{}, health: map[string]bool{}, code: newGoCode()}
		packages[dir] = pkg
	}
	pkg.main = pkg.main || file.Name.Name == "main"
	for _, spec := range file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			pkg.imports[p] = true
		}
	}
	f := &goFile{goPackage: pkg, name: name, files: set, gins: map[string]bool{}, structs: map[*ast.StructType]string{}}
	f.readEmbeds(file)
	f.readRedirect(file)
	ast.Inspect(file, f.inspect)
	ast.Inspect(file, f.inspectDatabase)
}

// parse reads a file as far as it parses; nil where that is not even its package.
func parse(set *token.FileSet, name string, data []byte) *ast.File {
	for _, mode := range []parser.Mode{parser.ParseComments | parser.AllErrors, parser.ImportsOnly} {
		// Where the parser gives up, as on code that is nested too deep, it returns
		// nothing of the file.
		file, _ := parser.ParseFile(set, name, data, mode|parser.SkipObjectResolution)
		if file != nil && file.Name != nil && file.Name.Name != "" {
			return file
		}
	}
	return nil
}

func (p *goFile) inspect(node ast.Node) bool {
	if _, ok := node.(*ast.ImportSpec); ok {
		return false
	}
	p.inspectPort(node)
	p.noteElsewhere(node)
	if lit, ok := node.(*ast.BasicLit); ok {
		if m := healthRoute.FindStringSubmatch(text(lit)); m != nil {
			p.health[m[1]] = true
		}
		if p.code.fts5 == "" && usesFTS5.MatchString(text(lit)) {
			p.code.fts5 = p.place(lit)
		}
	}
	return true
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

// text is the value of a string literal, or "".
func text(lit *ast.BasicLit) string {
	if lit.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}

// joinCode puts together what an app's packages say.
func joinCode(packages []*goPackage) *goCode {
	all := newGoCode()
	for _, p := range packages {
		all.add(&p.code)
	}
	all.readTags()
	return &all
}

func (c *goCode) add(p *goCode) {
	for name, origins := range p.values {
		c.values[name] = append(c.values[name], origins...)
	}
	for name, list := range p.config.prefixes {
		c.config.prefixes[name] = append(c.config.prefixes[name], list...)
	}
	c.opens = append(c.opens, p.opens...)
	c.mentions = append(c.mentions, p.mentions...)
	c.listens = append(c.listens, p.listens...)
	c.portFlags = append(c.portFlags, p.portFlags...)
	c.addresses = append(c.addresses, p.addresses...)
	c.config.tags = append(c.config.tags, p.config.tags...)
	c.config.all = cmp.Or(c.config.all, p.config.all)
	c.config.prefix = cmp.Or(c.config.prefix, p.config.prefix)
	c.config.auto = c.config.auto || p.config.auto
	c.config.replaces = c.config.replaces || p.config.replaces
	c.portRead = cmp.Or(c.portRead, p.portRead)
	c.fts5 = cmp.Or(c.fts5, p.fts5)
	c.tls, c.unix = cmp.Or(c.tls, p.tls), cmp.Or(c.unix, p.unix)
	c.plain = c.plain || p.plain
}
