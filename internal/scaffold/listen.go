package scaffold

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
)

// noteElsewhere remembers that something listens on what is no literal: a literal
// elsewhere may be another port then, as pprof's.
func (p *goFile) noteElsewhere(node ast.Node) {
	switch n := node.(type) {
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Addr" {
			_, literal := n.Value.(*ast.BasicLit)
			p.elsewhere = p.elsewhere || !literal
		}
	case *ast.CallExpr:
		if !strings.HasPrefix(lastName(n.Fun), "Listen") || len(n.Args) == 0 {
			return
		}
		for _, arg := range n.Args {
			if lit, ok := arg.(*ast.BasicLit); ok && address.MatchString(text(lit)) {
				return
			}
		}
		p.elsewhere = true
	}
}

// portPlace is where the one address stands that the code gives to what listens;
// empty where there is none, or the environment decides.
func portPlace(packages []*goPackage, code *goCode) string {
	if code.port().fromEnv {
		return ""
	}
	direct := newResolver(code)
	direct.depth = 0
	for _, o := range code.listens {
		direct.follow(o, 0, "")
	}
	if len(direct.ports) > 0 && slices.ContainsFunc(packages, func(p *goPackage) bool { return p.elsewhere }) {
		return ""
	}
	port, place := "", ""
	for _, at := range append(direct.ports, code.portFlags...) {
		switch m := address.FindStringSubmatch(at.text); {
		case place == "":
			port, place = m[2], at.place
		case m[2] != port:
			return ""
		}
	}
	if n, err := strconv.Atoi(port); err != nil || n > 65535 {
		return ""
	}
	return place
}

// redirects is where an app redirects http to https by itself; empty where it does
// not.
func redirects(packages []*goPackage) string {
	for _, p := range packages {
		if p.toHTTPS != "" {
			return p.toHTTPS
		}
	}
	return ""
}

// readRedirect looks for a function that compares X-Forwarded-Proto and redirects.
func (p *goFile) readRedirect(file *ast.File) {
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil || p.toHTTPS != "" {
			continue
		}
		header, compared, redirected := "", false, false
		ast.Inspect(fn.Body, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.BasicLit:
				s := text(n)
				if strings.EqualFold(s, "X-Forwarded-Proto") && header == "" {
					header = p.place(n)
				}
				compared = compared || s == "https" || s == "http"
			case *ast.CallExpr:
				_, name := called(n)
				redirected = redirected || name == "Redirect" || name == "RedirectHandler"
			}
			return true
		})
		if header != "" && compared && redirected {
			p.toHTTPS = header
		}
	}
}
