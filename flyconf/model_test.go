package flyconf

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fill sets every field of the model below v to something that is not zero.
func fill(v reflect.Value) {
	switch {
	case v.Type() == durationType:
		v.SetInt(int64(90 * time.Second))
		return
	case v.Type() == reflect.TypeFor[map[string]any]():
		v.Set(reflect.ValueOf(map[string]any{
			"zz_text": "é\"\\\n\x01", "zz_number": int64(7), "zz_float": 1e21, "zz_yes": true,
			"zz_list":   []any{int64(1), []any{}, map[string]any{"a b": "c"}},
			"zz_tables": []any{map[string]any{"x": int64(1)}, map[string]any{"y": map[string]any{"z": "1"}}},
			"zz_table":  map[string]any{"a.b": map[string]any{"c": "d"}},
			"zz_empty":  []any{},
		}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text \"é\"\n")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(256)
	case reflect.Float64:
		v.SetFloat(0.33)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.Map:
		elem := reflect.New(v.Type().Elem()).Elem()
		fill(elem)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("a"), elem)
		v.SetMapIndex(reflect.ValueOf("b.c d"), elem)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	}
}

// TestEveryField writes a Config in which every field is set, and reads it back.
func TestEveryField(t *testing.T) {
	want := &Config{}
	fill(reflect.ValueOf(want).Elem())
	w := &writer{}
	w.fields("", reflect.ValueOf(want).Elem())
	got, err := Parse("fly.toml", w.buf.Bytes())
	for _, p := range Problems(err) {
		// Unknown keys of a mount are the only errors.
		if !strings.HasPrefix(p.Key, "mounts[") || !strings.Contains(p.Key, ".zz_") {
			t.Errorf("reading: %v", p)
		}
	}
	if got == nil {
		t.Fatalf("%v\n%s", err, w.buf.Bytes())
	}
	if diff := cmp.Diff(want, got, sameModel); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, w.buf.Bytes())
	}
}

// TestModelTags: every field of the model has a key, but for Extra, which every
// struct has.
func TestModelTags(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(typ.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if seen[typ] {
			return
		}
		seen[typ] = true
		if f, ok := typ.FieldByName("Extra"); !ok || f.Type != reflect.TypeFor[map[string]any]() {
			t.Errorf("%v has no Extra", typ)
		}
		keys := map[string]bool{}
		for i := range typ.NumField() {
			f := typ.Field(i)
			if !f.IsExported() || f.Name == "Extra" {
				continue
			}
			if f.Tag.Get("fly") == "" {
				t.Errorf("%v.%s has no key", typ, f.Name)
			}
			walk(f.Type)
		}
		for _, f := range fieldsOf(typ) {
			for _, name := range append(f.aliases, f.name) {
				if keys[name] {
					t.Errorf("%v has the key %s twice", typ, name)
				}
				keys[name] = true
			}
		}
	}
	walk(reflect.TypeFor[Config]())
	if len(seen) < 20 {
		t.Errorf("%d structs, want at least 20", len(seen))
	}
}

func TestGroups(t *testing.T) {
	tests := []struct {
		name      string
		processes map[string]string
		groups    []string
		first     string
		app, web  int // mounts
	}{
		{"none", nil, []string{"app"}, "app", 1, 1},
		{"with app", map[string]string{"web": "", "app": ""}, []string{"app", "web"}, "app", 1, 1},
		{"without app", map[string]string{"web": "", "api": ""}, []string{"api", "web"}, "api", 0, 1},
		{"one", map[string]string{"web": ""}, []string{"web"}, "web", 0, 2},
	}
	for _, tt := range tests {
		c := &Config{Processes: tt.processes, Mounts: []Mount{{Source: "a"}, {Source: "b", Processes: []string{"web"}}}}
		if diff := cmp.Diff(tt.groups, c.Groups()); diff != "" {
			t.Errorf("%s: Groups (-want +got):\n%s", tt.name, diff)
		}
		if got := c.DefaultGroup(); got != tt.first {
			t.Errorf("%s: DefaultGroup %s, want %s", tt.name, got, tt.first)
		}
		if app, web := len(c.GroupMounts("app")), len(c.GroupMounts("web")); app != tt.app || web != tt.web {
			t.Errorf("%s: %d and %d mounts, want %d and %d", tt.name, app, web, tt.app, tt.web)
		}
	}
}

// TestExtraOfNoKind: a value that TOML does not have is refused, not written.
func TestExtraOfNoKind(t *testing.T) {
	for _, v := range []any{nil, 1, struct{}{}, []any{map[string]any{"a": []int{1}}}, "\xff", map[string]any{"\xff": "x"}} {
		c := full()
		c.Extra = map[string]any{"x": v}
		if text, err := Render(c, nil); err == nil {
			t.Errorf("%#v was written:\n%s", v, text)
		}
	}
}
