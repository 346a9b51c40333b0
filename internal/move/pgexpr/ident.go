package pgexpr

import "strings"

// reserved holds the words that PostgreSQL takes as a name only in quotes, in some
// place or other: reserved ones, and those that are so but for functions and types.
var reserved = words(`all analyse analyze and any array as asc asymmetric authorization between bigint binary
	bit boolean both case cast char character check coalesce collate collation column concurrently constraint
	create cross current_catalog current_date current_role current_schema current_time current_timestamp
	current_user dec decimal default deferrable desc distinct do else end except exists extract false fetch float
	for foreign freeze from full grant greatest group grouping having ilike in initially inner inout int integer
	intersect interval into is isnull join lateral leading least left like limit localtime localtimestamp
	national natural nchar none normalize not notnull null nullif numeric offset on only or order out outer
	overlaps overlay placing position precision primary real references returning right row select session_user
	setof similar smallint some substring symmetric system_user table tablesample then time timestamp to trailing
	treat trim true union unique user using values varchar variadic verbose when where window with xmlattributes
	xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// PgIdent returns a name as PostgreSQL takes it, in quotes where that is needed.
func PgIdent(name string) string {
	plain := name != "" && (name[0] < '0' || name[0] > '9') && !reserved[name]
	for i := range len(name) {
		c := name[i]
		plain = plain && (c == '_' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9')
	}
	if plain {
		return name
	}
	return quoted(name)
}

// Ident returns a name as SQLite takes it. It is always in quotes: SQLite's keywords
// grow in number from release to release.
func Ident(name string) string { return quoted(name) }

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Literal returns a string constant of SQLite's. Text of PostgreSQL's has no NUL.
func Literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
