// Package pgexpr turns PostgreSQL's expressions into SQLite's.
//
//	r, err := pgexpr.Translate("(price >= (0)::numeric)", pgexpr.Env{Column: columns})
//	fmt.Println(r.SQL) // (CAST("price" AS REAL) >= CAST('0' AS REAL))
//
// It reads what pg_get_expr and pg_get_constraintdef print, and what people write. The
// result is exact: for every row whose values are stored as [Storage] says, SQLite
// gives what PostgreSQL gives. Where SQLite has nothing that is exact, a function of
// package pgfunc is called, and named in Result.Functions; where there is none, the
// error, a *[Refused], says why.
//
// Where PostgreSQL raises an error (an overflow, a division by zero), SQLite may give
// NULL or a wider number instead: no row that PostgreSQL has taken is concerned.
package pgexpr
