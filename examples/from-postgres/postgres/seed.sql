-- Rows for the magazine: a few that are worth a look, then as many reads as wanted.
--
--   psql -v reads=500000 -f postgres/seed.sql "$DATABASE_URL"
\if :{?reads}
\else
  \set reads 2000
\endif

INSERT INTO readers (id, email, name, paying, prefs, joined_at) VALUES
    ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'Ada@Example.com', 'Ada', true, '{"theme": "dark", "mails": ["weekly", "new \"posts\""]}', '2025-03-30 01:59:59.123456+01'),
    ('b1ffcd00-0d1c-4ff9-8c7e-7cc0ce491b22', 'emile@example.com', 'Émile', false, '{}', '2025-12-31 23:59:59+00'),
    ('c2aade11-1e2d-4aaa-9d8f-8dd1df5a2c33', 'grace@example.com', 'Grace; -- O''Hopper', true, '{"theme": "light", "ratio": 1.10}', '2026-01-15 12:00:00-05');

INSERT INTO posts (slug, title, status, featured, price, tags, published_at) VALUES
    ('leaving-postgres', 'Leaving PostgreSQL, calmly', 'published', true, 4.50, '{sqlite,go,"two words"}', '2026-01-02 03:04:05.678901+00'),
    ('etudes', 'Études à l''aube', 'published', false, 0, '{musique,"say \"hi\""}', '2026-01-31 23:30:00-02'),
    ('one-cent', '100% of one_cent \ more', 'published', false, 0.01, '{}', '2026-02-01 00:00:00+00'),
    ('unfinished', 'Unfinished', 'draft', false, 12.00, '{go}', NULL),
    ('taken-back', 'Taken back', 'withdrawn', false, 999999.99, '{"{}","a,b"}', '2025-12-24 18:00:00+00');

-- An id that was given out, and whose post is gone: it must not be given out again.
INSERT INTO posts (slug, title) VALUES ('mistake', 'A mistake');
DELETE FROM posts WHERE slug = 'mistake';

INSERT INTO purchases (reader_id, post_id, paid, bought_at) VALUES
    ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1, 4.50, '2026-01-31 22:59:59+00'),
    ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 3, 0.01, '2026-02-01 00:00:00+00'),
    ('c2aade11-1e2d-4aaa-9d8f-8dd1df5a2c33', 1, 0.10, '2026-02-28 23:30:00-05'),
    ('c2aade11-1e2d-4aaa-9d8f-8dd1df5a2c33', 3, 0.20, '2026-02-02 00:00:00+00');

-- The same reads each time: who, what, when and how long follow from the number.
INSERT INTO readers (id, email, name, paying, prefs, joined_at)
SELECT md5('reader ' || n)::uuid, 'reader' || n || '@example.com', 'Reader ' || n, n % 5 = 0,
       jsonb_build_object('theme', CASE WHEN n % 2 = 0 THEN 'dark' ELSE 'light' END, 'per_page', 10 + n % 40),
       timestamptz '2025-01-01 00:00:00+00' + n * interval '3 hours'
FROM generate_series(1, least(:reads / 10 + 1, 20000)) n;

INSERT INTO post_reads (id, post_id, reader_id, read_at, seconds, finished)
SELECT md5('read ' || n)::uuid, 1 + n % 3, md5('reader ' || 1 + n % least(:reads / 10 + 1, 20000))::uuid,
       timestamptz '2026-01-02 04:00:00+00' + n * interval '61.000001 seconds', n % 900,
       n <= least(:reads / 10 + 1, 20000) AND n % 4 = 0
FROM generate_series(1, :reads) n;
