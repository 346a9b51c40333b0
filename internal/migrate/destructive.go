package migrate

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"
)

// Destructive is a statement of a migration that takes away what the release before
// it may still use.
type Destructive struct {
	File string // as in [Migration]
	Line int    // where the statement begins
	What string // "drops the table users", in a few words
}

func (d Destructive) String() string { return fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.What) }

// Destructive finds, by reading, what in the migrations takes away or changes what
// another release of the same app may use while both run: a table, view or column
// that is dropped or renamed, and a column that an INSERT of that release would lack.
// A table that is replaced by one of the same name, as SQLite documents for changes
// that ALTER TABLE cannot make, is none, though its new form may well be.
func (s *Set) Destructive(of []Migration) ([]Destructive, error) {
	var found []Destructive
	for _, m := range of {
		text, err := fs.ReadFile(s.fsys, m.File)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", m.File, err)
		}
		for _, d := range destructive(s.tool, text) {
			d.File = m.File
			found = append(found, d)
		}
	}
	return found, nil
}

func destructive(tool Tool, text []byte) []Destructive {
	up := upPart(tool, text)
	var statements [][]token
	var lines []int
	made := map[string]bool{} // tables that this file creates, and names that it renames one to
	for _, p := range split(up) {
		if p.start < 0 {
			continue
		}
		words := significant(p.text)
		statements = append(statements, words)
		lines = append(lines, 1+strings.Count(up[:p.off+p.start], "\n"))
		if name, ok := created(words); ok {
			made[name] = true
		}
	}
	replaced := map[string]bool{}
	for _, words := range statements {
		if from, to, ok := renamed(words); ok && made[from] {
			replaced[to] = true
		}
	}
	var found []Destructive
	for i, words := range statements {
		if what := takesAway(words, made, replaced); what != "" {
			found = append(found, Destructive{Line: lines[i], What: what})
		}
	}
	return found
}

// upPart blanks what is not run on the way up: the lines stay where they are.
func upPart(tool Tool, text []byte) string {
	if tool == GolangMigrate {
		return string(text)
	}
	up := false
	var out strings.Builder
	for line := range bytes.Lines(text) {
		trimmed := bytes.TrimSpace(bytes.TrimPrefix(line, []byte("\uFEFF")))
		switch {
		case tool == Goose && bytes.HasPrefix(trimmed, []byte("--")) && bytes.Contains(trimmed, []byte("+goose")):
			switch gooseAnnotation(trimmed) {
			case "UP":
				up = true
			case "DOWN":
				up = false
			}
		case tool == Dbmate && dbmateUp.Match(trimmed):
			up = true
		case tool == Dbmate && bytes.HasPrefix(trimmed, []byte("-- migrate:down")):
			up = false
		case up:
			out.Write(line)
			continue
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// significant are the tokens of a statement without its white space and comments.
// The text of what is quoted is what is in the quotes.
func significant(s string) []token {
	var found []token
	for i := 0; i < len(s); {
		t := nextToken(s[i:])
		if t.kind == other && t.size >= 2 && strings.ContainsRune("\"'`[", rune(s[i])) {
			t.text = s[i+1 : i+t.size-1]
		} else if t.kind == other {
			t.text = s[i : i+t.size]
		}
		if i += t.size; t.kind != space {
			found = append(found, t)
		}
	}
	return found
}

// object reads "[IF [NOT] EXISTS] [schema.]name" at the start of words: the name, as
// SQLite compares it, and what follows.
func object(words []token) (name string, rest []token) {
	for len(words) > 0 && (words[0].is("IF") || words[0].is("NOT") || words[0].is("EXISTS")) {
		words = words[1:]
	}
	if len(words) > 2 && words[1].text == "." {
		words = words[2:]
	}
	if len(words) == 0 {
		return "", nil
	}
	return strings.ToLower(words[0].text), words[1:]
}

func begins(words []token, keywords ...string) bool {
	if len(words) < len(keywords) {
		return false
	}
	for i, k := range keywords {
		if !words[i].is(k) {
			return false
		}
	}
	return true
}

// created is the table or view that a statement creates.
func created(words []token) (name string, ok bool) {
	if !begins(words, "CREATE") {
		return "", false
	}
	words = words[1:]
	for len(words) > 0 && (words[0].is("TEMP") || words[0].is("TEMPORARY") || words[0].is("VIRTUAL")) {
		words = words[1:]
	}
	if !begins(words, "TABLE") && !begins(words, "VIEW") {
		return "", false
	}
	name, _ = object(words[1:])
	return name, name != ""
}

// renamed are the names of a table that a statement renames.
func renamed(words []token) (from, to string, ok bool) {
	if !begins(words, "ALTER", "TABLE") {
		return "", "", false
	}
	from, rest := object(words[2:])
	if !begins(rest, "RENAME", "TO") || len(rest) < 3 {
		return "", "", false
	}
	return from, strings.ToLower(rest[2].text), true
}

func takesAway(words []token, made, replaced map[string]bool) string {
	switch {
	case begins(words, "DROP", "TABLE"), begins(words, "DROP", "VIEW"):
		if name, _ := object(words[2:]); !made[name] && !replaced[name] {
			return fmt.Sprintf("drops the %s %s", strings.ToLower(words[1].text), name)
		}
	case begins(words, "ALTER", "TABLE"):
		table, rest := object(words[2:])
		if made[table] {
			return ""
		}
		return altersAway(table, rest)
	}
	return ""
}

func altersAway(table string, rest []token) string {
	column := func(after []token) string {
		if begins(after, "COLUMN") {
			after = after[1:]
		}
		if len(after) == 0 {
			return table
		}
		return table + "." + strings.ToLower(after[0].text)
	}
	switch {
	case begins(rest, "RENAME", "TO"):
		return "renames the table " + table
	case begins(rest, "RENAME"):
		return "renames the column " + column(rest[1:])
	case begins(rest, "DROP"):
		return "drops the column " + column(rest[1:])
	case begins(rest, "ADD"):
		notNull, filled := false, false
		for i, w := range rest {
			notNull = notNull || w.is("NULL") && i > 0 && rest[i-1].is("NOT")
			filled = filled || w.is("DEFAULT") || w.is("AS") // or generated
		}
		if notNull && !filled {
			return "adds the column " + column(rest[1:]) + ", NOT NULL without a default"
		}
	}
	return ""
}
