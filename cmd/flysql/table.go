package main

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// The colours of a table's cells.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

// table is columns under heads, as wide as what is in them, up to a most.
type table struct {
	heads []string
	most  []int
	rows  [][]cell
}

type cell struct{ text, color string }

func (t *table) add(cells ...cell) {
	for i := range cells {
		cells[i].text = shorten(visible(strings.Join(strings.Fields(cells[i].text), " ")), t.most[i])
	}
	t.rows = append(t.rows, cells)
}

// write writes nothing where there is no row.
func (t *table) write(b *strings.Builder, colors bool) {
	if len(t.rows) == 0 {
		return
	}
	widths := make([]int, len(t.heads))
	for i, head := range t.heads {
		widths[i] = len(head)
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	line := func(cells []cell) {
		for i, c := range cells {
			text := c.text
			if colors && c.color != "" {
				text = "\x1b[" + c.color + "m" + text + "\x1b[0m"
			}
			b.WriteString(text)
			if i < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+1))
			}
		}
		b.WriteString("\n")
	}
	var heads []cell
	for _, head := range t.heads {
		heads = append(heads, cell{text: head})
	}
	b.WriteString("\n")
	line(heads)
	for _, row := range t.rows {
		line(row)
	}
}

// shorten cuts a text to a number of characters, and marks that.
func shorten(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// fit is shorten to a line of the screen.
func fit(line string) string { return shorten(line, statusWidth) }

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
