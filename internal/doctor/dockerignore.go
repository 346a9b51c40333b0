package doctor

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

// ignorePattern is a line of a .dockerignore.
type ignorePattern struct {
	match   *regexp.Regexp
	include bool // !pattern
}

// A .dockerignore that holds more is not judged: it could take minutes.
const (
	maxIgnorePatterns = 5000
	maxIgnorePattern  = 1000
)

// readIgnore reads a .dockerignore as Docker does: the last line that matches a
// file, or a directory that it is in, decides. It is false for one that is not
// judged.
// https://docs.docker.com/build/concepts/context/#syntax
func readIgnore(data []byte) ([]ignorePattern, bool) {
	var out []ignorePattern
	text := strings.TrimPrefix(string(data), "\xef\xbb\xbf")
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		var p ignorePattern
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "!"); ok {
			p.include = true
			line = strings.TrimSpace(rest)
		}
		if line == "" {
			continue
		}
		line = strings.TrimPrefix(path.Clean(line), "/")
		if len(out) == maxIgnorePatterns || len(line) > maxIgnorePattern {
			return nil, false
		}
		re, err := regexp.Compile(ignoreExpression(line))
		if err != nil {
			continue // Docker refuses the pattern, and the build
		}
		p.match = re
		out = append(out, p)
	}
	return out, true
}

// ignoreExpression writes a pattern as a regular expression.
func ignoreExpression(pattern string) string {
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case strings.HasPrefix(pattern[i:], "**/"):
			b.WriteString("(.*/)?")
			i += 2
		case strings.HasPrefix(pattern[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '[' || c == ']' || c == '-' || c == '^':
			b.WriteByte(c) // a class, as in path.Match
		case c == '\\' && i+1 < len(pattern):
			i++
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		case c >= 0x80:
			b.WriteByte(c)
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return b.String() + "$"
}

// ignored tells whether a file is kept from the build.
func ignored(patterns []ignorePattern, name string) bool {
	out := false
	for _, p := range patterns {
		for part := name; part != "."; part = path.Dir(part) {
			if p.match.MatchString(part) {
				out = !p.include
				break
			}
		}
	}
	return out
}

// included tells whether a line, !name, says that the file itself is to be there.
func included(patterns []ignorePattern, name string) bool {
	return slices.ContainsFunc(patterns, func(p ignorePattern) bool { return p.include && p.match.MatchString(name) })
}

// databasePatterns keep local databases from an image.
var databasePatterns = []string{
	"**/*.db", "**/*.db-wal", "**/*.db-shm", "**/*.db-journal",
	"**/*.sqlite", "**/*.sqlite-*", "**/*.sqlite3", "**/*.sqlite3-*",
}

const ignoreReason = "A local database must never reach an image."

// checkIgnored reports that a local database would be copied into the image.
func checkIgnored(c *checker) {
	if c.Docker == nil || !c.usesSQLite() {
		return
	}
	var data []byte
	if c.Ignore != nil {
		data = c.Ignore.Data
	}
	patterns, ok := readIgnore(data)
	if !ok {
		return
	}
	for _, name := range c.localDatabases() {
		if ignored(patterns, name) || included(patterns, name) {
			continue
		}
		l := &lander{finder: finder{app: c.App, stages: c.Docker.Stages(), images: map[int]*flyconf.Image{}, steps: 500}}
		places := l.lands(c.Docker.Image, name, 0)
		if len(places) == 0 {
			continue
		}
		copied := c.inDocker(places[0].by)
		if c.Ignore == nil {
			c.mendIgnored(c.report(copied, "a local database such as %s would be copied into the image, to %s: there is no .dockerignore", name, places[0].path), name)
			return
		}
		f := c.report(c.inFile(c.Ignore), "a local database such as %s would be copied into the image, to %s", name, places[0].path)
		c.mendIgnored(f.also(copied, "copies it"), name)
		return
	}
}

func (c *checker) mendIgnored(f *Finding, name string) {
	f.hint("add " + strings.Join(databasePatterns[:2], ", ") + " and so on to .dockerignore")
	have := map[string]bool{}
	text := ""
	if c.Ignore != nil {
		text = string(c.Ignore.Data)
		for line := range strings.Lines(text) {
			have[strings.TrimSpace(line)] = true
		}
	}
	for _, p := range databasePatterns {
		if !have[p] {
			text += "\n" + p
		}
	}
	patterns, ok := readIgnore([]byte(text))
	if !ok || !ignored(patterns, name) {
		return // it has another ending
	}
	for _, s := range c.Docker.Stages() {
		for _, copied := range s.Image(c.buildArgs()).Copies {
			for _, source := range copied.Sources {
				if copied.From == "" && ignored(patterns, path.Clean(strings.TrimPrefix(source.Value, "/"))) {
					return // another line copies one by its name
				}
			}
		}
	}
	f.mend(func(files *Files) error {
		files.AddIgnore(ignoreReason, databasePatterns...)
		return nil
	})
}

// localDatabases are names that a database of development may have in the
// repository.
func (c *checker) localDatabases() []string {
	var out []string
	add := func(name string) {
		if name = path.Clean(name); !path.IsAbs(name) && !strings.HasPrefix(name, "../") && !slices.Contains(out, name) && len(out) < 10 {
			out = append(out, name)
		}
	}
	if f := c.Facts; f != nil && f.Foreign != nil {
		switch f.Foreign.Framework {
		case "Rails":
			add("storage/development.sqlite3")
			return out
		case "Django":
			add("db.sqlite3")
			return out
		}
	}
	if c.Facts != nil {
		for _, m := range c.Facts.Mains {
			if m.Database.Literal != "" {
				add(m.Database.Literal)
			}
		}
	}
	for _, d := range c.databases() {
		if base := path.Base(d.path); d.strong && databaseFile.MatchString(base) && !c.isShipped(d) {
			add(base)
		}
	}
	if len(out) == 0 {
		add("app.db")
	}
	return out
}

// lander follows a file of the build context into the image, stage by stage.
type lander struct{ finder }

type landing struct {
	path string
	by   flyconf.Instruction
}

func (l *lander) lands(img *flyconf.Image, name string, depth int) []landing {
	var out []landing
	for _, c := range img.Copies {
		if l.steps--; l.steps < 0 || depth > 10 || len(out) > 20 {
			return out
		}
		from := []landing{{path: name}}
		if c.From != "" {
			from = nil
			for i, s := range l.stages {
				if s.Name != "" && strings.EqualFold(s.Name, c.From) || c.From == itoa(i) {
					if l.images[i] == nil {
						l.images[i] = s.Image(l.app.buildArgs())
					}
					from = l.lands(l.images[i], name, depth+1)
				}
			}
		}
		for _, f := range from {
			for _, s := range c.Sources {
				if to, ok := taken(s, c.Destination, f.path, c.From == ""); ok {
					out = append(out, landing{to, c.Instruction})
				}
			}
		}
	}
	return out
}

// taken tells where COPY puts a file, if it takes it.
func taken(source, destination flyconf.Setting, name string, context bool) (string, bool) {
	if !source.Known || !destination.Known || strings.Contains(source.Value, "://") {
		return "", false
	}
	from := path.Clean("/" + source.Value)
	name = path.Clean("/" + name)
	switch {
	case from == name:
		if strings.HasSuffix(destination.Value, "/") {
			return path.Join(destination.Value, path.Base(name)), true
		}
		return path.Clean(destination.Value), true
	case from == "/" && context, strings.HasPrefix(name, from+"/"):
		return path.Join(destination.Value, strings.TrimPrefix(name, strings.TrimSuffix(from, "/")+"/")), true
	}
	if ok, err := path.Match(from, name); ok && err == nil {
		return path.Join(destination.Value, path.Base(name)), true
	}
	return "", false
}
