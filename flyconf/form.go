package flyconf

import (
	"bytes"
	"fmt"
	"path"
	"strings"
)

// Limits on a file that Parse reads. No fly.toml comes near them; a file beyond
// them is something else, and could keep a reader busy for very long.
const (
	maxFileBytes = 1 << 20
	maxKeys      = 10_000
	maxDepth     = 32
)

// form is a way to write the file. They hold the same keys and values.
type form int

const (
	formTOML form = iota
	formJSON
	formYAML
)

// formOf tells a file's form by the end of its name. What has no known end is
// TOML.
func formOf(name string) form {
	switch strings.ToLower(path.Ext(strings.ReplaceAll(name, `\`, "/"))) {
	case ".json":
		return formJSON
	case ".yaml", ".yml":
		return formYAML
	}
	return formTOML
}

// document is a file as plain values: string, int64, float64, bool, []any,
// map[string]any and, from TOML, dates and times. Nulls are left out.
type document struct {
	values map[string]any
	src    source
}

// readDocument reads the text of a file in the form that its name says.
func readDocument(name string, data []byte) (*document, error) {
	if len(data) > maxFileBytes {
		return nil, &Problem{File: name, Message: fmt.Sprintf("is larger than 1 MB (%d bytes): is it the right file?", len(data))}
	}
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		return nil, &Problem{File: name, Line: 1, Col: 1, Message: "begins with a byte order mark, which flyctl does not read: save it as UTF-8 without one"}
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		at := newLines(data).position(i)
		return nil, &Problem{File: name, Line: at.line, Col: at.col, Message: "holds a NUL byte: it is binary, or not saved as UTF-8"}
	}
	switch formOf(name) {
	case formJSON:
		return readJSON(name, data)
	case formYAML:
		return readYAML(name, data)
	}
	return readTOML(name, data)
}

// counter refuses files that hold too much.
type counter struct {
	file string
	keys int
}

// key counts a key that stands depth tables and arrays deep.
func (c *counter) key(at position, depth int) *Problem {
	c.keys++
	switch {
	case c.keys > maxKeys:
		return &Problem{File: c.file, Line: at.line, Col: at.col, Message: fmt.Sprintf("holds more than %d keys and values: is it the right file?", maxKeys)}
	case depth > maxDepth:
		return &Problem{File: c.file, Line: at.line, Col: at.col, Message: fmt.Sprintf("is nested more than %d tables deep: is it the right file?", maxDepth)}
	}
	return nil
}
