package load

import (
	"fmt"
	"strconv"
	"strings"
)

// pattern is a text with values that differ from request to request. Its zero value is
// the empty text.
type pattern struct {
	text  []string // literal
	value []string // names; value[i] comes after text[i], and text has one more
}

// valueNames are what may stand in a pattern, and docs/load.md explains.
var valueNames = []string{"n", "visitor", "region", "run", "random"}

// parsePattern reads one; column is that of its first character in what the user gave.
// A }} alone stands for itself, as JSON has it.
func parsePattern(text string, column int) (pattern, error) {
	var t pattern
	rest := text
	for {
		before, after, found := strings.Cut(rest, "{{")
		t.text = append(t.text, before)
		if !found {
			return t, nil
		}
		at := column + len([]rune(text[:len(text)-len(rest)+len(before)]))
		name, more, closed := strings.Cut(after, "}}")
		if !closed {
			return t, fmt.Errorf("column %d: {{ without }}", at)
		}
		name = strings.TrimSpace(name)
		known := false
		for _, one := range valueNames {
			known = known || one == name
		}
		if !known {
			return t, fmt.Errorf("column %d: {{%.40s}} is no value: {{%s}} are", at, name, strings.Join(valueNames, "}}, {{"))
		}
		t.value = append(t.value, name)
		rest = more
	}
}

// values are those of one request.
type values struct {
	n       uint64 // its number in the run, from 1
	visitor int
	region  string
	run     string
	random  uint64
}

func (v *values) of(name string) string {
	switch name {
	case "n":
		return strconv.FormatUint(v.n, 10)
	case "visitor":
		return strconv.Itoa(v.visitor + 1)
	case "region":
		return v.region
	case "run":
		return v.run
	}
	return word(v.random)
}

// word is eight letters.
func word(random uint64) string {
	var b [8]byte
	for i := range b {
		b[i] = 'a' + byte(random%26)
		random /= 26
	}
	return string(b[:])
}

// fill is the text with its values.
func (t *pattern) fill(v *values) string {
	switch {
	case len(t.text) == 0:
		return ""
	case len(t.value) == 0:
		return t.text[0]
	}
	var b strings.Builder
	for i, name := range t.value {
		b.WriteString(t.text[i])
		b.WriteString(v.of(name))
	}
	b.WriteString(t.text[len(t.value)])
	return b.String()
}
