package follow

import (
	"errors"
	"strings"
)

var errRecord = errors.New("a row of another form than PostgreSQL prints")

// readRecord takes a row apart that PostgreSQL has printed as text, (1,"a b",): its fields
// are appended to list, and lie in buf.
func readRecord(text string, list []field, buf []byte) ([]field, []byte, error) {
	if len(text) < 2 || text[0] != '(' || text[len(text)-1] != ')' {
		return nil, nil, errRecord
	}
	text = text[1 : len(text)-1]
	if cap(buf) < len(text) { // the fields must not move
		buf = make([]byte, 0, 2*len(text))
	}
	buf = buf[:0]
	for more := true; more; {
		f := field{kind: 't'}
		from := len(buf)
		switch {
		case text == "" || text[0] == ',':
			f.kind = 'n'
		case text[0] == '"':
			var err error
			if buf, text, err = unquote(text[1:], buf); err != nil {
				return nil, nil, err
			}
		default:
			end := strings.IndexByte(text, ',')
			if end < 0 {
				end = len(text)
			}
			buf, text = append(buf, text[:end]...), text[end:]
		}
		f.text = buf[from:len(buf):len(buf)]
		list = append(list, f)
		if more = text != ""; more {
			if text[0] != ',' {
				return nil, nil, errRecord
			}
			text = text[1:]
		}
	}
	return list, buf, nil
}

// unquote reads a field up to its closing quote: quotes and backslashes in it are doubled.
func unquote(text string, buf []byte) ([]byte, string, error) {
	for {
		i := strings.IndexAny(text, `"\`)
		if i < 0 || i+1 >= len(text) && text[i] == '\\' {
			return nil, "", errRecord
		}
		buf = append(buf, text[:i]...)
		if text[i] == '"' && (i+1 == len(text) || text[i+1] != '"') {
			return buf, text[i+1:], nil
		}
		buf, text = append(buf, text[i+1]), text[i+2:]
	}
}
