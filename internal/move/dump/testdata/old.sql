--
-- PostgreSQL database dump
--

-- Dumped from database version 9.6.24
-- Dumped by pg_dump version 9.6.24

SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = off;
SET check_function_bodies = false;
SET row_security = off;

CREATE EXTENSION IF NOT EXISTS plpgsql WITH SCHEMA pg_catalog;
COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language';

SET search_path = public, pg_catalog;

CREATE TYPE size AS ENUM (
    'small',
    'it''s \\ big'
);

CREATE FUNCTION touch() RETURNS trigger
    LANGUAGE plpgsql
    AS $_$ begin new.a := $1; return new; end; $_$;

SET default_tablespace = '';
SET default_with_oids = false;

CREATE TABLE items (
    id integer NOT NULL,
    name text DEFAULT 'a\\b;'::text NOT NULL,
    how size,
    at timestamp(3) with time zone DEFAULT now(),
    spent interval hour to minute,
    tags character varying(20)[]
);
ALTER TABLE items OWNER TO postgres;
COMMENT ON COLUMN items.name IS 'what it is called';

SET search_path = "Odd one", pg_catalog;

CREATE TABLE items (
    id integer,
    of public.size
);

SET search_path = public, pg_catalog;

CREATE TABLE late (
    id integer
);
ALTER TABLE ONLY late REPLICA IDENTITY NOTHING;

CREATE SEQUENCE items_id_seq
    START WITH 1
    INCREMENT BY -1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE items_id_seq OWNED BY items.id;
ALTER TABLE ONLY items ALTER COLUMN id SET DEFAULT nextval('items_id_seq'::regclass);
ALTER TABLE ONLY items ALTER COLUMN name SET STATISTICS 500;

COPY items (id, name, how, at, spent, tags) FROM stdin;
1	a;b	small	2020-01-01 00:00:00+00	01:02:00	{a}
2	\\.	\N	\N	\N	\N
\.

COPY late (id) FROM stdin;
\.
SELECT pg_catalog.setval('items_id_seq', -7, true);

SET search_path = "Odd one", pg_catalog;
INSERT INTO items VALUES (1, 'it''s \\ big');
INSERT INTO items VALUES (2, E'sm\x61ll');
SET search_path = public, pg_catalog;

ALTER TABLE ONLY items
    ADD CONSTRAINT items_pkey PRIMARY KEY (id) WITH (fillfactor='90');
CREATE RULE "_RETURN" AS
    ON SELECT TO late DO INSTEAD  SELECT items.id
   FROM items
  GROUP BY items.id;
CREATE INDEX items_name ON items USING btree (lower(name), name DESC NULLS LAST) WHERE (name <> ''::text);
CREATE TRIGGER touched BEFORE INSERT OR UPDATE OF id, name ON items FOR EACH ROW EXECUTE PROCEDURE touch();
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO PUBLIC;

--
-- PostgreSQL database dump complete
--

