package transfer_test

import (
	"strings"

	"github.com/flysql/flysql/internal/move"
)

var jsonFamily = family{name: "documents", cases: []moved{
	{
		name: "json to the letter",
		script: `CREATE TABLE docs (id int, j json, b jsonb, CHECK (jsonb_typeof(b) IN ('object', 'array', 'number', 'string', 'null')));
			INSERT INTO docs VALUES (1, '{"a":1,  "a":2}', '{"a":1,  "a":2}'), (2, E' [ ]\n', ' [ ] '), (3, 'null', 'null'), (4, '{"b": 1e2, "a": "\u00e9\n"}', '{"b": 1e2, "a": "\u00e9\n"}'),
				(5, '12345678901234567890.12345678901234567890', '12345678901234567890.12345678901234567890'), (6, NULL, NULL), (7, '"tab\tquote''"', '[1.50, 1e-3, -0, 1e30]'), (8, '{}', '{"": {"'''' ": []}}')`,
		rows: map[string][]string{"docs": {
			`1|'{"a":1,  "a":2}'|'{"a": 2}'`, "2|' [ ]\n'|'[]'", "3|'null'|'null'", `4|'{"b": 1e2, "a": "\u00e9\n"}'|'{"a": "é\n", "b": 100}'`,
			"5|'12345678901234567890.12345678901234567890'|'12345678901234567890.12345678901234567890'", "6|NULL|NULL", `7|'"tab\tquote''"'|'[1.50, 0.001, 0, 1000000000000000000000000000000]'`, `8|'{}'|'{"": {"'''' ": []}}'`,
		}},
		fails: map[string]string{"UPDATE docs SET j = '{'": "CHECK", "UPDATE docs SET b = 'true'": "CHECK constraint failed: docs_b_check"},
		says:  []string{"public.docs.b: note (jsonb-text)"},
	},
	{
		name:    "jsonb of large numbers",
		script:  `CREATE TABLE huge (b jsonb); INSERT INTO huge VALUES ('[1e400, 0.` + strings.Repeat("1", 300) + `]')`,
		answers: map[string]string{"SELECT b FROM huge": "[1" + strings.Repeat("0", 400) + ", 0." + strings.Repeat("1", 300) + "]"},
	},
}}

var composedFamily = family{name: "composed", cases: []moved{
	{
		name: "arrays of everything",
		script: `CREATE TYPE colour AS ENUM ('red', 'it''s "blue"', 'a,b'); CREATE TYPE point3 AS (x int, y text, z numeric(4,1)); CREATE DOMAIN small AS int CHECK (VALUE < 100);
			CREATE TABLE lists (i int[], m int[][], t text[], n numeric(8,2)[], f float8[], b boolean[], by bytea[], tz timestamptz[], d date[], u uuid[], j jsonb[], c colour[], p point3[], r int4range[], mo money[], iv interval[], ch char(4)[], dom small[], bx box[], tt timetz[]);
			INSERT INTO lists VALUES ('{1,NULL,-3}', '{{1,2},{3,NULL}}', ARRAY['', 'NULL', NULL, 'a,b', '{', '"', '\', ' x ', E'\n\t', 'É😀', 'null'], '{1.5,-0.01}', '{0.1,-0,1e20}', '{t,f,NULL}', ARRAY['\x00ff'::bytea, ''], ARRAY['2024-01-01 00:00:00.5+00'::timestamptz],
				'{2024-02-29}', '{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}', ARRAY['{"a": "b,\"c"}'::jsonb, 'null'], ARRAY['it''s "blue"', 'a,b']::colour[], ARRAY[ROW(1, 'a "b", c', 1.5), ROW(NULL, '', NULL)]::point3[], '{"[1,5)",empty}', ARRAY[1.5, -2]::money[], ARRAY['1 day 02:00'::interval],
				ARRAY['ab', '']::char(4)[], '{99}', '{(1,1),(0,0);(3,3),(2,2)}', ARRAY['12:00+02'::timetz]), ('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')`,
		rows: map[string][]string{"lists": {
			`'[1,null,-3]'|'[[1,2],[3,null]]'|'["","NULL",null,"a,b","{","\"","\\"," x ","\u000a\u0009","É😀","null"]'|'["1.50","-0.01"]'|'[0.1,0,1e+20]'|'[true,false,null]'|'["\\x00ff","\\x"]'|'["2024-01-01 00:00:00.5+00:00"]'|` +
				`'["2024-02-29"]'|'["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]'|'["{\"a\": \"b,\\\"c\"}","null"]'|'["it''s \"blue\"","a,b"]'|'["(1,\"a \"\"b\"\", c\",1.5)","(,\"\",)"]'|'["[1,5)","empty"]'|'["1.50","-2.00"]'|'["1 day 02:00:00"]'|'["ab",""]'|'[99]'|'["(1,1),(0,0)","(3,3),(2,2)"]'|'["12:00:00+02"]'`,
			strings.TrimSuffix(strings.Repeat("'[]'|", 20), "|"),
		}},
		answers: map[string]string{"SELECT (SELECT group_concat(coalesce(value, '-'), ';') FROM json_each(t)) FROM lists LIMIT 1": ";NULL;-;a,b;{;\";\\; x ;\n\t;É😀;null"},
		says:    []string{"public.lists.i: note (array-json)"},
	},
	{
		name: "ranges",
		script: `CREATE TYPE floatrange AS RANGE (subtype = float8);
			CREATE TABLE ranges (i int4range, n numrange, t tstzrange, d daterange, f floatrange, m int4multirange);
			INSERT INTO ranges VALUES ('[1,10]', '(1.50,)', '[2024-01-01 00:00+00,2024-01-02 12:00:00.5+05:30)', '[2024-01-01,infinity)', '[0.1,)', '{[1,5),[7,9)}'), ('empty', '(,)', 'empty', NULL, NULL, '{}')`,
		rows: map[string][]string{"ranges": {
			`'[1,11)'|'(1.50,)'|'["2024-01-01 00:00:00+00","2024-01-02 06:30:00.5+00")'|'[2024-01-01,infinity)'|'[0.1,)'|'{[1,5),[7,9)}'`, "'empty'|'(,)'|'empty'|NULL|NULL|'{}'",
		}},
		says: []string{"public.ranges.i: warning (range-text)"},
	},
	{
		name: "domains, composite types, geometry",
		script: `CREATE DOMAIN email AS text NOT NULL DEFAULT 'nobody@example.com' CHECK (VALUE ~ '^[^@\s]+@[^@\s]+$') CHECK (length(VALUE) <= 30); CREATE DOMAIN work_email AS email CHECK (VALUE LIKE '%.com'); CREATE DOMAIN percent AS numeric(5,2) CHECK (VALUE BETWEEN 0 AND 100);
			CREATE TYPE address AS (street text, "No." int, tags text[]);
			CREATE TABLE people (id int PRIMARY KEY, mail work_email, share percent, home address, pt point, ln line, ls lseg, bx box, pa path, po polygon, ci circle);
			INSERT INTO people VALUES (1, DEFAULT, 12.5, ROW('a "b", c', 5, '{x,"y z"}'), '(1,2)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '((0,0),(1,1))', '((0,0),(1,1),(1,0))', '<(0,0),5>'), (2, 'a@b.com', NULL, ROW(NULL, NULL, NULL), NULL, NULL, NULL, NULL, NULL, NULL, NULL), (3, 'c@d.com', 100, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
		rows: map[string][]string{"people": {
			`1|'nobody@example.com'|'12.50'|'("a ""b"", c",5,"{x,""y z""}")'|'(1,2)'|'{1,2,3}'|'[(0,0),(1,1)]'|'(1,1),(0,0)'|'((0,0),(1,1))'|'((0,0),(1,1),(1,0))'|'<(0,0),5>'`, "2|'a@b.com'|NULL|'(,,)'|NULL|NULL|NULL|NULL|NULL|NULL|NULL", "3|'c@d.com'|'100.00'|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL",
		}},
		fails: map[string]string{"INSERT INTO people (id, mail) VALUES (9, 'no')": "CHECK constraint failed", "INSERT INTO people (id, mail) VALUES (9, 'a@b.org')": "CHECK constraint failed", "INSERT INTO people (id, mail) VALUES (9, NULL)": "NOT NULL", "INSERT INTO people (id, mail, share) VALUES (9, 'a@b.com', '100.01')": "CHECK constraint failed",
			"INSERT INTO people (id, mail) VALUES (9, 'a.name.that.is.far.too.long@b.com')": "CHECK constraint failed"},
		says: []string{"public.people.home: warning (composite-text)"},
	},
}}

var nameFamily = family{name: "names", cases: []moved{
	{
		name: "names that nobody expects",
		script: `CREATE TABLE "We""ird; tbl" ("a b" int, "c""d
e" text, "select" int, "100%s" text, "x.y" int, "it's" int, "\n" int, "$1" int, "?1" int, ":a" int, "--" int, "É" int, "é" int, " " int);
			INSERT INTO "We""ird; tbl" VALUES (1, 'two', 3, '%d', 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
			CREATE TABLE "new
line" (a int); INSERT INTO "new
line" VALUES (1);
			CREATE TABLE "😀" ("🙂" text PRIMARY KEY); INSERT INTO "😀" VALUES ('🙃');
			CREATE TABLE "x` + strings.Repeat("y", 62) + `" ("c` + strings.Repeat("z", 62) + `" int); INSERT INTO "x` + strings.Repeat("y", 62) + `" VALUES (63);
			CREATE TABLE "a.b" (x int); INSERT INTO "a.b" VALUES (1); CREATE TABLE "it's" (x int REFERENCES "it's", PRIMARY KEY (x)); INSERT INTO "it's" VALUES (1);
			CREATE TABLE " " (x int); INSERT INTO " " VALUES (1); CREATE TABLE "\." (x int); INSERT INTO "\." VALUES (1); CREATE TABLE "-- x" ("COPY" int); INSERT INTO "-- x" VALUES (1); CREATE INDEX "in;dex" ON "-- x" ("COPY")`,
		rows: map[string][]string{
			`We"ird; tbl`: {"1|'two'|3|'%d'|5|6|7|8|9|10|11|12|13|14"}, "new\nline": {"1"}, "😀": {"'🙃'"}, "x" + strings.Repeat("y", 62): {"63"}, "a.b": {"1"}, "it's": {"1"}, " ": {"1"}, `\.`: {"1"}, "-- x": {"1"},
		},
		answers: map[string]string{`SELECT group_concat(name, '|') FROM pragma_table_info('We"ird; tbl')`: "a b|c\"d\ne|select|100%s|x.y|it's|\\n|$1|?1|:a|--|É|é| "},
	},
	{
		name: "keywords",
		script: `CREATE TABLE "table" ("order" int, "group" int, "index" int, "values" int, "where" int, "null" int, "default" int, "check" int, "primary" int, "unique" int, "references" int, "abort" int, "glob" int, "isnull" int, "virtual" int, "generated" int, "always" int, CHECK ("order" < "group"));
			INSERT INTO "table" VALUES (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17); CREATE INDEX "create" ON "table" ("order", ("group" + 1)) WHERE "where" > 0;
			CREATE TABLE "select" (rowid text, oid int, _rowid_ int); INSERT INTO "select" VALUES ('mine', 1, 2); CREATE TABLE rowids (id serial PRIMARY KEY, rowid text UNIQUE, "ROWID " int); INSERT INTO rowids (rowid) VALUES ('r');
			CREATE TABLE sqlite_thing (sqlite_x int); INSERT INTO sqlite_thing VALUES (1); CREATE TABLE sqlite_sequence (name text, seq int); INSERT INTO sqlite_sequence VALUES ('mine', 7)`,
		rows:  map[string][]string{"table": {"1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17"}, "select": {"'mine'|1|2"}, "rowids": {"1|'r'|NULL"}, "pg_sqlite_thing": {"1"}, "pg_sqlite_sequence": {"'mine'|7"}},
		fails: map[string]string{`INSERT INTO "table" ("order", "group") VALUES (2, 1)`: "CHECK constraint failed", "INSERT INTO rowids (rowid) VALUES ('r')": "UNIQUE"},
		says:  []string{"public.sqlite_thing: warning (table-name)"},
	},
}}

var twinFamily = family{name: "twins", cases: []moved{
	{
		name: "names that differ by case only",
		script: `CREATE TABLE "Users" ("Id" int PRIMARY KEY, "ID" text, id text); CREATE TABLE users (id int REFERENCES "Users", "É" int, "é" int); CREATE INDEX ix ON users (id); CREATE INDEX "IX" ON "Users" (id); CREATE VIEW "USERS" AS SELECT u.id FROM users u;
			INSERT INTO "Users" VALUES (1, 'upper', 'lower'); INSERT INTO users VALUES (1, 2, 3), (NULL, 4, 5)`,
		rows:    map[string][]string{"Users": {"1|'upper'|'lower'"}, "users_2": {"1|2|3", "NULL|4|5"}, "USERS_3": {"NULL", "1"}},
		answers: map[string]string{"SELECT group_concat(name) FROM pragma_table_info('Users')": "Id,ID_2,id_3", "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name)": "IX,ix_2"},
		fails:   map[string]string{"INSERT INTO users_2 (id) VALUES (9)": "FOREIGN KEY"},
		says:    []string{"public.users: warning (table-name)", `public."Users".id: warning (column-name)`, "public.users.ix: note (index-name)", `public."USERS": warning (view-name)`},
	},
	{
		name: "one name in several schemas",
		script: `CREATE SCHEMA s1; CREATE SCHEMA "S 2"; CREATE TABLE items (a int PRIMARY KEY); CREATE TABLE s1.items (a int REFERENCES public.items); CREATE TABLE "S 2".items (a int); CREATE TABLE s1_items (a int); CREATE TYPE s1.kind AS ENUM ('one'); CREATE TYPE "S 2".kind AS ENUM ('two'); CREATE TYPE kind AS ENUM ('none');
			CREATE TABLE kinds (a s1.kind, b "S 2".kind, c kind); INSERT INTO kinds VALUES ('one', 'two', 'none'); CREATE SEQUENCE s1.numbers START 5; CREATE TABLE "S 2".counted (id int PRIMARY KEY DEFAULT nextval('s1.numbers')); INSERT INTO "S 2".counted DEFAULT VALUES;
			INSERT INTO items VALUES (1); INSERT INTO s1.items VALUES (1), (1); INSERT INTO "S 2".items VALUES (3); INSERT INTO s1_items VALUES (4)`,
		rows:    map[string][]string{"items": {"1"}, "s1_items_2": {"1", "1"}, "S 2_items": {"3"}, "s1_items": {"4"}, "kinds": {"'one'|'two'|'none'"}, "S 2_counted": {"5"}},
		fails:   map[string]string{"UPDATE kinds SET b = 'one'": "CHECK", "INSERT INTO s1_items_2 VALUES (2)": "FOREIGN KEY"},
		done:    []string{`INSERT INTO "S 2_counted" DEFAULT VALUES`},
		answers: map[string]string{`SELECT max(id) FROM "S 2_counted"`: "6"},
		says:    []string{"s1.items: warning (table-name)"},
	},
}}

// schemaFamily leaves schemas out of names.
var schemaFamily = family{name: "schemas", options: move.Options{Schemas: "bare", Tables: map[string]move.TableOptions{
	"audit.log": {Name: "audit trail"}, "public.secret": {Skip: true}, "public.kept": {Columns: map[string]move.ColumnOptions{"password": {Skip: true}, "n": {Name: "number"}}}}}, cases: []moved{{
	name: "tables renamed, skipped, bare",
	script: `CREATE SCHEMA audit; CREATE TABLE audit.log (a int); CREATE TABLE audit.other (b int); CREATE TABLE secret (id int PRIMARY KEY); CREATE TABLE kept (id int PRIMARY KEY, password text, n int CHECK (n > 0), s int REFERENCES secret, CHECK (password <> ''));
		INSERT INTO audit.log VALUES (1); INSERT INTO audit.other VALUES (2); INSERT INTO secret VALUES (3); INSERT INTO kept VALUES (4, 'hunter2', 5, 3)`,
	rows:    map[string][]string{"audit trail": {"1"}, "other": {"2"}, "kept": {"4|5|3"}},
	answers: map[string]string{"SELECT count(*) FROM sqlite_schema WHERE name = 'secret'": "0"},
	fails:   map[string]string{"UPDATE kept SET number = 0": "CHECK"},
	says:    []string{"table public.secret is not carried", "column public.kept.password is not carried", "foreign key public.kept.kept_s_fkey is not carried", "check public.kept.kept_password_check is not carried"},
}}}

var formFamily = family{name: "other forms", options: move.Options{Types: map[string]string{"timestamptz": "text", "timestamp": "micros", "uuid": "blob", "money": "scaled", "bpchar": "padded"},
	Tables: map[string]move.TableOptions{"public.forms": {Columns: map[string]move.ColumnOptions{"a": {Form: "pg"}, "n": {Form: "scaled"}, "m": {Form: "real"}, "f": {Form: "text"}, "h": {Form: "pg"}}}}}, cases: []moved{{
	name: "arrays whose first index is not 1, and what else a form can be",
	script: `CREATE EXTENSION hstore; CREATE TABLE forms (id uuid PRIMARY KEY, a int[], n numeric(10,2) CHECK (n >= 0.5), m numeric, f float8, h hstore, tz timestamptz DEFAULT '2000-01-01 00:00+00' CHECK (tz > '1999-01-01 00:00+00'), ts timestamp CHECK (ts > '1999-01-01'), mo money, c char(4));
		INSERT INTO forms VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '[0:1]={5,6}', 12345678.90, 1.25, '-0', 'a=>1', '2024-01-01 00:00:00.5+00', '2024-01-01 00:00:00.000001', -1.05, 'x'),
			('00000000-0000-0000-0000-000000000000', '{{1}}', 0.5, 3, 'NaN', '', DEFAULT, NULL, 2, 'abcd')`,
	rows: map[string][]string{"forms": {
		`X'A0EEBC999C0B4EF8BB6D6BB9BD380A11'|'[0:1]={5,6}'|1234567890|1.25|'-0'|'"a"=>"1"'|'2024-01-01 00:00:00.500000+00:00'|1704067200000001|-105|'x   '`,
		`X'00000000000000000000000000000000'|'{{1}}'|50|3.0|'NaN'|''|'2000-01-01 00:00:00.000000+00:00'|NULL|200|'abcd'`,
	}},
	fails:   map[string]string{"UPDATE forms SET n = 49": "CHECK", "UPDATE forms SET tz = '2024-01-01 00:00:00+00:00'": "CHECK", "UPDATE forms SET ts = 0": "CHECK", "UPDATE forms SET tz = '1998-01-01 00:00:00.000000+00:00'": "CHECK", "UPDATE forms SET id = x'00'": "CHECK"},
	done:    []string{"INSERT INTO forms (id, n) VALUES (x'000102030405060708090a0b0c0d0e0f', 50)"},
	answers: map[string]string{"SELECT tz || '' FROM forms WHERE hex(id) LIKE '0001%'": "2000-01-01 00:00:00.000000+00:00"},
	says:    []string{"public.forms.m: danger (numeric-real)", "public.forms.a: warning (array-text)"},
}}}
