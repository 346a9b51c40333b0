-- What the magazine asked PostgreSQL. ../queries.sql has the same under the same names.

-- name: post_by_slug
SELECT id, slug, title, status, featured, price, tags, published_at
FROM posts
WHERE slug = $1;

-- name: post_by_title
SELECT id, slug, title, status, featured, price, tags, published_at
FROM posts
WHERE lower(title) = lower($1)
ORDER BY id;

-- name: search_posts
SELECT id, slug, title, status, featured, price, tags, published_at
FROM posts
WHERE status = 'published' AND title ILIKE '%' || $1 || '%' AND ($2 = '' OR $2 = ANY (tags))
ORDER BY published_at DESC;

-- name: desk
SELECT slug, status, published_at
FROM posts
ORDER BY status, published_at DESC NULLS LAST, id;

-- name: tags
SELECT tag, count(*)
FROM posts, unnest(tags) AS tag
GROUP BY tag
ORDER BY count(*) DESC, tag;

-- name: add_post
INSERT INTO posts (slug, title, status, price, tags, published_at)
VALUES ($1, $2, $3, $4, $5, CASE WHEN $3::post_status = 'published' THEN now() END)
RETURNING id;

-- name: add_tag
UPDATE posts
SET tags = array_append(tags, $2)
WHERE slug = $1 AND NOT $2 = ANY (tags)
RETURNING tags;

-- name: unfeature
UPDATE posts
SET featured = false
WHERE featured;

-- name: feature
UPDATE posts
SET featured = true
WHERE slug = $1
RETURNING id;

-- name: delete_post
DELETE FROM posts
WHERE slug = $1
RETURNING id;

-- name: reader_by_email
SELECT id, email, name, paying, prefs, prefs ->> 'theme', joined_at
FROM readers
WHERE email = $1;

-- name: add_reader
INSERT INTO readers (email, name)
VALUES ($1, $2)
RETURNING id;

-- name: set_theme
UPDATE readers
SET prefs = jsonb_set(prefs, '{theme}', to_jsonb($2::text))
WHERE email = $1
RETURNING prefs ->> 'theme';

-- name: add_read
INSERT INTO post_reads (post_id, reader_id, seconds, finished)
SELECT p.id, r.id, $3, $4
FROM posts p, readers r
WHERE p.slug = $1 AND r.email = $2
ON CONFLICT (post_id, reader_id) WHERE finished
DO UPDATE SET seconds = greatest(post_reads.seconds, excluded.seconds)
RETURNING id, seconds;

-- name: reads_lately
SELECT count(*)
FROM post_reads
WHERE read_at >= now() - interval '30 days';

-- name: buy
INSERT INTO purchases (reader_id, post_id, paid)
SELECT r.id, p.id, p.price
FROM posts p, readers r
WHERE p.slug = $1 AND r.email = $2
ON CONFLICT DO NOTHING
RETURNING paid;

-- name: revenue
SELECT to_char(bought_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, sum(paid)
FROM purchases
GROUP BY month
ORDER BY month;

-- name: stats
SELECT slug, reads, finished, last_read_at
FROM post_stats
ORDER BY reads DESC, slug;
