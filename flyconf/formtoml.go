package flyconf

import (
	"errors"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// readTOML reads a fly.toml.
func readTOML(name string, data []byte) (*document, error) {
	src, problem := locate(name, data)
	if problem != nil {
		return nil, problem
	}
	values := map[string]any{}
	if err := toml.Unmarshal(data, &values); err != nil {
		return nil, tomlProblem(name, err)
	}
	return &document{values: values, src: src}, nil
}

// tomlProblem says where the TOML is broken.
func tomlProblem(name string, err error) *Problem {
	p := &Problem{File: name, Message: strings.TrimPrefix(err.Error(), "toml: ")}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		p.Line, p.Col = decode.Position()
	}
	if strings.HasPrefix(p.Message, "key ") && strings.HasSuffix(p.Message, "already exists as a table, but should be an array table") {
		p.Message += ": write its first header with two brackets too, or put both into one table"
	}
	return p
}
