package flyconf

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"
)

// plainValue turns what Set takes into what a parsed file holds: string, bool,
// int64, float64, []any and map[string]any.
func plainValue(value any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("the new value is nested more than %d deep", maxDepth)
	}
	switch v := value.(type) {
	case string:
		if !utf8.ValidString(v) {
			return nil, errors.New("the new value is not UTF-8 text")
		}
		return v, nil
	case bool, int64, float64:
		return v, nil
	case int:
		return int64(v), nil
	case time.Duration:
		return formatDuration(v), nil
	case []string:
		return plainList(v, depth)
	case []any:
		return plainList(v, depth)
	case []map[string]any:
		return plainList(v, depth)
	case map[string]any:
		return plainTable(v, depth)
	case map[string]string:
		return plainTable(v, depth)
	}
	return nil, fmt.Errorf("takes strings, booleans, numbers, durations, lists and tables of them, not %T", value)
}

func plainList[E any](list []E, depth int) (any, error) {
	out := make([]any, len(list))
	for i, item := range list {
		v, err := plainValue(item, depth+1)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func plainTable[E any](table map[string]E, depth int) (any, error) {
	out := make(map[string]any, len(table))
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if !utf8.ValidString(name) {
			return nil, errors.New("a key of the new value is not UTF-8 text")
		}
		v, err := plainValue(table[name], depth+1)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

// samePlain reports whether two plain values are the same, to the type of each
// number. NaN is the same as NaN.
func samePlain(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, v := range a {
			if w, ok := b[name]; !ok || !samePlain(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, samePlain)
	case float64:
		b, ok := b.(float64)
		return ok && (a == b && math.Signbit(a) == math.Signbit(b) || math.IsNaN(a) && math.IsNaN(b))
	}
	return reflect.DeepEqual(a, b)
}

// clonePlain copies a plain value, so that a caller cannot change ours.
func clonePlain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, item := range v {
			out[name] = clonePlain(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = clonePlain(item)
		}
		return out
	}
	return v
}

// plainAt follows steps in a plain value.
func plainAt(v any, steps []any) any {
	for _, step := range steps {
		switch s := step.(type) {
		case string:
			table, _ := v.(map[string]any)
			v = table[s]
		case int:
			list, ok := v.([]any)
			if !ok || s >= len(list) {
				return nil
			}
			v = list[s]
		}
	}
	return v
}

// plainWith returns v with another value where steps lead to. What lies beside the
// steps is shared with v.
func plainWith(v any, steps []any, want any) any {
	if len(steps) == 0 {
		return want
	}
	switch s := steps[0].(type) {
	case string:
		table, _ := v.(map[string]any)
		if table = maps.Clone(table); table == nil {
			table = map[string]any{}
		}
		table[s] = plainWith(table[s], steps[1:], want)
		return table
	case int:
		list, ok := v.([]any)
		if !ok && v != nil {
			list = []any{v} // one table that stood for a list
		}
		list = slices.Clone(list)
		if s >= len(list) {
			return append(list, plainWith(nil, steps[1:], want))
		}
		list[s] = plainWith(list[s], steps[1:], want)
		return list
	}
	return plainWith(v, steps[1:], want)
}

// plainWithout returns v without what steps lead to. bare[i] says of the table or
// list before steps[i] that it ends with the last thing in it: it has no header
// of its own, nor brackets.
func plainWithout(v any, steps []any, bare []bool) (out any, left bool) {
	if len(steps) == 0 {
		return nil, false
	}
	switch s := steps[0].(type) {
	case string:
		table, _ := v.(map[string]any)
		table = maps.Clone(table)
		if inner, left := plainWithout(table[s], steps[1:], bare[1:]); left {
			table[s] = inner
		} else {
			delete(table, s)
		}
		return table, !bare[0] || len(table) > 0
	case int:
		list, _ := v.([]any)
		list = slices.Clone(list)
		if inner, left := plainWithout(list[s], steps[1:], bare[1:]); left {
			list[s] = inner
		} else {
			list = slices.Delete(list, s, s+1)
		}
		return list, !bare[0] || len(list) > 0
	}
	return plainWithout(v, steps[1:], bare[1:])
}
