package move

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// maxOptions bounds the file of options.
const maxOptions = 16 << 20

// ReadOptions reads a file of options, flysql-import.toml. An error begins with
// name:line:col.
func ReadOptions(name string, data []byte) (Options, error) {
	var o Options
	if len(data) > maxOptions {
		return o, fmt.Errorf("%s: larger than %d bytes", name, maxOptions)
	}
	d := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	err := d.Decode(&o)
	var unknown *toml.StrictMissingError
	var syntax *toml.DecodeError
	switch {
	case errors.As(err, &unknown):
		var errs []error
		for _, e := range unknown.Errors {
			line, col := e.Position()
			key := e.Key()
			errs = append(errs, fmt.Errorf("%s:%d:%d: unknown key %q%s", name, line, col, strings.Join(key, "."), suggestion(key)))
		}
		return o, errors.Join(errs...)
	case errors.As(err, &syntax):
		line, col := syntax.Position()
		return o, fmt.Errorf("%s:%d:%d: %s", name, line, col, strings.TrimPrefix(syntax.Error(), "toml: "))
	case err != nil:
		return o, fmt.Errorf("%s: %w", name, err)
	}
	if err := o.validate(); err != nil {
		return o, fmt.Errorf("%s: %w", name, err)
	}
	return o, nil
}

func suggestion(key []string) string {
	keys := []string{"existing", "schemas", "special", "types", "tables"}
	switch {
	case len(key) > 4:
		keys = []string{"name", "skip", "form", "special"}
	case len(key) > 2:
		keys = []string{"name", "skip", "where", "without_rowid", "columns"}
	}
	if s := flyconf.Nearest(key[len(key)-1], keys); s != "" {
		return fmt.Sprintf("; %q is meant?", s)
	}
	return "; there are " + strings.Join(keys, ", ")
}

// validate looks at what can be told without a schema.
func (o Options) validate() error {
	var errs []error
	if o.Schemas != "" && o.Schemas != "prefix" && o.Schemas != "bare" {
		errs = append(errs, fmt.Errorf("schemas = %q: it is prefix or bare", o.Schemas))
	}
	special := func(where string, s convert.Special) {
		if s != "" && s != convert.Refuse && s != convert.Keep && s != convert.ToNull {
			errs = append(errs, fmt.Errorf("%sspecial = %q: it is refuse, keep or null", where, s))
		}
	}
	special("", o.Special)
	for _, t := range slices.Sorted(maps.Keys(o.Tables)) {
		for _, c := range slices.Sorted(maps.Keys(o.Tables[t].Columns)) {
			special("tables."+t+".columns."+c+": ", o.Tables[t].Columns[c].Special)
		}
		if strings.ContainsRune(o.Tables[t].Name, 0) {
			errs = append(errs, fmt.Errorf("tables.%s: name: a NUL", t))
		}
	}
	return errors.Join(errs...)
}

// formsOf are the ways to keep a type's values, as [Forms] has them.
type formsOf func(*Type, *Schema, convert.Special) ([]Form, pgexpr.Type)

// checkOptions compares options with a schema: each must be about something.
func checkOptions(s *Schema, o Options, forms formsOf) error {
	errs := []error{o.validate()}
	tables := map[string]*Table{}
	for _, t := range s.Tables {
		tables[t.String()] = t
	}
	for _, name := range slices.Sorted(maps.Keys(o.Tables)) {
		t := tables[name]
		if t == nil {
			errs = append(errs, fmt.Errorf("options: there is no table %s%s", name, meant(name, slices.Sorted(maps.Keys(tables)))))
			continue
		}
		var columns []string
		for _, c := range t.Columns {
			columns = append(columns, c.Name)
		}
		for _, c := range slices.Sorted(maps.Keys(o.Tables[name].Columns)) {
			if t.Column(c) == nil {
				errs = append(errs, fmt.Errorf("options: %s has no column %s%s", name, c, meant(c, columns)))
			}
		}
	}
	for _, typ := range slices.Sorted(maps.Keys(o.Types)) {
		if err := s.checkForm(typ, o.Types[typ], forms); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// checkForm looks whether a form is one of some column of the type's; a type that no
// column is of is fine.
func (s *Schema) checkForm(typ, form string, of formsOf) error {
	var have []string
	for _, t := range s.Tables {
		for _, c := range t.Columns {
			if typeKey(c.Type) != typ {
				continue
			}
			forms, _ := of(c.Type, s, convert.Refuse)
			for _, f := range forms {
				if f.Name == form {
					return nil
				}
				if !slices.Contains(have, f.Name) {
					have = append(have, f.Name)
				}
			}
		}
	}
	if len(have) == 0 {
		return nil
	}
	return fmt.Errorf("options: types: %s = %q: it has %s", typ, form, strings.Join(quotedAll(have), ", "))
}

func meant(word string, candidates []string) string {
	if s := flyconf.Nearest(word, candidates); s != "" {
		return "; " + s + " is meant?"
	}
	return ""
}
