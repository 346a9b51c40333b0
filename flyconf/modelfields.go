package flyconf

import (
	"reflect"
	"strings"
	"time"
)

// The structs of the model say by a tag how each field stands in the file:
//
//	`fly:"key,option,option"`
//
//	alias=NAME  flyctl reads this key as the same
//	always      written even where it is zero
//	autostop    a boolean is "stop" or "off"
//	gb, mb      a size with a unit; with number, also one without quotes
//	legacy      flyctl reads an array too, an older form, which is kept as it is
//	loose       a number in quotes will do
//	ms, seconds what an integer duration counts; without one, nanoseconds
//	orstring    one string will do for a list of one
//	positive    Fly refuses 0
//	softhard    flyctl reads "20,25" too, which is kept as it is
//	single      one table will do for an array of one
//	text        scalars of any type are read as strings
type field struct {
	name    string
	aliases []string
	options map[string]bool
	index   int
}

func (f field) is(option string) bool { return f.options[option] }

// rule is what a value of the wrong type breaks.
func (f field) rule() string {
	if strings.HasPrefix(f.name, "auto_extend_") {
		return "FLY212"
	}
	return ruleForm
}

// fieldsOf lists the keys of a struct of the model in its order.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		tag, ok := t.Field(i).Tag.Lookup("fly")
		if !ok {
			continue
		}
		words := strings.Split(tag, ",")
		f := field{name: words[0], index: i, options: map[string]bool{}}
		for _, word := range words[1:] {
			if alias, ok := strings.CutPrefix(word, "alias="); ok {
				f.aliases = append(f.aliases, alias)
				continue
			}
			f.options[word] = true
		}
		out = append(out, f)
	}
	return out
}

var durationType = reflect.TypeFor[time.Duration]()

// isTable reports whether values of t stand in tables of their own, below the
// keys of the table that they are in.
func isTable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer:
		return t.Elem().Kind() == reflect.Struct
	case reflect.Slice:
		return t.Elem().Kind() == reflect.Struct
	case reflect.Map:
		return true
	}
	return false
}

// empty reports whether a field holds what leaves its key out of the file.
func empty(v reflect.Value) bool {
	if v.Kind() == reflect.Slice && isTable(v.Type()) {
		return v.Len() == 0
	}
	return v.IsZero()
}

// extraOf is the field Extra of a struct of the model.
func extraOf(v reflect.Value) reflect.Value { return v.FieldByName("Extra") }
