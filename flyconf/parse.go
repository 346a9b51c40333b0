package flyconf

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Parse reads a fly.toml, fly.json or fly.yaml; name is what problems call the
// file, and its ending says which of the three it is. A file may be 1 MB.
//
// The error joins everything that is wrong with how the file is written, each a
// *Problem with its place: text that is not TOML, values of a type that flyctl
// cannot load, and values that it loads and reads as something else than they
// look like, such as an integer that becomes nanoseconds. Whether the values make
// sense together is Validate's to say, and Config.Problems has the warnings too,
// unknown keys among them.
//
// Where the text can be read at all, Parse returns a Config beside the error, for
// a reader that wants to say more about the file. Validate and Render refuse it.
//
// As flyctl does, Parse takes `mount` for `mounts`, `compute` for `vm`, a single
// table where flyctl takes one for an array of tables, a boolean
// auto_stop_machines, and numbers and booleans as values of [env].
func Parse(name string, data []byte) (*Config, error) {
	doc, err := readDocument(name, data)
	if err != nil {
		return nil, err
	}
	c := &Config{source: doc.src}
	r := &reader{p: &problems{src: doc.src, rule: ruleForm}, fields: map[reflect.Type][]field{}}
	r.table(reflect.ValueOf(c).Elem(), "", "", doc.values)
	sortByPlace(r.p.list)
	c.read = r.p.list
	return c, joinErrors(c.read)
}

// reader fills the model from plain values.
type reader struct {
	p      *problems
	fields map[reflect.Type][]field // so that tags are read once
}

func (r *reader) fieldsOf(t reflect.Type) []field {
	if _, ok := r.fields[t]; !ok {
		r.fields[t] = fieldsOf(t)
	}
	return r.fields[t]
}

// spot is a value's place in the model's words, "mounts[0]", and in the file's,
// where that is another: "mount".
type spot struct{ path, at string }

func (s spot) key(name, used string) spot {
	return spot{path: join(s.path, name), at: join(s.at, used)}
}

// place lets problems find the model's words in the file.
func (r *reader) place(s spot) {
	if s.path == s.at {
		return
	}
	if at, ok := r.p.src.keys[s.at]; ok {
		r.p.src.keys[s.path] = at
	}
}

// table reads a table into v, a struct of the model.
func (r *reader) table(v reflect.Value, path, at string, values map[string]any) {
	here := spot{path, at}
	extra := map[string]any{}
	taken := map[string]bool{}
	fields := r.fieldsOf(v.Type())
	for _, f := range fields {
		used, raw, ok := r.take(here, f, values, taken)
		if !ok {
			continue
		}
		s := here.key(f.name, used)
		r.place(s)
		fv := v.Field(f.index)
		if !r.value(fv, f, s, used, raw) || empty(fv) && !f.is("always") {
			extra[f.name] = raw
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !taken[name] {
			r.place(here.key(name, name))
			extra[name] = values[name]
			r.unknown(here, name, fields)
		}
	}
	if len(extra) > 0 {
		extraOf(v).Set(reflect.ValueOf(extra))
	}
}

// take finds a field's value by its name or an alias.
func (r *reader) take(here spot, f field, values map[string]any, taken map[string]bool) (used string, raw any, ok bool) {
	for _, name := range append([]string{f.name}, f.aliases...) {
		v, present := values[name]
		if !present {
			continue
		}
		taken[name] = true
		if ok {
			s := here.key(name, name)
			r.place(s)
			r.p.add(s.path, "is another name of %s, which the file has too: keep one of them", used)
			continue
		}
		used, raw, ok = name, v, true
	}
	return used, raw, ok
}

// unknown reports a key that flyctl does not know.
func (r *reader) unknown(here spot, name string, fields []field) {
	key := join(here.path, name)
	plain := withoutIndexes(key)
	switch hint, near := retired[plain], Nearest(name, namesOf(fields)); {
	case hint != "":
		r.p.warn(key, "%s", hint)
	case plain == "mounts."+name && near != "":
		r.p.as("FLY217").add(key, "unknown key, which flyctl drops without a word, even with --strict; did you mean %s?", near)
	case plain == "mounts."+name:
		r.p.as("FLY217").add(key, "unknown key, which flyctl drops without a word, even with --strict: remove it")
	case near != "":
		r.p.as(ruleUnknownKey).warn(key, "unknown key, which flyctl ignores; did you mean %s?", near)
	default:
		r.p.as(ruleUnknownKey).warn(key, "unknown key, which flyctl ignores: remove it, or check its name and its table")
	}
}

// retired are keys that old files have and that flyctl reads no more.
var retired = map[string]string{
	"services.tcp_checks.restart_limit":  "does nothing any more: remove it",
	"services.http_checks.restart_limit": "does nothing any more: remove it",
	"services.script_checks":             "is not run any more: remove it, or write it as [[services.machine_checks]]",
	"experimental.allowed_public_ports":  "does nothing any more: remove it",
	"experimental.private_network":       "does nothing any more, every app has one: remove it",
	"experimental.kill_timeout":          "is the old place of kill_timeout: move it to the top of the file",
	"experimental.metrics_port":          "is the old form of [metrics] port: move it there",
	"experimental.metrics_path":          "is the old form of [metrics] path: move it there",
}

func namesOf(fields []field) []string {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	return names
}

var index = regexp.MustCompile(`\[\d+\]`)

// withoutIndexes is a path as a header of the file: "services[0].ports" is in
// [[services.ports]].
func withoutIndexes(path string) string { return index.ReplaceAllString(path, "") }

// header writes how to begin a table, or an array of tables, in the file's form.
func (r *reader) header(path string, array bool) string {
	switch plain := withoutIndexes(path); {
	case r.p.src.form != formTOML && array:
		return "a list"
	case r.p.src.form != formTOML:
		return "keys and values"
	case array:
		return "an array of tables, [[" + plain + "]]"
	default:
		return "a table, [" + plain + "]"
	}
}

// describe names a value in an error, without the value: it may be a secret.
func describe(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case bool:
		return "a boolean"
	case []any:
		return "an array"
	case map[string]any:
		return "a table"
	case nil:
		return "null"
	}
	return "a date or time"
}

// scalarText is a scalar as flyctl turns it into a string.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int64, float64, bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

// quoted lists names in a message.
func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, " or ")
}
