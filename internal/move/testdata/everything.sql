-- One of everything that a database can hold, each with a name of its own.
CREATE SCHEMA audit;
COMMENT ON SCHEMA audit IS 'what has happened';
CREATE EXTENSION citext;
CREATE EXTENSION hstore SCHEMA audit;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s fine');
COMMENT ON TYPE mood IS 'how it is';
CREATE DOMAIN email AS citext DEFAULT 'x@example.com' NOT NULL CONSTRAINT has_at CHECK (VALUE ~ '@');
CREATE DOMAIN short_email AS email CHECK (length(VALUE) < 50);
CREATE TYPE pair AS (left_part int, right_part numeric(5,2)[]);
CREATE TYPE floatrange AS RANGE (subtype = float8);
CREATE COLLATION german (provider = icu, locale = 'de-DE');

CREATE SEQUENCE free_seq AS integer START 5 INCREMENT 5 MINVALUE 5 MAXVALUE 500 CYCLE;
SELECT nextval('free_seq'), nextval('free_seq');
SELECT setval('free_seq', 100, false);

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE FUNCTION plus(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE PROCEDURE clean_up() LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION evt_f() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE AGGREGATE total (int) (sfunc = int4pl, stype = int4, initcond = '0');
CREATE OPERATOR @#@ (leftarg = int, rightarg = int, function = plus);

CREATE TABLE parent (
  id serial PRIMARY KEY,
  big bigint GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 2),
  code varchar(12) NOT NULL COLLATE "C" DEFAULT 'a''b',
  price numeric(10,2) CHECK (price >= 0),
  twice numeric GENERATED ALWAYS AS (price * 2) STORED,
  tags text[] DEFAULT '{}',
  grid int[][],
  feeling mood DEFAULT 'ok',
  mail short_email,
  both_parts pair,
  span int4range,
  data jsonb,
  secret bytea,
  title text COLLATE german,
  updated_at timestamptz DEFAULT now(),
  CONSTRAINT code_big UNIQUE (code, big) INCLUDE (price) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT for_children UNIQUE (big, code),
  CONSTRAINT nnd UNIQUE NULLS NOT DISTINCT (feeling),
  CONSTRAINT no_overlap EXCLUDE USING gist (span WITH &&)
);
COMMENT ON TABLE parent IS 'a table''s
comment';
COMMENT ON COLUMN parent.code IS 'a column''s comment';
COMMENT ON CONSTRAINT code_big ON parent IS 'a constraint''s comment';
CREATE INDEX plain_idx ON parent (code DESC NULLS LAST, price) INCLUDE (big);
CREATE INDEX lower_idx ON parent (lower(code), (price + 1)) WHERE price > 10;
CREATE INDEX pattern_idx ON parent (code text_pattern_ops);
CREATE INDEX gin_idx ON parent USING gin (data jsonb_path_ops);
CREATE UNIQUE INDEX coll_idx ON parent (code COLLATE "POSIX");
COMMENT ON INDEX plain_idx IS 'an index''s comment';
CREATE STATISTICS parent_stats ON code, price FROM parent;
CREATE TRIGGER parent_touch BEFORE UPDATE ON parent FOR EACH ROW WHEN (OLD.code IS DISTINCT FROM NEW.code) EXECUTE FUNCTION touch();
ALTER TABLE parent DISABLE TRIGGER parent_touch;
CREATE RULE keep AS ON DELETE TO parent DO INSTEAD NOTHING;
ALTER TABLE parent ENABLE ROW LEVEL SECURITY;
CREATE POLICY cheap_only ON parent FOR SELECT TO PUBLIC USING (price < 100);

CREATE TABLE child (
  parent_id int REFERENCES parent ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE,
  code varchar(12), big bigint,
  note text,
  CONSTRAINT child_full FOREIGN KEY (code, big) REFERENCES parent (code, big) MATCH FULL,
  CONSTRAINT positive CHECK (parent_id > 0) NO INHERIT
) WITH (fillfactor = 70);
ALTER TABLE child ADD CONSTRAINT later CHECK (note <> '') NOT VALID;
ALTER TABLE child REPLICA IDENTITY FULL;
CREATE TABLE heir (extra int) INHERITS (child);
CREATE UNLOGGED TABLE unlogged_t (a int);
CREATE TEMP TABLE temp_t (a int);
CREATE TABLE "We""ird; tbl" ("a b" int, "c""d
e" text, "select" int);
CREATE TABLE dropped (a int, b int, c int);
ALTER TABLE dropped DROP COLUMN b;
CREATE TABLE audit.parent (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), kv audit.hstore);

CREATE TABLE events (at timestamp NOT NULL, what text, PRIMARY KEY (at)) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE INDEX events_what ON events (what);
CREATE TABLE of_pair OF pair;

CREATE VIEW cheap AS SELECT id, code FROM parent WHERE price < 10 WITH LOCAL CHECK OPTION;
CREATE MATERIALIZED VIEW sums AS SELECT code, sum(price) AS sum FROM parent GROUP BY code;
CREATE UNIQUE INDEX sums_idx ON sums (code);
CREATE TRIGGER cheap_insert INSTEAD OF INSERT ON cheap FOR EACH ROW EXECUTE FUNCTION touch();
COMMENT ON VIEW cheap IS 'a view''s comment';

CREATE FOREIGN DATA WRAPPER wrapper;
CREATE SERVER far FOREIGN DATA WRAPPER wrapper OPTIONS (password 'hidden-in-server');
CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (password 'hidden-in-mapping');
CREATE FOREIGN TABLE far_t (a int) SERVER far;
CREATE CAST (pair AS text) WITH INOUT;
CREATE PUBLICATION pub FOR TABLE parent;
CREATE TEXT SEARCH CONFIGURATION tsconf (COPY = simple);
CREATE TEXT SEARCH DICTIONARY tsdict (TEMPLATE = simple);
CREATE OPERATOR FAMILY opfam USING btree;
CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;
CREATE CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE EVENT TRIGGER evt ON sql_drop WHEN TAG IN ('DROP AGGREGATE') EXECUTE FUNCTION evt_f();
SELECT lo_from_bytea(0, 'a large object') > 0;
GRANT SELECT ON parent TO pg_monitor;
GRANT SELECT (note) ON child TO pg_monitor;
ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT SELECT ON TABLES TO pg_monitor;
