package pgfunc_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/pgfunc"
	"github.com/flysql/flysql/internal/testkit"
)

func TestMain(m *testing.M) { testkit.PostgresMain(m) }

func apply(t *testing.T, name string, args ...driver.Value) (driver.Value, error) {
	t.Helper()
	for _, f := range pgfunc.All() {
		if f.Name == name {
			return f.Apply(args)
		}
	}
	t.Fatalf("no function %s", name)
	return nil, nil
}

// Each character there is, in lower and upper case, by PostgreSQL and by the function.
// glibc and Go may know different releases of Unicode: what is young may differ.
func TestCase(t *testing.T) {
	t.Parallel()
	conn := testkit.Postgres(t).Conn()
	rows, err := conn.Query(context.Background(), `SELECT c, lower(c), upper(c) FROM (SELECT chr(i) AS c FROM generate_series(1, 1114111) AS i WHERE i NOT BETWEEN 55296 AND 57343) AS s
		WHERE lower(c) <> c OR upper(c) <> c`)
	if err != nil {
		t.Fatal(err)
	}
	var char, lower, upper string
	want := map[rune][2]string{} // of characters that have another case
	if _, err := pgx.ForEachRow(rows, []any{&char, &lower, &upper}, func() error {
		want[[]rune(char)[0]] = [2]string{lower, upper}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var differ []string
	for c := rune(1); c <= unicode.MaxRune; c++ {
		w, cased := want[c]
		if !utf8.ValidRune(c) || !cased && unicode.ToLower(c) == c && unicode.ToUpper(c) == c {
			continue
		}
		gotLower, err := apply(t, "pg_lower", string(c))
		gotUpper, err2 := apply(t, "pg_upper", string(c))
		if err != nil || err2 != nil || gotLower != w[0] || gotUpper != w[1] {
			differ = append(differ, fmt.Sprintf("%U", c))
		}
	}
	if len(differ) > 60 || len(want) < 2000 {
		t.Errorf("%d of %d differ: %v", len(differ), len(want), differ)
	}
}

// Numbers of all sizes and scales, by PostgreSQL and by the functions.
func TestNumeric(t *testing.T) {
	t.Parallel()
	conn := testkit.Postgres(t).Conn()
	r := rand.New(rand.NewPCG(3, 4))
	names := map[string]string{"pg_numeric_add": "%s + %s", "pg_numeric_sub": "%s - %s", "pg_numeric_mul": "%s * %s", "pg_numeric_div": "%s / %s", "pg_numeric_mod": "%s %% %s",
		"pg_numeric_neg": "-%s", "pg_numeric_abs": "abs(%s)", "pg_numeric_sign": "sign(%s)", "pg_numeric_ceil": "ceil(%s)", "pg_numeric_floor": "floor(%s)",
		"pg_numeric_cmp": "CASE WHEN %[1]s < %[2]s THEN -1 WHEN %[1]s = %[2]s THEN 0 ELSE 1 END", "pg_numeric_round": "round(%s, %s::int)", "pg_numeric_trunc": "trunc(%s, %s::int)"}
	for range 150 {
		a, b, digits := number(r), number(r), int64(r.IntN(12)-4)
		for _, f := range pgfunc.All() {
			format, ok := names[f.Name]
			if !ok {
				continue
			}
			args, sql := []driver.Value{a, b}[:f.Args], []any{"'" + a + "'::numeric", "'" + b + "'::numeric"}[:f.Args]
			if strings.Contains(format, "int") {
				args[1], sql[1] = digits, fmt.Sprintf("(%d)", digits)
			}
			var want string
			err := conn.QueryRow(context.Background(), "SELECT ("+fmt.Sprintf(format, sql...)+")::text").Scan(&want)
			if err != nil && strings.Contains(err.Error(), "division by zero") {
				want, err = "<nil>", nil
			}
			got, err2 := f.Apply(args)
			if (err == nil) != (err2 == nil) || err == nil && fmt.Sprint(got) != want {
				t.Errorf("%s%v: %v, %v; PostgreSQL has %s, %v", f.Name, args, got, err2, want, err)
			}
		}
	}
}

// number makes a numeric, special ones among them.
func number(r *rand.Rand) string {
	if r.IntN(12) == 0 {
		return []string{"NaN", "Infinity", "-Infinity", "0", "0.000", "1"}[r.IntN(6)]
	}
	n := new(big.Int).Rsh(new(big.Int).SetUint64(r.Uint64()), uint(r.IntN(64)))
	for range r.IntN(3) {
		n.Mul(n, big.NewInt(r.Int64()))
	}
	s := n.String()
	if point := r.IntN(len(s) + 8); point > 0 {
		s = strings.Repeat("0", max(point-len(s)+1, 0)) + s
		s = s[:len(s)-point] + "." + s[len(s)-point:]
	}
	if r.IntN(2) == 0 {
		s = "-" + s
	}
	return s
}

func TestFunctions(t *testing.T) {
	for _, c := range []struct {
		name string
		args []driver.Value
		want string // begins with ! for an error
	}{
		{"pg_lower", []driver.Value{nil}, "<nil>"},
		{"pg_lower", []driver.Value{"ÉCOLE ß"}, "école ß"},
		{"pg_like", []driver.Value{"a%b", `a\%b`, `\`}, "1"},
		{"pg_like", []driver.Value{"axb", `a\%b`, `\`}, "0"},
		{"pg_like", []driver.Value{"aXb", "a_b", ""}, "1"},
		{"pg_like", []driver.Value{"a", `a\`, `\`}, "!pg_like: the pattern ends"},
		{"pg_like", []driver.Value{strings.Repeat("a", 5000), strings.Repeat("%a", 500) + "b", ""}, "0"},
		{"pg_ilike", []driver.Value{"École", "éC%", ""}, "1"},
		{"pg_ilike_ascii", []driver.Value{"École", "éC%", ""}, "0"},
		{"pg_match", []driver.Value{"abc", "^[a-c]+$"}, "1"},
		{"pg_match", []driver.Value{"abc", "("}, "!pg_match: not a regular expression"},
		{"pg_float_text", []driver.Value{1e15}, "1e+15"},
		{"pg_float_text", []driver.Value{int64(3)}, "3"},
		{"pg_rint", []driver.Value{2.5}, "2"},
		{"pg_date_add", []driver.Value{"2024-02-28", int64(2)}, "2024-03-01"},
		{"pg_date_add", []driver.Value{"0001-01-01", int64(-1)}, "!pg_date_add: the date is outside"},
		{"pg_date_add", []driver.Value{"9999-12-31", int64(1)}, "!pg_date_add: the date is outside"},
		{"pg_date_add", []driver.Value{"2024-02-30", int64(1)}, "!pg_date_add: not a date"},
		{"pg_numeric_int", []driver.Value{"2.5"}, "3"},
		{"pg_numeric_int", []driver.Value{"-9223372036854775808.4"}, "-9223372036854775808"},
		{"pg_numeric_int", []driver.Value{"9223372036854775808"}, "!pg_numeric_int: out of range"},
		{"pg_numeric_float", []driver.Value{"0.1"}, "0.1"},
		{"pg_numeric_unscale", []driver.Value{int64(-5), int64(2)}, "-0.05"},
		{"pg_numeric_add", []driver.Value{"1e5", "1"}, "!pg_numeric_add: not a decimal number"},
		{"pg_numeric_div", []driver.Value{"1", "0"}, "<nil>"},
		{"pg_numeric_round", []driver.Value{"1.5", int64(1 << 40)}, "1.5" + strings.Repeat("0", 1999)},
	} {
		v, err := apply(t, c.name, c.args...)
		got := fmt.Sprint(v)
		if err != nil {
			got = "!" + err.Error()
		}
		if got != c.want && !(strings.HasPrefix(c.want, "!") && strings.HasPrefix(got, c.want)) {
			t.Errorf("%s%.60v: %s, want %s", c.name, c.args, got, c.want)
		}
	}
}
