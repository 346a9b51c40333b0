package flyconf

import (
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

// oneOf refuses a value that is none of those allowed.
func (p *problems) oneOf(key, value string, allowed []string) {
	if slices.Contains(allowed, value) {
		return
	}
	p.add(key, "%q is not one of %s", value, strings.Join(allowed, ", "))
}

// optional is oneOf for a key that may be left out.
func (p *problems) optional(key, value string, allowed []string) {
	if value != "" {
		p.oneOf(key, value, allowed)
	}
}

func (p *problems) signal(key, value string) { p.optional(key, value, killSignals) }

// text refuses what no value of the file may hold.
func (p *problems) text(key, s string) {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		p.add(key, "holds control characters, or is not UTF-8")
	}
}

func (p *problems) sizeGB(key string, n int) {
	if n < 0 || n > maxVolumeGB {
		p.add(key, "%d GB is not between 1 and %d GB", n, maxVolumeGB)
	}
}

func (p *problems) notNegativeNumber(key string, n *int) {
	if n != nil && *n < 0 {
		p.add(key, "%d is negative", *n)
	}
}

// port refuses a number that is no port; 0 is missing.
func (p *problems) port(key string, n int, missing string) { p.as(ruleValue).port(key, n, missing) }

func (r ruled) port(key string, n int, missing string) {
	switch {
	case n == 0:
		r.add(key, "is missing: %s", missing)
	case n < 1 || n > 65535:
		r.add(key, "%d is not a port: use 1 to 65535", n)
	}
}

// internalPort is the port of a service in the machine.
func (p *problems) internalPort(service string, n int) {
	p.as("FLY503").port(service+".internal_port", n, "give the port that the app listens on")
}

// absolute refuses a path in the machine that is missing or relative.
func (p *problems) absolute(key, value, missing string) {
	switch {
	case value == "":
		p.add(key, "is missing: %s", missing)
	case !path.IsAbs(value):
		p.add(key, "%q is not an absolute path: begin it with /", value)
	}
}

// tables checks what holds for every key of the model: durations and numbers are
// not negative, text is UTF-8, and Extra holds values that TOML has.
func (p *problems) tables(v reflect.Value, path string) {
	reported := map[string]bool{}
	for _, problem := range p.list {
		reported[problem.Key] = true
	}
	p.table(v, path, reported)
}

func (p *problems) table(v reflect.Value, path string, reported map[string]bool) {
	for _, f := range fieldsOf(v.Type()) {
		p.field(v.Field(f.index), join(path, f.name), reported)
	}
	extra := extraOf(v).Interface().(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		p.plain(extra[name], join(path, name))
	}
}

func (p *problems) field(v reflect.Value, key string, reported map[string]bool) {
	switch {
	case v.Type() == durationType:
		if v.Int() < 0 && !reported[key] {
			p.add(key, "%v is negative", time.Duration(v.Int()))
		}
		return
	case v.Kind() == reflect.Pointer && !v.IsNil():
		p.field(v.Elem(), key, reported)
		return
	}
	switch v.Kind() {
	case reflect.Int:
		if v.Int() < 0 && !reported[key] {
			p.add(key, "%d is negative", v.Int())
		}
	case reflect.String:
		if !utf8.ValidString(v.String()) && !reported[key] {
			p.add(key, "is not UTF-8 text")
		}
	case reflect.Struct:
		p.table(v, key, reported)
	case reflect.Slice:
		for i := range v.Len() {
			p.field(v.Index(i), fmt.Sprintf("%s[%d]", key, i), reported)
		}
	case reflect.Map:
		for _, name := range sortedKeys(v) {
			p.name(name, key)
			p.field(v.MapIndex(reflect.ValueOf(name)), join(key, name), reported)
		}
	case reflect.Interface:
		p.plain(v.Interface(), key)
	}
}

func sortedKeys(v reflect.Value) []string {
	keys := make([]string, 0, v.Len())
	for _, key := range v.MapKeys() {
		keys = append(keys, key.String())
	}
	slices.Sort(keys)
	return keys
}

func (p *problems) name(name, key string) {
	if !utf8.ValidString(name) {
		p.add(key, "has a key that is not UTF-8 text")
	}
}

// plain refuses a value that rawText cannot write.
func (p *problems) plain(v any, key string) {
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			p.add(key, "is not UTF-8 text")
		}
	case []any:
		for i, item := range v {
			p.plain(item, fmt.Sprintf("%s[%d]", key, i))
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			p.name(name, key)
			p.plain(v[name], join(key, name))
		}
	case bool, int64, float64, time.Time, toml.LocalDate, toml.LocalTime, toml.LocalDateTime:
	default:
		p.add(key, "is a %T, which fly.toml has no way to write: use string, int64, float64, bool, []any or map[string]any", v)
	}
}
