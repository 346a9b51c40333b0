package move

import (
	"math"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

// Whatever a file of options holds, it is read or refused.
func FuzzReadOptions(f *testing.F) {
	f.Add([]byte("schemas = \"bare\"\n[tables.\"public.t\".columns.c]\nform = \"text\""))
	f.Add([]byte("[types]\nnumeric = 1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := ReadOptions("f.toml", data)
		if err == nil {
			_, _ = NewPlan(&Schema{}, o) // only a panic is an error
		} else if !strings.HasPrefix(err.Error(), "f.toml:") {
			t.Errorf("%v does not name its file", err)
		}
	})
}

// A schema that no server would give, but a dump that somebody wrote.
func TestPlanOfHostileSchema(t *testing.T) {
	name := func(n string) Name { return Name{"public", n} }
	odd := &Type{Name: name("odd"), Kind: DomainType, Mod: math.MaxInt32}
	odd.Base = &Type{Name: Name{"pg_catalog", "numeric"}, Kind: BaseType, Mod: math.MaxInt32}
	array := &Type{Name: name("_odd"), Kind: ArrayType, Mod: -1, Elem: odd}
	char := &Type{Name: Name{"pg_catalog", "bpchar"}, Kind: BaseType, Mod: 1}
	s := &Schema{
		Enums: []*Enum{{Name: name("none")}},
		Tables: []*Table{
			{Name: name("a"), PartitionOf: &Name{"public", "b"}, Kind: PlainTable},
			{Name: name("b"), PartitionOf: &Name{"public", "a"}, Kind: PartitionedTable},
			{Name: name("c"), Kind: PartitionedTable, Columns: []*Column{{Name: "x", Type: odd, Default: "((("}, {Name: "y", Type: array}, {Name: "z", Type: char},
				{Name: "e", Type: &Type{Name: name("none"), Kind: EnumType}}, {Name: "", Type: &Type{Kind: PseudoType}}},
				Constraints: []*Constraint{{Name: "p", Kind: PrimaryKey, Columns: []string{"nope"}}, {Name: "k", Kind: Check}, {Name: "u", Kind: Unique},
					{Name: "f", Kind: ForeignKey, Columns: []string{"x"}, References: &Reference{Table: name("c"), Columns: nil}}},
				Indexes: []*Index{{Name: "i", Method: "btree", Valid: true, Keys: []IndexKey{{Expr: ")"}}}}},
		},
	}
	p, err := NewPlan(s, Options{})
	if err != nil || len(p.Tables) != 1 || len(p.Left) < 4 {
		t.Fatalf("%+v, %v", p, err)
	}
	if o, err := ReadOptions("again", p.TOML()); err != nil {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestParentsFirst(t *testing.T) {
	table := func(n string, parents ...string) *TablePlan {
		p := &TablePlan{Source: &Table{Name: Name{"public", n}}}
		for _, n := range parents {
			p.parents = append(p.parents, Name{"public", n})
		}
		return p
	}
	var got []string
	for _, p := range parentsFirst([]*TablePlan{table("a", "c"), table("b", "b"), table("c", "d", "e"), table("d", "a"), table("e"), table("f", "gone")}) {
		got = append(got, p.Source.Name.Name)
	}
	if s := strings.Join(got, ""); s != "decabf" {
		t.Errorf("%s", s)
	}
}

// Storage that a form names is one that the translator knows.
func TestFormsOfPrecision(t *testing.T) {
	numeric := func(p, s int32) *Type {
		return &Type{Name: Name{"pg_catalog", "numeric"}, Kind: BaseType, Mod: p<<16 | s&0x7ff + 4}
	}
	for _, c := range []struct {
		p, s  int32
		names string
	}{{10, 2, "text scaled real"}, {18, 18, "text scaled real"}, {19, 2, "text real"}, {2, 5, "text real"}, {1000, 0, "text real"}} {
		forms, typ := Forms(numeric(c.p, c.s), &Schema{}, "refuse")
		var names []string
		for _, f := range forms {
			names = append(names, f.Name)
		}
		if strings.Join(names, " ") != c.names || typ != pgexpr.Numeric || forms[0].Storage.Precision != int(c.p) || forms[0].Storage.Scale != int(c.s) {
			t.Errorf("numeric(%d,%d): %v %+v", c.p, c.s, names, forms[0].Storage)
		}
	}
}
