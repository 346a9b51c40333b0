-- PostgreSQL database dump
\restrict abc
-- Dumped from database version 15.18
-- Dumped by pg_dump version 15.18
SET client_encoding = 'UTF8';
-- Name: audit; Type: SCHEMA; Schema: -; Owner: -
CREATE SCHEMA audit;
-- Name: email; Type: DOMAIN; Schema: public; Owner: -
CREATE DOMAIN public.email AS text
	CONSTRAINT email_check CHECK ((VALUE ~~ '%@%'::text));
-- Name: mood; Type: TYPE; Schema: public; Owner: -
CREATE TYPE public.mood AS ENUM (
    'sad',
    'ok',
    'happy'
);
-- Name: touch(); Type: FUNCTION; Schema: public; Owner: -
CREATE FUNCTION public.touch() RETURNS trigger
    LANGUAGE plpgsql
    AS $$BEGIN RETURN NEW; END$$;
-- Name: log; Type: TABLE; Schema: audit; Owner: -
CREATE TABLE audit.log (
    id integer NOT NULL,
    what jsonb
);
-- Name: log_id_seq; Type: SEQUENCE; Schema: audit; Owner: -
ALTER TABLE audit.log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME audit.log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
-- Name: users; Type: TABLE; Schema: public; Owner: -
CREATE TABLE public.users (
    id bigint NOT NULL,
    email public.email NOT NULL,
    mood public.mood DEFAULT 'ok'::public.mood,
    active boolean DEFAULT true NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL
);
-- Name: TABLE users; Type: COMMENT; Schema: public; Owner: -
COMMENT ON TABLE public.users IS 'who buys';
-- Name: happy; Type: VIEW; Schema: public; Owner: -
CREATE VIEW public.happy AS
 SELECT users.id,
    users.email
   FROM public.users
  WHERE (users.mood = 'happy'::public.mood);
-- Name: orders; Type: TABLE; Schema: public; Owner: -
CREATE TABLE public.orders (
    id uuid NOT NULL,
    user_id bigint NOT NULL,
    total numeric(10,2) NOT NULL,
    note text,
    tags text[],
    CONSTRAINT orders_total_check CHECK ((total >= (0)::numeric))
);
-- Name: users_id_seq; Type: SEQUENCE; Schema: public; Owner: -
CREATE SEQUENCE public.users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
-- Name: users_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
-- Name: users id; Type: DEFAULT; Schema: public; Owner: -
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
-- Data for Name: log; Type: TABLE DATA; Schema: audit; Owner: -
COPY audit.log (id, what) FROM stdin;
1	{"a": [true, null], "b": 1}
\.
-- Data for Name: orders; Type: TABLE DATA; Schema: public; Owner: -
COPY public.orders (id, user_id, total, note, tags) FROM stdin;
6f1c1a5e-0000-4000-8000-000000000001	1	10.50	\N	{a,"b c"}
6f1c1a5e-0000-4000-8000-000000000002	2	0.00	two\nlines	\N
\.
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: -
COPY public.users (id, email, mood, active, created) FROM stdin;
1	ada@example.com	happy	t	2026-01-02 03:04:05+00
2	bob;--@example.com	\N	f	2026-01-03 02:05:06.789+00
\.
-- Name: log_id_seq; Type: SEQUENCE SET; Schema: audit; Owner: -
SELECT pg_catalog.setval('audit.log_id_seq', 1, true);
-- Name: users_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
SELECT pg_catalog.setval('public.users_id_seq', 2, true);
-- Name: log log_pkey; Type: CONSTRAINT; Schema: audit; Owner: -
ALTER TABLE ONLY audit.log
    ADD CONSTRAINT log_pkey PRIMARY KEY (id);
-- Name: orders orders_pkey; Type: CONSTRAINT; Schema: public; Owner: -
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
-- Name: users users_email_key; Type: CONSTRAINT; Schema: public; Owner: -
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_email_key UNIQUE (email);
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: -
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
-- Name: orders_open; Type: INDEX; Schema: public; Owner: -
CREATE INDEX orders_open ON public.orders USING btree (user_id) WHERE (note IS NULL);
-- Name: orders orders_touch; Type: TRIGGER; Schema: public; Owner: -
CREATE TRIGGER orders_touch BEFORE UPDATE ON public.orders FOR EACH ROW EXECUTE FUNCTION public.touch();
-- Name: orders orders_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
-- PostgreSQL database dump complete
\unrestrict abc
