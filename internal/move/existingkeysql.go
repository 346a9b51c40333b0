package move

import (
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

// WithoutKeys returns CREATE TABLE without the constraints that SQLite keeps an index of
// its own for, and the statements that make such indexes, by the names given for them. It
// returns "" where there are none.
func (t *ExistingTable) WithoutKeys(name func(auto string) string) (create string, indexes map[string]string) {
	indexes = map[string]string{}
	for _, u := range t.Uniques {
		if !strings.HasPrefix(u.Name, "sqlite_autoindex_") {
			continue
		}
		var keys []string
		for i, c := range u.Columns {
			key := pgexpr.Ident(c) + " COLLATE " + u.Collations[i]
			if u.Desc[i] {
				key += " DESC"
			}
			keys = append(keys, key)
		}
		indexes[u.Name] = "CREATE UNIQUE INDEX " + pgexpr.Ident(name(u.Name)) + " ON " + pgexpr.Ident(t.Name) + " (" + strings.Join(keys, ", ") + ")"
	}
	if t.WithoutRowID || len(indexes) == 0 {
		return "", nil
	}
	return t.strip(), indexes
}

// strip takes UNIQUE and PRIMARY KEY out of CREATE TABLE, but for the rowid's.
func (t *ExistingTable) strip() string {
	tokens := sqlTokens(t.SQL)
	rowid := slices.ContainsFunc(t.Columns, func(c *ExistingColumn) bool { return c.RowID })
	var b strings.Builder
	at := 0
	for i := 0; i < len(tokens); i++ {
		end := keyEnd(tokens, i)
		if end == i || rowid && tokens[i].is("primary") {
			continue
		}
		from := tokens[i].from
		if i > 1 && tokens[i-2].is("constraint") {
			i -= 2
			from = tokens[i].from
		}
		if tokens[end-1].text == ")" && i > 0 && tokens[i-1].text == "," { // of the table
			from = tokens[i-1].from
		}
		b.WriteString(t.SQL[at:from] + " ")
		at, i = tokens[end-1].to, end-1
	}
	return b.String() + t.SQL[at:]
}

// keyEnd returns the token behind a UNIQUE or PRIMARY KEY that begins at i, and i where
// none does.
func keyEnd(tokens []sqlToken, i int) int {
	is := func(at int, word string) bool {
		return at < len(tokens) && tokens[at].depth == 1 && tokens[at].is(word)
	}
	end := i
	switch {
	case is(i, "unique"):
		end = i + 1
	case is(i, "primary") && is(i+1, "key"):
		end = i + 2
	default:
		return i
	}
	if end < len(tokens) && tokens[end].text == "(" {
		for end++; end < len(tokens) && tokens[end].depth > 1; end++ {
		}
		end++
	}
	if is(end, "asc") || is(end, "desc") {
		end++
	}
	if is(end, "on") && is(end+1, "conflict") {
		end += 3
	}
	return min(end, len(tokens))
}
