package scaffold

import (
	"fmt"

	"github.com/aymanbagabas/go-udiff"
)

// Diff is the change as a unified diff, which patch -p1 takes; empty where
// nothing changes. Content that cannot be shown is named instead.
func (c Change) Diff() string {
	from, to := "a/"+c.Path, "b/"+c.Path
	switch c.Action {
	case Unchanged:
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
	u, err := udiff.ToUnifiedDiff(from, to, old, udiff.Strings(old, content), udiff.DefaultContextLines)
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
