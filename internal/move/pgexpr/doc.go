// Package pgexpr turns PostgreSQL's expressions into SQLite's.
package pgexpr
