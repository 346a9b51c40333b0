-- What the magazine asks SQLite. postgres/queries.sql has what it asked PostgreSQL, by the
-- same names; a test runs both on the same rows.

-- name: post_by_slug
SELECT id, slug, title, status, featured, price_cents, tags, published_at
FROM posts
WHERE slug = ?1;

-- name: post_by_title
SELECT id, slug, title, status, featured, price_cents, tags, published_at
FROM posts
WHERE pg_lower(title) = pg_lower(?1)
ORDER BY id;

-- name: search_posts
SELECT id, slug, title, status, featured, price_cents, tags, published_at
FROM posts
WHERE status = 'published' AND pg_ilike(title, '%' || ?1 || '%', '\')
  AND (?2 = '' OR EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?2))
ORDER BY published_at DESC;

-- name: desk
SELECT slug, status, published_at
FROM posts
ORDER BY CASE status WHEN 'draft' THEN 1 WHEN 'published' THEN 2 ELSE 3 END, published_at DESC NULLS LAST, id;

-- name: tags
SELECT tag.value, count(*)
FROM posts, json_each(tags) AS tag
GROUP BY tag.value
ORDER BY count(*) DESC, tag.value;

-- name: add_post
INSERT INTO posts (slug, title, status, price_cents, tags, published_at)
VALUES (?1, ?2, ?3, ?4, ?5, CASE WHEN ?3 = 'published' THEN ?6 END)
RETURNING id;

-- name: add_tag
UPDATE posts
SET tags = json_insert(tags, '$[#]', ?2)
WHERE slug = ?1 AND NOT EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?2)
RETURNING tags;

-- name: unfeature
UPDATE posts
SET featured = false
WHERE featured;

-- name: feature
UPDATE posts
SET featured = true
WHERE slug = ?1
RETURNING id;

-- name: delete_post
DELETE FROM posts
WHERE slug = ?1
RETURNING id;

-- name: reader_by_email
SELECT id, email, name, paying, prefs, prefs ->> 'theme', joined_at
FROM readers
WHERE email = ?1;

-- name: add_reader
INSERT INTO readers (email, name, joined_at)
VALUES (?1, ?2, ?3)
RETURNING id;

-- name: set_theme
UPDATE readers
SET prefs = json_set(prefs, '$.theme', ?2)
WHERE email = ?1
RETURNING prefs ->> 'theme';

-- name: add_read
INSERT INTO post_reads (post_id, reader_id, seconds, finished, read_at)
SELECT p.id, r.id, ?3, ?4, ?5
FROM posts p, readers r
WHERE p.slug = ?1 AND r.email = ?2
ON CONFLICT (post_id, reader_id) WHERE finished
DO UPDATE SET seconds = max(seconds, excluded.seconds)
RETURNING id, seconds;

-- name: reads_lately
SELECT count(*)
FROM post_reads
WHERE read_at >= ?1;

-- name: buy
INSERT INTO purchases (reader_id, post_id, paid_cents, bought_at)
SELECT r.id, p.id, p.price_cents, ?3
FROM posts p, readers r
WHERE p.slug = ?1 AND r.email = ?2
ON CONFLICT DO NOTHING
RETURNING paid_cents;

-- name: revenue
SELECT strftime('%Y-%m', bought_at) AS month, sum(paid_cents)
FROM purchases
GROUP BY month
ORDER BY month;

-- name: stats
SELECT slug, reads, finished, last_read_at
FROM post_stats
ORDER BY reads DESC, slug;
