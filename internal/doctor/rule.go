package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Severity says how bad a finding is. Its zero value is Error.
type Severity int

// The severities, the worst first.
const (
	Error   Severity = iota // the deploy fails, or data is lost, or the app does not work
	Warning                 // it works, and will surprise somebody
	Note                    // worth knowing
)

// String is the severity as flags and JSON have it.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	}
	return "note"
}

// ParseSeverity is the inverse of String.
func ParseSeverity(s string) (Severity, bool) {
	for _, severity := range []Severity{Error, Warning, Note} {
		if s == severity.String() {
			return severity, true
		}
	}
	return Error, false
}

// Rule is one thing that must hold. docs/rules.md has a section for each.
type Rule struct {
	ID       string // "FLY101"; an ID is never given to another rule
	Severity Severity
	Title    string // what is wrong where the rule is broken, in a few words
	Why      string // what comes of it, in one sentence or two
	Remote   bool   // it is about what runs on Fly: see CheckRemote

	// check reports what breaks the rule. It is nil where flyconf reports it, or
	// another rule's check.
	check func(*checker)
}

// Rules returns all rules in the order of their IDs.
func Rules() []Rule {
	all := slices.Concat(tables()...)
	slices.SortFunc(all, func(a, b Rule) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func tables() [][]Rule {
	return [][]Rule{fileRules, bootRules, volumeRules, pathRules, litefsRules, serviceRules, remoteRules}
}

// RuleByID finds a rule; false where there is none of that ID.
func RuleByID(id string) (Rule, bool) {
	for _, table := range tables() {
		for _, r := range table {
			if r.ID == id {
				return r, true
			}
		}
	}
	return Rule{}, false
}

// DocURL is where the rule's section is. Its last part is what GitHub makes of the
// section's heading.
func (r Rule) DocURL() string {
	anchor := strings.Map(func(c rune) rune {
		switch {
		case c == ' ':
			return '-'
		case c == '-', c == '_', unicode.IsLetter(c), unicode.IsDigit(c):
			return unicode.ToLower(c)
		}
		return -1
	}, r.ID+" "+r.Title)
	return "https://github.com/flysql/flysql/blob/main/docs/rules.md#" + anchor
}

// Place is where in a file something stands.
type Place struct {
	File      string // slash-separated, relative to the repository; empty: the repository, or Object
	Line, Col int    // from 1, Col counts bytes; 0: the file as a whole
	Key       string // of a configuration file: "mounts[0].destination"; empty elsewhere
	Excerpt   string // the line with a mark below, see flyconf.Problem.Excerpt; may be empty
	Object    string // where File is empty, what it is on Fly: "machine 148e21ea7d4389 (ams)"
}

// String is the place as editors know it: "fly.toml:3:1".
func (p Place) String() string {
	switch {
	case p.File == "":
		return cmp.Or(p.Object, ".")
	case p.Line == 0:
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Related is another place that a finding is about, and what stands there.
type Related struct {
	Place
	Message string
}

// Finding is one place where a rule is broken.
type Finding struct {
	Rule     Rule
	Severity Severity
	Place
	Message string    // what is wrong here, without the place
	Fix     string    // what to do; empty where Message says it
	Related []Related // the other sides of a contradiction

	repair func(*Files) error // nil: there is no one right answer
}

// Fixable tells whether Report.Fix mends it.
func (f *Finding) Fixable() bool { return f.repair != nil }

// hint sets what to do.
func (f *Finding) hint(fix string) *Finding {
	f.Fix = fix
	return f
}

// also adds the other side of a contradiction.
func (f *Finding) also(at Place, message string) *Finding {
	f.Related = append(f.Related, Related{at, message})
	return f
}

// mend sets how the finding is repaired. It must edit nothing but what the rule is
// about, and do nothing where that is right already.
func (f *Finding) mend(repair func(*Files) error) *Finding {
	f.repair = repair
	return f
}
