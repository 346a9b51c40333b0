package pgexpr_test

import (
	"fmt"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

func ExampleTranslate() {
	env := pgexpr.Env{Column: func(name string) (pgexpr.Column, bool) {
		return pgexpr.Column{Name: name, Type: pgexpr.Text, Equal: true}, name == "email"
	}}
	for _, expr := range []string{"(email ~~ '%@%'::text)", "lower(email)", "email < 'm'"} {
		r, err := pgexpr.Translate(expr, env)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(r.SQL, r.Functions)
	}
	// Output:
	// ("email" GLOB '*@*') []
	// pg_lower("email") [pg_lower]
	// at 7: text is compared in the order of a collation that SQLite does not have; COLLATE "C" would be translated
}
