package pgexpr

import (
	"strings"
	"testing"
)

var testColumns = map[string]Column{
	"a":     {Name: "a", Type: Int4},
	"price": {Name: "price", Type: Numeric, Storage: Storage{Form: "text", Precision: 10, Scale: 2, Finite: true}},
	"cents": {Name: "cents", Type: Numeric, Storage: Storage{Form: "scaled", Precision: 10, Scale: 2, Finite: true}},
	"wide":  {Name: "wide", Type: Numeric, Storage: Storage{Form: "text"}},
	"loose": {Name: "loose", Type: Numeric, Storage: Storage{Form: "real"}},
	"x":     {Name: "x", Type: Text, Equal: true},
	"c":     {Name: "c", Type: Text, Equal: true, Bytewise: true},
	"plain": {Name: "plain", Type: Text, Equal: true, Fold: FoldASCII},
	"icu":   {Name: "icu", Type: Text, Equal: true, Fold: FoldFull},
	"same":  {Name: "same", Type: Text},
	"mail":  {Name: "mail", Type: Citext},
	"at":    {Name: "at", Type: TimestampTZ, Storage: Storage{Form: "fixed", Finite: true}},
	"then":  {Name: "then", Type: TimestampTZ, Storage: Storage{Form: "appdb", Finite: true}},
	"text":  {Name: "text", Type: Timestamp, Storage: Storage{Form: "text", Finite: true}},
	"day":   {Name: "day", Type: Date, Storage: Storage{Form: "text", Finite: true}},
	"when":  {Name: "when", Type: TimestampTZ, Storage: Storage{Form: "micros", Finite: true}},
	"ever":  {Name: "ever", Type: Date, Storage: Storage{Form: "text"}},
	"u":     {Name: "u", Type: UUID, Storage: Storage{Form: "blob"}},
	"odd":   {Name: `o"dd`, Type: Bool},
	"net":   {Name: "net", Type: Other},
}

func testEnv() Env {
	return Env{Column: func(name string) (Column, bool) { c, ok := testColumns[name]; return c, ok }}
}

// What is simple stays simple, and calls no function.
func TestTranslate(t *testing.T) {
	for in, want := range map[string]string{
		"(a > 0)":                                    `("a" > 0)`,
		"a > 0 AND NOT odd":                          `(("a" > 0) AND (NOT "o""dd"))`,
		"price >= (0)::numeric":                      `(CAST("price" AS REAL) >= CAST('0' AS REAL))`,
		"cents >= (0)::numeric":                      `("cents" >= 0)`,
		"cents < 10.5":                               `("cents" < 1050)`,
		"cents < 0.001":                              `(pg_numeric_cmp(pg_numeric_unscale("cents", 2), '0.001') < 0)`,
		"wide > price":                               `(pg_numeric_cmp("wide", "price") > 0)`,
		"x = ANY (ARRAY['a'::text, 'b'::text])":      `(("x" = 'a') OR ("x" = 'b'))`,
		"x ~~ 'it''s%'::text":                        `("x" GLOB 'it''s*')`,
		"c < 'b'":                                    `("c" < 'b')`,
		"mail = 'A'::public.citext":                  `(pg_lower("mail") = pg_lower('A'))`,
		"(mail)::text = 'A'":                         `(("mail" COLLATE BINARY) = 'A')`,
		"lower(plain) = 'a'":                         `(lower("plain") = 'a')`,
		"lower(plain || 'É') ILIKE x":                `pg_ilike_ascii(lower(("plain" || 'É')), "x", '\')`,
		"upper(coalesce(plain, 'x'))":                `upper(coalesce("plain", 'x'))`,
		"upper(x COLLATE \"C\")":                     `upper("x")`,
		"upper(plain || icu)":                        "!its collation's lower and upper",
		"icu ILIKE 'a'":                              "!its collation's lower and upper",
		"mail OPERATOR(public.=) 'A'::public.citext": `(pg_lower("mail") = pg_lower('A'))`,
		"at > '2024-01-01 00:00:00+00'::timestamp with time zone": `("at" > '2024-01-01 00:00:00.000000+00:00')`,
		"\"then\" > '2024-01-01 00:00:00.50+02'":                  `("then" > '2023-12-31 22:00:00.5+00:00')`,
		"\"then\" > at":                                           "!two times in different forms",
		"\"text\" > day":                                          `("text" > ("day" || ' 00:00:00'))`,
		"day::timestamp > '2024-01-01'":                           `(("day" || ' 00:00:00+00:00') > '2024-01-01 00:00:00+00:00')`,
		`"when" > '1970-01-01 00:00:01+00'`:                       `("when" > 1000000)`,
		"u = '6BA7B810-9dad-11d1-80b4-00c04fd430c8'":              `("u" = x'6ba7b8109dad11d180b400c04fd430c8')`,
		"x ~ '^[a-z]+$'":                                          `pg_match("x", '(?s)^[a-z]+$')`,
		"(char_length((x)::text) <= 20)":                          `(length("x") <= 20)`,
		"a /* a comment /* in another */ */ > -- more\n 0":        `("a" > 0)`,
		"$q$it's$q$ = x":                                          `('it''s' = "x")`,
		"E'a\\'b' = x":                                            `('a''b' = "x")`,
		"COALESCE(NULLIF(x, ''::text), 'none'::text)":             `coalesce((CASE WHEN ("x" = '') THEN NULL ELSE "x" END), 'none')`,
		"-2 ^ 2 = 4":                                              "!the operator ^",
		"x < 'b'":                                                 "!text is compared in the order of a collation",
		"same = 'b'":                                              "!a nondeterministic collation",
		"ever > '2000-01-01'":                                     "!a time that may be infinite",
		"loose > 0":                                               "!a number that is stored as REAL",
		"net = '1.2.3.4'":                                         "!a constant of a type",
		"nope > 0":                                                "!there is no column nope",
		"at > '2024-01-01'":                                       "!a constant is not read",
		"at > d'":                                                 "!a quote does not end",
		"now() > at":                                              "!it gives another value each time",
		`x ~ '\w+'`:                                               `!\w in a regular expression`,
		`x ~ '(a)\1'`:                                             `!\1 in a regular expression`,
		`x ~ '(?=a)'`:                                             "!a regular expression",
		`x ~ 'é' AND x ~* 'é'`:                                    "!~* with letters beyond",
		"x ~ '[[:alpha:]]'":                                       "!a class such as",
		"sum(a) > 0":                                              "!the function sum",
		"count(*) > 0":                                            "!an aggregate",
		"(SELECT 1) = a":                                          "!a subquery",
		"(a, a) = (1, 2)":                                         "!a row of several values",
		"a = 1 a":                                                 `!"a" is not expected`,
		"CASE 0 END":                                              "!WHEN is missing",
		"a = ":                                                    "!an expression is missing",
		"'abc'::date > ever":                                      "!a constant is not read",
		"a[1] = 1":                                                "!a part of an array",
		"x = U&'a'":                                               "!U& strings",
		"a = $1":                                                  "!a parameter",
		strings.Repeat("(", 300) + "a" + strings.Repeat(")", 300): "!it is nested more than 200 deep",
		"a = 1" + strings.Repeat(" OR a = 1", 3000):               "!it is a chain",
	} {
		r, err := Translate(in, testEnv())
		got := ""
		if err != nil {
			got = "!" + err.Error()
			if _, after, ok := strings.Cut(err.Error(), ": "); ok {
				got = "!" + after
			}
		} else {
			got = r.SQL
		}
		if got != want && !(strings.HasPrefix(want, "!") && strings.HasPrefix(got, want)) {
			t.Errorf("%.80s: %s, want %s", in, got, want)
		}
	}
}

func TestTranslateDefault(t *testing.T) {
	numeric := Column{Type: Numeric, Storage: Storage{Form: "text", Precision: 10, Scale: 2}}
	for _, c := range []struct {
		in   string
		to   Column
		want string
	}{
		{"0", numeric, "'0.00'"},
		{"(1.5)::numeric", numeric, "'1.50'"},
		{"0", Column{Type: Numeric, Storage: Storage{Form: "scaled", Precision: 10, Scale: 2}}, "0"},
		{"1.25", Column{Type: Numeric, Storage: Storage{Form: "scaled", Precision: 10, Scale: 2}}, "125"},
		{"'-1'::integer", Column{Type: Int4}, "(-1)"},
		{"'a''b'::character varying", Column{Type: Text}, "'a''b'"},
		{"'ok'::public.mood", Column{Type: Enum}, "'ok'"},
		{"true", Column{Type: Bool}, "1"},
		{"NULL::character varying", Column{Type: Text}, "NULL"},
		{"'2024-01-01 00:00:00+00'::timestamp with time zone", Column{Type: TimestampTZ, Storage: Storage{Form: "appdb"}}, "'2024-01-01 00:00:00+00:00'"},
		{"now()", Column{Type: TimestampTZ, Storage: Storage{Form: "fixed"}}, "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now')"},
		{"CURRENT_TIMESTAMP", Column{Type: TimestampTZ, Storage: Storage{Form: "appdb"}}, "rtrim(rtrim(strftime('%Y-%m-%d %H:%M:%f', 'now'), '0'), '.') || '+00:00'"},
		{"(now() AT TIME ZONE 'utc'::text)", Column{Type: Timestamp, Storage: Storage{Form: "text"}}, "rtrim(rtrim(strftime('%Y-%m-%d %H:%M:%f', 'now'), '0'), '.')"},
		{"CURRENT_TIMESTAMP(0)", Column{Type: TimestampTZ, Storage: Storage{Form: "appdb"}}, "strftime('%Y-%m-%d %H:%M:%S+00:00', 'now')"},
		{"now()", Column{Type: Timestamp, Storage: Storage{Form: "appdb", Limited: true, Scale: 1}}, "rtrim(rtrim(substr(strftime('%Y-%m-%d %H:%M:%f', 'now'), 1, 21), '0'), '.') || '+00:00'"},
		{"(now())::timestamp(0) without time zone", Column{Type: Timestamp, Storage: Storage{Form: "fixed"}}, "strftime('%Y-%m-%d %H:%M:%S.000000+00:00', 'now')"},
		{"now()", Column{Type: TimestampTZ, Storage: Storage{Form: "micros", Limited: true}}, "CAST(strftime('%s', 'now') AS INTEGER) * 1000000"},
		{"(now())::date", Column{Type: Date, Storage: Storage{Form: "text"}}, "strftime('%Y-%m-%d', 'now')"},
		{"(now())::date", Column{Type: Timestamp, Storage: Storage{Form: "appdb"}}, "!today's date as timestamp"},
		{"(now())::text", Column{Type: Timestamp, Storage: Storage{Form: "appdb"}}, "!the time as text"},
		{"timezone('Europe/Berlin'::text, now())", Column{Type: Timestamp, Storage: Storage{Form: "text"}}, "!AT TIME ZONE of another zone"},
		{"extensions.uuid_generate_v4()", Column{Type: UUID, Storage: Storage{Form: "blob"}}, "unhex(hex(randomblob(4)) || hex(randomblob(2)) || '4' || substr(hex(randomblob(2)), 2) || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || hex(randomblob(6)))"},
		{"CURRENT_DATE", Column{Type: Date, Storage: Storage{Form: "text"}}, "strftime('%Y-%m-%d', 'now')"},
		{"nextval('public.t_id_seq'::regclass)", Column{Type: Int4}, "nextval public.t_id_seq"},
		{"1.234", numeric, "!a default with more digits"},
		{"random()", Column{Type: Float8}, "!it gives another value each time"},
		{"'{}'::text[]", Column{Type: Other}, "!"},
	} {
		d, err := TranslateDefault(c.in, Env{}, c.to)
		got := ""
		switch {
		case err != nil:
			_, got, _ = strings.Cut(err.Error(), ": ")
			got = "!" + got
		case d.Sequence != "":
			got = "nextval " + d.Sequence
		default:
			got = d.SQL
		}
		if got != c.want && !(strings.HasPrefix(c.want, "!") && strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
	}
}

// Whatever is written, nothing panics or hangs.
func FuzzTranslate(f *testing.F) {
	for _, s := range []string{"a > 0", "x ~* '[a-c[:digit:]]'", "CASE a WHEN 1 THEN x END", "E'\\n' || $t$x$t$", "extract(year from ever)", "CASE 0 END", "date_trunc('day', \"text\")", "at AT TIME ZONE 'UTC'", "mail OPERATOR(public.=) ANY (ARRAY['a'::public.citext])", "now()::date", "CURRENT_TIMESTAMP(0)", "price BETWEEN 1 AND 2.50",
		"x LIKE '%_' ESCAPE '!'", "a::numeric(3,1)", "OPERATOR(pg_catalog.=)", "x = ANY('{a,b}'::text[])", "timestamp(3) with time zone '2024-01-01 00:00:00+00' = at", "U&\"a\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := Translate(s, testEnv()); err == nil && r.SQL == "" {
			t.Errorf("%q became nothing", s)
		}
		_, _ = TranslateDefault(s, testEnv(), testColumns["price"]) // only a panic is an error
		_, _ = TranslateDefault(s, testEnv(), testColumns["then"])
	})
}

func FuzzTranslateView(f *testing.F) {
	for _, s := range []string{" SELECT t.a,\n    upper(t.x) AS loud\n   FROM public.t\n  WHERE (t.a > 0);", "SELECT a.a AS b FROM t a, (t b LEFT JOIN t c ON (b.a = c.a))", "SELECT 1 AS x", "SELECT * FROM ((((t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := TranslateView(s, Env{}, func(_, name string) (Relation, bool) {
			return Relation{Name: name, Column: testEnv().Column}, name == "t"
		})
		if err == nil && len(v.Columns) == 0 {
			t.Errorf("%q became %q", s, v.SQL)
		}
	})
}
