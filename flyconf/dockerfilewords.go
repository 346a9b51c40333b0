package flyconf

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// dockerfileBlanks separate the arguments of an instruction; other white space
// is part of them.
const dockerfileBlanks = "\t\v\f\r "

func dockerfileFields(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(dockerfileBlanks, r) })
}

// dockerfileFlags takes the words that begin with -- off the front of args. A
// lone -- ends them.
func dockerfileFlags(args string, escape byte) (flags []string, rest string) {
	for {
		args = strings.TrimLeftFunc(args, unicode.IsSpace)
		if !strings.HasPrefix(args, "--") {
			return flags, strings.TrimSpace(args)
		}
		word, after := dockerfileFlag(args, escape)
		args = after
		if word == "--" {
			return flags, strings.TrimSpace(args)
		}
		flags = append(flags, word)
	}
}

// dockerfileFlag reads one word, without its quotes and escapes.
func dockerfileFlag(s string, escape byte) (word, rest string) {
	var b strings.Builder
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == escape:
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && (strings.IndexByte(dockerfileBlanks, c) >= 0 || c == '\n'):
			return b.String(), s[i:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// dockerfileWords splits the arguments of ENV, LABEL and ARG at white space
// outside of quotes. Quotes and escapes stay: expanding a word takes them away.
func dockerfileWords(s string, escape byte) []string {
	var words []string
	var quote rune
	start := -1
	escaped := false
	for i, r := range s {
		if start < 0 {
			if unicode.IsSpace(r) {
				continue
			}
			start = i
		}
		switch {
		case escaped:
			escaped = false
		case r == rune(escape) && quote != '\'':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case unicode.IsSpace(r):
			words = append(words, s[start:i])
			start = -1
		}
	}
	if start >= 0 {
		words = append(words, s[start:])
	}
	return words
}

// dockerfilePair is one name and value of ENV, LABEL or ARG, as it is written.
type dockerfilePair struct {
	name, value string
	set         bool // false for an ARG without a value
}

// dockerfilePairs reads the arguments of ENV and LABEL: A=1 B=2, or the old form
// "A the rest".
func dockerfilePairs(args string, escape byte) ([]dockerfilePair, error) {
	words := dockerfileWords(args, escape)
	if len(words) == 0 {
		return nil, errors.New("has no arguments: write name=value")
	}
	if !strings.Contains(words[0], "=") {
		i := strings.IndexAny(args, dockerfileBlanks)
		if i < 0 {
			return nil, fmt.Errorf("%s has no value: write %s=value", words[0], words[0])
		}
		return []dockerfilePair{{args[:i], strings.TrimLeft(args[i:], dockerfileBlanks), true}}, nil
	}
	var out []dockerfilePair
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not name=value: put a value with spaces in quotes", w)
		}
		if name == "" {
			return nil, fmt.Errorf("%q has no name before the =", w)
		}
		out = append(out, dockerfilePair{name, value, true})
	}
	return out, nil
}

// dockerfileArgs reads the arguments of ARG: A B=2.
func dockerfileArgs(args string, escape byte) []dockerfilePair {
	var out []dockerfilePair
	for _, w := range dockerfileWords(args, escape) {
		name, value, ok := strings.Cut(w, "=")
		out = append(out, dockerfilePair{name, value, ok})
	}
	return out
}

// dockerfileExpand takes the quotes and escapes off a word and replaces the
// variables that lookup knows; others stay as they are written.
func dockerfileExpand(word string, escape byte, lookup func(string) (string, bool)) (string, error) {
	x := dockerfileShell{in: []rune(word), escape: rune(escape), lookup: lookup}
	text, _, err := x.until(dockerfileEnd, false)
	return text, err
}

// dockerfileShellWords splits a line as the heredocs in it are looked for: quotes
// and escapes stay, and so do variables.
func dockerfileShellWords(line string) ([]string, error) {
	x := dockerfileShell{in: []rune(line), escape: '\\', rawQuotes: true}
	_, words, err := x.until(dockerfileEnd, true)
	return words, err
}

const (
	dockerfileEnd      = rune(-1)
	dockerfileMaxDepth = 100 // of ${a:-${b:-...}}
)

var errDockerfileSubstitution = errors.New("bad substitution: write ${NAME} or ${NAME:-default}")

// dockerfileShell reads the shell-like language of a Dockerfile's values.
type dockerfileShell struct {
	in        []rune
	pos       int
	depth     int
	escape    rune
	rawQuotes bool
	lookup    func(string) (string, bool) // nil knows nothing
	unknown   bool                        // there was a variable that lookup does not know
}

func (x *dockerfileShell) peek() rune {
	if x.pos == len(x.in) {
		return dockerfileEnd
	}
	return x.in[x.pos]
}

func (x *dockerfileShell) next() rune {
	r := x.peek()
	if r != dockerfileEnd {
		x.pos++
	}
	return r
}

// dockerfileSplit collects words: white space that is not quoted parts them.
type dockerfileSplit struct {
	words []string
	word  strings.Builder
}

func (w *dockerfileSplit) plain(s string) {
	for _, r := range s {
		if unicode.IsSpace(r) {
			w.end()
		} else {
			w.word.WriteRune(r)
		}
	}
}

func (w *dockerfileSplit) quoted(s string) { w.word.WriteString(s) }

func (w *dockerfileSplit) end() {
	if w.word.Len() > 0 {
		w.words = append(w.words, w.word.String())
		w.word.Reset()
	}
}

// until reads up to stop, which it takes, or to the end. It returns what it read
// whole, and in words.
func (x *dockerfileShell) until(stop rune, rawEscapes bool) (string, []string, error) {
	if x.depth++; x.depth > dockerfileMaxDepth {
		return "", nil, errors.New("variables are nested too deep")
	}
	defer func() { x.depth-- }()
	var all strings.Builder
	var words dockerfileSplit
	for {
		r := x.peek()
		if r == stop {
			x.next()
			words.end()
			return all.String(), words.words, nil
		}
		var s string
		var err error
		quoted := true
		switch r {
		case dockerfileEnd:
			return "", nil, errDockerfileSubstitution
		case '\'':
			s, err = x.single()
		case '"':
			s, err = x.double(rawEscapes)
		case '$':
			s, err = x.dollar()
			quoted = false
		case '<':
			s = x.arrows()
		case x.escape:
			s = x.escaped(rawEscapes)
		default:
			s = string(x.next())
			quoted = false
		}
		if err != nil {
			return "", nil, err
		}
		all.WriteString(s)
		if quoted {
			words.quoted(s)
		} else {
			words.plain(s)
		}
	}
}

func (x *dockerfileShell) escaped(raw bool) string {
	e := x.next()
	r := x.next()
	switch {
	case r == dockerfileEnd && raw:
		return string(e)
	case r == dockerfileEnd:
		return ""
	case raw:
		return string(e) + string(r)
	}
	return string(r)
}

// arrows keeps << and the blanks behind it in one word, because a heredoc's name
// may follow after them.
func (x *dockerfileShell) arrows() string {
	x.next()
	if x.peek() != '<' {
		return "<"
	}
	x.next()
	start := x.pos
	for r := x.peek(); r == ' ' || r == '\t' || r == '\r'; r = x.peek() {
		x.next()
	}
	return "<<" + string(x.in[start:x.pos])
}

func (x *dockerfileShell) single() (string, error) {
	start := x.pos
	x.next()
	for x.peek() != '\'' {
		if x.next() == dockerfileEnd {
			return "", errors.New("a single quote is not closed")
		}
	}
	x.next()
	if x.rawQuotes {
		return string(x.in[start:x.pos]), nil
	}
	return string(x.in[start+1 : x.pos-1]), nil
}

func (x *dockerfileShell) double(rawEscapes bool) (string, error) {
	var b strings.Builder
	quote := func() {
		if x.next(); x.rawQuotes {
			b.WriteByte('"')
		}
	}
	quote()
	for {
		switch r := x.peek(); r {
		case dockerfileEnd:
			return "", errors.New("a double quote is not closed")
		case '"':
			quote()
			return b.String(), nil
		case '$':
			s, err := x.dollar()
			if err != nil {
				return "", err
			}
			b.WriteString(s)
		case x.escape:
			x.next()
			// Only these can be escaped; before anything else the escape stays.
			switch after := x.peek(); {
			case after == dockerfileEnd:
			case after == '"' || after == '$' || after == x.escape:
				if rawEscapes {
					b.WriteRune(r)
				}
				b.WriteRune(x.next())
			default:
				if rawEscapes {
					b.WriteRune(r)
				}
				b.WriteRune(r)
			}
		default:
			b.WriteRune(x.next())
		}
	}
}

// dollar reads a variable.
func (x *dockerfileShell) dollar() (string, error) {
	start := x.pos
	x.next()
	if x.peek() != '{' {
		name := x.name()
		if name == "" {
			return "$", nil
		}
		return x.value(name, start), nil
	}
	x.next()
	switch x.peek() {
	case dockerfileEnd, '{', '}', ':':
		return "", errDockerfileSubstitution
	}
	name := x.name()
	op := x.next()
	switch op {
	case '}':
		return x.value(name, start), nil
	case ':':
		if op = x.next(); op != '-' && op != '+' && op != '?' {
			return "", errDockerfileSubstitution
		}
		return x.alternative(name, op, true, start)
	case '-', '+', '?':
		return x.alternative(name, op, false, start)
	case '#', '%', '/':
		// Patterns: what they make of a value is not known here.
		if op == '/' {
			if x.peek() == '/' {
				x.next()
			}
			if _, _, err := x.until('/', true); err != nil {
				return "", err
			}
		}
		if _, _, err := x.until('}', true); err != nil {
			return "", err
		}
		x.unknown = true
		return string(x.in[start:x.pos]), nil
	}
	return "", errDockerfileSubstitution
}

// value is that of a name; one that is not known stays as it is written.
func (x *dockerfileShell) value(name string, start int) string {
	if x.lookup != nil {
		if v, ok := x.lookup(name); ok {
			return v
		}
	}
	x.unknown = true
	return string(x.in[start:x.pos])
}

// alternative reads the rest of ${name-word} and its like. A name that is not
// known counts as not set.
func (x *dockerfileShell) alternative(name string, op rune, emptyIsUnset bool, start int) (string, error) {
	word, _, err := x.until('}', false)
	if err != nil {
		return "", err
	}
	if x.lookup == nil {
		return x.value(name, start), nil
	}
	v, set := x.lookup(name)
	set = set && (v != "" || !emptyIsUnset)
	switch {
	case op == '+' && set, op == '-' && !set:
		return word, nil
	case op == '+':
		return "", nil
	case set:
		return v, nil
	}
	return x.value(name, start), nil
}

// name reads the name of a variable, or one of the shell's special parameters.
func (x *dockerfileShell) name() string {
	start := x.pos
	switch r := x.peek(); {
	case unicode.IsDigit(r):
		for unicode.IsDigit(x.peek()) {
			x.next()
		}
		return string(x.in[start:x.pos])
	case strings.ContainsRune("@*#?-$!", r):
		return string(x.next())
	}
	for r := x.peek(); r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r); r = x.peek() {
		x.next()
	}
	return string(x.in[start:x.pos])
}
