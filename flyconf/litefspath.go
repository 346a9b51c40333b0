package flyconf

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var litefsPathPart = regexp.MustCompile(`^([^\[\].]+)((?:\[\d{1,6}\])*)$`)

// parseLiteFSPath splits "exec[0].cmd" into the steps "exec", 0 and "cmd".
func parseLiteFSPath(path string) ([]any, error) {
	var steps []any
	for part := range strings.SplitSeq(path, ".") {
		m := litefsPathPart.FindStringSubmatch(part)
		if m == nil {
			return nil, fmt.Errorf("%q is not a path: write it as in lease.consul.url or exec[0].cmd", path)
		}
		steps = append(steps, m[1])
		for _, index := range strings.FieldsFunc(m[2], func(r rune) bool { return r == '[' || r == ']' }) {
			n, err := strconv.Atoi(index)
			if err != nil {
				return nil, err
			}
			steps = append(steps, n)
		}
	}
	return steps, nil
}

// litefsTarget returns what a path's value is read into, of the types in
// litefsKey. A path that LiteFS does not know is an error.
func litefsTarget(steps []any) (any, error) {
	var names []string
	rest := steps
	for len(rest) > 0 {
		name, ok := rest[0].(string)
		if !ok {
			break
		}
		names = append(names, name)
		rest = rest[1:]
	}
	path := strings.Join(names, ".")
	if hint := litefsFixed[path]; hint != "" {
		return nil, fmt.Errorf("%s", hint)
	}
	var known []string
	for _, k := range litefsKeys(&LiteFS{}) {
		known = append(known, k.path)
		if k.path != path {
			if strings.HasPrefix(k.path, path+".") {
				return nil, fmt.Errorf("is a section: set the keys in it, such as %s", k.path)
			}
			continue
		}
		if len(rest) == 0 {
			return k.target, nil
		}
		if target := litefsElement(k.target, rest[1:]); target != nil {
			return target, nil
		}
	}
	if near := Nearest(path, known); near != "" && len(rest) == 0 {
		return nil, fmt.Errorf("LiteFS has no such key; did you mean %s?", near)
	}
	return nil, fmt.Errorf("LiteFS has no such key")
}

// litefsElement is the target of an element of a list, or of a key in one.
func litefsElement(list any, rest []any) any {
	switch list.(type) {
	case *[]string:
		if len(rest) == 0 {
			return new(string)
		}
	case *[]LiteFSExec:
		if len(rest) == 0 {
			return new(LiteFSExec)
		}
		for _, k := range litefsExecKeys(&LiteFSExec{}) {
			if len(rest) == 1 && rest[0] == k.path {
				return k.target
			}
		}
	}
	return nil
}
