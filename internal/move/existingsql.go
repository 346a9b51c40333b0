package move

import (
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

// Affinity is what SQLite makes of values by a column's declared type.
type Affinity string

// The affinities. AffinityNone keeps every value as it is.
const (
	AffinityText    Affinity = "TEXT"
	AffinityInteger Affinity = "INTEGER"
	AffinityReal    Affinity = "REAL"
	AffinityNumeric Affinity = "NUMERIC"
	AffinityNone    Affinity = "BLOB"
)

// affinityOf is SQLite's rule (https://www.sqlite.org/datatype3.html, 3.1), in its order.
func affinityOf(declared string, strict bool) Affinity {
	name := strings.ToUpper(declared)
	contains := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
	}
	switch {
	case strict && name == "ANY":
		return AffinityNone
	case contains("INT"):
		return AffinityInteger
	case contains("CHAR", "CLOB", "TEXT"):
		return AffinityText
	case name == "", contains("BLOB"):
		return AffinityNone
	case contains("REAL", "FLOA", "DOUB"):
		return AffinityReal
	}
	return AffinityNumeric
}

// numbers reports whether texts that look like numbers become some.
func (a Affinity) numbers() bool { return a != AffinityText && a != AffinityNone }

// sqlToken is a token of a statement that SQLite has taken, and so printed in
// sqlite_schema.
type sqlToken struct {
	text       string
	from, to   int
	name       bool // a name in quotes, or a word
	quoted     bool
	depth      int // of parentheses, around it
	whitespace bool
}

// is reports whether the token is a keyword.
func (t sqlToken) is(word string) bool { return t.name && !t.quoted && strings.EqualFold(t.text, word) }

// sqlTokens cuts a statement, without spaces and comments.
func sqlTokens(sql string) (out []sqlToken) {
	depth := 0
	for i := 0; i < len(sql); {
		t := sqlToken{from: i}
		t.to, t.whitespace = tokenEnd(sql, i)
		i = t.to
		if t.whitespace {
			continue
		}
		t.text = sql[t.from:t.to]
		switch c := t.text[0]; {
		case c == '(':
			t.depth = depth
			depth++
		case c == ')':
			depth--
			t.depth = depth
		default:
			t.depth = depth
		}
		switch c := t.text[0]; {
		case c == '"' || c == '`':
			t.name, t.quoted = true, true
			t.text = strings.ReplaceAll(t.text[1:max(1, len(t.text)-1)], string([]byte{c, c}), string(c))
		case c == '[':
			t.name, t.quoted = true, true
			t.text = t.text[1:max(1, len(t.text)-1)]
		case wordByte(c) && (c < '0' || c > '9'):
			t.name = true
		}
		out = append(out, t)
	}
	return out
}

func wordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// tokenEnd returns where the token at i ends, and whether it says nothing.
func tokenEnd(sql string, i int) (end int, nothing bool) {
	until := func(stop string, from int) int {
		if n := strings.Index(sql[min(from, len(sql)):], stop); n >= 0 {
			return from + n + len(stop)
		}
		return len(sql)
	}
	switch c := sql[i]; {
	case strings.IndexByte(" \t\n\f\r", c) >= 0:
		return i + 1, true
	case strings.HasPrefix(sql[i:], "--"):
		return until("\n", i), true
	case strings.HasPrefix(sql[i:], "/*"):
		return until("*/", i+2), true
	case c == '[':
		return until("]", i), false
	case c == '\'' || c == '"' || c == '`':
		for end = until(string(c), i+1); end < len(sql) && sql[end] == c; {
			end = until(string(c), end+1)
		}
		return end, false
	case wordByte(c):
		for end = i; end < len(sql) && wordByte(sql[end]); end++ {
		}
		return end, false
	}
	return i + 1, false
}

// checksOf returns the CHECKs of a CREATE TABLE.
func checksOf(t *ExistingTable, tokens []sqlToken) (out []ExistingCheck) {
	for i, k := range tokens {
		if !k.is("check") || k.depth != 1 || i+1 == len(tokens) || tokens[i+1].text != "(" {
			continue
		}
		c, end := ExistingCheck{}, i+2
		for ; end < len(tokens) && tokens[end].depth > 1; end++ {
			if !tokens[end].name {
				continue
			}
			if column := t.Column(tokens[end].text); column != nil && !slices.Contains(c.Columns, column.Name) {
				c.Columns = append(c.Columns, column.Name)
			}
		}
		if end == len(tokens) {
			return out
		}
		c.Expr = strings.TrimSpace(t.SQL[tokens[i+1].to:tokens[end].from])
		out = append(out, c)
	}
	return out
}

// checksOn are the checks that are of one column alone.
func (t *ExistingTable) checksOn(c *ExistingColumn) (out []string) {
	for _, check := range t.Checks {
		if len(check.Columns) == 1 && pgexpr.FoldName(check.Columns[0]) == pgexpr.FoldName(c.Name) {
			out = append(out, check.Expr)
		}
	}
	return out
}
