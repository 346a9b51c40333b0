package scaffold

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"
)

// AdviceDiff is the advice as a unified diff, which patch -p1 takes; empty where there
// is none.
func (c Change) AdviceDiff() string {
	if c.Action != Keep {
		return ""
	}
	return Change{Path: c.Path, Action: Overwrite, Old: c.Old, New: c.Advice}.Diff()
}

// Diff is the change as a unified diff, which patch -p1 takes; empty where
// nothing changes. Content that cannot be shown is named instead.
func (c Change) Diff() string {
	from, to := "a/"+c.Path, "b/"+c.Path
	switch c.Action {
	case Unchanged, Keep:
		return ""
	case Create:
		from = "/dev/null"
	case Remove:
		to = "/dev/null"
	}
	if c.Action != Create && c.Old == nil {
		return fmt.Sprintf("--- %s\n+++ %s\n# the present file is not text, or too large to show\n", from, to)
	}
	old, content := string(c.Old), string(c.New)
	u, err := udiff.ToUnifiedDiff(from, to, old, lineEdits(old, content), udiff.DefaultContextLines)
	if err != nil {
		panic(err) // the edits were just made from the text
	}
	// go-udiff v0.3.1 does not count the lines between two edits of a hunk when
	// it numbers the next hunk's new lines.
	grown := 0
	for _, h := range u.Hunks {
		h.ToLine = h.FromLine + grown
		for _, line := range h.Lines {
			switch line.Kind {
			case udiff.Insert:
				grown++
			case udiff.Delete:
				grown--
			}
		}
	}
	return u.String()
}

// lineEdits compares by whole lines. go-udiff compares characters, which finds a
// line of the old text spread over several of the new one, and then shows it as
// removed. Here each line is one character of its own to it.
func lineEdits(old, content string) []udiff.Edit {
	const first, width = 0x10000, 4 // from there on, all characters have four bytes
	ids := map[string]rune{}
	encode := func(text string) (string, []int) {
		var b strings.Builder
		offsets := []int{0}
		for line := range strings.Lines(text) {
			id, ok := ids[line]
			if !ok {
				id = first + rune(len(ids))
				ids[line] = id
			}
			b.WriteRune(id)
			offsets = append(offsets, offsets[len(offsets)-1]+len(line))
		}
		return b.String(), offsets
	}
	a, offsets := encode(old)
	b, _ := encode(content)
	if first+len(ids) > utf8.MaxRune {
		return udiff.Strings(old, content)
	}
	lines := make([]string, len(ids))
	for line, id := range ids {
		lines[id-first] = line
	}
	edits := udiff.Strings(a, b)
	for i, e := range edits {
		var text strings.Builder
		for _, id := range e.New {
			text.WriteString(lines[id-first])
		}
		edits[i] = udiff.Edit{Start: offsets[e.Start/width], End: offsets[e.End/width], New: text.String()}
	}
	return edits
}
