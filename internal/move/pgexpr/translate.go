package pgexpr

import (
	"slices"
	"strconv"
	"strings"
)

// Column is a column as an expression sees it.
type Column struct {
	Name    string // in SQLite
	Type    Type
	Storage Storage

	// Bytewise says that its collation orders text by bytes, as SQLite does; Equal that
	// texts are equal only if their bytes are. Both are of text types.
	Bytewise, Equal bool

	Fold Fold // of a text type

	table string // of a query's several
}

// Env says what an expression stands in.
type Env struct {
	Column   func(name string) (Column, bool) // nil: there are none
	Value    *Column                          // what VALUE is, in a domain's check
	Bytewise bool                             // the database's collation orders text by bytes
	Fold     Fold                             // what its lower and upper do
	Plain    bool                             // what needs a function of package pgfunc is refused

	resolve func(parts []string) (Column, bool) // of a query
}

// Result is a translated expression.
type Result struct {
	SQL       string
	Type      Type
	Storage   Storage  // the form of its values
	Functions []string // of package pgfunc, that it calls
	Notes     []string // what differs all the same
}

// Translate translates an expression. The error is a *Refused.
func Translate(expr string, env Env) (r *Result, err error) {
	n, err := parse(expr)
	if err != nil {
		return nil, err
	}
	defer catch(&err)
	t := &translator{env: env}
	v := t.expr(n)
	if v.typ == Unknown {
		v = t.cast(v, Text, n.at())
	}
	v = t.settle(v, n.at())
	slices.Sort(t.functions)
	return &Result{SQL: v.sql, Type: v.typ, Storage: v.st, Functions: slices.Compact(t.functions), Notes: t.notes}, nil
}

type translator struct {
	env       Env
	functions []string
	notes     []string
	size      int // of what has been written, since expanding may repeat it
}

// value is a translated part.
type value struct {
	sql string
	typ Type
	st  Storage

	lit  bool   // a constant; sql is not set
	null bool   // the constant NULL
	text string // of a constant: what PostgreSQL prints of it

	bytewise, equal bool // as Column's
	fold            Fold
}

// call writes a call of a function of ours.
func (t *translator) call(name string, args ...string) string {
	if t.env.Plain {
		refuse(0, "it needs %s, which only package appdb has", name)
	}
	t.functions = append(t.functions, name)
	return t.grown(name + "(" + strings.Join(args, ", ") + ")")
}

// note says once what differs.
func (t *translator) note(text string) {
	if !slices.Contains(t.notes, text) {
		t.notes = append(t.notes, text)
	}
}

// grown bounds what is written: SQLite's own limit is a megabyte.
func (t *translator) grown(sql string) string {
	if t.size += len(sql); t.size > 16*maxLength || len(sql) > maxLength {
		refuse(0, "its translation is longer than a megabyte")
	}
	return sql
}

func (t *translator) expr(n node) value {
	v := t.node(n)
	t.grown(v.sql)
	return v
}

func (t *translator) node(n node) value {
	switch n := n.(type) {
	case *constNode:
		return t.constant(n)
	case *nameNode:
		return t.name(n)
	case *castNode:
		return t.castNode(n)
	case *unaryNode:
		return t.unary(n)
	case *binaryNode:
		return t.binary(n)
	case *isNode:
		return t.is(n)
	case *inNode:
		return t.in(n.at(), t.expr(n.x), n.list, "=", n.not)
	case *betweenNode:
		return t.between(n)
	case *anyNode:
		return t.any(n)
	case *caseNode:
		return t.caseOf(n)
	case *callNode:
		return t.callNode(n)
	case *collateNode:
		v := t.expr(n.x)
		if v.typ == Citext || v.typ == BPChar {
			refuse(n.at(), "COLLATE of %s is not translated", v.typ)
		}
		v = t.textual(v, n.at())
		switch n.collation {
		case "C", "POSIX":
			v.fold = FoldASCII
		case "default":
			v.fold = FoldDefault
		case "ucs_basic", "pg_c_utf8", "C.utf8", "C.UTF-8":
			v.fold = FoldSimple
		default:
			v.fold = FoldFull // it may be ICU's
		}
		v.bytewise, v.equal = n.collation == "C" || n.collation == "POSIX" || n.collation == "ucs_basic" || n.collation == "default" && t.env.Bytewise, true
		return v
	case *arrayNode:
		refuse(n.at(), "an array is translated in = ANY (...) only")
	}
	refuse(n.at(), "it is not translated")
	return value{}
}

func (t *translator) constant(n *constNode) value {
	switch n.kind {
	case tokString:
		return value{typ: Unknown, lit: true, text: n.text}
	case tokBits:
		refuse(n.at(), "bit strings are not translated")
	case tokIdent:
		switch n.text {
		case "null":
			return value{typ: Unknown, lit: true, null: true}
		case "true":
			return value{typ: Bool, lit: true, text: "t"}
		}
		return value{typ: Bool, lit: true, text: "f"}
	}
	if !strings.ContainsAny(n.text, ".eE") {
		if _, err := strconv.ParseInt(n.text, 10, 32); err == nil {
			return value{typ: Int4, lit: true, text: canonicalInt(n.text)}
		}
		if _, err := strconv.ParseInt(n.text, 10, 64); err == nil {
			return value{typ: Int8, lit: true, text: canonicalInt(n.text)}
		}
	}
	return value{typ: Numeric, lit: true, text: canonicalNumeric(n.text, n.at())}
}

func canonicalInt(s string) string {
	if s = strings.TrimLeft(s, "0"); s == "" {
		return "0"
	}
	return s
}

// canonicalNumeric prints a decimal constant as PostgreSQL does.
func canonicalNumeric(s string, at int) string {
	if strings.ContainsAny(s, "eE") {
		refuse(at, "a number with an exponent is not translated: write its digits")
	}
	whole, fraction, point := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	whole = canonicalInt(strings.TrimPrefix(whole, "+"))
	for _, c := range whole + fraction {
		if c < '0' || c > '9' {
			refuse(at, "not a number")
		}
	}
	if strings.Trim(whole+fraction, "0") == "" {
		sign = ""
	}
	if point && fraction != "" {
		whole += "." + fraction
	}
	return sign + whole
}

func (t *translator) name(n *nameNode) value {
	name := n.parts[len(n.parts)-1]
	if t.env.Value != nil && len(n.parts) == 1 && name == "value" {
		return columnValue(*t.env.Value)
	}
	if t.env.resolve != nil {
		if c, ok := t.env.resolve(n.parts); ok {
			return columnValue(c)
		}
	}
	if t.env.Column != nil {
		if c, ok := t.env.Column(name); ok {
			return columnValue(c)
		}
	}
	refuse(n.at(), "there is no column %s", strings.Join(n.parts, "."))
	return value{}
}

func columnValue(c Column) value {
	sql := Ident(c.Name)
	if c.table != "" {
		sql = Ident(c.table) + "." + sql
	}
	return value{sql: sql, typ: c.Type, st: c.Storage, bytewise: c.Bytewise, equal: c.Equal, fold: c.Fold}
}

// settle makes a constant into SQL, in the form that its type has by default.
func (t *translator) settle(v value, at int) value {
	if v.lit {
		if v.sql = t.literal(v, v.st, at); v.typ == Numeric {
			v.st = Storage{Form: "text"}
		}
		v.lit, v.null = false, false
	}
	return v
}

// literal writes a constant in a form.
func (t *translator) literal(v value, st Storage, at int) string {
	if v.null {
		return "NULL"
	}
	switch v.typ {
	case Bool:
		if v.text == "t" {
			return "1"
		}
		return "0"
	case Int2, Int4, Int8:
		if strings.HasPrefix(v.text, "-") {
			return "(" + v.text + ")"
		}
		return v.text
	case Float4, Float8:
		s := v.text
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		if strings.HasPrefix(s, "-") {
			s = "(" + s + ")"
		}
		return s
	case Numeric:
		return t.numericLiteral(v, st, at)
	case Timestamp, TimestampTZ:
		return t.timeLiteral(v, st, at)
	case UUID:
		if st.Form == "blob" {
			return "x'" + strings.ReplaceAll(v.text, "-", "") + "'"
		}
	case BPChar:
		if st.Form == "padded" {
			refuse(at, "a constant of char(n) that is kept with its blanks is not translated")
		}
	case Bytea:
		return "x'" + strings.TrimPrefix(v.text, `\x`) + "'"
	}
	return Literal(v.text)
}

// textual is a text value: a constant without a type becomes one.
func (t *translator) textual(v value, at int) value {
	switch v.typ {
	case Unknown, Text:
		if v.lit {
			v.typ, v.bytewise, v.equal = Text, t.env.Bytewise, true
		}
		return v
	case BPChar:
		return t.cast(v, Text, at)
	}
	refuse(at, "a value of type %s is not text here", v.typ)
	return v
}

// boolean is a condition.
func (t *translator) boolean(n node) value {
	v := t.expr(n)
	if v.typ == Unknown {
		v = t.cast(v, Bool, n.at())
	}
	if v.typ != Bool {
		refuse(n.at(), "a condition of type %s", v.typ)
	}
	return t.settle(v, n.at())
}

func truth(sql string) value { return value{sql: sql, typ: Bool} }

func (t *translator) is(n *isNode) value {
	not := ""
	if n.not {
		not = "NOT "
	}
	if n.what == "NULL" {
		v := t.expr(n.x)
		if v.typ == Record {
			refuse(n.at(), "IS NULL of a composite value is not translated")
		}
		return truth("(" + t.settle(v, n.at()).sql + " IS " + not + "NULL)")
	}
	v := t.boolean(n.x)
	what := map[string]string{"TRUE": "1", "FALSE": "0", "UNKNOWN": "NULL"}[n.what]
	return truth("(" + v.sql + " IS " + not + what + ")")
}

func (t *translator) between(n *betweenNode) value {
	if n.symmetric {
		refuse(n.at(), "BETWEEN SYMMETRIC is not translated")
	}
	x := t.expr(n.x)
	low := t.compare(">=", x, t.expr(n.low), n.at())
	high := t.compare("<=", x, t.expr(n.high), n.at())
	sql := "(" + low.sql + " AND " + high.sql + ")"
	if n.not {
		sql = "(NOT " + sql + ")"
	}
	return truth(sql)
}
