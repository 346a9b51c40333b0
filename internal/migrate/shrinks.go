package migrate

import (
	"fmt"
	"io/fs"
	"strings"
)

// Shrinking is a statement that makes a database smaller.
type Shrinking struct {
	Offset int    // in the script, bytes
	Line   int    // of the script, from 1
	What   string // "VACUUM", "PRAGMA incremental_vacuum" or AutoVacuumFull
}

// AutoVacuumFull makes no database smaller by itself, but has later transactions do it.
const AutoVacuumFull = "PRAGMA auto_vacuum = FULL"

// Shrinks finds, by reading, the statements of a script that make a database smaller:
// VACUUM, unless it writes a copy, and what auto_vacuum does. With auto_vacuum at
// INCREMENTAL, only incremental_vacuum does.
func Shrinks(script string) []Shrinking {
	var found []Shrinking
	for _, p := range split(script) {
		if p.start < 0 {
			continue
		}
		if what := shrinks(significant(p.text)); what != "" {
			at := p.off + p.start
			found = append(found, Shrinking{at, 1 + strings.Count(script[:at], "\n"), what})
		}
	}
	return found
}

// Shrinks finds them in what a migration runs on the way up. Offsets are of no use
// there.
func (s *Set) Shrinks(m Migration) ([]Shrinking, error) {
	text, err := fs.ReadFile(s.fsys, m.File)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", m.File, err)
	}
	return Shrinks(upPart(s.tool, text)), nil
}

func shrinks(words []token) string {
	switch {
	case begins(words, "VACUUM"):
		for _, w := range words {
			if w.is("INTO") {
				return "" // a copy
			}
		}
		return "VACUUM"
	case !begins(words, "PRAGMA"):
		return ""
	}
	switch name, rest := object(words[1:]); {
	case name == "incremental_vacuum":
		return "PRAGMA incremental_vacuum"
	case name == "auto_vacuum" && len(rest) > 1 && (rest[0].text == "=" || rest[0].text == "("):
		if v := rest[1].text; strings.EqualFold(v, "FULL") || strings.TrimLeft(v, "0") == "1" {
			return AutoVacuumFull
		}
	}
	return ""
}
