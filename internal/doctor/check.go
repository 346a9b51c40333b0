package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/scaffold"
)

// Report is what Check found.
type Report struct {
	Dir      string
	Findings []*Finding // by file and place; what a comment ignores is not among them
	Ignored  []*Finding // what a comment ignores

	app  *App
	read reader
}

// Check looks at the repository in dir. The error is one of reading dir at all;
// what is wrong with its files is in the report.
func Check(ctx context.Context, dir string) (*Report, error) { return check(ctx, dir, nil) }

// check is Check, with what runs on Fly where remote is not nil.
func check(ctx context.Context, dir string, remote *Remote) (*Report, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("look at the repository: %w", err)
	}
	defer root.Close() // it was only read
	cache := map[string][]byte{}
	read := func(name string) ([]byte, error) {
		if data, ok := cache[name]; ok {
			return data, nil
		}
		data, err := scaffold.ReadText(root, name)
		if err == nil {
			cache[name] = data
		}
		return data, err
	}
	// Where the code says nothing, there is less to check, and still something.
	facts, detectErr := scaffold.Detect(ctx, dir)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	app := load(read, facts)
	app.Remote = remote
	if _, err := read("go.mod"); detectErr != nil && app.Docker != nil && !errors.Is(err, fs.ErrNotExist) {
		app.Problems = append(app.Problems, &flyconf.Problem{File: "go.mod", Message: detectErr.Error(), Rule: "FLY001"})
	}
	cached := func(name string) ([]byte, error) {
		if data, ok := cache[name]; ok {
			return data, nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return examine(dir, app, cached), nil
}

// examine applies the rules to an app.
func examine(dir string, app *App, read reader) *Report {
	c := &checker{App: app}
	for _, p := range app.Problems {
		c.problem(p)
	}
	for _, rule := range Rules() {
		if rule.check != nil {
			c.rule = rule
			rule.check(c)
		}
	}
	sortFindings(c.findings)
	r := &Report{Dir: dir, app: app, read: read}
	r.Findings, r.Ignored = c.ignore(c.findings)
	return r
}

func sortFindings(list []*Finding) {
	slices.SortStableFunc(list, func(a, b *Finding) int {
		return cmp.Or(
			cmp.Compare(fileRank(a.File), fileRank(b.File)), cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Rule.ID, b.Rule.ID), cmp.Compare(a.Object, b.Object))
	})
}

// fileRank puts the file that most findings are about first.
func fileRank(name string) int {
	if slices.Contains(flyNames, name) {
		return 0
	}
	return 1
}

// Files lists the files that were read, sorted.
func (r *Report) Files() []string { return slices.Sorted(maps.Keys(r.app.sources)) }

// UsesLiteFS tells whether the app runs beside LiteFS, by its files.
func (r *Report) UsesLiteFS() bool { return r.app.usesLiteFS() }

// Count counts findings by severity.
func (r *Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// checker is what a rule's check works with.
type checker struct {
	*App
	rule     Rule
	findings []*Finding
}

// report adds a finding of the rule that is checked, at its severity.
func (c *checker) report(at Place, format string, a ...any) *Finding {
	return c.reportAs(c.rule, at, format, a...)
}

// reportAs is report for the check of one rule that finds another one broken.
func (c *checker) reportAs(rule Rule, at Place, format string, a ...any) *Finding {
	f := &Finding{Rule: rule, Severity: rule.Severity, Place: at, Message: fmt.Sprintf(format, a...)}
	c.findings = append(c.findings, f)
	return f
}

// problem turns what flyconf says into a finding of the rule that it names.
func (c *checker) problem(p *flyconf.Problem) {
	rule, ok := RuleByID(cmp.Or(p.Rule, "FLY001"))
	if !ok {
		rule, _ = RuleByID("FLY004")
	}
	message := p.Message
	if p.Key != "" {
		message = p.Key + ": " + message
	}
	f := c.reportAs(rule, c.at(p.File, p.Line, p.Col, p.Key), "%s", message)
	f.Severity = Error
	if p.Severity == flyconf.SeverityWarning {
		f.Severity = Warning
	}
	if repair := c.repairOf(p); repair != nil {
		f.mend(repair)
	}
}

// at is a place of a file that was read.
func (c *checker) at(file string, line, col int, key string) Place {
	p := Place{File: file, Line: line, Col: col, Key: key}
	if lines := c.sourceLines(file); line >= 1 && line <= len(lines) {
		p.Excerpt = excerpt(lines[line-1], p)
	}
	return p
}

// sourceLines splits a file that was read, once: there can be thousands of findings.
func (a *App) sourceLines(file string) []string {
	data, ok := a.sources[file]
	if !ok {
		return nil
	}
	if a.memo.lines == nil {
		a.memo.lines = map[string][]string{}
	}
	if a.memo.lines[file] == nil {
		a.memo.lines[file] = strings.SplitAfter(string(data), "\n")
	}
	return a.memo.lines[file]
}

// excerpt is flyconf's, of one line instead of a file.
func excerpt(line string, p Place) string {
	text := (&flyconf.Problem{File: p.File, Line: 1, Col: p.Col, Key: p.Key}).Excerpt([]byte(line))
	shown, mark, _ := strings.Cut(text, "\n")
	number := strconv.Itoa(p.Line)
	return number + strings.TrimPrefix(shown, "1") + "\n" + strings.Repeat(" ", len(number)-1) + mark
}

// inFly is where a key stands in fly.toml, or else where it belongs.
func (c *checker) inFly(key string) Place {
	line, col := c.Fly.Position(key)
	return c.at(c.Fly.Name, line, col, key)
}

// inLiteFS is where a key stands in litefs.yml, or else where it belongs.
func (c *checker) inLiteFS(key string) Place {
	line, col := c.LiteFS.Config.Position(key)
	return c.at(c.LiteFS.Name, line, col, key)
}

// inDocker is where an instruction of the Dockerfile begins. What variables hold is
// not shown: they may be secrets.
func (c *checker) inDocker(in flyconf.Instruction) Place {
	line, col := in.Position()
	p := c.at(c.Docker.Name, line, col, "")
	if in.Name == "ENV" || in.Name == "ARG" {
		p.Excerpt = ""
		if strings.Contains(in.Args, "=") { // else a space ends the name
			p.Excerpt = c.at(c.Docker.Name, line, col, "env."+in.Name).Excerpt
		}
	}
	return p
}

// inCode is a place that scaffold names: "internal/db/db.go:12".
func (c *checker) inCode(place string) Place {
	file, number, _ := strings.Cut(place, ":")
	line, err := strconv.Atoi(number)
	if err != nil {
		return Place{File: file}
	}
	c.repoFile(file) // from now on it is one of those that were read
	return c.at(file, line, 1, "")
}

// inFile is a file as a whole.
func (c *checker) inFile(f *TextFile) Place { return c.at(f.Name, 0, 0, "") }
