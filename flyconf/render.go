package flyconf

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Comments are notes that Render writes into the file, each above the key or
// the table that it is about: "mounts", "http_service.min_machines_running". An
// array of tables has one note for all its elements, so no index is part of a
// path. The note of "" opens the file. A note may have several lines, and one
// whose key is not in the file is left out.
type Comments map[string]string

// Render writes c as a fly.toml, with comments, which may be nil. The same input
// gives the same bytes. It refuses a Config that Validate refuses, and writes
// what Extra holds, but not the comments and layout of a file that c came from.
//
// The layout is flyctl's own: its order of sections, nested tables indented, and
// [[mounts]] as an array of tables, which is how flyctl writes its list of mounts
// even where the list has one element; a second [[mounts]] can be added below,
// whereas TOML forbids to mix it with [mounts].
func Render(c *Config, comments Comments) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	w := &writer{comments: comments}
	if note := comments[""]; note != "" {
		w.comment(note)
		w.buf.WriteByte('\n')
	}
	w.fields("", reflect.ValueOf(c).Elem())
	return w.buf.Bytes(), nil
}

// writer writes one key or table a call. What is empty is left out.
type writer struct {
	buf      bytes.Buffer
	comments Comments
	path     string // of the open table, without indexes
	indent   string
}

// fields writes a struct of the model: first the keys, then the tables below it,
// as TOML wants it.
func (w *writer) fields(path string, v reflect.Value) {
	extra := extraOf(v).Interface().(map[string]any)
	fields := fieldsOf(v.Type())
	known := map[string]bool{}
	var tables []func()
	for _, f := range fields {
		known[f.name] = true
		fv := v.Field(f.index)
		key := join(path, f.name)
		raw, kept := extra[f.name]
		switch {
		case empty(fv) && kept && hasTables(raw):
			tables = append(tables, func() { w.rawTables(key, raw) })
		case empty(fv) && kept:
			w.value(f.name, rawText(raw))
		case empty(fv) && !f.is("always"):
		case isTable(fv.Type()):
			tables = append(tables, func() { w.tables(key, fv) })
		default:
			w.value(f.name, valueText(f, fv))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if raw := extra[name]; known[name] {
			continue
		} else if hasTables(raw) {
			tables = append(tables, func() { w.rawTables(join(path, quoteKey(name)), raw) })
		} else {
			w.value(name, rawText(raw))
		}
	}
	for _, table := range tables {
		table()
	}
}

// tables writes a field that is a table, or several.
func (w *writer) tables(path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		w.table(path)
		w.fields(path, v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			w.element(path, i)
			w.fields(path, v.Index(i))
		}
	default:
		w.mapping(path, v)
	}
}

// mapping writes a map in the order of its keys. Empty values are values here.
func (w *writer) mapping(path string, v reflect.Value) {
	keys := sortedKeys(v)
	switch m := v.Interface().(type) {
	case map[string]string:
		w.table(path)
		for _, key := range keys {
			w.value(key, quote(m[key]))
		}
	case map[string]any:
		w.rawTables(path, m)
	default:
		if len(keys) == 0 {
			w.table(path)
		}
		for _, key := range keys {
			inner := join(path, quoteKey(key))
			w.table(inner)
			w.fields(inner, v.MapIndex(reflect.ValueOf(key)))
		}
	}
}

// valueText writes a field that is a value.
func valueText(f field, v reflect.Value) string {
	switch {
	case v.Type() == durationType:
		return quote(formatDuration(time.Duration(v.Int())))
	case f.is("gb"):
		return quote(formatSizeGB(int(v.Int())))
	case f.is("mb"):
		return quote(formatMemoryMB(int(v.Int())))
	case v.Kind() == reflect.Pointer:
		return valueText(f, v.Elem())
	case v.Kind() == reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case v.Kind() == reflect.Slice:
		return textOf(v.Interface().([]string))
	}
	return rawText(v.Interface())
}

func textOf(list []string) string {
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = quote(s)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// table opens [path], indented by its depth.
func (w *writer) table(path string) { w.open(path, "["+path+"]", true) }

// element opens the i-th [[path]]; the note stands above the first.
func (w *writer) element(path string, i int) { w.open(path, "[["+path+"]]", i == 0) }

func (w *writer) open(path, header string, noted bool) {
	w.path = path
	w.indent = strings.Repeat("  ", depthOf(path))
	w.buf.WriteByte('\n')
	if note := w.comments[path]; noted && note != "" {
		w.comment(note)
	}
	w.buf.WriteString(w.indent + header + "\n")
	w.indent += "  "
}

// depthOf counts the tables around the one at path, whose keys may be quoted.
func depthOf(path string) int {
	depth, quoted := 0, false
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			depth++
		}
	}
	return depth
}

func (w *writer) value(key, text string) {
	if note := w.comments[join(w.path, key)]; note != "" {
		w.comment(note)
	}
	fmt.Fprintf(&w.buf, "%s%s = %s\n", w.indent, quoteKey(key), text)
}

func (w *writer) comment(note string) {
	for line := range strings.Lines(note) {
		line = strings.TrimRight(w.indent+"# "+strings.TrimRight(line, "\r\n"), " ")
		w.buf.WriteString(line + "\n")
	}
}
