package watch

import (
	"bufio"
	"bytes"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// rule is a line of a .gitignore, as far as it concerns directories.
type rule struct {
	base  string   // the directory of the .gitignore, with slashes
	parts []string // of the pattern
	loose bool     // it is about a name, wherever that is
	keep  bool     // "!": what matches is not left out
}

// maxIgnore bounds what is read of a .gitignore.
const maxIgnore = 256 << 10

// rulesOf adds those of a directory to the ones of the directories above it.
func rulesOf(dir string, above []rule) []rule {
	file := filepath.Join(dir, ".gitignore")
	info, err := os.Lstat(file) // git follows no link here either
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxIgnore {
		return above
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return above
	}
	rules := above[:len(above):len(above)]
	for lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff")))); lines.Scan(); {
		if r, ok := parseRule(lines.Text()); ok {
			r.base = filepath.ToSlash(dir)
			rules = append(rules, r)
		}
	}
	return rules
}

// rulesAbove are those of a repository that dir is deep in.
func rulesAbove(dir string) []rule {
	var dirs []string
	for up := dir; ; up = filepath.Dir(up) {
		if _, err := os.Lstat(filepath.Join(up, ".git")); err == nil {
			break
		}
		if up == filepath.Dir(up) {
			return nil // no repository
		}
		dirs = append(dirs, filepath.Dir(up))
	}
	var rules []rule
	for i := len(dirs) - 1; i >= 0; i-- {
		rules = rulesOf(dirs[i], rules)
	}
	return rules
}

func parseRule(line string) (rule, bool) {
	var r rule
	line = trimSpaces(line)
	if line == "" || line[0] == '#' {
		return r, false
	}
	line, r.keep = strings.CutPrefix(line, "!")
	line = strings.TrimSuffix(line, "/")
	if line == "" {
		return r, false
	}
	r.loose = !strings.Contains(line, "/")
	parts := strings.Split(strings.TrimPrefix(line, "/"), "/")
	if len(parts) > maxDepth {
		return r, false // no directory that is looked into is so deep
	}
	for _, part := range parts {
		r.parts = append(r.parts, strings.ReplaceAll(part, "[!", "[^"))
	}
	return r, true
}

// trimSpaces takes away spaces at the end, but none that a backslash keeps.
func trimSpaces(line string) string {
	line = strings.TrimSuffix(line, "\r")
	trimmed := strings.TrimRight(line, " ")
	if len(trimmed) < len(line) && strings.HasSuffix(trimmed, `\`) {
		trimmed += " "
	}
	return trimmed
}

// leftOut tells whether a directory is, by the last rule that is about it. One in a
// directory that is left out is not asked for.
func leftOut(rules []rule, dir string) bool {
	dir = filepath.ToSlash(dir)
	for i := len(rules) - 1; i >= 0; i-- {
		if rules[i].matches(dir) {
			return !rules[i].keep
		}
	}
	return false
}

func (r rule) matches(dir string) bool {
	if r.loose {
		return matchParts(r.parts, []string{path.Base(dir)})
	}
	return matchParts(r.parts, strings.Split(strings.TrimPrefix(strings.TrimPrefix(dir, r.base), "/"), "/"))
}

// matchParts matches part by part, "**" being any number of them. It takes a number of
// steps that is the product of both lengths, whatever the pattern is.
func matchParts(pattern, names []string) bool {
	// reached[i]: the pattern so far matches the first i names.
	reached := make([]bool, len(names)+1)
	reached[0] = true
	for p, part := range pattern {
		next := make([]bool, len(names)+1)
		for i, ok := range reached {
			switch {
			case !ok:
			case part == "**":
				from := i
				if p == len(pattern)-1 {
					from++ // "dir/**" is what is in dir
				}
				for j := from; j <= len(names); j++ {
					next[j] = true
				}
			case i < len(names):
				if matched, err := path.Match(part, names[i]); err == nil && matched {
					next[i+1] = true
				}
			}
		}
		reached = next
	}
	return reached[len(names)]
}
