package scaffold

import (
	"go/ast"
	"regexp"
	"strings"
)

// envConfig is how the libraries that fill a configuration from the environment
// come to a variable's name: from struct tags and prefixes, or from keys.
type envConfig struct {
	tags     []tagged
	prefixes map[string][]prefixed // by the name of the struct that has one
	all      string                // before every tag: env.Options{Prefix: "SHOP_"}

	auto     bool   // viper's AutomaticEnv
	prefix   string // viper's, "SHOP_"
	replaces bool   // viper has "." and "-" as "_"
}

// tagged is a field with the variable, or the key, that its tag gives.
type tagged struct {
	in       string // the struct's name
	names    []string
	variable located
	key      bool
}

// prefixed is a prefix for a struct, where it is a field of another.
type prefixed struct{ in, prefix string }

var (
	envTag       = regexp.MustCompile(`\b(?:env|envconfig):"([A-Z][A-Z0-9_]*)`)
	envPrefixTag = regexp.MustCompile(`\b(?:envPrefix|env-prefix):"([A-Z][A-Z0-9_]*)"|\benv:"[^"]*\bprefix=([A-Z][A-Z0-9_]*)`)
	// A key of one word may be one of a table, whose name is elsewhere.
	keyTag = regexp.MustCompile(`\bmapstructure:"([A-Za-z0-9]+_[A-Za-z0-9_]+)`)
)

// readStruct reads struct tags as envconfig, caarlos0/env and the like have them.
func (p *goFile) readStruct(name string, s *ast.StructType) {
	c := &p.code.config
	for _, field := range s.Fields.List {
		if field.Tag == nil {
			continue
		}
		tag := text(field.Tag)
		if m := envPrefixTag.FindStringSubmatch(tag); m != nil {
			of := field.Type
			if star, ok := of.(*ast.StarExpr); ok {
				of = star.X
			}
			c.prefixes[lastName(of)] = append(c.prefixes[lastName(of)], prefixed{name, m[1] + m[2]})
			continue
		}
		t := tagged{in: name}
		for _, name := range field.Names {
			t.names = append(t.names, name.Name)
		}
		if m := envTag.FindStringSubmatch(tag); m != nil {
			t.variable = located{m[1], p.place(field)}
		} else if m := keyTag.FindStringSubmatch(tag); m != nil {
			t.variable, t.key = located{m[1], p.place(field)}, true
		} else {
			continue
		}
		c.tags = append(c.tags, t)
	}
}

// readConfig reads the calls of such libraries, and flags that are values.
func (p *goFile) readConfig(node ast.Node) {
	c := &p.code.config
	switch n := node.(type) {
	case *ast.TypeSpec:
		if s, ok := n.Type.(*ast.StructType); ok {
			p.structs[s] = n.Name.Name
		}
	case *ast.StructType:
		p.readStruct(p.structs[n], n)
	case *ast.CompositeLit:
		p.readCLIFlag(n)
		if lastName(n.Type) == "Options" {
			if lit, ok := field(n, "Prefix").(*ast.BasicLit); ok {
				c.all = text(lit)
			}
		}
	case *ast.CallExpr:
		_, name := called(n)
		key, value := "", ""
		for i, arg := range n.Args[:min(2, len(n.Args))] {
			if lit, ok := arg.(*ast.BasicLit); ok {
				*[]*string{&key, &value}[i] = text(lit)
			}
		}
		switch {
		case name == "AutomaticEnv":
			c.auto = true
		case name == "SetEnvKeyReplacer", name == "EnvKeyReplacer":
			c.replaces = true
		case name == "SetEnvPrefix" && key != "":
			c.prefix = strings.ToUpper(key) + "_"
		case (name == "SetDefault" || name == "BindPFlag") && key != "" && len(n.Args) == 2:
			p.assign(keyPrefix+key, n.Args[1])
		case name == "BindEnv" && key != "" && value != "":
			p.set(keyPrefix+key, origin{envs: []located{{value, p.place(n)}}})
		}
	}
}

// readCLIFlag reads a flag as urfave/cli has it:
// &cli.StringFlag{Name: "db", Value: "app.db", EnvVars: []string{"APP_DB"}}.
func (p *goFile) readCLIFlag(n *ast.CompositeLit) {
	if n.Type == nil || !strings.HasSuffix(lastName(n.Type), "Flag") {
		return
	}
	lit, ok := field(n, "Name").(*ast.BasicLit)
	if !ok || text(lit) == "" {
		return
	}
	var o origin
	o.flags = []located{{text(lit), p.place(n)}}
	if value := field(n, "Value"); value != nil {
		found := p.origin(value)
		o.lits, o.ports, o.names = found.lits, found.ports, found.names
	}
	for _, name := range []string{"EnvVars", "EnvVar", "Sources"} {
		value := field(n, name)
		if value == nil {
			continue
		}
		for _, lit := range p.origin(value).lits {
			if envVariable.MatchString(lit.text) {
				o.envs = append(o.envs, lit)
			}
		}
	}
	p.set(keyPrefix+text(lit), o)
	if target, ok := field(n, "Destination").(*ast.UnaryExpr); ok {
		p.set(lastName(target.X), o)
	}
}

// field is the value of a field in a literal, or nil.
func field(n *ast.CompositeLit, name string) ast.Expr {
	for _, elt := range n.Elts {
		if kv, ok := elt.(*ast.KeyValueExpr); ok && lastName(kv.Key) == name {
			return kv.Value
		}
	}
	return nil
}

// fromKey is the variable that viper reads for a key by itself.
func (c *envConfig) fromKey(key string) string {
	if !c.auto {
		return ""
	}
	if c.replaces {
		key = strings.NewReplacer(".", "_", "-", "_").Replace(key)
	}
	return c.prefix + strings.ToUpper(key)
}

// prefixOf is what stands before the variables of a struct. It is unknown where
// the struct is used twice.
func (c *envConfig) prefixOf(name string, depth int) (string, bool) {
	list := c.prefixes[name]
	switch {
	case name == "" || len(list) == 0:
		return c.all, true
	case len(list) > 1 || depth > maxFollow:
		return "", false
	}
	outer, ok := c.prefixOf(list[0].in, depth+1)
	return outer + list[0].prefix, ok
}

// readTags turns tags into values of their fields, now that all prefixes are known.
func (c *goCode) readTags() {
	for _, t := range c.config.tags {
		o := origin{keys: []located{t.variable}}
		if !t.key {
			prefix, ok := c.config.prefixOf(t.in, 0)
			if !ok {
				continue
			}
			variable := located{prefix + t.variable.text, t.variable.place}
			o = origin{envs: []located{variable}}
			if dbVariable.MatchString(variable.text) && usable(variable.text) {
				c.mentions = append(c.mentions, variable)
			}
			if variable.text == "PORT" && c.portRead == "" {
				c.portRead = "the app reads PORT, " + variable.place
			}
		}
		for _, name := range t.names {
			c.values[name] = append(c.values[name], o)
		}
	}
}
