-- +goose Up
CREATE VIEW post_stats AS
SELECT p.id, p.slug, count(r.id) AS reads,
       count(r.id) FILTER (WHERE r.finished) AS finished,
       max(r.read_at) AS last_read_at
FROM posts p LEFT JOIN post_reads r ON r.post_id = p.id
GROUP BY p.id;

-- +goose Down
DROP VIEW post_stats;
