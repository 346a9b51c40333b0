package flyconf

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hasTables reports whether a plain value is written as a table, or as an array
// of tables, and not behind a key.
func hasTables(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return true
	case []any:
		for _, item := range v {
			if _, ok := item.(map[string]any); !ok {
				return false
			}
		}
		return len(v) > 0
	}
	return false
}

// rawTables writes a value that hasTables, with everything in it.
func (w *writer) rawTables(path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		w.table(path)
		w.rawFields(path, v)
	case []any:
		for i, item := range v {
			w.element(path, i)
			w.rawFields(path, item.(map[string]any))
		}
	}
}

func (w *writer) rawFields(path string, m map[string]any) {
	names := slices.Sorted(maps.Keys(m))
	for _, name := range names {
		if !hasTables(m[name]) {
			w.value(name, rawText(m[name]))
		}
	}
	for _, name := range names {
		if hasTables(m[name]) {
			w.rawTables(join(path, quoteKey(name)), m[name])
		}
	}
}

// rawText writes a plain value behind its key.
func rawText(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case float64:
		return floatText(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case []string:
		return textOf(v)
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = rawText(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, quoteKey(name)+" = "+rawText(v[name]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v) // numbers, booleans, and TOML's own dates and times
}

// floatText writes a float as TOML has them: with a point or an exponent.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}
