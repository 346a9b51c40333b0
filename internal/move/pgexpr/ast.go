package pgexpr

import "strings"

// node is a part of an expression.
type node interface{ at() int }

type pos int

func (p pos) at() int { return int(p) }

type (
	// nameNode is a column, perhaps with its table before it.
	nameNode struct {
		pos
		parts []string
	}
	// constNode is a constant: a string, a number, bits, true, false or null.
	constNode struct {
		pos
		kind tokenKind // tokString, tokNumber, tokBits, or tokIdent of a word
		text string
	}
	castNode struct {
		pos
		x  node
		to typeName
	}
	unaryNode struct {
		pos
		op string
		x  node
	}
	binaryNode struct {
		pos
		op   string // upper case of words: AND, OR, LIKE, IS DISTINCT FROM
		l, r node
		esc  node // of LIKE
		not  bool // NOT LIKE
	}
	isNode struct {
		pos
		x    node
		what string // NULL, TRUE, FALSE, UNKNOWN
		not  bool
	}
	inNode struct {
		pos
		x    node
		list []node
		not  bool
	}
	betweenNode struct {
		pos
		x, low, high   node
		not, symmetric bool
	}
	anyNode struct {
		pos
		x     node
		op    string
		array node
		all   bool
	}
	arrayNode struct {
		pos
		elems []node
	}
	callNode struct {
		pos
		name string // with its schema unless that is pg_catalog
		args []node
	}
	caseNode struct {
		pos
		operand node
		whens   [][2]node
		els     node
	}
	collateNode struct {
		pos
		x         node
		collation string
	}
)

// typeName is a type as it stands in a cast.
type typeName struct {
	name  string // "numeric", "double precision", "public.mood"; short forms are spelled out
	mods  []int
	array bool
}

func (t typeName) String() string {
	if t.array {
		return t.name + "[]"
	}
	return t.name
}

// spelled are the names that PostgreSQL has several of.
var spelled = map[string]string{
	"int": "integer", "int4": "integer", "int2": "smallint", "int8": "bigint", "bool": "boolean", "float4": "real", "float8": "double precision", "float": "double precision",
	"decimal": "numeric", "dec": "numeric", "varchar": "character varying", "char": "character", "bpchar": "character", "timestamptz": "timestamp with time zone",
	"timestamp": "timestamp without time zone", "timetz": "time with time zone", "time": "time without time zone", "varbit": "bit varying",
}

// known are the types by their spelled names; all else is Other.
var known = map[string]Type{
	"boolean": Bool, "smallint": Int2, "integer": Int4, "bigint": Int8, "numeric": Numeric, "real": Float4, "double precision": Float8, "text": Text, "character varying": Text, "name": Text,
	"character": BPChar, "bytea": Bytea, "date": Date, "timestamp without time zone": Timestamp, "timestamp with time zone": TimestampTZ, "interval": Interval, "uuid": UUID,
}

func (t typeName) typ() Type {
	if k, ok := known[strings.TrimPrefix(t.name, "pg_catalog.")]; ok && !t.array {
		return k
	}
	if strings.HasSuffix(t.name, ".citext") || t.name == "citext" {
		return Citext
	}
	return Other
}
