package pgexpr_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/flysql/flysql/internal/move/pgexpr"
	"github.com/flysql/flysql/internal/testkit"
)

// Each character there is, by PostgreSQL's \s and \d and by their translations.
func TestTranslateClasses(t *testing.T) {
	t.Parallel()
	conn := testkit.Postgres(t).Conn()
	for _, class := range []string{`\s`, `\d`, `\S`, `[\s\d_]`, `[^\s@]`, `.`, `[[:digit:]]`} {
		var want string
		if err := conn.QueryRow(context.Background(), `SELECT string_agg(chr(i), '' ORDER BY i) FROM generate_series(1, 1114111) AS i
			WHERE i NOT BETWEEN 55296 AND 57343 AND (i < 13000 OR i % 500 = 0) AND chr(i) ~ $1`, "^"+class+"$").Scan(&want); err != nil {
			t.Fatal(err)
		}
		r, err := pgexpr.Translate("x ~ '^"+class+"$'", pgexpr.Env{Column: func(string) (pgexpr.Column, bool) {
			return pgexpr.Column{Name: "x", Type: pgexpr.Text, Equal: true}, true
		}})
		if err != nil {
			t.Fatal(err)
		}
		re := regexp.MustCompile(strings.TrimSuffix(strings.TrimPrefix(r.SQL, `pg_match("x", '`), "')"))
		var got strings.Builder
		for i := rune(1); i <= unicode.MaxRune; i++ {
			if utf8.ValidRune(i) && (i < 13000 || i%500 == 0) && re.MatchString(string(i)) {
				got.WriteRune(i)
			}
		}
		if got.String() != want {
			t.Errorf("%s: %d bytes of characters, PostgreSQL has %d: %.40q, %.40q", class, got.Len(), len(want), got.String(), want)
		}
	}
}
