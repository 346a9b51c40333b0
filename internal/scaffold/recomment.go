package scaffold

import (
	"maps"
	"slices"
	"strings"
)

// recomment replaces comments of init's own that the other mode has otherwise. They
// are taken line by line as init writes them; any other is the user's.
func (e *FlyEdit) recomment(data []byte) []byte {
	lines := strings.SplitAfter(string(data), "\n")
	for _, key := range slices.Sorted(maps.Keys(e.Stale)) {
		if key == "" || e.Stale[key] == e.Comments[key] {
			continue
		}
		lines = replaceComment(lines, e.Stale[key], e.Comments[key])
	}
	return []byte(strings.Join(lines, ""))
}

// replaceComment replaces the first block of lines that is a comment of init's.
func replaceComment(lines []string, old, now string) []string {
	stale := strings.Split(old, "\n")
	for i := range lines {
		if i+len(stale) > len(lines) {
			break
		}
		matches := true
		for j, text := range stale {
			matches = matches && strings.TrimSpace(lines[i+j]) == "# "+text
		}
		if !matches {
			continue
		}
		indent := lines[i][:strings.IndexByte(lines[i], '#')]
		end := lineEnd(lines[i])
		var block []string
		if now != "" {
			for text := range strings.SplitSeq(now, "\n") {
				block = append(block, indent+"# "+text+end)
			}
		}
		return slices.Concat(lines[:i:i], block, lines[i+len(stale):])
	}
	return lines
}
