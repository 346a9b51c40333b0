package flyconf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// readJSON reads a fly.json.
func readJSON(name string, data []byte) (*document, error) {
	r := &jsonReader{
		dec:   json.NewDecoder(bytes.NewReader(data)),
		lines: newLines(data),
		count: counter{file: name},
		src:   source{file: name, form: formJSON, keys: map[string]position{}},
		data:  data,
	}
	r.dec.UseNumber()
	v, err := r.value("", 0)
	if err == nil {
		at := r.next()
		if _, end := r.dec.Token(); !errors.Is(end, io.EOF) {
			err = &Problem{File: name, Line: at.line, Col: at.col, Message: "something follows the end of the document: remove it"}
		}
	}
	if err != nil {
		return nil, r.explain(err)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, &Problem{File: name, Line: 1, Col: 1, Message: fmt.Sprintf("is %s: write the file as one object, { ... }", describe(v))}
	}
	return &document{values: m, src: r.src}, nil
}

type jsonReader struct {
	dec   *json.Decoder
	lines lines
	count counter
	src   source
	data  []byte
}

func (r *jsonReader) here() position { return r.lines.position(int(r.dec.InputOffset())) }

func (r *jsonReader) problem(format string, a ...any) *Problem {
	at := r.here()
	return &Problem{File: r.src.file, Line: at.line, Col: at.col, Message: fmt.Sprintf(format, a...)}
}

// explain gives an error of encoding/json its place.
func (r *jsonReader) explain(err error) error {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		at := r.lines.position(len(r.data))
		return &Problem{File: r.src.file, Line: at.line, Col: at.col, Message: "ends in the middle: a bracket or quote is not closed"}
	}
	at, message := r.here(), err.Error()
	// Only a decoder of the whole text counts the offset from its beginning.
	var whole json.RawMessage
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(r.data, &whole), &syntax) {
		at, message = r.lines.position(max(int(syntax.Offset)-1, 0)), syntax.Error()
	}
	return &Problem{File: r.src.file, Line: at.line, Col: at.col, Message: message}
}

// value reads the next value; path is its key's.
func (r *jsonReader) value(path string, depth int) (any, error) {
	token, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	if p := r.count.key(r.here(), depth); p != nil {
		return nil, p
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return r.object(path, depth+1)
		}
		return r.array(path, depth+1)
	case json.Number:
		return number(token.String()), nil
	}
	return token, nil // string, bool or nil
}

func (r *jsonReader) object(path string, depth int) (any, error) {
	m := map[string]any{}
	seen := map[string]bool{}
	for r.dec.More() {
		token, err := r.dec.Token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if !ok {
			return nil, r.problem("%v stands where a key in quotes belongs", token)
		}
		at := r.keyStart()
		if seen[key] {
			return nil, &Problem{File: r.src.file, Line: at.line, Col: at.col, Key: join(path, key), Message: "is in the object twice: keep one of them"}
		}
		seen[key] = true
		r.src.note(join(path, key), at)
		v, err := r.value(join(path, key), depth)
		if err != nil {
			return nil, err
		}
		if v != nil {
			m[key] = v
		}
	}
	_, err := r.dec.Token()
	return m, err
}

func (r *jsonReader) array(path string, depth int) (any, error) {
	list := []any{}
	for i := 0; r.dec.More(); i++ {
		element := fmt.Sprintf("%s[%d]", path, i)
		r.src.note(element, r.next())
		v, err := r.value(element, depth)
		if err != nil {
			return nil, err
		}
		if v != nil {
			list = append(list, v)
		}
	}
	_, err := r.dec.Token()
	return list, err
}

// keyStart is the place of the key that was just read: the decoder stands behind
// its closing quote, and the opening one is the first that no backslash escapes.
func (r *jsonReader) keyStart() position {
	end := int(r.dec.InputOffset()) - 1
	for i := end - 1; i >= 0; i-- {
		if r.data[i] != '"' {
			continue
		}
		slashes := 0
		for j := i - 1; j >= 0 && r.data[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return r.lines.position(i)
		}
	}
	return r.lines.position(max(end, 0))
}

// next is the place of the value that comes next in an array.
func (r *jsonReader) next() position {
	i := int(r.dec.InputOffset())
	for i < len(r.data) && bytes.IndexByte([]byte(" \t\r\n,"), r.data[i]) >= 0 {
		i++
	}
	return r.lines.position(i)
}

// number is an int64 where the number is a whole one that fits, else a float64.
func number(s string) any {
	n := json.Number(s)
	if i, err := n.Int64(); err == nil {
		return i
	}
	f, err := n.Float64()
	if err != nil {
		return math.Inf(1) // too large for anything that the file holds
	}
	return f
}
