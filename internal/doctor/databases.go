package doctor

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/flysql/flysql/internal/scaffold"
)

// database is a place that names the app's SQLite database.
type database struct {
	path   string   // absolute and clean
	from   string   // who names it, for messages: "DATABASE_URL"
	at     Place    //
	groups []string // whose machines open it; nil: all that open one
	boot   bool     // it is flysql-entrypoint's
	key    string   // in fly.toml or litefs.yml; empty elsewhere
	strong bool     // it is the app's database for certain, and not a cache of its own
	dir    bool     // what names it is the directory that it is in
}

// name is what must be written for the database to be at a path.
func (d database) name(to string) string {
	if d.dir {
		return path.Dir(to)
	}
	return to
}

var (
	// databaseVariable are names of variables that say where a database is.
	databaseVariable = regexp.MustCompile(`^([A-Z0-9]+_)*((DATABASE|DB|SQLITE3?)_(URL|URI|PATH|FILE|FILENAME|DSN|LOCATION|DATABASE)|SQLITE3?_DB|FLYSQL_DB|DSN)$`)
	plainVariable    = regexp.MustCompile(`^((DATABASE|DB|SQLITE3?)_(URL|URI|PATH|FILE|FILENAME|DSN|LOCATION|DATABASE)|SQLITE3?_DB|FLYSQL_DB|DSN)$`)
	// passingVariable are those of databases that may well be lost.
	passingVariable = regexp.MustCompile(`(^|_)(CACHE|TMP|TEMP|TEST|SESSIONS?|SHADOW|GEOIP2?|GEO|MAXMIND)(_|$)`)

	// bareName are variables that may well hold no more than a file's name.
	bareName = regexp.MustCompile(`_(FILE|FILENAME|DB|DATABASE)$`)

	databaseFile = regexp.MustCompile(`\.(db|sqlite|sqlite3|db3)$`)
	literalPath  = regexp.MustCompile(`^[^\s:@?*$%={}()|<>]+$`)
)

// isDatabaseVariable tells whether a variable names an SQLite database, if its value
// is one. The app's code may say so of any.
func (a *App) isDatabaseVariable(name string) bool {
	if passingVariable.MatchString(name) {
		return false
	}
	return databaseVariable.MatchString(name) || a.readsVariable(name)
}

// readsVariable tells whether the code opens the database that the variable names.
func (a *App) readsVariable(name string) bool {
	if a.Facts == nil {
		return false
	}
	return slices.ContainsFunc(a.Facts.Mains, func(m scaffold.Main) bool { return m.Database.Var == name && m.Driver != "" })
}

// databases lists what names a database: variables, the code, commands and, where
// LiteFS's proxy waits for one, litefs.yml. What depends on something unknown is
// not among them.
func (c *checker) databases() []database {
	if c.memo.looked {
		return c.memo.databases
	}
	c.memo.looked = true
	var out []database
	for _, v := range c.env() {
		if d, ok := c.variableDatabase(v); ok && len(out) < maxDatabases {
			out = append(out, d)
		}
	}
	for _, g := range c.groups() {
		if d, ok := c.codeDatabase(g); ok {
			out = append(out, d)
		}
	}
	c.memo.databases = out
	return out
}

// maxDatabases bounds the variables that are looked at, far above any app's.
const maxDatabases = 50

func (c *checker) variableDatabase(v variable) (database, bool) {
	if !v.known || !c.isDatabaseVariable(v.name) || v.name == "FLYSQL_DB" && !c.boot().flysql {
		return database{}, false
	}
	if bareName.MatchString(v.name) && !strings.ContainsAny(v.value, "/:") {
		return database{}, false // the directory may be elsewhere, in the code too
	}
	name, ok := c.databasePath(v.value, v.name == "FLYSQL_DB")
	if !ok {
		return database{}, false
	}
	d := database{path: name, from: v.name, at: c.inVariable(v), boot: v.name == "FLYSQL_DB"}
	d.strong = plainVariable.MatchString(v.name) || c.readsVariable(v.name)
	if v.docker.Name == "" {
		d.key = "env." + v.name
	}
	return d, true
}

// codeDatabase is the path that stands in a program's code, or that its command
// gives it by a flag.
func (c *checker) codeDatabase(g group) (database, bool) {
	m := c.program(g)
	if m == nil || m.Database.Var != "" || m.Driver == "" {
		return database{}, false
	}
	if m.Database.Flag != "" {
		for _, cmd := range c.commands(g) {
			if value, ok := flagValue(cmd.words, m.Database.Flag); ok {
				name, ok := c.databasePath(value, true)
				return database{path: name, from: "-" + m.Database.Flag, at: c.inCommand(cmd), groups: []string{g.name}, key: cmd.key, strong: true}, ok
			}
		}
	}
	if m.Database.Literal == "" {
		return database{}, false
	}
	if d, ok := c.inDirectory(g, m); ok {
		return d, d.path != ""
	}
	name, ok := c.databasePath(m.Database.Literal, true)
	return database{path: name, from: "the code", at: c.inCode(m.Database.LiteralPlace), groups: []string{g.name}, strong: true}, ok
}

// inDirectory is the path of a file that the code opens in the directory of a variable
// or a flag; false where neither is set.
func (c *checker) inDirectory(g group, m *scaffold.Main) (database, bool) {
	d := database{groups: []string{g.name}, strong: true, dir: true}
	dir, known := "", false
	if v, ok := c.variable(m.Database.DirVar); ok && m.Database.DirVar != "" {
		dir, known = v.value, v.known
		d.from, d.at = v.name, c.inVariable(v)
	} else if m.Database.DirFlag != "" {
		for _, cmd := range c.commands(g) {
			if value, ok := flagValue(cmd.words, m.Database.DirFlag); ok {
				dir, known = value, true
				d.from, d.at = "-"+m.Database.DirFlag, c.inCommand(cmd)
			}
		}
	}
	if d.from == "" {
		return d, false
	}
	if known {
		d.path, _ = c.databasePath(path.Join(dir, m.Database.Literal), true)
	}
	return d, true
}

// flagValue finds a flag, as package flag and pflag write it, also in a command that
// is one word of another.
func flagValue(words []string, name string) (string, bool) {
	var flat []string
	for _, w := range words {
		if strings.Contains(w, " ") {
			flat = append(flat, commandOf(w).words...)
		} else {
			flat = append(flat, w)
		}
	}
	for i, w := range flat {
		bare := strings.TrimLeft(w, "-")
		if bare == w {
			continue
		}
		if value, ok := strings.CutPrefix(bare, name+"="); ok {
			return value, true
		}
		if bare == name && i+1 < len(flat) {
			return flat[i+1], true
		}
	}
	return "", false
}

// databasePath is the file that a value names, absolute and clean; false where it
// names no SQLite file, or where it depends on what is not known. plain takes any
// path; else one without a scheme must look like a database's, or be absolute.
func (a *App) databasePath(value string, plain bool) (string, bool) {
	value, _, _ = strings.Cut(strings.TrimSpace(value), "?")
	if strings.ContainsAny(value, "$`\n") || strings.Contains(value, ":memory:") {
		return "", false
	}
	scheme, rest, ok := strings.Cut(value, ":")
	if !ok {
		if value == "" || !literalPath.MatchString(value) || !plain && !path.IsAbs(value) && !databaseFile.MatchString(value) {
			return "", false
		}
		return a.absolute(value)
	}
	if !isFileScheme(scheme) {
		return "", false
	}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		i := strings.IndexByte(after, '/')
		if i < 0 || i > 0 && after[:i] != "localhost" {
			return "", false // a host: see FLY302
		}
		rest = after[i:]
		if strings.HasPrefix(scheme, "sqlite") && !strings.HasPrefix(rest, "//") && a.isPython() {
			rest = rest[1:] // SQLAlchemy and Django: three slashes are a relative path
		}
	}
	if decoded, err := url.PathUnescape(rest); err == nil {
		rest = decoded
	}
	if rest == "" || strings.ContainsRune(rest, 0) {
		return "", false
	}
	return a.absolute(rest)
}

func isFileScheme(s string) bool { return s == "file" || strings.HasPrefix(s, "sqlite") }

// isPython tells whether the app is written in Python, as far as can be seen.
func (a *App) isPython() bool {
	if a.Facts != nil && a.Facts.Foreign != nil && a.Facts.Foreign.Framework == "Django" {
		return true
	}
	return a.Docker != nil && strings.HasPrefix(path.Base(a.Docker.Image.Base.Value), "python")
}

// absolute puts a relative path below the directory that the app starts in.
func (a *App) absolute(name string) (string, bool) {
	if path.IsAbs(name) {
		return path.Clean("/" + strings.TrimLeft(name, "/")), true
	}
	if a.Docker == nil {
		return "", false
	}
	img := a.Docker.Image
	switch {
	case img.WorkDir == nil && img.Base.Known && bareBase.MatchString(img.Base.Value):
		return path.Join("/", name), true
	case img.WorkDir == nil || !img.WorkDir.Known:
		return "", false
	}
	return path.Join(img.WorkDir.Value, name), true
}

// bareBase are images that start in /.
var bareBase = regexp.MustCompile(`^(scratch|([a-z.]+/)*(debian|ubuntu|alpine|busybox)(:.*)?|gcr\.io/distroless/.*)$`)

// litestreamDatabases lists the paths that litestream.yml copies.
func (c *checker) litestreamDatabases() []database {
	if c.Litestream == nil {
		return nil
	}
	var out []database
	nodes, _ := litestreamPaths(c.Litestream.Data) // checkLitestream reports what is wrong
	for _, n := range nodes {
		if name, ok := c.databasePath(n.Value, true); ok && len(out) < maxDatabases {
			out = append(out, database{path: name, from: "Litestream", at: c.at(c.Litestream.Name, n.Line, n.Column, "")})
		}
	}
	return out
}

// litestreamPaths are the values of dbs[].path.
func litestreamPaths(data []byte) (out []*yaml.Node, err error) {
	defer func() {
		if recover() != nil { // the library, on a file that anybody wrote
			out, err = nil, errors.New("yaml: the library that reads it cannot")
		}
	}()
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	list := yamlChild(doc.Content[0], "dbs")
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, nil
	}
	for _, item := range list.Content {
		if n := yamlChild(item, "path"); n != nil && n.Kind == yaml.ScalarNode {
			out = append(out, n)
		}
	}
	return out, nil
}

var yamlErrorLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// checkLitestream reports a litestream.yml that is not YAML. flyconf does so for the
// other files.
func checkLitestream(c *checker) {
	if c.Litestream == nil {
		return
	}
	_, err := litestreamPaths(c.Litestream.Data)
	if err == nil {
		return
	}
	m := yamlErrorLine.FindStringSubmatch(err.Error())
	if m == nil {
		m = []string{"", ""}
	}
	line, _ := strconv.Atoi(m[1]) // 0: the file as a whole
	why := err.Error()[len(m[0]):]
	if strings.Contains(why, "anchor") {
		why = "an alias (*) of an anchor (&) that is not in the file"
	}
	c.report(c.at(c.Litestream.Name, line, min(line, 1), ""), "is not valid YAML: %s", why)
}

func yamlChild(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// containsPath tells whether a text has a path as a whole.
func containsPath(text, name string) bool {
	for rest := text; ; {
		i := strings.Index(rest, name)
		if i < 0 {
			return false
		}
		after := rest[i+len(name):]
		if after == "" || strings.IndexByte(" \"'?;&|:)", after[0]) >= 0 {
			return true
		}
		rest = after
	}
}

// fuseDir is LiteFS's directory, where the app sees its databases; empty where it
// is not known.
func (a *App) fuseDir() string {
	config := a.liteFS()
	if config == nil && a.LiteFS != nil {
		config = a.LiteFS.Config
	}
	if config == nil || !config.Resolved("fuse.dir") || !path.IsAbs(config.FUSE.Dir) {
		return ""
	}
	return path.Clean(config.FUSE.Dir)
}
