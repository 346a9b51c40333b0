package transfer_test

var keyFamily = family{name: "keys", cases: []moved{
	{
		name: "what a foreign key does",
		script: `CREATE TABLE parents (id int PRIMARY KEY, code text UNIQUE); INSERT INTO parents VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e'), (0, 'zero');
			CREATE TABLE cascades (p int REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE); CREATE TABLE nulls (p int REFERENCES parents ON DELETE SET NULL); CREATE TABLE defaults (p int DEFAULT 0 REFERENCES parents ON DELETE SET DEFAULT); CREATE TABLE restricts (p int REFERENCES parents ON DELETE RESTRICT); CREATE TABLE plain (c text REFERENCES parents (code));
			INSERT INTO cascades VALUES (1), (2), (NULL); INSERT INTO nulls VALUES (2); INSERT INTO defaults VALUES (3); INSERT INTO restricts VALUES (4); INSERT INTO plain VALUES ('e')`,
		fails:   map[string]string{"DELETE FROM parents WHERE id = 4": "FOREIGN KEY", "DELETE FROM parents WHERE id = 5": "FOREIGN KEY", "INSERT INTO cascades VALUES (9)": "FOREIGN KEY", "UPDATE plain SET c = 'x'": "FOREIGN KEY"},
		done:    []string{"DELETE FROM parents WHERE id IN (2, 3)", "UPDATE parents SET id = 11 WHERE id = 1"},
		answers: map[string]string{"SELECT coalesce(p, 'NULL') FROM cascades UNION ALL SELECT coalesce(p, 'NULL') FROM nulls UNION ALL SELECT p FROM defaults UNION ALL SELECT p FROM restricts": "11\nNULL\nNULL\n0\n4"},
	},
	{
		name: "rings, selves, deferred keys",
		script: `CREATE TABLE hens (id int PRIMARY KEY, egg int); CREATE TABLE eggs (id int PRIMARY KEY, hen int NOT NULL REFERENCES hens DEFERRABLE INITIALLY DEFERRED); ALTER TABLE hens ADD FOREIGN KEY (egg) REFERENCES eggs DEFERRABLE INITIALLY DEFERRED;
			BEGIN; INSERT INTO hens VALUES (1, 1), (2, 2); INSERT INTO eggs VALUES (2, 1), (1, 2); COMMIT;
			CREATE TABLE staff (id int PRIMARY KEY, boss int REFERENCES staff); INSERT INTO staff VALUES (3, NULL); INSERT INTO staff VALUES (1, 3); INSERT INTO staff VALUES (2, 2); UPDATE staff SET boss = 1 WHERE id = 3`,
		rows:    map[string][]string{"hens": {"1|1", "2|2"}, "eggs": {"1|2", "2|1"}, "staff": {"1|3", "2|2", "3|1"}},
		done:    []string{"BEGIN", "INSERT INTO hens VALUES (3, 3)", "INSERT INTO eggs VALUES (3, 3)", "COMMIT", "BEGIN", "INSERT INTO eggs VALUES (4, 99)", "ROLLBACK"},
		answers: map[string]string{"SELECT count(*) FROM eggs": "3"},
		fails:   map[string]string{"INSERT INTO staff VALUES (4, 9)": "FOREIGN KEY", "INSERT INTO eggs VALUES (5, 99)": "FOREIGN KEY"},
	},
	{
		name: "MATCH FULL, keys of several columns, NOT VALID",
		script: `CREATE TABLE pairs (a int, b text, PRIMARY KEY (b, a)); INSERT INTO pairs VALUES (1, 'x'); CREATE TABLE fulls (a int, b text, FOREIGN KEY (a, b) REFERENCES pairs (a, b) MATCH FULL); INSERT INTO fulls VALUES (1, 'x'), (NULL, NULL);
			CREATE TABLE simples (a int, b text, FOREIGN KEY (b, a) REFERENCES pairs); INSERT INTO simples VALUES (1, 'x'), (9, NULL);
			CREATE TABLE broken (p int, n int); INSERT INTO broken VALUES (7, -1), (NULL, 1); CREATE TABLE ps (id int PRIMARY KEY); ALTER TABLE broken ADD FOREIGN KEY (p) REFERENCES ps NOT VALID, ADD CONSTRAINT positive CHECK (n > 0) NOT VALID`,
		rows:  map[string][]string{"pairs": {"1|'x'"}, "fulls": {"1|'x'", "NULL|NULL"}, "simples": {"1|'x'", "9|NULL"}, "broken": {"7|-1", "NULL|1"}},
		fails: map[string]string{"INSERT INTO fulls VALUES (1, NULL)": "CHECK constraint failed", "INSERT INTO fulls VALUES (2, 'x')": "FOREIGN KEY", "INSERT INTO simples VALUES (2, 'x')": "FOREIGN KEY", "INSERT INTO broken VALUES (8, 1)": "FOREIGN KEY", "INSERT INTO pairs VALUES (1, 'x')": "UNIQUE"},
		done:  []string{"INSERT INTO broken VALUES (NULL, -5)"},
		says:  []string{"public.broken.broken_p_fkey: warning (not-valid)", "check public.broken.positive is not carried (warning)"},
	},
	{
		name: "unique in every way",
		script: `CREATE TABLE uniques (id uuid PRIMARY KEY, a int UNIQUE, b text, c int, d int, e text, n int, UNIQUE NULLS NOT DISTINCT (c), UNIQUE (d) DEFERRABLE, EXCLUDE USING btree (n WITH =));
			CREATE UNIQUE INDEX live ON uniques (b) WHERE a > 0; CREATE UNIQUE INDEX lower_e ON uniques (lower(e)); CREATE UNIQUE INDEX included ON uniques (a, b) INCLUDE (d);
			INSERT INTO uniques VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', NULL, 'x', 1, 1, 'É', 1), ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', NULL, 'x', NULL, 2, 'f', 2)`,
		fails: map[string]string{
			"INSERT INTO uniques (id) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12')":               "UNIQUE",
			"INSERT INTO uniques (id) VALUES (NULL)":                                                 "NOT NULL",
			"INSERT INTO uniques (id, c) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a13', NULL)":      "UNIQUE",
			"INSERT INTO uniques (id, c, e) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a13', 9, 'é')": "UNIQUE",
			"INSERT INTO uniques (id, c, d) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a13', 9, 1)":   "UNIQUE",
		},
		done:    []string{"INSERT INTO uniques (id, a, b, c) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a14', 1, 'x', 9)"},
		answers: map[string]string{"SELECT count(*) FROM uniques WHERE b = 'x'": "3"},
		says:    []string{"exclusion constraint public.uniques.uniques_n_excl is not carried (danger)", "public.uniques.uniques_d_key: warning (unique-deferrable)"},
	},
	{
		name: "indexes of every kind",
		script: `CREATE TABLE indexed (a int, b text, j jsonb, t tsvector, r int4range, p point);
			CREATE INDEX i_plain ON indexed (a DESC NULLS LAST, b); CREATE INDEX i_include ON indexed (a) INCLUDE (b); CREATE INDEX i_hash ON indexed USING hash (b); CREATE INDEX i_expr ON indexed (lower(b), (a + 1)); CREATE INDEX i_part ON indexed (a) WHERE b IS NOT NULL;
			CREATE INDEX i_gin ON indexed USING gin (j); CREATE INDEX i_brin ON indexed USING brin (a); CREATE INDEX i_gist ON indexed USING gist (r); CREATE INDEX i_spgist ON indexed USING spgist (p); CREATE INDEX i_ops ON indexed (b text_pattern_ops); CREATE INDEX i_json ON indexed ((j ->> 'k'));
			INSERT INTO indexed VALUES (1, 'x', '{"k": 1}', 'a', '[1,2)', '(1,2)')`,
		answers: map[string]string{"SELECT group_concat(name || ' ' || substr(sql, instr(sql, '(')), ' ') FROM (SELECT * FROM sqlite_schema WHERE tbl_name = 'indexed' AND type = 'index' ORDER BY name)": `i_expr (pg_lower("b"), ("a" + 1)) i_hash ("b") i_include ("a", "b") i_ops ("b") i_part ("a") WHERE ("b" IS NOT NULL) i_plain ("a" DESC, "b")`},
		says:    []string{"index public.indexed.i_gin is not carried (note): SQLite has no gin index", "i_brin is not carried", "i_gist is not carried", "i_spgist is not carried", "index public.indexed.i_json is not carried"},
	},
	{
		name: "checks",
		script: `CREATE TABLE checked (id int PRIMARY KEY, mail text CHECK (mail ~ '^[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}$'), caseless text CHECK (caseless ~* '^(yes|no)$'), code text CHECK (code !~ '\s'), price numeric(10,2) CHECK (price >= 0), qty int CHECK (qty % 2 = 0), kind text CHECK (kind IN ('a', 'b')),
				name text CHECK (length(trim(name)) > 0), a int, b int, CONSTRAINT one_of CHECK (num_nonnulls(a, b) = 1), CHECK (coalesce(a, b) BETWEEN 1 AND 10), tags text[] CHECK (array_length(tags, 1) > 0));
			INSERT INTO checked VALUES (1, 'me@example.com', 'YES', 'abc', 1.50, 2, 'a', ' x ', 1, NULL, '{t}')`,
		fails: map[string]string{"UPDATE checked SET mail = 'Me@example.com'": "CHECK", "UPDATE checked SET caseless = 'maybe'": "CHECK", "UPDATE checked SET code = 'a b'": "CHECK", "UPDATE checked SET price = '-0.01'": "CHECK", "UPDATE checked SET qty = 3": "CHECK", "UPDATE checked SET kind = 'A'": "CHECK", "UPDATE checked SET name = '  '": "CHECK",
			"UPDATE checked SET b = 1": "CHECK constraint failed: one_of", "UPDATE checked SET a = 11": "CHECK"},
		done: []string{"UPDATE checked SET caseless = 'no', mail = NULL, a = NULL, b = 10"},
		says: []string{"check public.checked.checked_tags_check is not carried (danger)", "warning (functions)"},
	},
}}

var sequenceFamily = family{name: "sequences", cases: []moved{{
	name: "numbers go on where they were",
	script: `CREATE TABLE serials (id serial PRIMARY KEY, v text); INSERT INTO serials (v) VALUES ('a'), ('b'); SELECT setval('serials_id_seq', 40);
		CREATE TABLE never (id serial PRIMARY KEY); CREATE TABLE starts (id bigint GENERATED BY DEFAULT AS IDENTITY (START 100) PRIMARY KEY); CREATE TABLE gone (id bigserial PRIMARY KEY, v text); INSERT INTO gone (v) SELECT 'x' FROM generate_series(1, 5); DELETE FROM gone WHERE id > 3;
		CREATE TABLE always (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text); INSERT INTO always (v) VALUES ('a'); CREATE TABLE behind (id serial PRIMARY KEY); INSERT INTO behind VALUES (40);
		CREATE TABLE given (id int PRIMARY KEY); INSERT INTO given VALUES (7); CREATE SEQUENCE shared START 1000; CREATE TABLE sharing (id int PRIMARY KEY DEFAULT nextval('shared')); INSERT INTO sharing DEFAULT VALUES; CREATE TABLE sharing2 (id int PRIMARY KEY DEFAULT nextval('shared')); INSERT INTO sharing2 DEFAULT VALUES;
		CREATE SEQUENCE lonely INCREMENT 5; SELECT nextval('lonely'), nextval('lonely'); CREATE TABLE small (id smallserial PRIMARY KEY); INSERT INTO small DEFAULT VALUES; CREATE TABLE elsewhere (id int PRIMARY KEY, n serial); INSERT INTO elsewhere VALUES (1);
		CREATE TABLE called (id serial PRIMARY KEY); SELECT setval('called_id_seq', 10, false); CREATE TABLE top (id bigserial PRIMARY KEY); SELECT setval('top_id_seq', 9223372036854775806)`,
	done: []string{"INSERT INTO serials (v) VALUES ('c')", "INSERT INTO never DEFAULT VALUES", "INSERT INTO starts DEFAULT VALUES", "INSERT INTO gone (v) VALUES ('c')", "INSERT INTO always (v) VALUES ('c')", "INSERT INTO behind DEFAULT VALUES", "INSERT INTO given DEFAULT VALUES", "INSERT INTO sharing DEFAULT VALUES",
		"INSERT INTO small DEFAULT VALUES", "INSERT INTO called DEFAULT VALUES", "INSERT INTO top DEFAULT VALUES"},
	answers: map[string]string{"SELECT (SELECT max(id) FROM serials) || ' ' || (SELECT max(id) FROM never) || ' ' || (SELECT max(id) FROM starts) || ' ' || (SELECT max(id) FROM gone) || ' ' || (SELECT max(id) FROM always) || ' ' || (SELECT max(id) FROM behind) || ' ' || (SELECT max(id) FROM given) || ' ' || (SELECT max(id) FROM sharing) || ' ' || (SELECT max(id) FROM small) || ' ' || (SELECT max(id) FROM called) || ' ' || (SELECT max(id) FROM top)": "41 1 100 6 2 41 8 1002 2 10 9223372036854775807"},
	fails:   map[string]string{"INSERT INTO elsewhere (id) VALUES (2)": "NOT NULL constraint failed: elsewhere.n"},
	says:    []string{"public.always.id: note (identity-always)", "default public.elsewhere.n is not carried (danger)", "sequence public.lonely is not carried (warning): SQLite has none; it stands at 6", "sequence public.shared is not carried"},
}}}

var leftFamily = family{name: "leftovers", cases: []moved{
	{
		name: "views, triggers, functions, rules, comments",
		script: `CREATE TABLE base (id int PRIMARY KEY, name text, price numeric(8,2), at timestamptz, ts timestamp); INSERT INTO base VALUES (1, 'Éa', 1.50, '2024-01-01 12:00+00', '2024-01-01 12:00'), (2, NULL, 20, NULL, NULL);
			COMMENT ON TABLE base IS 'a table''s
comment -- with */ in it'; COMMENT ON COLUMN base.name IS 'a column''s comment';
			CREATE VIEW cheap AS SELECT b.id, upper(b.name) AS loud, b.price * 2 AS twice, coalesce(b.ts, '2000-01-01') AS ts FROM base b WHERE b.price < 10 AND b.at > '2000-01-01 00:00+00'; CREATE VIEW cheaper AS SELECT id FROM cheap WHERE id > 0; CREATE VIEW pairs AS SELECT a.id, b.id AS other FROM base a LEFT JOIN base b ON b.id = a.id + 1;
			CREATE VIEW grouped AS SELECT count(*) AS n FROM base; CREATE VIEW sorted AS SELECT id FROM base ORDER BY name LIMIT 1; CREATE MATERIALIZED VIEW stored AS SELECT sum(price) AS total FROM base; CREATE RECURSIVE VIEW nums (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM nums WHERE n < 3;
			CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); RETURN NEW; END $$; CREATE TRIGGER base_touch BEFORE UPDATE ON base FOR EACH ROW EXECUTE FUNCTION touch(); CREATE FUNCTION plus(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + b'; CREATE PROCEDURE proc() LANGUAGE sql AS 'SELECT 1'; CREATE RULE keep AS ON DELETE TO base DO INSTEAD NOTHING;
			CREATE AGGREGATE total (int) (sfunc = int4pl, stype = int4, initcond = '0'); CREATE INDEX ON base (plus(id, 1)); ALTER TABLE base ADD CONSTRAINT by_function CHECK (plus(id, 1) > 0)`,
		rows:    map[string][]string{"base": {"1|'Éa'|'1.50'|'2024-01-01 12:00:00+00:00'|'2024-01-01 12:00:00+00:00'", "2|NULL|'20.00'|NULL|NULL"}, "cheap": {"1|'ÉA'|'3.00'|'2024-01-01 12:00:00+00:00'"}, "cheaper": {"1"}, "pairs": {"1|2", "2|NULL"}},
		answers: map[string]string{"SELECT instr(sql, 'a table''s' || char(10)) > 0 AND instr(sql, '-- comment -- with */ in it') > 0 AND instr(sql, '-- a column''s comment') > 0 FROM sqlite_schema WHERE name = 'base'": "1"},
		fails:   map[string]string{"INSERT INTO cheap (id) VALUES (1)": "cannot modify cheap because it is a view"},
		says: []string{"view public.grouped is not carried (danger)", "view public.sorted is not carried", "view public.nums is not carried", "materialized view public.stored is not carried (danger)", "trigger public.base.base_touch is not carried (danger)", "function public.touch() is not carried",
			"function public.plus(", "procedure public.proc() is not carried", "aggregate public.total(", "rule public.base.keep is not carried (danger)", "index public.base.base_plus_idx is not carried", "check public.base.by_function is not carried (danger)"},
	},
	{
		name: "what else a database holds",
		script: `CREATE TABLE owned (id int); INSERT INTO owned VALUES (1); ALTER TABLE owned ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON owned USING (id > 5); CREATE UNLOGGED TABLE unlogged (id int); INSERT INTO unlogged VALUES (1);
			SELECT lo_from_bytea(0, 'a large object') > 0; CREATE PUBLICATION pub FOR TABLE owned; CREATE FOREIGN DATA WRAPPER wrapper; CREATE SERVER far FOREIGN DATA WRAPPER wrapper OPTIONS (password 'hunter2'); CREATE FOREIGN TABLE far_away (a int) SERVER far; CREATE STATISTICS stats ON id, (id + 1) FROM owned;
			GRANT SELECT ON owned TO pg_monitor; CREATE OPERATOR @#@ (leftarg = int, rightarg = int, function = int4pl); CREATE TEXT SEARCH CONFIGURATION ts_own (COPY = simple)`,
		rows: map[string][]string{"owned": {"1"}, "unlogged": {"1"}},
		says: []string{"row level security public.owned is not carried (danger)", "policy public.owned.mine is not carried (danger)", "public.unlogged: note (unlogged)", "large objects", "publication", "foreign table public.far_away is not carried (danger)", "statistics", "privileges", "operator", "text search configuration"},
	},
}}

var shapeFamily = family{name: "shapes", cases: []moved{
	{
		name: "tables without a key, without columns, without rows, with the same row twice",
		script: `CREATE TABLE keyless (a int, b text); INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, NULL), (2, 'y'), (1, 'x'); CREATE TABLE columnless (); INSERT INTO columnless DEFAULT VALUES; INSERT INTO columnless DEFAULT VALUES; INSERT INTO columnless DEFAULT VALUES; CREATE TABLE empty (a int, b text); CREATE TABLE one (a int);
			INSERT INTO one VALUES (NULL); CREATE TYPE row_type AS (a int, b text); CREATE TABLE typed OF row_type; INSERT INTO typed VALUES (1, 'x'); CREATE TABLE dropped (a int, b int, c int); INSERT INTO dropped VALUES (1, 2, 3); ALTER TABLE dropped DROP COLUMN b; ALTER TABLE dropped ADD COLUMN d int DEFAULT 4; CREATE TABLE only_generated (a int GENERATED ALWAYS AS (1 + 1) STORED); INSERT INTO only_generated DEFAULT VALUES`,
		rows: map[string][]string{"keyless": {"1|'x'", "1|'x'", "NULL|NULL", "NULL|NULL", "2|'y'", "1|'x'"}, "columnless": {"NULL", "NULL", "NULL"}, "empty": nil, "one": {"NULL"}, "typed": {"1|'x'"}, "dropped": {"1|3|4"}, "only_generated": {"2|NULL"}},
		says: []string{"public.columnless: warning (no-columns)"},
	},
	{
		name: "partitions",
		script: `CREATE TABLE readings (at timestamp NOT NULL, site int NOT NULL, v int CHECK (v > 0), PRIMARY KEY (at, site)) PARTITION BY RANGE (at); CREATE TABLE r2024 PARTITION OF readings FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (site); CREATE TABLE r2024_1 PARTITION OF r2024 FOR VALUES IN (1); CREATE TABLE r2024_rest PARTITION OF r2024 DEFAULT PARTITION BY HASH (site);
			CREATE TABLE r2024_h0 PARTITION OF r2024_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE r2024_h1 PARTITION OF r2024_rest FOR VALUES WITH (MODULUS 2, REMAINDER 1); CREATE TABLE r_default PARTITION OF readings DEFAULT; CREATE INDEX readings_v ON readings (v); CREATE INDEX own ON r_default (site); ALTER TABLE r_default ADD CONSTRAINT own_check CHECK (site < 1000);
			CREATE TABLE attached (v int CONSTRAINT readings_v_check CHECK (v > 0), site int NOT NULL, at timestamp NOT NULL); INSERT INTO attached VALUES (50, 5, '2026-01-01'); ALTER TABLE readings ATTACH PARTITION attached FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
			INSERT INTO readings VALUES ('2024-05-05', 1, 10), ('2024-05-06', 2, 20), ('2024-05-07', 3, 30), ('1999-01-01', 4, 40); CREATE TABLE empty_parts (a int) PARTITION BY LIST (a); CREATE TABLE notes (at timestamp, site int, FOREIGN KEY (at, site) REFERENCES readings); INSERT INTO notes VALUES ('2024-05-06', 2)`,
		answers: map[string]string{"SELECT (at || '') || ' ' || site || ' ' || v FROM readings ORDER BY at": "1999-01-01 00:00:00+00:00 4 40\n2024-05-05 00:00:00+00:00 1 10\n2024-05-06 00:00:00+00:00 2 20\n2024-05-07 00:00:00+00:00 3 30\n2026-01-01 00:00:00+00:00 5 50", "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'r2024%' OR name LIKE 'r_default%'": "0"},
		fails:   map[string]string{"INSERT INTO readings VALUES ('2024-05-06 00:00:00+00:00', 2, 1)": "UNIQUE", "INSERT INTO readings VALUES ('2024-05-06 00:00:00+00:00', 3, 0)": "CHECK", "INSERT INTO notes VALUES ('2024-05-06 00:00:00+00:00', 9)": "FOREIGN KEY"},
		says:    []string{"public.readings: note (partitions): its 7 partitions (RANGE (at)) become one table", "index public.r_default.own is not carried", "check public.r_default.own_check is not carried (danger)"},
	},
	{
		name:   "inheritance",
		script: `CREATE TABLE cities (name text, people int CHECK (people > 0)); CREATE TABLE capitals (state text) INHERITS (cities); INSERT INTO cities VALUES ('Here', 1); INSERT INTO capitals VALUES ('There', 2, 'S'); CREATE VIEW towns AS SELECT name FROM cities`,
		rows:   map[string][]string{"cities": {"'Here'|1"}, "capitals": {"'There'|2|'S'"}},
		fails:  map[string]string{"INSERT INTO capitals (people) VALUES (0)": "CHECK"},
		says:   []string{"public.capitals: warning (inheritance)", "view public.towns is not carried"},
	},
}}
