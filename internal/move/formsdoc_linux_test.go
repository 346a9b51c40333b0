package move_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
)

// The table of types in docs/from-postgres.md stands between these lines.
const (
	typesBegin = "<!-- types: go test ./internal/move -run TestFormsDocs -update -->\n"
	typesEnd   = "<!-- /types -->\n"
)

// TestFormsDocs holds the table of types in docs/from-postgres.md to what Forms returns.
func TestFormsDocs(t *testing.T) {
	const file = "../../docs/from-postgres.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), typesBegin)
	got, after, ok2 := strings.Cut(rest, typesEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no table between %q and %q", file, typesBegin, typesEnd)
	}
	want := typesTable()
	if *update && got != want {
		if err := os.WriteFile(file, []byte(before+typesBegin+want+typesEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("the table of types is old: -update writes it. It should be\n%s", want)
	}
}

// typesTable has a line for each form; types that have the same are in one.
func typesTable() string {
	s := &move.Schema{Enums: []*move.Enum{{Name: move.Name{Schema: "public", Name: "mood"}, Labels: []string{"a"}}}}
	var order []string
	types := map[string][]string{}
	add := func(name string, typ *move.Type) {
		forms, _ := move.Forms(typ, s, convert.Refuse)
		var lines strings.Builder
		for _, f := range forms {
			var losses []string
			for _, l := range f.Losses {
				losses = append(losses, string(l.Severity)+": "+l.Message)
			}
			fmt.Fprintf(&lines, "| TYPE | `%s` | `%s` | %s |\n", f.Name, strings.TrimSpace(f.Declared+" "+collate(f.Collation)), strings.ReplaceAll(strings.Join(losses, "; "), "|", `\|`))
		}
		if types[lines.String()] == nil {
			order = append(order, lines.String())
		}
		types[lines.String()] = append(types[lines.String()], name)
	}
	for _, name := range move.BuiltinTypes() {
		add(shown(name), &move.Type{Name: move.Name{Schema: "pg_catalog", Name: name}, SQL: name, Kind: move.BaseType, Mod: modifier(name)})
	}
	public := func(name string, kind move.TypeKind) *move.Type {
		return &move.Type{Name: move.Name{Schema: "public", Name: name}, SQL: name, Kind: kind, Mod: -1}
	}
	array := &move.Type{Name: move.Name{Schema: "pg_catalog", Name: "_int4"}, SQL: "integer[]", Kind: move.ArrayType, Mod: -1,
		Elem: &move.Type{Name: move.Name{Schema: "pg_catalog", Name: "int4"}, SQL: "integer", Kind: move.BaseType, Mod: -1}}
	add("an enum", public("mood", move.EnumType))
	add("an array", array)
	add("a range, a multirange", public("r", move.RangeType))
	add("a composite type", public("c", move.CompositeType))
	add("citext", public("citext", move.BaseType))
	add("hstore", public("hstore", move.BaseType))
	add("any other", public("another type", move.BaseType))
	var b strings.Builder
	b.WriteString("| PostgreSQL | form | declared | |\n|---|---|---|---|\n")
	for _, lines := range order {
		name := strings.Join(slices.Compact(types[lines]), ", ")
		for line := range strings.Lines(lines) {
			b.WriteString(strings.Replace(line, "TYPE", name, 1))
			name = ""
		}
	}
	return b.String()
}

func collate(name string) string {
	if name == "" {
		return ""
	}
	return "COLLATE " + name
}

// shown is the name that people know.
func shown(name string) string {
	if s := map[string]string{"int2": "smallint", "int4": "integer", "int8": "bigint", "bool": "boolean", "float4": "real", "float8": "double precision", "bpchar": "char(n)",
		"numeric": "numeric(10,2)", "char": `"char"`, "varbit": "bit varying"}[name]; s != "" {
		return s
	}
	return name
}

// modifier is that of a type which has another form without one: numeric(10,2), char(8).
func modifier(name string) int32 {
	switch name {
	case "numeric":
		return 10<<16 | 2 + 4
	case "bpchar":
		return 8 + 4
	}
	return -1
}
