// Package frompostgres proves examples/from-postgres: a real PostgreSQL, what it was,
// flysql import, flysql-entrypoint, and the app on what was imported.
package frompostgres
