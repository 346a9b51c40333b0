package pgexpr

// Type is a type of PostgreSQL's as expressions tell them apart.
type Type string

// The types that expressions are translated over. Values of Other are compared for
// equality at most.
const (
	Unknown     Type = "unknown" // of a quoted constant without a cast, and of NULL
	Bool        Type = "boolean"
	Int2        Type = "smallint"
	Int4        Type = "integer"
	Int8        Type = "bigint"
	Numeric     Type = "numeric"
	Float4      Type = "real"
	Float8      Type = "double precision"
	Text        Type = "text"
	BPChar      Type = "character"
	Citext      Type = "citext"
	Bytea       Type = "bytea"
	Date        Type = "date"
	Timestamp   Type = "timestamp"
	TimestampTZ Type = "timestamptz"
	Interval    Type = "interval"
	UUID        Type = "uuid"
	Enum        Type = "enum"
	JSON        Type = "json"   // and jsonb
	Record      Type = "record" // a composite value, which IS NULL where all its parts are
	Other       Type = "other"
)

// Fold says what lower and upper do to text, which is its collation's matter.
type Fold int

// The ways to fold. Zero is the database's own, and [FoldSimple] where that is not known.
const (
	FoldDefault Fold = iota
	FoldASCII        // A to Z only: the collation C
	FoldSimple       // each character by itself, as libc's UTF-8 locales and the builtin ones do
	FoldFull         // ICU's, which makes SS of ß, or a Turkish one: not translated
)

// Storage says how a column keeps its values, as far as an expression must know.
type Storage struct {
	// Form is "" where the value is SQLite's own of the type (an integer, a double, text
	// as PostgreSQL prints it, bytes). Otherwise: "text" or "scaled" or "real" of a
	// numeric, "fixed", "appdb" or "micros" of times, "blob" of a uuid, "padded" of
	// char(n), "text" or "mixed" of a float that may be NaN, "json" of an array.
	Form string

	Precision, Scale int      // of a numeric; 0, 0 where it has none
	Limited          bool     // of a time: its type keeps Scale digits of a second
	Finite           bool     // a check keeps NaN, infinity and far years out
	Labels           []string // of an enum, in their order
}

// AsPrinted is storage without a form of its own.
var AsPrinted = Storage{}
