package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep SQLite's JSON may be nested.
const maxDepth = 1000

// JSON is a json or jsonb value's text as it is.
func JSON(typ string) *Conversion {
	return &Conversion{Name: typ, Kind: Text,
		To: func(src, _ []byte) (Value, error) {
			if deeperThan(src, maxDepth) {
				return Value{}, misfit(typ, fmt.Sprintf("nested more than %d deep, which SQLite does not read", maxDepth))
			}
			return checked(typ, src)
		},
		Back: backText}
}

func deeperThan(s []byte, limit int) bool {
	depth, inString := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// Array is an array as JSON: integers, booleans and numbers as such, all else as
// strings of the element's own form, bytes as \x and hexadecimal digits. Arrays whose
// first index is not 1 are refused.
func Array(elem *Conversion, delimiter byte) *Conversion {
	a := array{elem: elem, delimiter: delimiter}
	return &Conversion{Name: elem.Name + " array", Kind: Text, Lossy: elem.Lossy, To: a.to, Back: a.back}
}

type array struct {
	elem      *Conversion
	delimiter byte
}

func (a array) to(src, buf []byte) (Value, error) {
	if len(src) > 0 && src[0] == '[' {
		return Value{}, &Misfit{Type: "array", Reason: "its first index is not 1", Hint: `form = "pg" keeps PostgreSQL's text`}
	}
	p := arrayParser{array: a, src: src, out: buf[:0]}
	if err := p.list(1); err != nil {
		return Value{}, err
	}
	if p.at != len(src) {
		return Value{}, misfit("array", "text after its end")
	}
	return text(p.out), nil
}

// arrayParser reads {1,2,{...}} and writes JSON.
type arrayParser struct {
	array
	src     []byte
	at      int
	out     []byte
	scratch []byte
	inner   []byte
}

func (p *arrayParser) peek() byte {
	if p.at < len(p.src) {
		return p.src[p.at]
	}
	return 0
}

func (p *arrayParser) list(depth int) error {
	if p.peek() != '{' || depth > 6 { // PostgreSQL has six dimensions
		return misfit("array", "not as PostgreSQL prints it")
	}
	p.at++
	p.out = append(p.out, '[')
	for first := true; p.peek() != '}'; first = false {
		if !first {
			if p.peek() != p.delimiter {
				return misfit("array", "not as PostgreSQL prints it")
			}
			p.at++
			p.out = append(p.out, ',')
		}
		var err error
		if p.peek() == '{' {
			err = p.list(depth + 1)
		} else {
			err = p.element()
		}
		if err != nil {
			return err
		}
	}
	p.at++
	p.out = append(p.out, ']')
	return nil
}

func (p *arrayParser) element() error {
	p.scratch = p.scratch[:0]
	quoted := p.peek() == '"'
	if quoted {
		p.at++
	}
	for {
		c := p.peek()
		if p.at >= len(p.src) {
			return misfit("array", "it does not end")
		}
		if quoted && c == '"' {
			p.at++
			break
		}
		if !quoted && (c == p.delimiter || c == '}') {
			break
		}
		if c == '\\' {
			if p.at++; p.at >= len(p.src) {
				return misfit("array", "it does not end")
			}
			c = p.src[p.at]
		}
		p.scratch = append(p.scratch, c)
		p.at++
	}
	if !quoted && string(p.scratch) == "NULL" {
		p.out = append(p.out, "null"...)
		return nil
	}
	if !quoted && len(p.scratch) == 0 {
		return misfit("array", "an element is missing")
	}
	v, err := p.elem.To(p.scratch, p.inner)
	if err != nil {
		return err
	}
	p.write(v)
	return nil
}

func (p *arrayParser) write(v Value) {
	switch {
	case v.Kind == Null:
		p.out = append(p.out, "null"...)
	case v.Kind == Integer && p.elem.Name == "boolean":
		p.out = fmt.Appendf(p.out, "%t", v.Int == 1)
	case v.Kind == Integer:
		p.out = fmt.Append(p.out, v.Int)
	case v.Kind == Real:
		p.out = append(p.out, FormatFloat(v.Real, 64)...)
	case v.Kind == Blob:
		p.out = fmt.Appendf(p.out, `"\\x%x"`, v.Bytes)
	default:
		p.out = AppendJSON(p.out, v.Bytes)
	}
}

// AppendJSON appends a JSON string.
func AppendJSON(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

func (a array) back(v Value) (string, error) {
	if v.Kind != Text {
		return "", errKind(v, Text)
	}
	d := json.NewDecoder(bytes.NewReader(v.Bytes))
	d.UseNumber()
	var list []any
	if err := d.Decode(&list); err != nil {
		return "", fmt.Errorf("an array is not JSON: %w", err)
	}
	var b strings.Builder
	err := a.print(&b, list)
	return b.String(), err
}

func (a array) print(b *strings.Builder, list []any) error {
	b.WriteByte('{')
	for i, e := range list {
		if i > 0 {
			b.WriteByte(a.delimiter)
		}
		if inner, ok := e.([]any); ok {
			if err := a.print(b, inner); err != nil {
				return err
			}
			continue
		}
		if e == nil {
			b.WriteString("NULL")
			continue
		}
		v, err := a.fromJSON(e)
		if err != nil {
			return err
		}
		s, err := a.elem.Back(v)
		if err != nil {
			return err
		}
		b.WriteString(a.quote(s))
	}
	b.WriteByte('}')
	return nil
}

// fromJSON is the element's value that an element of JSON stands for.
func (a array) fromJSON(e any) (Value, error) {
	s := ""
	switch e := e.(type) {
	case bool:
		s = "f"
		if e {
			s = "t"
		}
	case json.Number:
		s = e.String()
	case string:
		if a.elem.Kind == Text {
			return text([]byte(e)), nil
		}
		s = e
	default:
		return Value{}, errors.New("an array holds an object")
	}
	if a.elem.Kind == Integer && strings.HasSuffix(a.elem.Name, "micros") || a.elem.Kind == Integer && strings.HasSuffix(a.elem.Name, "scaled") {
		return Int(a.elem.Name, -1<<63, 1<<63-1).To([]byte(s), nil)
	}
	if a.elem.Kind == Blob {
		return Bytea().To([]byte(s), nil)
	}
	return a.elem.To([]byte(s), nil)
}

// quote puts an element in quotes where PostgreSQL does.
func (a array) quote(s string) string {
	if s != "" && !strings.EqualFold(s, "NULL") && !strings.ContainsAny(s, "{}\"\\ \t\n\r\v\f"+string(a.delimiter)) {
		return s
	}
	return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s) + `"`
}

// Hstore is an hstore as a JSON object, its keys in PostgreSQL's order.
func Hstore() *Conversion {
	return &Conversion{Name: "hstore json", Kind: Text, To: hstoreTo, Back: hstoreBack}
}

func hstoreTo(src, buf []byte) (Value, error) {
	bad := misfit("hstore", "not as PostgreSQL prints it")
	out, rest := append(buf[:0], '{'), src
	for first := true; len(rest) > 0; first = false {
		if !first {
			var ok bool
			if rest, ok = bytes.CutPrefix(rest, []byte(", ")); !ok {
				return Value{}, bad
			}
			out = append(out, ", "...)
		}
		key, after, ok := quotedString(rest)
		after, arrow := bytes.CutPrefix(after, []byte("=>"))
		if !ok || !arrow {
			return Value{}, bad
		}
		out = append(AppendJSON(out, key), ": "...)
		if r, null := bytes.CutPrefix(after, []byte("NULL")); null {
			out, rest = append(out, "null"...), r
			continue
		}
		value, after, ok := quotedString(after)
		if !ok {
			return Value{}, bad
		}
		out, rest = AppendJSON(out, value), after
	}
	return checked("hstore", append(out, '}'))
}

// quotedString reads "a\"b" and returns what follows.
func quotedString(s []byte) (value, rest []byte, ok bool) {
	if len(s) == 0 || s[0] != '"' {
		return nil, s, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return value, s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return nil, s, false
			}
		}
		value = append(value, s[i])
	}
	return nil, s, false
}

func hstoreBack(v Value) (string, error) {
	if v.Kind != Text || !utf8.Valid(v.Bytes) {
		return "", errKind(v, Text)
	}
	d := json.NewDecoder(bytes.NewReader(v.Bytes))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", errors.New("an hstore is not a JSON object")
	}
	escape := strings.NewReplacer(`"`, `\"`, `\`, `\\`)
	var parts []string
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", err
		}
		value, err := d.Token()
		if err != nil {
			return "", err
		}
		part := `"` + escape.Replace(fmt.Sprint(key)) + `"=>NULL`
		if s, ok := value.(string); ok {
			part = `"` + escape.Replace(fmt.Sprint(key)) + `"=>"` + escape.Replace(s) + `"`
		}
		parts = append(parts, part)
	}
	if _, err := d.Token(); err != nil && err != io.EOF {
		return "", err
	}
	return strings.Join(parts, ", "), nil
}
