package move

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// Form is one way to keep a type's values in SQLite.
type Form struct {
	Name       string              // "text", "scaled": what an options file calls it
	Declared   string              // the column's type in SQLite: "TEXT", "DATETIME"
	Collation  string              // "NOCASE", or ""
	Check      string              // an expression over %[1]s, the column's quoted name; or ""
	Conversion *convert.Conversion // brings a value there
	Storage    pgexpr.Storage      // what an expression must know of it
	Losses     []Loss              // what the form loses of every value, without Where
}

// Forms returns the ways to keep a type's values, the default first, and the type as
// expressions see it. Every type has one at least: the text that PostgreSQL prints.
//
// Columns are not declared STRICT: a name that says more than a storage class, such as
// DATETIME, tells database/sql and its users what a value is. Checks hold the storage
// class instead.
func Forms(t *Type, s *Schema, special convert.Special) ([]Form, pgexpr.Type) {
	root := t.Root()
	switch root.Kind {
	case EnumType:
		return enumForms(root, s)
	case ArrayType:
		return arrayForms(root, s, special)
	case CompositeType:
		return []Form{textForm("pg", "composite-text", "a composite value is PostgreSQL's text of it, (1,\"a b\"), which SQLite's functions do not take apart")}, pgexpr.Record
	case RangeType, MultirangeType:
		return []Form{textForm("pg", "range-text", "a range is PostgreSQL's text of it, [1,10): comparing, containing and overlapping are not there")}, pgexpr.Other
	}
	if root.Schema == "pg_catalog" {
		if f := builtins[root.Name.Name]; f != nil {
			return f(root, special)
		}
	}
	switch root.Name.Name { // in whichever schema the extension is
	case "citext":
		f := textForm("text", "citext-ascii", "COLLATE NOCASE folds A to Z only: É and é differ")
		f.Collation = "NOCASE"
		return []Form{f}, pgexpr.Citext
	case "hstore":
		json := Form{Name: "json", Declared: "TEXT", Check: "json_valid(%[1]s)", Conversion: convert.Hstore(), Storage: pgexpr.AsPrinted,
			Losses: []Loss{note("hstore-json", "an hstore is a JSON object, for SQLite's JSON functions")}}
		return []Form{json, textForm("pg", "hstore-text", "an hstore is PostgreSQL's text of it")}, pgexpr.Other
	}
	return []Form{textForm("pg", "type-text", "values of "+t.SQL+" are the text that PostgreSQL prints, and compare as text")}, pgexpr.Other
}

type formsFunc func(t *Type, special convert.Special) ([]Form, pgexpr.Type)

// builtins holds PostgreSQL's own types by their internal names.
var builtins = map[string]formsFunc{
	"int2": intForms(pgexpr.Int2, -1<<15, 1<<15-1), "int4": intForms(pgexpr.Int4, -1<<31, 1<<31-1), "int8": intForms(pgexpr.Int8, -1<<63, 1<<63-1),
	"oid": intForms(pgexpr.Other, 0, 1<<32-1), "xid": intForms(pgexpr.Other, 0, 1<<32-1), "cid": intForms(pgexpr.Other, 0, 1<<32-1),
	"bool": boolForms, "numeric": numericForms, "money": moneyForms, "float4": floatForms(32), "float8": floatForms(64),
	"text": textForms, "varchar": textForms, "name": textForms, "char": textForms, "bpchar": charForms, "bytea": byteaForms,
	"date": dateForms, "timestamp": timestampForms, "timestamptz": timestamptzForms, "time": timeForms(false), "timetz": timeForms(true),
	"interval": intervalForms, "uuid": uuidForms, "json": jsonForms, "jsonb": jsonForms, "bit": bitForms, "varbit": bitForms,
	"inet": asText("net-text", "an address is text: it sorts and compares as text"), "cidr": asText("net-text", "a network is text: it sorts and compares as text"),
	"macaddr": asText("", ""), "macaddr8": asText("", ""), "pg_lsn": asText("", ""),
	"xml":      asText("xml-text", "XML is text: nothing checks that it is well-formed"),
	"tsvector": asText("tsvector-text", "a tsvector is text: full text search is FTS5's in SQLite"), "tsquery": asText("tsvector-text", "a tsquery is text: full text search is FTS5's in SQLite"),
}

func note(id, message string) Loss    { return Loss{ID: id, Severity: Note, Message: message} }
func warning(id, message string) Loss { return Loss{ID: id, Severity: Warning, Message: message} }

// textForm keeps what PostgreSQL prints.
func textForm(name, id, message string) Form {
	f := Form{Name: name, Declared: "TEXT", Conversion: convert.Plain("text"), Storage: pgexpr.AsPrinted}
	if id != "" {
		f.Losses = []Loss{warning(id, message)}
	}
	return f
}

func asText(id, message string) formsFunc {
	return func(*Type, convert.Special) ([]Form, pgexpr.Type) {
		return []Form{textForm("text", id, message)}, pgexpr.Other
	}
}

func intForms(typ pgexpr.Type, lowest, highest int64) formsFunc {
	return func(t *Type, _ convert.Special) ([]Form, pgexpr.Type) {
		check := "typeof(%[1]s) IN ('integer', 'null')"
		if lowest != -1<<63 {
			check += fmt.Sprintf(" AND %%[1]s BETWEEN %d AND %d", lowest, highest)
		}
		return []Form{{Name: "integer", Declared: "INTEGER", Check: check, Conversion: convert.Int(t.Name.Name, lowest, highest), Storage: pgexpr.AsPrinted}}, typ
	}
}

func boolForms(*Type, convert.Special) ([]Form, pgexpr.Type) {
	return []Form{{Name: "integer", Declared: "BOOLEAN", Check: "%[1]s IN (0, 1)", Conversion: convert.Bool(), Storage: pgexpr.AsPrinted}}, pgexpr.Bool
}

// precision returns p and s of numeric(p,s); 0, 0 is numeric without any.
func precision(t *Type) (p, s int) {
	if t.Mod < 4 {
		return 0, 0
	}
	s = int((t.Mod - 4) & 0x7ff)
	if s >= 1024 {
		s -= 2048 // PostgreSQL 15: numeric(3,-2)
	}
	return int((t.Mod - 4) >> 16 & 0xffff), s
}

// decimalCheck lets a number as text be digits with at most one point, and a minus before
// them: neither an empty text nor 1.2.3.
const decimalCheck = "%[1]s NOT GLOB '*[^-.0-9]*' AND %[1]s GLOB '*[0-9]' AND %[1]s NOT GLOB '?*-*' AND %[1]s NOT GLOB '*.*.*'"

func numericForms(t *Type, special convert.Special) ([]Form, pgexpr.Type) {
	p, s := precision(t)
	lossy := warning("numeric-text", "an exact number is text: it compares and sorts right only by way of CAST or of flysql's functions, and sum() adds doubles")
	text := Form{Name: "text", Declared: "TEXT", Check: decimalCheck, Conversion: convert.NumericText(special),
		Storage: pgexpr.Storage{Form: "text", Precision: p, Scale: s, Finite: true}, Losses: []Loss{lossy}}
	if special == convert.Keep {
		text.Check = decimalCheck + " OR %[1]s IN ('NaN', 'Infinity', '-Infinity')"
		text.Storage.Finite = false
	}
	if p > 0 {
		text.Losses = append(text.Losses, note("numeric-rounded", fmt.Sprintf("PostgreSQL rounds a number to %d digits after the point, and refuses one of more than %d before it; SQLite keeps what is written", s, p-s)))
	}
	forms := []Form{text}
	if p > 0 && p <= 18 && s >= 0 && s <= p {
		limit := strings.Repeat("9", p)
		forms = append(forms, Form{Name: "scaled", Declared: "INTEGER", Check: "typeof(%[1]s) IN ('integer', 'null') AND %[1]s BETWEEN -" + limit + " AND " + limit,
			Conversion: convert.NumericScaled(s, special), Storage: pgexpr.Storage{Form: "scaled", Precision: p, Scale: s, Finite: true},
			Losses: []Loss{warning("numeric-scaled", "a number is stored times 10^"+strconv.Itoa(s)+", as an integer: the app divides")}})
	}
	return append(forms, Form{Name: "real", Declared: "REAL", Check: realCheck(special), Conversion: convert.NumericReal(special),
		Storage: pgexpr.Storage{Form: "real"}, Losses: []Loss{{ID: "numeric-real", Severity: Danger, Message: "a double has 15 exact digits: 0.1 + 0.2 is not 0.3"}}}), pgexpr.Numeric
}

func realCheck(special convert.Special) string {
	if special == convert.Keep {
		return "typeof(%[1]s) IN ('real', 'null') OR %[1]s IN ('NaN', 'Infinity', '-Infinity')"
	}
	return "typeof(%[1]s) IN ('real', 'null')"
}

func moneyForms(*Type, convert.Special) ([]Form, pgexpr.Type) {
	return []Form{
		{Name: "text", Declared: "TEXT", Check: decimalCheck, Conversion: convert.MoneyText(), Storage: pgexpr.Storage{Form: "text"},
			Losses: []Loss{warning("money-text", "money is text with two digits after the point, and no currency")}},
		{Name: "scaled", Declared: "INTEGER", Check: "typeof(%[1]s) IN ('integer', 'null')", Conversion: convert.MoneyScaled(), Storage: pgexpr.Storage{Form: "scaled", Scale: 2},
			Losses: []Loss{warning("money-scaled", "money is in hundredths, an integer without a currency")}},
	}, pgexpr.Other
}

func floatForms(bits int) formsFunc {
	return func(_ *Type, special convert.Special) ([]Form, pgexpr.Type) {
		typ, storage := pgexpr.Float8, pgexpr.AsPrinted
		if bits == 32 {
			typ = pgexpr.Float4
		}
		if special == convert.Keep {
			storage = pgexpr.Storage{Form: "mixed"}
		}
		real := Form{Name: "real", Declared: "REAL", Check: realCheck(special), Conversion: convert.Float(bits, special), Storage: storage,
			Losses: []Loss{note("float-zero", "-0 becomes 0, which it equals: SQLite stores no other")}}
		text := textForm("text", "float-text", "a double is text: it neither compares nor sorts as a number")
		text.Storage = pgexpr.Storage{Form: "text"}
		return []Form{real, text}, typ
	}
}

// limited is a check of the number of characters.
func limited(n int) string { return fmt.Sprintf("length(%%[1]s) <= %d", n) }

func textForms(t *Type, _ convert.Special) ([]Form, pgexpr.Type) {
	f := textForm("text", "", "")
	if t.Builtin("varchar") && t.Mod > 4 {
		f.Check = limited(int(t.Mod) - 4)
	}
	return []Form{f}, pgexpr.Text
}

func charForms(t *Type, _ convert.Special) ([]Form, pgexpr.Type) {
	n := int(t.Mod) - 4
	if n < 1 { // bpchar without a length, whose blanks are what was written
		return []Form{textForm("text", "", "")}, pgexpr.Other
	}
	trimmed := Form{Name: "trimmed", Declared: "TEXT", Check: limited(n), Conversion: convert.Char(n, false), Storage: pgexpr.AsPrinted,
		Losses: []Loss{note("char-trimmed", "the blanks that fill char("+strconv.Itoa(n)+") are left out; PostgreSQL ignores them in comparisons")}}
	padded := Form{Name: "padded", Declared: "TEXT", Check: limited(n), Conversion: convert.Char(n, true), Storage: pgexpr.Storage{Form: "padded"},
		Losses: []Loss{warning("char-padded", "the blanks that fill char("+strconv.Itoa(n)+") are kept, and SQLite compares them")}}
	return []Form{trimmed, padded}, pgexpr.BPChar
}

func byteaForms(*Type, convert.Special) ([]Form, pgexpr.Type) {
	return []Form{{Name: "blob", Declared: "BLOB", Check: "typeof(%[1]s) IN ('blob', 'null')", Conversion: convert.Bytea(), Storage: pgexpr.AsPrinted}}, pgexpr.Bytea
}

func bitForms(*Type, convert.Special) ([]Form, pgexpr.Type) {
	f := textForm("text", "bit-text", "a bit string is text of 0 and 1: & and | do not take it")
	f.Check = "%[1]s NOT GLOB '*[^01]*'"
	return []Form{f}, pgexpr.Other
}

func uuidForms(*Type, convert.Special) ([]Form, pgexpr.Type) {
	return []Form{
		{Name: "text", Declared: "TEXT", Check: "%[1]s GLOB '????????-????-????-????-????????????' AND %[1]s NOT GLOB '*[^-0-9a-f]*'", Conversion: convert.UUIDText(), Storage: pgexpr.AsPrinted},
		{Name: "blob", Declared: "BLOB", Check: "typeof(%[1]s) IN ('blob', 'null') AND length(%[1]s) = 16", Conversion: convert.UUIDBlob(), Storage: pgexpr.Storage{Form: "blob"},
			Losses: []Loss{warning("uuid-blob", "a uuid is 16 bytes: a query compares it with bytes, not with text")}},
	}, pgexpr.UUID
}

func jsonForms(t *Type, _ convert.Special) ([]Form, pgexpr.Type) {
	f := Form{Name: "text", Declared: "TEXT", Check: "json_valid(%[1]s)", Conversion: convert.JSON(t.Name.Name), Storage: pgexpr.AsPrinted}
	if t.Builtin("json") {
		return []Form{f}, pgexpr.JSON
	}
	f.Losses = []Loss{note("jsonb-text", "jsonb is the text that PostgreSQL prints: what is written later keeps its order, its spaces and its duplicate keys")}
	return []Form{f}, pgexpr.JSON
}

func enumForms(t *Type, s *Schema) ([]Form, pgexpr.Type) {
	f := textForm("text", "", "")
	f.Losses = []Loss{note("enum-order", "an enum is text: ORDER BY sorts it by letters, not in the order of its labels")}
	for _, e := range s.Enums {
		if e.Name != t.Name {
			continue
		}
		var labels []string
		for _, l := range e.Labels {
			labels = append(labels, strings.ReplaceAll(pgexpr.Literal(l), "%", "%%"))
		}
		f.Check = "%[1]s IN (" + strings.Join(labels, ", ") + ")"
		if len(labels) == 0 {
			f.Check = "%[1]s IS NULL"
		}
		f.Storage.Labels = e.Labels
	}
	return []Form{f}, pgexpr.Enum
}

func arrayForms(t *Type, s *Schema, special convert.Special) ([]Form, pgexpr.Type) {
	pg := textForm("pg", "array-text", "an array is PostgreSQL's text of it, {1,2}")
	elements, _ := Forms(t.Elem, s, special)
	delimiter := byte(',')
	if t.Elem.Root().Builtin("box") {
		delimiter = ';'
	}
	json := Form{Name: "json", Declared: "TEXT", Check: "json_valid(%[1]s)", Conversion: convert.Array(elements[0].Conversion, delimiter), Storage: pgexpr.Storage{Form: "json"},
		Losses: append([]Loss{note("array-json", "an array is JSON, for json_each and the like; GIN indexes and operators such as @> are not there")}, elements[0].Losses...)}
	return []Form{json, pg}, pgexpr.Other
}
