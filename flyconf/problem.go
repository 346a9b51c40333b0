package flyconf

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Severity says how bad a Problem is. Its zero value is SeverityError.
type Severity int

const (
	SeverityError   Severity = iota // Fly refuses the file, or does something else than it says
	SeverityWarning                 // the file works, and holds something that does nothing or is not meant so
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == SeverityWarning {
		return "warning"
	}
	return "error"
}

// Problem is one thing that is wrong in a file. Parse and Validate return
// problems joined with errors.Join; Problems takes them apart again.
type Problem struct {
	File      string // the name given to Parse; empty for a Config made in code
	Line, Col int    // from 1, Col counts bytes; 0 where there is no place to point at
	Key       string // the key's path, "mounts[0].initial_size"; empty where it is about no key
	Message   string // what is wrong, and how to mend it
	Severity  Severity
	Rule      string // the rule of docs/rules.md that it breaks, "FLY204"
}

// Error returns the problem in one line, "fly.toml:3:1: app: is missing".
func (p *Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Col)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(printable(p.Key))
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

const (
	tabWidth     = 4
	excerptWidth = 100
)

// Excerpt returns the line of data, the file's text, that the problem is about,
// with its number and a mark below its column:
//
//	3 | primary_region = ord
//	  |                  ^
//
// It is empty where the problem has no place in data. Values of [env], of
// headers and of URLs in litefs.yml, which may be secrets, are left out; long lines are cut. Excerpt ends
// with a newline.
func (p *Problem) Excerpt(data []byte) string {
	if p.Line < 1 {
		return ""
	}
	line, ok := lineOf(string(data), p.Line)
	if !ok {
		return ""
	}
	before := line[:min(max(p.Col-1, 0), len(line))]
	after := line[len(before):]
	if i := strings.IndexAny(line, "=:"); i >= 0 && secretKey(p.Key) {
		// All values of the line: an inline table has several.
		before, after = line[:min(len(before), i+1)], line[min(len(before), i+1):i+1]+" ..."
	}
	left, right := []rune(printable(expandTabs(before))), []rune(printable(expandTabs(after)))
	lead := ""
	if len(left) > excerptWidth/2 {
		left, lead = left[len(left)-excerptWidth/2:], "..."
	}
	tail := ""
	if len(right) > excerptWidth/2 {
		right, tail = right[:excerptWidth/2], "..."
	}
	number := fmt.Sprint(p.Line)
	shown := strings.TrimRight(fmt.Sprintf("%s | %s%s%s%s", number, lead, string(left), string(right), tail), " ")
	return fmt.Sprintf("%s\n%s | %s^\n", shown,
		strings.Repeat(" ", len(number)), strings.Repeat(" ", len(lead)+len(left)))
}

// secretKey reports whether the value of key is nobody's to show.
func secretKey(key string) bool {
	return strings.HasPrefix(key, "env.") || strings.Contains(key, ".headers.") || strings.HasPrefix(key, "build.args.") ||
		slices.Contains([]string{"lease.consul.url", "lease.advertise-url", "backup.url", "backup.auth-token"}, key)
}

func lineOf(text string, number int) (string, bool) {
	for line := range strings.Lines(text) {
		if number--; number == 0 {
			return strings.TrimRight(line, "\r\n"), true
		}
	}
	return "", number == 1 // the end of the file, below its last line
}

func expandTabs(s string) string { return strings.ReplaceAll(s, "\t", strings.Repeat(" ", tabWidth)) }

// printable replaces what would move the cursor or colour a terminal: files are
// other people's.
func printable(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "?")
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// Problems returns the problems that err joins, or nil where it holds none.
func Problems(err error) []*Problem {
	switch err := err.(type) {
	case nil:
		return nil
	case *Problem:
		return []*Problem{err}
	case interface{ Unwrap() []error }:
		var out []*Problem
		for _, e := range err.Unwrap() {
			out = append(out, Problems(e)...)
		}
		return out
	}
	return Problems(errors.Unwrap(err))
}

// The rules of docs/rules.md for what has no rule of its own.
const (
	ruleUnreadable = "FLY001" // the file cannot be read
	ruleForm       = "FLY002" // a value has a form that flyctl, or LiteFS, cannot load
	ruleUnknownKey = "FLY003" // nobody reads the key
	ruleValue      = "FLY004" // a value is refused
	ruleNoEffect   = "FLY005" // it works, and does nothing or something else
)

// problems collects what is wrong in one file.
type problems struct {
	src  source
	list []*Problem
	rule string // of the errors that name none; empty: ruleValue
}

// as is where a problem of a rule is added: p.as("FLY204").add(...).
func (p *problems) as(rule string) ruled { return ruled{p, rule} }

type ruled struct {
	p    *problems
	rule string
}

func (r ruled) add(key, format string, a ...any) {
	r.p.report(SeverityError, r.rule, key, format, a...)
}

func (r ruled) warn(key, format string, a ...any) {
	r.p.report(SeverityWarning, r.rule, key, format, a...)
}

func (p *problems) add(key, format string, a ...any) {
	p.report(SeverityError, cmp.Or(p.rule, ruleValue), key, format, a...)
}

func (p *problems) warn(key, format string, a ...any) {
	p.report(SeverityWarning, ruleNoEffect, key, format, a...)
}

func (p *problems) report(severity Severity, rule, key, format string, a ...any) {
	at := p.src.position(key)
	p.list = append(p.list, &Problem{
		File: p.src.file, Line: at.line, Col: at.col,
		Key: key, Message: fmt.Sprintf(format, a...), Severity: severity, Rule: rule,
	})
}

// err joins the errors, without the warnings.
func (p *problems) err() error { return joinErrors(p.list) }

func joinErrors(list []*Problem) error {
	var errs []error
	for _, p := range list {
		if p.Severity == SeverityError {
			errs = append(errs, p)
		}
	}
	return errors.Join(errs...)
}

// sortByPlace puts problems in the order of the file, those without a place first
// and otherwise in the order in which they were found.
func sortByPlace(list []*Problem) {
	slices.SortStableFunc(list, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
}
