package transfer_test

import (
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
)

var textFamily = family{name: "texts", packed: true, cases: []moved{
	{
		name: "NULL is not empty",
		script: `CREATE EXTENSION hstore;
			CREATE TABLE empty (id int PRIMARY KEY, t text, v varchar(5), c char(3), b bytea, a text[], h hstore, j jsonb, x xml, bits varbit);
			INSERT INTO empty VALUES (1, '', '', '', '', '{}', '', '""', '', ''), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (3, 'NULL', 'null', 'NUL', '\x4e554c4c', '{NULL,"NULL",""}', 'a=>NULL,b=>""', 'null', 'NULL', '0')`,
		rows: map[string][]string{"empty": {
			`1|''|''|''|X''|'[]'|'{}'|'""'|''|''`,
			`2|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL`,
			`3|'NULL'|'null'|'NUL'|X'4E554C4C'|'[null,"NULL",""]'|'{"a": null, "b": ""}'|'null'|'NULL'|'0'`,
		}},
	},
	{
		name: "text that looks like a dump",
		script: `CREATE TABLE tricks (id serial, t text);
			INSERT INTO tricks (t) VALUES (E'tab\there'), (E'new\nline'), ('\N'), ('\.'), (E'a\n\\.\nb'), (E'\\.\n'), ('COPY x FROM stdin;'), (E'COPY public.tricks (id, t) FROM stdin;\n1\tx\n\\.\n'),
			('; DROP TABLE t; --'), ('-- a comment'), ('/* a comment'), (E'carriage\r\nreturn\r'), ('it''s'), ('"q"'), ('$$ $tag$'), (E'\x01\x7f'), (E'\b\f\x0b'), ('É漢字😀'), (' between '), ('\'), ('\\'),
			(E'\\x41'), (E'\\101'), ('INSERT INTO public.tricks VALUES (1, ''x'');'), (E'\\restrict abc\n\\unrestrict abc'), ('SET standard_conforming_strings = off;'), ('public.tricks'), ('DEFAULT'), (E'\u0085\u2028\u2029\ufeff'), (E'e\u0301')`,
		rows: map[string][]string{"tricks": {
			"1|'tab\there'", "2|'new\nline'", `3|'\N'`, `4|'\.'`, "5|'a\n\\.\nb'", "6|'\\.\n'", "7|'COPY x FROM stdin;'", "8|'COPY public.tricks (id, t) FROM stdin;\n1\tx\n\\.\n'",
			"9|'; DROP TABLE t; --'", "10|'-- a comment'", "11|'/* a comment'", "12|'carriage\r\nreturn\r'", "13|'it''s'", `14|'"q"'`, "15|'$$ $tag$'", "16|'\x01\x7f'", "17|'\b\f\v'", "18|'É漢字😀'", "19|' between '", `20|'\'`, `21|'\\'`,
			`22|'\x41'`, `23|'\101'`, "24|'INSERT INTO public.tricks VALUES (1, ''x'');'", "25|'\\restrict abc\n\\unrestrict abc'", "26|'SET standard_conforming_strings = off;'", "27|'public.tricks'", "28|'DEFAULT'", "29|'\u0085\u2028\u2029\ufeff'", "30|'e\u0301'",
		}},
	},
	{
		name:   "a text longer than any buffer",
		script: `CREATE TABLE long (id int, t text); INSERT INTO long SELECT i, repeat(E'abc\\\ndef\t', i * 30000) FROM generate_series(1, 3) AS i`,
		answers: map[string]string{"SELECT length(t) || ' ' || (t = replace(hex(zeroblob(id * 30000)), '00', 'abc\\' || char(10) || 'def' || char(9))) FROM long": "270000 1\n540000 1\n810000 1",
			"SELECT DISTINCT substr(t, 1, 9) || '|' || substr(t, -9) FROM long": "abc\\\ndef\t|abc\\\ndef\t"},
	},
	{
		name: "char(n) and what fills it",
		script: `CREATE TABLE chars (id int, c char(5), one char, b bpchar, v varchar(5), p char(5), UNIQUE (c));
			INSERT INTO chars VALUES (1, 'ab', 'x', 'ab  ', 'ab  ', 'ab'), (2, ' b ', ' ', '  ', '', ''), (3, 'É漢😀', '😀', '', 'É漢😀ab', NULL)`,
		rows:  map[string][]string{"chars": {`1|'ab'|'x'|'ab  '|'ab  '|'ab'`, `2|' b'|''|'  '|''|''`, `3|'É漢😀'|'😀'|''|'É漢😀ab'|NULL`}},
		fails: map[string]string{"INSERT INTO chars (v) VALUES ('six456')": "CHECK constraint failed", "INSERT INTO chars (c) VALUES ('six456')": "CHECK constraint failed", "INSERT INTO chars (c) VALUES ('ab')": "UNIQUE constraint failed"},
	},
	{
		name:    "bytes",
		script:  `CREATE TABLE bytes (id int, b bytea); INSERT INTO bytes VALUES (1, '\x00'), (2, '\x5c4e'), (3, '\x0a090d5c2e'), (4, 'abc\\def'), (5, '\xdeadbeefff80'), (6, decode(repeat('00ff', 50000), 'hex'))`,
		answers: map[string]string{"SELECT typeof(b) || ' ' || CASE WHEN length(b) < 100 THEN hex(b) ELSE length(b) || ' ' || hex(substr(b, -4)) END FROM bytes ORDER BY id": "blob 00\nblob 5C4E\nblob 0A090D5C2E\nblob 6162635C646566\nblob DEADBEEFFF80\nblob 100000 00FF00FF"},
		fails:   map[string]string{"INSERT INTO bytes VALUES (7, 'text')": "CHECK constraint failed"},
	},
	{
		name: "bit strings, enums, uuids, addresses",
		script: `CREATE TYPE mood AS ENUM ('sad', 'it''s fine', 'a,b', 'with "quotes"', ' blank ', 'É', '');
			CREATE TABLE words (b bit(4), vb bit varying, m mood, u uuid, i inet, n cidr, mac macaddr, mac8 macaddr8, lsn pg_lsn, q "char", nm name, x xml, tv tsvector, tq tsquery, o oid, b1 boolean);
			INSERT INTO words VALUES (B'1010', B'', 'it''s fine', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '192.168.0.1/24', '10.0.0.0/8', '08-00-2B-01-02-03', '08:00:2b:01:02:03:04:05', '16/B374D848', 'x', 'a name', '<a b="c">d</a>', 'a:1 fat:2 c''at:3', 'fat & (rat | !cat)', 4294967295, true),
				(B'0000', B'1', '', '{00000000000000000000000000000000}', '::1', '::/0', NULL, NULL, '0/0', '', '', '', '', '', 0, false)`,
		rows: map[string][]string{"words": {
			`'1010'|''|'it''s fine'|'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'|'192.168.0.1/24'|'10.0.0.0/8'|'08:00:2b:01:02:03'|'08:00:2b:01:02:03:04:05'|'16/B374D848'|'x'|'a name'|'<a b="c">d</a>'|'''a'':1 ''c''''at'':3 ''fat'':2'|'''fat'' & ( ''rat'' | !''cat'' )'|4294967295|1`,
			`'0000'|'1'|''|'00000000-0000-0000-0000-000000000000'|'::1'|'::/0'|NULL|NULL|'0/0'|''|''|''|''|''|0|0`,
		}},
		fails: map[string]string{"UPDATE words SET m = 'happy'": "CHECK constraint failed", "UPDATE words SET b = '2'": "CHECK constraint failed", "UPDATE words SET u = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'": "CHECK constraint failed", "UPDATE words SET b1 = 2": "CHECK constraint failed"},
		says:  []string{"public.words.m: note (enum-order)"},
	},
}}

var numberFamily = family{name: "numbers", cases: []moved{
	{
		name:   "integers",
		script: `CREATE TABLE ints (s smallint, i integer, b bigint); INSERT INTO ints VALUES (-32768, -2147483648, -9223372036854775808), (32767, 2147483647, 9223372036854775807), (0, 0, 4611686018427387905), (1, -1, 9007199254740993)`,
		rows:   map[string][]string{"ints": {"-32768|-2147483648|-9223372036854775808", "32767|2147483647|9223372036854775807", "0|0|4611686018427387905", "1|-1|9007199254740993"}},
		fails:  map[string]string{"INSERT INTO ints (s) VALUES (32768)": "CHECK", "INSERT INTO ints (i) VALUES (2147483648)": "CHECK", "INSERT INTO ints (b) VALUES (9223372036854775808)": "CHECK", "INSERT INTO ints (b) VALUES (1.5)": "CHECK", "INSERT INTO ints (b) VALUES ('x')": "CHECK"},
	},
	{
		name: "numeric of 38 and of 1000 digits",
		script: `CREATE TABLE decimals (n numeric, n38 numeric(38), m numeric(38,10), k numeric(1000,500), p numeric(10,2), neg numeric(3,-2));
			INSERT INTO decimals VALUES (12345678901234567890123456789012345678, 99999999999999999999999999999999999999, 1234567890123456789012345678.0123456789, (repeat('9', 500) || '.' || repeat('1', 500))::numeric, 0.10, 12345),
				(-0.0, -1, -0.0000000001, 0, -99999999.99, -99900), (1e-50, 0, 1, -1, 1.5, 0), (1e40, 1, 2, 3, 0, NULL), (1.10, 1, 2, 3, 0, NULL), (1.1, 1, 2, 3, 0, NULL)`,
		rows: map[string][]string{"decimals": {
			"'12345678901234567890123456789012345678'|'99999999999999999999999999999999999999'|'1234567890123456789012345678.0123456789'|'" + strings.Repeat("9", 500) + "." + strings.Repeat("1", 500) + "'|'0.10'|'12300'",
			"'0.0'|'-1'|'-0.0000000001'|'0." + strings.Repeat("0", 500) + "'|'-99999999.99'|'-99900'",
			"'0." + strings.Repeat("0", 49) + "1'|'0'|'1.0000000000'|'-1." + strings.Repeat("0", 500) + "'|'1.50'|'0'",
			"'1" + strings.Repeat("0", 40) + "'|'1'|'2.0000000000'|'3." + strings.Repeat("0", 500) + "'|'0.00'|NULL",
			"'1.10'|'1'|'2.0000000000'|'3." + strings.Repeat("0", 500) + "'|'0.00'|NULL",
			"'1.1'|'1'|'2.0000000000'|'3." + strings.Repeat("0", 500) + "'|'0.00'|NULL",
		}},
		fails: map[string]string{"UPDATE decimals SET n = 'NaN'": "CHECK", "UPDATE decimals SET p = '1e5'": "CHECK"},
		says:  []string{"public.decimals.n: warning (numeric-text)"},
	},
	{
		name:   "floats",
		script: `CREATE TABLE floats (id int, f double precision, r real); INSERT INTO floats VALUES (1, 5e-324, 1e-45), (2, 1.7976931348623157e308, 3.4028235e38), (3, 0.1, 0.1), (4, '-0', '-0'), (5, 123456789012345680, 16777216), (6, 1e15, 1e6), (7, 0.30000000000000004, 33.3)`,
		answers: map[string]string{
			"SELECT printf('%!.17g', f) FROM floats ORDER BY id":          "4.9406564584124654e-324\n1.7976931348623157e+308\n0.1\n0.0\n1.2345678901234568e+17\n1000000000000000.0\n0.30000000000000004",
			"SELECT group_concat(typeof(f) || typeof(r), '') FROM floats": strings.Repeat("realreal", 7),
		},
		says: []string{"public.floats.f: note (float-zero)"},
	},
	{
		name:   "money",
		script: `CREATE TABLE cash (m money); INSERT INTO cash VALUES (-1234567.89), (0), (92233720368547758.07), (-0.05)`,
		rows:   map[string][]string{"cash": {"'-1234567.89'", "'0.00'", "'92233720368547758.07'", "'-0.05'"}},
	},
	{
		name: "generated columns and defaults",
		script: `CREATE TABLE made (a int, twice int GENERATED ALWAYS AS (a * 2) STORED, b text DEFAULT 'x', c text, low text GENERATED ALWAYS AS (lower(c)) STORED, n numeric(8,2) DEFAULT 1.5, at timestamptz DEFAULT '2024-01-01 12:00:00.50+02', d date DEFAULT '2024-02-29', f boolean DEFAULT true, u text DEFAULT upper('é'));
			INSERT INTO made (a, b, c) VALUES (1, DEFAULT, 'ÉX'), (NULL, NULL, NULL)`,
		rows:    map[string][]string{"made": {"1|2|'x'|'ÉX'|'éx'|'1.50'|'2024-01-01 10:00:00.5+00:00'|'2024-02-29'|1|'É'", "NULL|NULL|NULL|NULL|NULL|'1.50'|'2024-01-01 10:00:00.5+00:00'|'2024-02-29'|1|'É'"}},
		done:    []string{"INSERT INTO made (a, c) VALUES (3, 'Ö')"},
		answers: map[string]string{`SELECT a || '|' || twice || '|' || b || '|' || c || '|' || low || '|' || n || '|' || (at || '') || '|' || (d || '') || '|' || f || '|' || u FROM made WHERE a = 3`: "3|6|x|Ö|ö|1.50|2024-01-01 10:00:00.5+00:00|2024-02-29|1|É"},
		fails:   map[string]string{"INSERT INTO made (twice) VALUES (1)": "generated column"},
	},
}}

var timeFamily = family{name: "times", cases: []moved{
	{
		name: "times",
		script: `CREATE TABLE moments (id int PRIMARY KEY, tz timestamptz, ts timestamp, d date, t time, tt timetz, i interval, tz0 timestamptz(0), ts3 timestamp(3));
			INSERT INTO moments VALUES (1, '2024-06-01 12:00:00.123456+05:30', '2024-06-01 12:00:00.5', '2024-02-29', '23:59:59.999999', '04:05:06.7-08', '1 year -2 mons 3 days -04:05:06.7', '2024-06-01 12:00:00.6+00', '2024-06-01 12:00:00.12'),
				(2, '0001-01-01 00:00:00+00', '9999-12-31 23:59:59.999999', '0001-01-01', '00:00:00', '00:00:00+15:59:59', '00:00:00', '1883-11-18 12:00:00-07:52:58', '1970-01-01'),
				(3, '2024-10-27 01:30:00+02', '2024-10-27 02:30:00', '9999-12-31', '12:00', '12:00+00', '-178000000 years', '2024-10-27 01:30:00+01', '1969-12-31 23:59:59.999')`,
		rows: map[string][]string{"moments": {
			`1|'2024-06-01 06:30:00.123456+00:00'|'2024-06-01 12:00:00.5+00:00'|'2024-02-29'|'23:59:59.999999'|'04:05:06.7-08'|'10 mons 3 days -04:05:06.7'|'2024-06-01 12:00:01+00:00'|'2024-06-01 12:00:00.12+00:00'`,
			`2|'0001-01-01 00:00:00+00:00'|'9999-12-31 23:59:59.999999+00:00'|'0001-01-01'|'00:00:00'|'00:00:00+15:59:59'|'00:00:00'|'1883-11-18 19:52:58+00:00'|'1970-01-01 00:00:00+00:00'`,
			`3|'2024-10-26 23:30:00+00:00'|'2024-10-27 02:30:00+00:00'|'9999-12-31'|'12:00:00'|'12:00:00+00'|'-178000000 years'|'2024-10-27 00:30:00+00:00'|'1969-12-31 23:59:59.999+00:00'`,
		}},
		answers: map[string]string{"SELECT group_concat(datetime(ts) || strftime('%f', tz), ' ') FROM moments": "2024-06-01 12:00:0000.123 9999-12-31 23:59:5900.000 2024-10-27 02:30:0000.000"},
		fails:   map[string]string{"UPDATE moments SET tz = '2024-06-01T12:00:00Z'": "CHECK", "UPDATE moments SET tz = '2024-06-01 12:00:00.50+00:00'": "CHECK", "UPDATE moments SET ts = CURRENT_TIMESTAMP": "CHECK", "UPDATE moments SET tz = 5": "CHECK", "UPDATE moments SET d = '2024-1-1'": "CHECK"},
		says:    []string{"public.moments.ts: note (time-appdb)", "public.moments.tz0: note (time-rounded)", "public.moments.i: warning (interval-text)"},
	},
	{
		name: "clocks in defaults",
		script: `CREATE TABLE clocks (id int PRIMARY KEY, tz timestamptz DEFAULT now(), ts timestamp DEFAULT CURRENT_TIMESTAMP, u timestamp DEFAULT (now() AT TIME ZONE 'utc'), d date DEFAULT CURRENT_DATE, tz0 timestamptz(0) DEFAULT now(), ts1 timestamp(1) DEFAULT LOCALTIMESTAMP,
			n timestamptz DEFAULT clock_timestamp(), day date DEFAULT now(), later timestamptz DEFAULT now() + interval '1 day', m timestamp DEFAULT CURRENT_DATE, g uuid DEFAULT gen_random_uuid())`,
		done:    []string{"INSERT INTO clocks (id) VALUES (1)"},
		answers: map[string]string{"SELECT (abs(julianday(tz) - julianday('now')) < 0.01) || (abs(julianday(ts) - julianday(u)) < 0.01) || (length(tz0) = 25) || (length(ts1) <= 27) || (d = date('now')) || (day = d) || coalesce(later, '-') || coalesce(m, '-') || (substr(g, 15, 1) = '4' AND length(g) = 36) FROM clocks": "111111--1"},
		says:    []string{"default public.clocks.later is not carried", "default public.clocks.m is not carried", "public.clocks.tz: note (expression): the time is the statement's"},
	},
	{
		name: "expressions over times",
		script: `CREATE TABLE spans (a timestamptz, b timestamptz, c timestamp, d date, CHECK (a < b), CHECK (c >= '2000-01-01'), CHECK (c > d), CHECK (b > '2001-01-01 00:00:00+00'),
				day timestamp GENERATED ALWAYS AS (date_trunc('day', c)) STORED, utc timestamp GENERATED ALWAYS AS (a AT TIME ZONE 'UTC') STORED, whole date GENERATED ALWAYS AS (c::date) STORED, dow int GENERATED ALWAYS AS (extract(dow from c)::int) STORED, quarter int GENERATED ALWAYS AS (extract(quarter from d)::int) STORED);
			CREATE INDEX spans_doy ON spans ((extract(doy from d)), (d - '2000-01-01'::date)); CREATE INDEX spans_late ON spans (a) WHERE a > '2020-01-01 00:00:00+00'; CREATE UNIQUE INDEX spans_day ON spans (((b AT TIME ZONE 'UTC')::date));
			INSERT INTO spans VALUES ('2024-01-01 00:00:00+00', '2024-01-01 00:00:00.5+00', '2024-01-01 10:20:30.4', '2024-01-01')`,
		rows: map[string][]string{"spans": {"'2024-01-01 00:00:00+00:00'|'2024-01-01 00:00:00.5+00:00'|'2024-01-01 10:20:30.4+00:00'|'2024-01-01'|'2024-01-01 00:00:00+00:00'|'2024-01-01 00:00:00+00:00'|'2024-01-01'|1|1"}},
		fails: map[string]string{
			"INSERT INTO spans (a, b) VALUES ('2024-01-01 00:00:00.5+00:00', '2024-01-01 00:00:00+00:00')": "CHECK constraint failed: spans_check",
			"INSERT INTO spans (c) VALUES ('1999-12-31 23:59:59.999999+00:00')":                            "CHECK constraint failed: spans_c_check",
			"INSERT INTO spans (c, d) VALUES ('2024-01-01 00:00:00+00:00', '2024-01-01')":                  "CHECK constraint failed: spans_check1",
			"INSERT INTO spans (b) VALUES ('2001-01-01 00:00:00+00:00')":                                   "CHECK constraint failed: spans_b_check",
			"INSERT INTO spans (b) VALUES ('2024-01-01 23:00:00+00:00')":                                   "UNIQUE constraint failed",
		},
	},
}}

// sessionFamily is a database whose sessions print otherwise than PostgreSQL does by itself.
var sessionFamily = family{
	name: "session",
	settings: []string{"bytea_output = escape", "timezone = 'Asia/Kolkata'", "datestyle = 'German, DMY'", "intervalstyle = 'iso_8601'", "extra_float_digits = -3", "standard_conforming_strings = off", "backslash_quote = on",
		"search_path = 'odd', 'public'", "statement_timeout = '60s'", "quote_all_identifiers = on", "xmloption = document"},
	cases: []moved{{
		name: "settings of sessions",
		script: `CREATE SCHEMA odd; CREATE TABLE odd.t (id int, b bytea, tz timestamptz, ts timestamp, d date, i interval, f float8, t text, tza timestamptz[], dflt timestamptz DEFAULT '2024-01-01 12:00:00.50+00', CHECK (tz > '2000-01-01 00:00+00'));
			INSERT INTO odd.t VALUES (1, decode('00ff5c41', 'hex'), '2024-06-01 12:00:00+00', '2024-06-01 12:00:00', '2024-06-02', '1 day 02:00:00', 0.1::float8 + 0.2::float8, E'a\\b''c', ARRAY['2024-06-01 12:00:00.5+00'::timestamptz, NULL])`,
		rows:  map[string][]string{"odd_t": {`1|X'00FF5C41'|'2024-06-01 12:00:00+00:00'|'2024-06-01 12:00:00+00:00'|'2024-06-02'|'1 day 02:00:00'|0.30000000000000004|'a\b''c'|'["2024-06-01 12:00:00.5+00:00",null]'|'2024-01-01 12:00:00.5+00:00'`}},
		fails: map[string]string{"UPDATE odd_t SET tz = '2000-01-01 00:00:00+00:00'": "CHECK"},
	}},
}

const specialRows = `CREATE TABLE specials (id int, n numeric, n2 numeric(8,2), f float8, r real, d date, ts timestamp, tz timestamptz, t time, tt timetz);
	INSERT INTO specials VALUES (1, 'NaN', 'NaN', 'NaN', 'NaN', 'infinity', 'infinity', 'infinity', '24:00:00', '24:00:00+05:30'),
		(2, 'Infinity', NULL, 'Infinity', 'Infinity', '-infinity', '-infinity', '-infinity', '24:00:00', '24:00:00+00'),
		(3, '-Infinity', 0, '-Infinity', '-Infinity', '0044-03-15 BC', '0044-03-15 12:00:00.5 BC', '4713-11-24 00:00:00+00 BC', NULL, NULL),
		(4, 1.50, 1.5, 1.5, 1.5, '5874897-12-31', '294276-12-31 23:59:59.999999', '10000-01-01 00:00:00+00', '23:59:59', '23:59:59+00');
	CREATE TABLE listed (n numeric[], f float8[], d date[]); INSERT INTO listed VALUES ('{NaN,1.5,NULL}', '{NaN,-Infinity,0.5}', '{infinity,2024-01-01,"0044-03-15 BC"}')`

var keptFamily = family{name: "specials kept", options: move.Options{Special: convert.Keep}, cases: []moved{{
	name:   "NaN, infinity, BC, 24:00",
	script: specialRows,
	rows: map[string][]string{"specials": {
		"1|'NaN'|'NaN'|'NaN'|'NaN'|'infinity'|'infinity'|'infinity'|'24:00:00'|'24:00:00+05:30'",
		"2|'Infinity'|NULL|'Infinity'|'Infinity'|'-infinity'|'-infinity'|'-infinity'|'24:00:00'|'24:00:00+00'",
		"3|'-Infinity'|'0.00'|'-Infinity'|'-Infinity'|'0044-03-15 BC'|'0044-03-15 12:00:00.5 BC'|'4713-11-24 00:00:00+00 BC'|NULL|NULL",
		"4|'1.50'|'1.50'|1.5|1.5|'5874897-12-31'|'294276-12-31 23:59:59.999999'|'10000-01-01 00:00:00+00'|'23:59:59'|'23:59:59+00'",
	}, "listed": {`'["NaN","1.5",null]'|'["NaN","-Infinity",0.5]'|'["infinity","2024-01-01","0044-03-15 BC"]'`}},
}}}

var nullFamily = family{
	name: "specials as NULL", options: move.Options{Special: convert.ToNull},
	cases: []moved{{
		name:   "NaN, infinity, BC, 24:00",
		script: specialRows,
		rows: map[string][]string{"specials": {
			"1|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL",
			"2|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL",
			"3|NULL|'0.00'|NULL|NULL|NULL|NULL|NULL|NULL|NULL",
			"4|'1.50'|'1.50'|1.5|1.5|NULL|NULL|NULL|'23:59:59'|'23:59:59+00'",
		}, "listed": {`'[null,"1.5",null]'|'[null,null,0.5]'|'[null,"2024-01-01",null]'`}},
		says: []string{"public.specials.n: danger (special-null): NaN, infinity and the like become NULL"},
	}},
	unchecked: map[string]string{"listed.n": "its elements are kept with a loss", "listed.f": "its elements are kept with a loss", "listed.d": "its elements are kept with a loss"},
}
