package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/flysql/flysql/appdb"
)

// store is everything the app asks of its database. Methods that write say so: they need
// the primary where there are replicas.
type store struct {
	db  *appdb.DB
	sql queries
}

type post struct {
	ID        int64      `json:"id"`
	Slug      string     `json:"slug"`
	Title     string     `json:"title"`
	Status    string     `json:"status"`
	Featured  bool       `json:"featured"`
	Price     cents      `json:"price"`
	Tags      tags       `json:"tags"`
	Published *time.Time `json:"published_at"`
}

type reader struct {
	ID     string          `json:"id"`
	Email  string          `json:"email"`
	Name   string          `json:"name"`
	Paying bool            `json:"paying"`
	Prefs  json.RawMessage `json:"prefs"`
	Theme  *string         `json:"theme"`
	Joined time.Time       `json:"joined_at"`
}

type deskLine struct {
	Slug      string     `json:"slug"`
	Status    string     `json:"status"`
	Published *time.Time `json:"published_at"`
}

type tagCount struct {
	Tag   string `json:"tag"`
	Posts int    `json:"posts"`
}

type month struct {
	Month string `json:"month"`
	Paid  cents  `json:"paid"`
}

type stats struct {
	Slug     string     `json:"slug"`
	Reads    int        `json:"reads"`
	Finished int        `json:"finished"`
	LastRead *time.Time `json:"last_read_at"`
}

// newStore looks whether the migrations have been applied.
func newStore(ctx context.Context, db *appdb.DB) (*store, error) {
	s := &store{db: db, sql: parseQueries(queriesSQL)}
	if err := s.Ping(ctx); err != nil {
		return nil, fmt.Errorf("read the database that DATABASE_URL names: %w\n\nWhere its migrations have not been applied, start the app with\n\n  %s", err, bootCommand)
	}
	return s, nil
}

// Ping reads, to learn whether the database can be read.
func (s *store) Ping(ctx context.Context) error {
	var any bool
	return s.db.Reader().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM posts) OR EXISTS (SELECT 1 FROM post_stats)`).Scan(&any)
}

// list reads all rows of a query.
func list[T any](ctx context.Context, s *store, name string, scan func(*T) []any, args ...any) (all []T, err error) {
	rows, err := s.db.Reader().QueryContext(ctx, s.sql[name], args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	all = []T{}
	for rows.Next() {
		var one T
		if err := rows.Scan(scan(&one)...); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// returning writes by one statement, and reads what it returns. sql.ErrNoRows says that
// it found nothing to write.
func (s *store) returning(ctx context.Context, name string, dest []any, args ...any) error {
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, s.sql[name], args...).Scan(dest...)
	})
}

func (p *post) scan() []any {
	return []any{&p.ID, &p.Slug, &p.Title, &p.Status, &p.Featured, &p.Price, &p.Tags, &p.Published}
}

// Post reads one post.
func (s *store) Post(ctx context.Context, slug string) (p post, err error) {
	err = s.db.Reader().QueryRowContext(ctx, s.sql["post_by_slug"], slug).Scan(p.scan()...)
	return p, err
}

// Titled reads the posts with that title, in whichever case.
func (s *store) Titled(ctx context.Context, title string) ([]post, error) {
	return list(ctx, s, "post_by_title", (*post).scan, title)
}

// Search reads what is published, the newest first: with text in its title, and with a
// tag, where these are not "".
func (s *store) Search(ctx context.Context, text, tag string) ([]post, error) {
	return list(ctx, s, "search_posts", (*post).scan, likePattern(text), tag)
}

// Desk reads all posts, in the order of their status.
func (s *store) Desk(ctx context.Context) ([]deskLine, error) {
	return list(ctx, s, "desk", func(d *deskLine) []any { return []any{&d.Slug, &d.Status, &d.Published} })
}

// Tags reads which there are, the commonest first.
func (s *store) Tags(ctx context.Context) ([]tagCount, error) {
	return list(ctx, s, "tags", func(t *tagCount) []any { return []any{&t.Tag, &t.Posts} })
}

// AddPost writes a post and returns its id.
func (s *store) AddPost(ctx context.Context, p post) (id int64, err error) {
	err = s.returning(ctx, "add_post", []any{&id}, p.Slug, p.Title, p.Status, p.Price, p.Tags, time.Now())
	return id, err
}

// AddTag writes a tag that a post has not got, and returns all.
func (s *store) AddTag(ctx context.Context, slug, tag string) (all tags, err error) {
	err = s.returning(ctx, "add_tag", []any{&all}, slug, tag)
	return all, err
}

// Feature puts one post on the front page, in the place of another. It writes.
func (s *store) Feature(ctx context.Context, slug string) error {
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, s.sql["unfeature"]); err != nil {
			return err
		}
		var id int64
		return tx.QueryRowContext(ctx, s.sql["feature"], slug).Scan(&id)
	})
}

// DeletePost deletes a post, with its reads. It writes.
func (s *store) DeletePost(ctx context.Context, slug string) error {
	var id int64
	return s.returning(ctx, "delete_post", []any{&id}, slug)
}

// Reader reads one reader, by an email in any case.
func (s *store) Reader(ctx context.Context, email string) (r reader, err error) {
	var prefs string
	err = s.db.Reader().QueryRowContext(ctx, s.sql["reader_by_email"], email).
		Scan(&r.ID, &r.Email, &r.Name, &r.Paying, &prefs, &r.Theme, &r.Joined)
	r.Prefs = json.RawMessage(prefs)
	return r, err
}

// AddReader writes a reader and returns the id.
func (s *store) AddReader(ctx context.Context, email, name string) (id string, err error) {
	err = s.returning(ctx, "add_reader", []any{&id}, email, name, time.Now())
	return id, err
}

// SetTheme writes one of a reader's preferences, and leaves the others.
func (s *store) SetTheme(ctx context.Context, email, theme string) (now string, err error) {
	err = s.returning(ctx, "set_theme", []any{&now}, email, theme)
	return now, err
}

// AddRead writes that a reader has read a post for some seconds. Of one that is finished
// again, the longer time counts.
func (s *store) AddRead(ctx context.Context, slug, email string, seconds int, finished bool) (id string, counted int, err error) {
	err = s.returning(ctx, "add_read", []any{&id, &counted}, slug, email, seconds, finished, time.Now())
	return id, counted, err
}

// ReadsSince reads how often posts were read since then.
func (s *store) ReadsSince(ctx context.Context, since time.Time) (n int, err error) {
	err = s.db.Reader().QueryRowContext(ctx, s.sql["reads_lately"], since).Scan(&n)
	return n, err
}

// Buy writes that a reader has paid for a post. Who has bought it already pays nothing:
// that is sql.ErrNoRows.
func (s *store) Buy(ctx context.Context, slug, email string) (paid cents, err error) {
	err = s.returning(ctx, "buy", []any{&paid}, slug, email, time.Now())
	return paid, err
}

// Revenue reads what was paid, by month.
func (s *store) Revenue(ctx context.Context) ([]month, error) {
	return list(ctx, s, "revenue", func(m *month) []any { return []any{&m.Month, &m.Paid} })
}

// Stats reads how much each post is read, by the view post_stats.
func (s *store) Stats(ctx context.Context) ([]stats, error) {
	type line struct {
		stats
		last computed
	}
	lines, err := list(ctx, s, "stats", func(l *line) []any { return []any{&l.Slug, &l.Reads, &l.Finished, &l.last} })
	all := make([]stats, len(lines))
	for i, l := range lines {
		all[i] = l.stats
		all[i].LastRead = l.last.Time
	}
	return all, err
}
