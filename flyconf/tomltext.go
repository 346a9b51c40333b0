package flyconf

import (
	"maps"
	"slices"
	"strings"
)

// requote writes a string in the quotes of the one that it replaces, where those
// can hold it.
func (e *tomlEdit) requote(n *tomlNode, want string) string {
	old := e.text(n.start, n.end)
	e.lost = append(e.lost, tomlSpan{n.start, n.end})
	switch {
	case strings.HasPrefix(old, `"""`), strings.HasPrefix(old, `'''`):
		if text, ok := e.onLines(old[:3], want, strings.HasPrefix(strings.TrimPrefix(old[3:], "\r"), "\n")); ok {
			return text
		}
	case strings.HasPrefix(old, `'`):
		if !strings.Contains(want, "'") && !strings.ContainsFunc(want, isControl) {
			return "'" + want + "'"
		}
	}
	return quote(want)
}

// isControl reports whether TOML wants a letter escaped, but a tab.
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// onLines writes a string between the quotes of strings on several lines.
func (e *tomlEdit) onLines(quotes, want string, fresh bool) (string, bool) {
	plain := strings.ReplaceAll(want, e.eol, "")
	if !strings.Contains(want, "\n") || strings.ContainsAny(plain, "\r\n") {
		return "", false
	}
	begin := quotes
	if fresh || strings.HasPrefix(want, e.eol) {
		begin += e.eol
	}
	if quotes == "'''" {
		ok := !strings.ContainsFunc(plain, isControl) && !strings.Contains(want, quotes) && !strings.HasSuffix(want, "'")
		return begin + want + quotes, ok
	}
	var lines []string
	for line := range strings.SplitSeq(want, e.eol) {
		escaped := quote(line)
		lines = append(lines, escaped[1:len(escaped)-1])
	}
	return begin + strings.Join(lines, e.eol) + quotes, true
}

// namesInOrder are the keys of a table in the model's order, and then those that
// it does not have.
func namesInOrder(table map[string]any, model modelSpot) []string {
	var out []string
	for _, f := range model.fields() {
		for _, name := range append([]string{f.name}, f.aliases...) {
			if _, ok := table[name]; ok {
				out = append(out, name)
			}
		}
	}
	known := len(out)
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if !slices.Contains(out[:known], name) {
			out = append(out, name)
		}
	}
	return out
}

// section writes a new table, or array of tables, as lines.
func (e *tomlEdit) section(path, indent string, v any, model modelSpot) []string {
	if list, ok := v.([]any); ok {
		var lines []string
		for i, item := range list {
			if i > 0 && e.style.between(path) {
				lines = append(lines, "")
			}
			lines = append(lines, e.sectionTable("[["+path+"]]", path, indent, item.(map[string]any), model.element())...)
		}
		return lines
	}
	return e.sectionTable("["+path+"]", path, indent, v.(map[string]any), model)
}

func (e *tomlEdit) sectionTable(header, path, indent string, table map[string]any, model modelSpot) []string {
	names := namesInOrder(table, model)
	var lines []string
	for _, name := range names {
		if !hasTables(table[name]) {
			lines = append(lines, indent+e.style.keys+quoteKey(name)+" = "+rawText(table[name]))
		}
	}
	if len(lines) > 0 || len(table) == 0 || strings.HasPrefix(header, "[[") {
		lines = append([]string{indent + header}, lines...)
	}
	for _, name := range names {
		if !hasTables(table[name]) {
			continue
		}
		if len(lines) > 0 && e.style.inner {
			lines = append(lines, "")
		}
		next, _ := model.key(name)
		lines = append(lines, e.section(path+"."+quoteKey(name), indent+e.style.tables, table[name], next)...)
	}
	return lines
}

// dottedPrefix is what stands before the keys of a table that dotted keys make:
// "a.b.", as the file writes it.
func (e *tomlEdit) dottedPrefix(n *tomlNode) string {
	if !n.dotted {
		return ""
	}
	line, depth := n.dottedLine()
	return e.text(line.start, line.keys[len(line.keys)-1-depth].end) + "."
}

// dottedLine is a key = value of a table that dotted keys make, and how many
// parts of the key stand behind the table's own. It is the last one.
func (n *tomlNode) dottedLine() (*tomlLine, int) {
	for _, child := range slices.Backward(n.list) {
		if child.inline() {
			return child.line, 1
		}
		if child.dotted {
			if line, depth := child.dottedLine(); line != nil {
				return line, depth + 1
			}
		}
	}
	return nil, 0
}
