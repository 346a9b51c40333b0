package flyconf

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// litefsValue is a value to write.
type litefsValue struct {
	target any // what it is read into
	is     any // the value: of target's type, or a string with variables
	out    yamlOut
}

// yamlOut is YAML to write: one of a scalar, a mapping and a list.
type yamlOut struct {
	scalar *string
	plain  bool // the scalar is written without quotes
	keys   []string
	values []yamlOut // of keys, or the elements of a list
}

func newLiteFSValue(target, value any) (litefsValue, error) {
	v := litefsValue{target: target, is: value}
	s, isString := value.(string)
	if isString {
		if err := checkLiteFSText(s); err != nil {
			return v, err
		}
		if hasLiteFSVariable(s) {
			_, quoted := target.(*string)
			_, duration := target.(*time.Duration)
			switch target.(type) {
			case *string, *bool, *int, *time.Duration:
				v.out = yamlOut{scalar: &s, plain: !quoted && !duration}
				return v, nil
			}
		}
	}
	switch target.(type) {
	case *string:
		if isString {
			v.out = yamlOut{scalar: &s}
			return v, nil
		}
		return v, fmt.Errorf("takes a string, not %T", value)
	case *bool:
		if b, ok := value.(bool); ok {
			v.out = plainOut(strconv.FormatBool(b))
			return v, nil
		}
		return v, fmt.Errorf("takes a bool, or a string with a variable, not %T", value)
	case *int:
		if n, ok := value.(int); ok {
			v.out = plainOut(strconv.Itoa(n))
			return v, nil
		}
		return v, fmt.Errorf("takes an int, or a string with a variable, not %T", value)
	case *time.Duration:
		return v, v.duration(value)
	case *[]string:
		list, ok := value.([]string)
		if !ok {
			return v, fmt.Errorf("takes a []string, not %T", value)
		}
		return v, v.list(list)
	case *LiteFSExec:
		e, ok := value.(LiteFSExec)
		if !ok {
			return v, fmt.Errorf("takes a LiteFSExec, not %T", value)
		}
		v.out = execOut(e)
		return v, checkLiteFSText(e.Cmd)
	}
	if isString {
		v.is = []LiteFSExec{{Cmd: s}}
		v.out = yamlOut{scalar: &s}
		return v, nil
	}
	return v, v.exec(value)
}

func (v *litefsValue) duration(value any) error {
	var text string
	switch value := value.(type) {
	case time.Duration:
		v.is, text = value, formatDuration(value)
	case string:
		d, err := time.ParseDuration(value)
		if err != nil {
			return fmt.Errorf(`%q is not a duration: write it as in "10s"`, value)
		}
		v.is, text = d, value
	default:
		return fmt.Errorf("takes a time.Duration, not %T", value)
	}
	v.out = yamlOut{scalar: &text}
	return nil
}

func (v *litefsValue) list(list []string) error {
	v.is = append([]string{}, list...)
	v.out.values = []yamlOut{}
	for _, s := range list {
		if err := checkLiteFSText(s); err != nil {
			return err
		}
		v.out.values = append(v.out.values, yamlOut{scalar: &s})
	}
	return nil
}

func (v *litefsValue) exec(value any) error {
	list, ok := value.([]LiteFSExec)
	if !ok {
		return fmt.Errorf("takes a string or a []LiteFSExec, not %T", value)
	}
	if len(list) == 0 || len(list) > maxLiteFSExec {
		return fmt.Errorf("takes 1 to %d commands, not %d: use Remove for none", maxLiteFSExec, len(list))
	}
	v.out.values = []yamlOut{}
	for _, e := range list {
		if err := checkLiteFSText(e.Cmd); err != nil {
			return err
		}
		v.out.values = append(v.out.values, execOut(e))
	}
	return nil
}

func execOut(e LiteFSExec) yamlOut {
	out := yamlOut{keys: []string{"cmd"}, values: []yamlOut{{scalar: &e.Cmd}}}
	if e.IfCandidate {
		out.keys = append(out.keys, "if-candidate")
		out.values = append(out.values, plainOut("true"))
	}
	return out
}

func plainOut(s string) yamlOut { return yamlOut{scalar: &s, plain: true} }

// checkLiteFSText refuses what no value of the file can hold.
func checkLiteFSText(s string) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return errors.New("the new value is not UTF-8 text")
	}
	return nil
}

func hasLiteFSVariable(s string) bool {
	t, err := expandLiteFS("", []byte(s), nil)
	return err == nil && len(t.marks) > 0
}

// isIn reports whether a node says the same.
func (v litefsValue) isIn(doc *litefsYAML, n *yaml.Node) bool {
	n = litefsAlias(n)
	if n.Kind == yaml.ScalarNode && isYAMLNull(n) {
		return false
	}
	c := newLiteFS()
	r := newLiteFSReader(doc, c)
	if s, ok := v.is.(string); ok {
		if n.Kind != yaml.ScalarNode {
			return false
		}
		if _, isString := v.target.(*string); !isString && isYAMLQuoted(n) && v.out.plain {
			return false
		}
		written, _ := doc.text.restore(n.Value)
		return written == s
	}
	got := reflect.New(reflect.TypeOf(v.target).Elem())
	if e, ok := got.Interface().(*LiteFSExec); ok {
		if n.Kind != yaml.MappingNode {
			return false
		}
		r.section("value", n, litefsExecKeys(e))
	} else {
		r.value("value", n, got.Interface())
	}
	if len(r.problems.list) > 0 {
		return false
	}
	// A variable is a text of its own where a text is wanted, and no value of
	// any other type.
	for key := range c.unresolved {
		if strings.HasSuffix(key, ".if-candidate") {
			return false
		}
	}
	switch target := got.Interface().(type) {
	case *bool, *int, *time.Duration:
		return !c.unresolved["value"] && reflect.DeepEqual(got.Elem().Interface(), v.is)
	case *[]string:
		return slices.Equal(*target, v.is.([]string))
	}
	return reflect.DeepEqual(got.Elem().Interface(), v.is)
}

var yamlPlain = regexp.MustCompile(`^[A-Za-z0-9/_.:][A-Za-z0-9 /_.+=@%:-]*$`)

// scalarText writes a scalar in the style of the node that it replaces; nil is a
// new one, which gets double quotes, as in LiteFS's own documentation. Variables
// are left as they are, also where the quotes around them would want otherwise:
// LiteFS replaces them before it reads the YAML.
func (o yamlOut) scalarText(old *yaml.Node) string {
	s := *o.scalar
	if o.plain {
		return s
	}
	if old != nil && old.Kind == yaml.ScalarNode && !isYAMLAbsent(old) {
		switch {
		case old.Style&yaml.SingleQuotedStyle != 0 && !strings.ContainsFunc(s, yamlEscaped):
			return "'" + outsideVariables(s, func(s string) string { return strings.ReplaceAll(s, "'", "''") }) + "'"
		case !isYAMLQuoted(old) && isPlainYAML(s):
			return s
		}
	}
	return `"` + outsideVariables(s, escapeYAML) + `"`
}

// isPlainYAML reports whether a text without quotes is that text.
func isPlainYAML(s string) bool {
	sample := replaceVariables(s, "x")
	if !yamlPlain.MatchString(sample) || strings.HasSuffix(sample, " ") || strings.HasSuffix(sample, ":") ||
		strings.Contains(sample, ": ") {
		return false
	}
	var n yaml.Node
	if yaml.Unmarshal([]byte(sample), &n) != nil || len(n.Content) != 1 {
		return false
	}
	value := n.Content[0]
	return value.Kind == yaml.ScalarNode && value.Tag == "!!str" && value.Value == sample
}

// outsideVariables changes the text between variables.
func outsideVariables(s string, change func(string) string) string {
	t, err := expandLiteFS("", []byte(s), nil)
	if err != nil {
		return change(s)
	}
	var b strings.Builder
	last := 0
	for _, m := range t.marks {
		b.WriteString(change(s[last:m.srcStart]) + s[m.srcStart:m.srcEnd])
		last = m.srcEnd
	}
	b.WriteString(change(s[last:]))
	return b.String()
}

func replaceVariables(s, with string) string {
	t, err := expandLiteFS("", []byte(s), nil)
	if err != nil {
		return s
	}
	var b strings.Builder
	last := 0
	for _, m := range t.marks {
		b.WriteString(s[last:m.srcStart] + with)
		last = m.srcEnd
	}
	return b.String() + s[last:]
}

// yamlEscaped reports whether a character can only be written as an escape.
func yamlEscaped(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0xa0 || isYAMLBreak(r) || r == '\ufeff' || r >= 0xd800 && r <= 0xdfff ||
		r == 0xfffe || r == 0xffff
}

func escapeYAML(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case yamlEscaped(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// flow writes a value on one line.
func (o yamlOut) flow() string {
	if o.scalar != nil {
		return o.scalarText(nil)
	}
	parts := make([]string, len(o.values))
	for i, v := range o.values {
		parts[i] = v.flow()
		if o.keys != nil {
			parts[i] = o.keys[i] + ": " + parts[i]
		}
	}
	if o.keys != nil {
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// oneLine reports whether a value follows its key on the same line.
func (o yamlOut) oneLine() bool {
	if o.scalar != nil {
		return true
	}
	for _, v := range o.values {
		if v.scalar == nil {
			return false
		}
	}
	return o.keys == nil // lists of texts
}

// block writes a mapping or list on lines of its own, each with this indent, and
// what is in it with one more step.
func (o yamlOut) block(indent, step string) string {
	var b strings.Builder
	for i, v := range o.values {
		if o.keys == nil {
			text := v.flow()
			if v.keys != nil {
				text = strings.TrimPrefix(v.block(indent+"  ", step), indent+"  ")
			} else {
				text += "\n"
			}
			b.WriteString(indent + "- " + text)
			continue
		}
		b.WriteString(indent + o.keys[i] + ":" + v.behindKey(indent, step))
	}
	return b.String()
}

// behindKey writes what follows the colon of a key with this indent.
func (o yamlOut) behindKey(indent, step string) string {
	if o.oneLine() {
		return " " + o.flow() + "\n"
	}
	return "\n" + o.block(indent+step, step)
}

// under puts a value below steps that the file does not have yet.
func (o yamlOut) under(steps []any) yamlOut {
	for i := len(steps) - 1; i >= 0; i-- {
		switch step := steps[i].(type) {
		case string:
			o = yamlOut{keys: []string{step}, values: []yamlOut{o}}
		case int:
			o = yamlOut{values: []yamlOut{o}}
		}
	}
	return o
}
