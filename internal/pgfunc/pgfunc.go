// Package pgfunc has functions for SQLite that do exactly what PostgreSQL does, where
// SQLite has none: an imported schema's checks, indexes and views call them.
//
//	err := pgfunc.Register() // nil: every connection of modernc.org/sqlite has them
//
// Whoever imports this package has them, and so does an app through package appdb, and a
// migration that flysql-entrypoint runs. All are deterministic, and NULL where an argument
// is NULL.
//
// Another program, such as sqlite3 or an app with another driver, reads a database that
// calls one, but for views and virtual columns that do. It cannot write to a table whose
// checks, indexes or generated columns call one, nor run VACUUM, REINDEX or
// integrity_check: SQLite says "unknown function" or "no such function" before anything
// has happened. It may define functions of these names itself, which must do the same.
//
// Numbers are a numeric's text: digits with a point, NaN, Infinity or -Infinity.
//
//	pg_lower(text), pg_upper(text)       by Unicode's simple mappings, as libc's UTF-8 locales do
//	pg_like(text, pattern, escape)       1 or 0; escape may be ''
//	pg_ilike(text, pattern, escape)      the same of both in lower case; pg_ilike_ascii folds A to Z only
//	pg_match(text, re)                   1 or 0; re is a regular expression of Go's
//	pg_date_add(date, days)              a date as text; an error outside the years 1 to 9999
//	pg_float_text(real)                  the shortest text that is read as that double, as PostgreSQL 12 and later print it
//	pg_rint(real)                        rounded to the nearest integer, halves to the even one
//	pg_numeric_cmp(a, b)                 -1, 0 or 1; NaN equals itself and is above all
//	pg_numeric_add, _sub, _mul, _div, _mod(a, b)   with the digits after the point that PostgreSQL gives;
//	                                     NULL of a division by zero, as SQLite's own
//	pg_numeric_neg, _abs, _sign, _ceil, _floor(a)
//	pg_numeric_round, _trunc(a, digits)  halves away from zero
//	pg_numeric_int(a)                    an integer, rounded so; an error beyond 64 bits
//	pg_numeric_float(a)                  the nearest double
//	pg_numeric_unscale(integer, digits)  integer / 10^digits as text
package pgfunc

import (
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"
)

// Func is a function of SQLite's.
type Func struct {
	Name string
	Args int

	// Call takes what database/sql knows of SQLite's values: nil, int64, float64, string
	// and []byte. It is never called with a nil.
	Call func(args []driver.Value) (driver.Value, error)
}

// All returns the functions, in the order of their names.
func All() []Func {
	return []Func{
		{"pg_date_add", 2, dateAdd},
		{"pg_float_text", 1, realArg(func(f float64) (driver.Value, error) { return floatText(f), nil })},
		{"pg_ilike", 3, like(lower)},
		{"pg_ilike_ascii", 3, like(lowerASCII)},
		{"pg_like", 3, like(func(s string) string { return s })},
		{"pg_lower", 1, text(lower)},
		{"pg_match", 2, match},
		{"pg_numeric_abs", 1, unary(func(a number) (number, error) { a.neg = false; return a, nil })},
		{"pg_numeric_add", 2, binary(add)},
		{"pg_numeric_ceil", 1, unary(ceil)},
		{"pg_numeric_cmp", 2, compare},
		{"pg_numeric_div", 2, binary(div)},
		{"pg_numeric_float", 1, toFloat},
		{"pg_numeric_floor", 1, unary(floor)},
		{"pg_numeric_int", 1, toInt},
		{"pg_numeric_mod", 2, binary(mod)},
		{"pg_numeric_mul", 2, binary(mul)},
		{"pg_numeric_neg", 1, unary(neg)},
		{"pg_numeric_round", 2, digits(round)},
		{"pg_numeric_sign", 1, unary(sign)},
		{"pg_numeric_sub", 2, binary(sub)},
		{"pg_numeric_trunc", 2, digits(trunc)},
		{"pg_numeric_unscale", 2, unscale},
		{"pg_rint", 1, realArg(rint)},
		{"pg_upper", 1, text(upper)},
	}
}

// registered is of before main begins: the driver looks through its functions, without a
// lock, whenever it opens a connection.
var registered = register()

func register() error {
	var errs []error
	for _, f := range All() {
		err := sqlite.RegisterDeterministicScalarFunction(f.Name, int32(f.Args), func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			return f.Apply(args)
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("register %s: %w", f.Name, err))
		}
	}
	return errors.Join(errs...)
}

// Register reports whether the driver modernc.org/sqlite knows the functions. It does
// since the program began, unless somebody else has taken one of their names.
func Register() error { return registered }

// Apply calls the function; of a NULL it is NULL.
func (f Func) Apply(args []driver.Value) (driver.Value, error) {
	for _, a := range args {
		if a == nil {
			return nil, nil
		}
	}
	v, err := f.Call(args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return v, nil
}

// str is an argument as text.
func str(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}

func text(f func(string) string) func([]driver.Value) (driver.Value, error) {
	return func(args []driver.Value) (driver.Value, error) { return f(str(args[0])), nil }
}

func realArg(f func(float64) (driver.Value, error)) func([]driver.Value) (driver.Value, error) {
	return func(args []driver.Value) (driver.Value, error) {
		switch v := args[0].(type) {
		case float64:
			return f(v)
		case int64:
			return f(float64(v))
		}
		return nil, errors.New("not a number")
	}
}
