package flyconf

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxLiteFSVariables is far above what a litefs.yml can use.
const maxLiteFSVariables = 10_000

// litefsText is a litefs.yml as YAML is to read it, with variables replaced, and
// the way back to the file.
//
// A variable whose value is not known becomes a token, a word that YAML takes
// anywhere: a letter that the file does not use, the variable's number, and the
// letter again.
type litefsText struct {
	src    string // the file
	text   string
	marks  []litefsMark
	letter string // of tokens
	lines  []int  // where the lines of src begin
}

// litefsMark is one variable, or one text that LiteFS drops as a broken one.
type litefsMark struct {
	start, end         int // in litefsText.text
	srcStart, srcEnd   int // in litefsText.src
	names              []string
	compared, resolved bool
	known              []bool // of each name
}

var litefsComparison = regexp.MustCompile(`^(\w+)\s*(==|!=)\s*(?:'(.*)'|"(.*)"|(\w+))$`)

// expandLiteFS replaces the variables that env knows.
func expandLiteFS(name string, data []byte, env func(string) (string, bool)) (*litefsText, error) {
	t := &litefsText{src: string(data), lines: []int{0}}
	src := t.src
	for i := range src {
		if src[i] == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	lastBrace := strings.LastIndexByte(src, '}')
	var values []string
	for i := 0; i < len(src); i++ {
		if src[i] != '$' {
			continue
		}
		expr, width := litefsVariableAt(src[i+1:], i < lastBrace)
		if width == 0 {
			continue
		}
		if len(t.marks) == maxLiteFSVariables {
			return nil, &Problem{File: name, Message: fmt.Sprintf("holds more than %d variables: is it the right file?", maxLiteFSVariables)}
		}
		m := litefsMark{srcStart: i, srcEnd: i + 1 + width}
		values = append(values, m.evaluate(expr, env))
		t.marks = append(t.marks, m)
		i += width
	}
	if len(t.marks) > 0 {
		var ok bool
		if t.letter, ok = unusedLetter(append(values, src)); !ok {
			return nil, &Problem{File: name, Message: "holds too many different characters to be a litefs.yml"}
		}
	}
	var b strings.Builder
	last := 0
	for i := range t.marks {
		m := &t.marks[i]
		b.WriteString(src[last:m.srcStart])
		last = m.srcEnd
		m.start = b.Len()
		if m.resolved {
			b.WriteString(values[i])
		} else {
			b.WriteString(t.letter + strconv.Itoa(i) + t.letter)
		}
		m.end = b.Len()
		if b.Len() > 2*maxSourceBytes {
			return nil, &Problem{File: name, Message: "is larger than 2 MB once its variables are replaced"}
		}
	}
	b.WriteString(src[last:])
	t.text = b.String()
	return t, nil
}

// evaluate replaces one expression, and notes the variables in it.
func (m *litefsMark) evaluate(expr string, env func(string) (string, bool)) string {
	get := func(name string) string {
		v, ok := env(name)
		m.names = append(m.names, name)
		m.known = append(m.known, ok)
		return v
	}
	expr = strings.TrimSpace(expr)
	value := ""
	if c := litefsComparison.FindStringSubmatch(expr); c != nil {
		m.compared = true
		a, b := get(c[1]), c[3]+c[4]
		if c[5] != "" {
			b = get(c[5])
		}
		value = strconv.FormatBool((a == b) == (c[2] == "=="))
	} else if expr != "" {
		value = get(expr)
	}
	m.resolved = !slices.Contains(m.known, false)
	return value
}

// litefsVariableAt reads what follows a $, by the rules of os.Expand, which
// LiteFS uses: NAME, {anything}, or one special character. A brace that is not
// closed, or is closed at once, is dropped: it has a width and no name. A $
// before anything else, with width 0, stays. That a } follows somewhere the caller
// knows: to look for it at every $ would take too long in a long file.
func litefsVariableAt(s string, closed bool) (expr string, width int) {
	special := func(c byte) bool { return c >= '0' && c <= '9' || strings.IndexByte("*#$@!?-", c) >= 0 }
	switch {
	case s == "":
		return "", 0
	case s[0] == '{' && !closed:
		return "", 1
	case s[0] == '{':
		end := strings.IndexByte(s, '}')
		return s[1:end], end + 1
	case special(s[0]):
		return s[:1], 1
	}
	n := 0
	for n < len(s) && (s[n] == '_' || s[n] >= '0' && s[n] <= '9' || s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z') {
		n++
	}
	return s[:n], n
}

// unusedLetter finds a letter of a script that configuration files are not
// written in.
func unusedLetter(texts []string) (string, bool) {
	const first, last = 'ꀀ', 'ꒌ' // Yi syllables
	used := map[rune]bool{}
	for _, text := range texts {
		for _, r := range text {
			if r >= first && r <= last {
				used[r] = true
			}
		}
	}
	for r := first; r <= last; r++ {
		if !used[r] {
			return string(r), true
		}
	}
	return "", false
}

// source turns a place of the text into one of the file. A place inside of a
// variable's value is where the variable begins.
func (t *litefsText) source(offset int) int {
	i, exact := slices.BinarySearchFunc(t.marks, offset, func(m litefsMark, at int) int { return m.start - at })
	if exact {
		return t.marks[i].srcStart
	}
	if i == 0 {
		return offset
	}
	m := t.marks[i-1]
	if offset < m.end {
		return m.srcStart
	}
	return m.srcEnd + offset - m.end
}

// position is the line and column, in bytes, of a place of the file.
func (t *litefsText) position(srcOffset int) position {
	i, exact := slices.BinarySearch(t.lines, srcOffset)
	if !exact {
		i--
	}
	return position{line: i + 1, col: srcOffset - t.lines[i] + 1}
}

// restore returns s with its variables as they are written in the file, and the
// numbers of their marks.
func (t *litefsText) restore(s string) (restored string, marks []int) {
	if t.letter == "" || !strings.Contains(s, t.letter) {
		return s, nil
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, t.letter)
		b.WriteString(before)
		number, after, closed := strings.Cut(rest, t.letter)
		i, err := strconv.Atoi(number)
		if !ok || !closed || err != nil || i >= len(t.marks) {
			b.WriteString(rest)
			return b.String(), marks
		}
		b.WriteString(t.src[t.marks[i].srcStart:t.marks[i].srcEnd])
		marks = append(marks, i)
		s = after
	}
}

// uses lists all variables of a file whose values cannot be told from the rest.
func (t *litefsText) uses() []LiteFSVariable {
	var out []LiteFSVariable
	for _, m := range t.marks {
		out = append(out, t.use(m, "")...)
	}
	return out
}

func (t *litefsText) use(m litefsMark, key string) []LiteFSVariable {
	at := t.position(m.srcStart)
	var out []LiteFSVariable
	for i, name := range m.names {
		out = append(out, LiteFSVariable{
			Name: name, Key: key, Line: at.line, Col: at.col, Known: m.known[i], Compared: m.compared,
		})
	}
	return out
}
