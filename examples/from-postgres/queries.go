package main

import (
	_ "embed"
	"strings"
)

// queriesSQL is all of the app's SQL.
//
//go:embed queries.sql
var queriesSQL string

// queries are statements by the names that "-- name:" gives them.
type queries map[string]string

func parseQueries(text string) queries {
	q := queries{}
	for _, part := range strings.Split(text, "-- name: ")[1:] {
		name, sql, _ := strings.Cut(part, "\n")
		q[name] = strings.TrimSpace(sql)
	}
	return q
}
