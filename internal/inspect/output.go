package inspect

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// writer writes rows in one of ShellModes. Several statements follow each other.
type writer struct {
	w       *bufio.Writer
	mode    string
	visible bool // control characters are shown instead of obeyed

	columns []string
	table   [][]string // rows that wait until their widths are known
	rows    int
}

// tableRows is how many rows of a table are aligned together.
const tableRows = 1000

func newOutput(w io.Writer, mode string, visible bool) (*writer, error) {
	if mode == "" {
		mode = ShellModes[0]
	}
	if !slices.Contains(ShellModes, mode) {
		return nil, fmt.Errorf("unknown mode %q: use %s", mode, strings.Join(ShellModes, ", "))
	}
	return &writer{w: bufio.NewWriter(w), mode: mode, visible: visible}, nil
}

func (o *writer) flush() error { return o.w.Flush() }

func (o *writer) begin(columns []string) error {
	o.columns, o.rows, o.table = columns, 0, nil
	return nil
}

func (o *writer) row(values []any) error {
	o.rows++
	switch o.mode {
	case "json":
		return o.jsonRow(values)
	case "table":
		o.table = append(o.table, o.texts(values))
		if len(o.table) == tableRows {
			return o.flushTable()
		}
		return nil
	}
	_, err := o.w.WriteString(strings.Join(o.texts(values), "|") + "\n")
	return err
}

func (o *writer) end() error {
	switch {
	case len(o.columns) == 0:
		return nil
	case o.mode == "json" && o.rows == 0:
		_, err := o.w.WriteString("[]\n")
		return err
	case o.mode == "json":
		_, err := o.w.WriteString("]\n")
		return err
	case o.mode == "table" && len(o.table) > 0:
		return o.flushTable()
	}
	return nil
}

func (o *writer) texts(values []any) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = o.text(v)
	}
	return list
}

// text shows a value as sqlite3 does, but for a BLOB, whose bytes are nothing to read.
func (o *writer) text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return formatFloat(v)
	case []byte:
		return fmt.Sprintf("x'%x'", v)
	case string:
		if o.visible || o.mode == "table" {
			return harmless(v)
		}
		return v
	}
	return fmt.Sprint(v)
}

// formatFloat shows that it is none of the integers.
func formatFloat(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".eEnN") {
		s += ".0"
	}
	return s
}

// harmless shows control characters, and what changes the direction of text.
func harmless(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			fmt.Fprintf(&b, "\\x%02x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (o *writer) flushTable() error {
	head := make([]string, len(o.columns))
	widths := make([]int, len(o.columns))
	for i, c := range o.columns {
		head[i] = harmless(c)
	}
	rule := make([]string, len(head))
	for _, row := range append(o.table, head) {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	for i := range rule {
		rule[i] = strings.Repeat("-", widths[i])
	}
	for _, row := range append([][]string{head, rule}, o.table...) {
		line := ""
		for i, text := range row {
			line += text + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2)
		}
		if _, err := o.w.WriteString(strings.TrimRight(line, " ") + "\n"); err != nil {
			return err
		}
	}
	o.table = nil
	return nil
}

// jsonRow writes the columns in their order.
func (o *writer) jsonRow(values []any) error {
	text := ",\n{"
	if o.rows == 1 {
		text = "[{"
	}
	for i, v := range values {
		switch b := v.(type) {
		case []byte:
			v = fmt.Sprintf("x'%x'", b)
		case float64:
			if b-b != 0 { // infinite
				v = formatFloat(b)
			}
		}
		name, err := json.Marshal(o.columns[i])
		if err != nil {
			return err
		}
		value, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if i > 0 {
			text += ","
		}
		text += string(name) + ":" + string(value)
	}
	_, err := o.w.WriteString(text + "}")
	return err
}

// discard wants no rows.
type discard struct{}

func (discard) begin([]string) error { return nil }
func (discard) row([]any) error      { return nil }
func (discard) end() error           { return nil }
