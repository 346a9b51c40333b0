package flyconf

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// readYAML reads a fly.yaml.
func readYAML(name string, data []byte) (*document, error) {
	r := &yamlReader{
		count: counter{file: name},
		src:   source{file: name, form: formYAML, keys: map[string]position{}},
	}
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return &document{values: map[string]any{}, src: r.src}, nil
	case err != nil:
		return nil, yamlProblem(name, err)
	}
	var second yaml.Node
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, yamlProblem(name, err)
		}
		return nil, &Problem{File: name, Line: max(second.Line, 1), Col: max(second.Column, 1), Message: "holds a second document, after ---: keep one"}
	}
	v, err := r.value("", &doc, 0)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return &document{values: map[string]any{}, src: r.src}, nil
	case map[string]any:
		return &document{values: v, src: r.src}, nil
	}
	return nil, &Problem{File: name, Line: 1, Col: 1, Message: fmt.Sprintf("is %s: write the file as keys and values, key: value", describe(v))}
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

// yamlProblem says on which line the YAML is broken; the library does not know
// the column.
func yamlProblem(name string, err error) *Problem {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	p := &Problem{File: name, Message: message}
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Col = 1
		p.Message = strings.TrimPrefix(message, m[0])
	}
	return p
}

type yamlReader struct {
	count counter
	src   source
}

// value reads a node; path is its key's. An alias is read anew wherever it
// stands, and counted as often, so that few lines cannot stand for millions.
func (r *yamlReader) value(path string, n *yaml.Node, depth int) (any, error) {
	if p := r.count.key(position{n.Line, n.Column}, depth); p != nil {
		return nil, p
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) == 0 {
			return nil, nil
		}
		return r.value(path, n.Content[0], depth+1)
	case yaml.AliasNode:
		return r.value(path, n.Alias, depth+1)
	case yaml.MappingNode:
		m := map[string]any{}
		return m, r.mapping(path, n, depth+1, m, map[string]bool{})
	case yaml.SequenceNode:
		list := []any{}
		for i, item := range n.Content {
			element := fmt.Sprintf("%s[%d]", path, i)
			r.src.note(element, position{item.Line, item.Column})
			v, err := r.value(element, item, depth+1)
			if err != nil {
				return nil, err
			}
			if v != nil {
				list = append(list, v)
			}
		}
		return list, nil
	}
	return r.scalar(n)
}

func (r *yamlReader) mapping(path string, n *yaml.Node, depth int, m map[string]any, seen map[string]bool) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := position{key.Line, key.Column}
		if key.Kind != yaml.ScalarNode {
			return &Problem{File: r.src.file, Line: at.line, Col: at.col, Message: "is a key that is no plain word: flyctl reads words only"}
		}
		if key.Tag == "!!merge" {
			return &Problem{File: r.src.file, Line: at.line, Col: at.col, Message: "merges another mapping (<<): write its keys out"}
		}
		name := join(path, key.Value)
		if seen[key.Value] {
			return &Problem{File: r.src.file, Line: at.line, Col: at.col, Key: name, Message: "is in the mapping twice: keep one of them"}
		}
		seen[key.Value] = true
		r.src.note(name, at)
		v, err := r.value(name, value, depth)
		if err != nil {
			return err
		}
		if v != nil {
			m[key.Value] = v
		}
	}
	return nil
}

func (r *yamlReader) scalar(n *yaml.Node) (any, error) {
	var v any
	var err error
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		err = n.Decode(&b)
		v = b
	case "!!int":
		var i int64
		err = n.Decode(&i)
		v = i
	case "!!float":
		var f float64
		err = n.Decode(&f)
		v = f
	default:
		return n.Value, nil
	}
	if err != nil {
		return nil, &Problem{File: r.src.file, Line: n.Line, Col: n.Column, Message: "is not a value that flyctl reads: write it in quotes"}
	}
	return v, nil
}
