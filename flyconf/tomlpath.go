package flyconf

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// PathOf writes the path of a key for Document: names, and ints for elements.
// Names that would read as something else are quoted:
//
//	PathOf("mounts", 0, "source") // mounts[0].source
//	PathOf("env", "a.b")          // env."a.b"
//
// It panics where a step is neither a string nor an int.
func PathOf(steps ...any) string {
	var b strings.Builder
	for _, step := range steps {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(quoteKey(step))
		default:
			panic(fmt.Sprintf("flyconf: PathOf takes strings and ints, not %T", step))
		}
	}
	return b.String()
}

var (
	tomlPathName  = regexp.MustCompile(`^[^\[\]."']+`)
	tomlPathIndex = regexp.MustCompile(`^\[(\d{1,6})\]`)
)

// parsePath splits `services[0].ports` and `env."a.b"` into the steps that PathOf
// puts together.
func parsePath(path string) ([]any, error) {
	bad := fmt.Errorf("%q is not a path: write it as in app, mounts[0].source or env.\"a.b\"", path)
	if !utf8.ValidString(path) {
		return nil, bad
	}
	var steps []any
	for rest := path; ; {
		name, n := pathName(rest)
		if n == 0 || !utf8.ValidString(name) {
			return nil, bad
		}
		steps = append(steps, name)
		rest = rest[n:]
		for {
			m := tomlPathIndex.FindStringSubmatch(rest)
			if m == nil {
				break
			}
			index, err := strconv.Atoi(m[1])
			if err != nil {
				return nil, bad
			}
			steps = append(steps, index)
			rest = rest[len(m[0]):]
		}
		if rest == "" {
			return steps, nil
		}
		if rest[0] != '.' {
			return nil, bad
		}
		rest = rest[1:]
	}
}

// pathName reads the name that s begins with, and how many bytes it takes: 0
// where it begins with none.
func pathName(s string) (string, int) {
	if strings.HasPrefix(s, `"`) {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return "", 0
		}
		name, err := strconv.Unquote(quoted)
		if err != nil {
			return "", 0
		}
		return name, len(quoted)
	}
	if strings.HasPrefix(s, "'") {
		if end := strings.IndexByte(s[1:], '\''); end >= 0 {
			return s[1 : 1+end], end + 2
		}
		return "", 0
	}
	name := tomlPathName.FindString(s)
	return name, len(name)
}
