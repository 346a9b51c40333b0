package dump

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is what is wrong in a dump, and where.
type Error struct {
	File   string
	Line   int    // from 1; 0 where it is the file as a whole
	Text   string // the line, what stands in quotes left out; "" of rows
	Reason string
	Hint   string // what to do, or ""
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": " + e.Reason)
	if e.Text != "" {
		b.WriteString(": " + e.Text)
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// shown is a line of SQL for an error: constants may be secrets, and a line may be long.
func shown(line string) string {
	const most = 100
	var b strings.Builder
	quoted := false
	for i, r := range strings.TrimSpace(line) {
		switch {
		case r == '\'':
			if quoted = !quoted; quoted {
				b.WriteString("'...'")
			}
		case quoted:
		case r == utf8.RuneError || r < ' ':
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
		if b.Len() >= most || i > 1<<16 {
			return b.String() + "..."
		}
	}
	return b.String()
}
