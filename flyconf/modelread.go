package flyconf

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value reads raw into v and reports whether v holds all of it. Where it does
// not, raw is kept beside the fields.
func (r *reader) value(v reflect.Value, f field, s spot, used string, raw any) bool {
	t := v.Type()
	switch {
	case t == durationType:
		return r.duration(v, f, s, raw)
	case f.is("gb"):
		return r.sizeGB(v, f, s, raw)
	case f.is("mb"):
		return r.memoryMB(v, s, used, raw)
	case f.is("autostop"):
		if b, ok := raw.(bool); ok {
			v.SetString(map[bool]string{true: "stop", false: "off"}[b])
			return true
		}
	}
	switch t.Kind() {
	case reflect.String:
		return r.text(v, s, raw)
	case reflect.Bool:
		return r.boolean(v, s, raw)
	case reflect.Int:
		return r.integer(v, f, s, raw)
	case reflect.Float64:
		return r.float(v, s, raw)
	case reflect.Pointer:
		return r.pointer(v, f, s, used, raw)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return r.strings(v, f, s, raw)
		}
		return r.tables(v, f, s, raw)
	}
	return r.mapping(v, f, s, raw)
}

func (r *reader) text(v reflect.Value, s spot, raw any) bool {
	text, ok := raw.(string)
	if !ok {
		r.p.add(s.path, "is %s: write it as a quoted string", describe(raw))
		return false
	}
	v.SetString(text)
	return true
}

func (r *reader) boolean(v reflect.Value, s spot, raw any) bool {
	b, ok := raw.(bool)
	if !ok {
		r.p.add(s.path, "is %s: write true or false, without quotes", describe(raw))
		return false
	}
	v.SetBool(b)
	return true
}

func (r *reader) integer(v reflect.Value, f field, s spot, raw any) bool {
	if text, ok := raw.(string); ok && f.is("loose") {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			raw = n
		}
	}
	n, ok := raw.(int64)
	switch {
	case !ok:
		r.p.add(s.path, "is %s: write it as a number without quotes", describe(raw))
		return false
	case n < math.MinInt32 || n > math.MaxInt32:
		r.p.add(s.path, "%d is too large", n)
		return false
	case n == 0 && strings.HasSuffix(s.path, ".internal_port"):
		r.p.as("FLY503").add(s.path, "is 0: give the port that the app listens on")
		return false
	case n == 0 && f.is("positive"):
		r.p.add(s.path, "is 0: give a number from 1 on, or leave the key out")
		return false
	}
	v.SetInt(n)
	return true
}

func (r *reader) float(v reflect.Value, s spot, raw any) bool {
	switch n := raw.(type) {
	case int64:
		v.SetFloat(float64(n))
	case float64:
		if math.IsNaN(n) || math.IsInf(n, 0) {
			r.p.add(s.path, "is no number: write it as in 0.33")
			return false
		}
		v.SetFloat(n)
	default:
		r.p.add(s.path, "is %s: write it as a number without quotes", describe(raw))
		return false
	}
	return true
}

func (r *reader) pointer(v reflect.Value, f field, s spot, used string, raw any) bool {
	elem := reflect.New(v.Type().Elem())
	if elem.Elem().Kind() != reflect.Struct {
		if !r.value(elem.Elem(), f, s, used, raw) {
			return false
		}
		v.Set(elem)
		return true
	}
	values, ok := raw.(map[string]any)
	if !ok {
		return r.notTable(f, s, raw)
	}
	r.table(elem.Elem(), s.path, s.at, values)
	v.Set(elem)
	return true
}

// notTable reports what stands where a table belongs.
func (r *reader) notTable(f field, s spot, raw any) bool {
	_, list := raw.([]any)
	_, text := raw.(string)
	if list && f.is("legacy") || text && f.is("softhard") {
		r.p.warn(s.path, "is %s, an old form that flyctl still reads: write it as %s", describe(raw), r.header(s.path, false))
		return false
	}
	r.p.as("FLY502").add(s.path, "is %s, which flyctl cannot load: write it as %s", describe(raw), r.header(s.path, false))
	return false
}

func (r *reader) strings(v reflect.Value, f field, s spot, raw any) bool {
	if one, ok := raw.(string); ok && f.is("orstring") {
		v.Set(reflect.ValueOf([]string{one}))
		return true
	}
	list, ok := raw.([]any)
	if !ok {
		r.p.add(s.path, "is %s, which flyctl cannot load: write it as an array of strings, %s = [\"...\"]", describe(raw), f.name)
		return false
	}
	out := make([]string, 0, len(list))
	for i, item := range list {
		text, ok := item.(string)
		if !ok {
			r.p.add(fmt.Sprintf("%s[%d]", s.path, i), "is %s: write it as a quoted string", describe(item))
			return false
		}
		out = append(out, text)
	}
	v.Set(reflect.ValueOf(out))
	return true
}

// tables reads an array of tables.
func (r *reader) tables(v reflect.Value, f field, s spot, raw any) bool {
	if one, ok := raw.(map[string]any); ok && f.is("single") {
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		s = spot{path: s.path + "[0]", at: s.at}
		r.place(s)
		r.table(v.Index(0), s.path, s.at, one)
		return true
	}
	list, ok := raw.([]any)
	if !ok {
		r.p.as("FLY502").add(s.path, "is %s, which flyctl cannot load: write it as %s", describe(raw), r.header(s.path, true))
		return false
	}
	out := reflect.MakeSlice(v.Type(), len(list), len(list))
	for i, item := range list {
		element := spot{path: fmt.Sprintf("%s[%d]", s.path, i), at: fmt.Sprintf("%s[%d]", s.at, i)}
		r.place(element)
		values, ok := item.(map[string]any)
		if !ok {
			r.p.as("FLY502").add(element.path, "is %s: write it as a table, [[%s]]", describe(item), withoutIndexes(s.path))
			return false
		}
		r.table(out.Index(i), element.path, element.at, values)
	}
	v.Set(out)
	return true
}

// mapping reads a table whose keys are the file's to choose.
func (r *reader) mapping(v reflect.Value, f field, s spot, raw any) bool {
	values, ok := raw.(map[string]any)
	if !ok {
		return r.notTable(f, s, raw)
	}
	out := reflect.MakeMapWithSize(v.Type(), len(values))
	elem := v.Type().Elem()
	whole := true
	for _, name := range slices.Sorted(maps.Keys(values)) {
		key := s.key(name, name)
		r.place(key)
		item := reflect.New(elem).Elem()
		switch elem.Kind() {
		case reflect.Interface:
			item.Set(reflect.ValueOf(values[name]))
		case reflect.Struct:
			inner, ok := values[name].(map[string]any)
			if !ok {
				r.p.as("FLY502").add(key.path, "is %s where flyctl looks for a table with a name of your choice, such as %s.up", describe(values[name]), s.path)
				whole = false
				continue
			}
			r.table(item, key.path, key.at, inner)
		default:
			text, ok := values[name].(string)
			if !ok && f.is("text") {
				text, ok = scalarText(values[name])
			}
			if !ok {
				r.p.add(key.path, "is %s: write it as a quoted string", describe(values[name]))
				whole = false
				continue
			}
			item.SetString(text)
		}
		out.SetMapIndex(reflect.ValueOf(name), item)
	}
	v.Set(out)
	return whole
}

func (r *reader) duration(v reflect.Value, f field, s spot, raw any) bool {
	switch raw := raw.(type) {
	case string:
		d, err := time.ParseDuration(raw)
		if err != nil || d < 0 {
			r.p.add(s.path, "%q is not a duration: write it as in \"15s\" or \"5m\"", raw)
			return false
		}
		v.SetInt(int64(d))
		return true
	case int64:
		return r.integerDuration(v, f, s, raw)
	case float64:
		r.p.add(s.path, "is a float, which flyctl reads as no number of seconds: write a quoted duration, as in \"15s\"")
		return false
	}
	r.p.add(s.path, "is %s: write a quoted duration, as in \"15s\"", describe(raw))
	return false
}

// integerDuration reads a duration without a unit, of which flyctl makes
// something else in every section.
func (r *reader) integerDuration(v reflect.Value, f field, s spot, n int64) bool {
	const most = int64(1_000_000_000) // milliseconds: 11 days
	switch {
	case n == 0 && !f.is("seconds"):
		v.SetInt(0)
		return true
	case n < 0 || n > most:
		r.p.add(s.path, "%d is not a duration: write it as in \"15s\" or \"5m\"", n)
		return false
	case f.is("seconds"):
		if n < 1 || n > int64(maxKillTimeout/time.Second) {
			r.p.add(s.path, "%d is not between 1 and %d seconds", n, int64(maxKillTimeout/time.Second))
			return false
		}
		v.SetInt(n * int64(time.Second))
		return true
	case f.is("ms") && n >= 1000:
		d := time.Duration(n) * time.Millisecond
		r.p.as("FLY501").warn(s.path, "is the integer %d, which flyctl reads as milliseconds: write \"%s\" with quotes", n, formatDuration(d))
		v.SetInt(int64(d))
		return true
	case f.is("ms"):
		r.p.as("FLY501").add(s.path, "is the integer %d, which flyctl reads as milliseconds: write \"%ds\" with quotes if it is seconds", n, n)
		return false
	}
	r.p.as("FLY501").add(s.path, "is the integer %d, which flyctl reads as nanoseconds: write \"%ds\" with quotes if it is seconds", n, n)
	return false
}

func (r *reader) sizeGB(v reflect.Value, f field, s spot, raw any) bool {
	if _, ok := raw.(int64); ok && f.is("number") {
		raw, _ = scalarText(raw)
	}
	text, ok := raw.(string)
	if !ok {
		r.p.as(f.rule()).add(s.path, "is %s, which flyctl cannot load: write a quoted size, as in \"1GB\"", describe(raw))
		return false
	}
	n, err := parseSizeGB(text)
	if err != nil {
		r.p.add(s.path, "%v", err)
		return false
	}
	v.SetInt(int64(n))
	return true
}

// memoryMB reads memory, with a unit or in megabytes, and its older name
// memory_mb, which takes a number only.
func (r *reader) memoryMB(v reflect.Value, s spot, used string, raw any) bool {
	text, quoted := raw.(string)
	if _, ok := raw.(int64); ok {
		text, _ = scalarText(raw)
	} else if !quoted || used == "memory_mb" {
		r.p.add(s.path, "is %s, which flyctl cannot load: write an amount, as in memory = \"512mb\"", describe(raw))
		return false
	}
	n, err := parseMemoryMB(text)
	if err != nil {
		r.p.add(s.path, "%v", err)
		return false
	}
	v.SetInt(int64(n))
	return true
}
