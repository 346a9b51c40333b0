package move

import (
	"strings"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

// Schema is what is in one PostgreSQL database, without the system's own and what
// belongs to an extension. Lists are in the order of schema and name. Expressions and
// definitions are texts that PostgreSQL printed with an empty search_path: every name
// outside pg_catalog is qualified.
type Schema struct {
	Server     Server
	Namespaces []Namespace // the schemas, "public" too
	Tables     []*Table
	Sequences  []*Sequence
	Views      []*View
	Functions  []*Function
	Enums      []*Enum
	Domains    []*Domain
	Composites []*Composite
	Ranges     []*Range
	Extensions []Extension

	// Others is what is there and has no place above: operators, casts, publications,
	// large objects, privileges, ...
	Others []Object
}

// Server is what of the server and the database decides the meaning of its data.
type Server struct {
	Version   int    // server_version_num: 150004 is 15.4
	Database  string // its name
	Encoding  string // "UTF8"
	Collation string // LC_COLLATE, or the locale of another Provider than libc; "" where a dump does not say
	Ctype     string // LC_CTYPE, which lower and upper follow
	Provider  string // "libc", "icu" or "builtin"
	TimeZone  string // of sessions that set none
	Comment   string
}

// Name is the name of what lies in a schema.
type Name struct{ Schema, Name string }

// String returns the name as PostgreSQL takes it, quoted where that is needed.
func (n Name) String() string {
	if n.Schema == "" {
		return pgexpr.PgIdent(n.Name)
	}
	return pgexpr.PgIdent(n.Schema) + "." + pgexpr.PgIdent(n.Name)
}

func compareNames(a, b Name) int {
	if c := strings.Compare(a.Schema, b.Schema); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

// Namespace is a schema of PostgreSQL's.
type Namespace struct{ Name, Comment string }

// TypeKind says what a type is made of.
type TypeKind string

// The kinds of types.
const (
	BaseType       TypeKind = "base"
	ArrayType      TypeKind = "array"
	DomainType     TypeKind = "domain"
	EnumType       TypeKind = "enum"
	CompositeType  TypeKind = "composite"
	RangeType      TypeKind = "range"
	MultirangeType TypeKind = "multirange"
	PseudoType     TypeKind = "pseudo"
)

// Type is the type of a column, an element or an attribute.
type Type struct {
	Name
	SQL  string // as PostgreSQL prints it: "character varying(20)[]"
	Kind TypeKind
	Mod  int32 // typmod; -1 where it has none
	Elem *Type // of an array its element, of a range or multirange its subtype
	Base *Type // of a domain
}

// Root is what a domain is made of in the end; any other type is its own.
func (t *Type) Root() *Type {
	for t.Kind == DomainType && t.Base != nil {
		t = t.Base
	}
	return t
}

// Builtin reports whether the type is PostgreSQL's own of that name ("int4").
func (t *Type) Builtin(name string) bool { return t.Schema == "pg_catalog" && t.Name.Name == name }

// TableKind says what a table is.
type TableKind string

// The kinds of tables.
const (
	PlainTable       TableKind = "table"
	PartitionedTable TableKind = "partitioned table"
	ForeignTable     TableKind = "foreign table"
)

// Table is a table with all that hangs on it.
type Table struct {
	Name
	Kind            TableKind
	Unlogged        bool
	Columns         []*Column
	Constraints     []*Constraint
	Indexes         []*Index // without those that a constraint has made
	Triggers        []*Trigger
	Rules           []*Rule
	Policies        []*Policy
	RowSecurity     bool // policies are in force
	ForceSecurity   bool // for the owner, too
	Inherits        []Name
	PartitionOf     *Name
	PartitionBound  string // "FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')"
	PartitionKey    string // "RANGE (at)"
	OfType          string // CREATE TABLE OF
	ForeignServer   string
	ReplicaIdentity string   // "default", "nothing", "full" or "index"
	Options         []string // storage parameters, "fillfactor=70"
	Comment         string
	Rows            int64 // PostgreSQL's estimate; -1 where it has none
	Bytes           int64 // on PostgreSQL's disk, with TOAST and without indexes
}

// Column returns the column of that name, or nil.
func (t *Table) Column(name string) *Column {
	for _, c := range t.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Column is a column of a table.
type Column struct {
	Name      string
	Type      *Type
	NotNull   bool
	Default   string // an expression; "" where there is none
	Generated string // the expression of a generated column
	Virtual   bool   // Generated, and not stored
	Identity  string // "always", "by default" or ""
	Collation string // where it is not the type's own, qualified
	Sequence  *Name  // the sequence that it owns: serial and identity
	Inherited bool   // from a parent, and nothing of its own
	Comment   string
}

// ConstraintKind says what a constraint is.
type ConstraintKind string

// The kinds of constraints.
const (
	PrimaryKey ConstraintKind = "primary key"
	Unique     ConstraintKind = "unique"
	Check      ConstraintKind = "check"
	ForeignKey ConstraintKind = "foreign key"
	Exclusion  ConstraintKind = "exclusion"
)

// Constraint is a constraint of a table or a domain.
type Constraint struct {
	Name             string
	Kind             ConstraintKind
	Columns          []string // in the key's order; of a check those that it reads
	Include          []string
	Expr             string // of a check
	Definition       string // as PostgreSQL prints it, "CHECK ((a > 0)) NOT VALID"
	NullsNotDistinct bool
	Deferrable       bool
	Deferred         bool // INITIALLY DEFERRED
	NotValid         bool
	NoInherit        bool
	Inherited        bool
	References       *Reference // of a foreign key
	Comment          string
}

// Reference is the other end of a foreign key.
type Reference struct {
	Table      Name
	Columns    []string
	OnUpdate   string // "NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"
	OnDelete   string
	SetColumns []string // ON DELETE SET NULL (a, b)
	Full       bool     // MATCH FULL
}

// Index is an index that no constraint has made.
type Index struct {
	Name             string
	Method           string // "btree", "gin", ...
	Unique           bool
	NullsNotDistinct bool
	Valid            bool // false: a CREATE INDEX CONCURRENTLY that failed
	Keys             []IndexKey
	Include          []string
	Where            string
	Definition       string
	Inherited        bool // of a partitioned table's index
	Comment          string
}

// IndexKey is one column or expression of an index.
type IndexKey struct {
	Column     string // "" where it is an expression
	Expr       string
	Desc       bool
	NullsFirst bool
	OpClass    string // where it is not the type's default
	Collation  string // where it is not the column's own
}

// Sequence is a sequence and where it stands.
type Sequence struct {
	Name
	Type      string // "bigint"
	Start     int64
	Increment int64
	Min, Max  int64
	Cycle     bool
	Known     bool  // its state could be read
	Last      int64 // last_value
	Called    bool  // is_called: Last has been given out
	OwnedBy   *ColumnName
	Identity  bool // made by an identity column
	Comment   string
}

// ColumnName names a column of a table.
type ColumnName struct {
	Table  Name
	Column string
}

// View is a view or a materialized one.
type View struct {
	Name
	Materialized bool
	Populated    bool // a materialized view has rows
	Columns      []*Column
	Definition   string // its SELECT
	CheckOption  string // "local", "cascaded" or ""
	Indexes      []*Index
	Triggers     []*Trigger
	Rules        []*Rule
	Comment      string
}

// Trigger is a trigger that nothing internal has made.
type Trigger struct {
	Name       string
	Function   Name
	Enabled    string // "origin", "disabled", "replica" or "always"
	Definition string
	Comment    string
}

// Rule is a rule that somebody has written: a view's own SELECT is none.
type Rule struct{ Name, Definition, Comment string }

// Policy is a policy of row level security.
type Policy struct {
	Name, Command string // Command: "select", "insert", "update", "delete" or "all"
	Permissive    bool
	Roles         []string
	Using, Check  string
	Comment       string
}

// Function is a function, a procedure, an aggregate or a window function.
type Function struct {
	Name
	Kind       string // "function", "procedure", "aggregate" or "window function"
	Arguments  string // "a integer, b text"
	Language   string
	Definition string // CREATE FUNCTION; "" of an aggregate
	Comment    string
}

// Enum is an enumeration, its labels in their order.
type Enum struct {
	Name
	Labels  []string
	Comment string
}

// Domain is a type with a default and constraints of its own.
type Domain struct {
	Name
	Type      *Type // what it is of, perhaps a domain again
	NotNull   bool
	Default   string
	Collation string
	Checks    []*Constraint // expressions over VALUE
	Comment   string
}

// Composite is a type of named attributes that is no table's.
type Composite struct {
	Name
	Attributes []*Column
	Comment    string
}

// Range is a range type that somebody has made.
type Range struct {
	Name
	Subtype *Type
	Comment string
}

// Extension is an installed extension.
type Extension struct{ Name, Version, Schema, Comment string }

// Object is something that only its name is known of.
type Object struct {
	Kind     string // "cast", "publication", "large objects", "privileges", ...
	Identity string // as PostgreSQL names it
	Detail   string
}
