package flyconf

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is one thing that is wrong in a file. Parse and Validate return
// problems joined with errors.Join; errors.As finds the first of them.
type Problem struct {
	File      string // the name given to Parse; empty for a Config made in code
	Line, Col int    // from 1; 0 where there is no place to point at
	Key       string // the key's path, "mounts[0].initial_size"; empty where it is about no key
	Message   string // what is wrong, and how to mend it
}

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
		b.WriteString(p.Key)
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// problems collects what is wrong in one file.
type problems struct {
	src  source
	list []error
}

func (p *problems) add(key, format string, a ...any) {
	at := p.src.position(key)
	p.list = append(p.list, &Problem{
		File: p.src.file, Line: at.line, Col: at.col,
		Key: key, Message: fmt.Sprintf(format, a...),
	})
}

func (p *problems) err() error { return errors.Join(p.list...) }
