-- +goose Up
-- What was postgres/schema.sql, written for SQLite. flysql import --migrations fills it.

-- A uuid is lower-case text. An email is known whatever the case of its letters A to Z.
CREATE TABLE readers (
    id        TEXT     NOT NULL PRIMARY KEY
        DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
                 || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))
        CHECK (id GLOB '????????-????-????-????-????????????' AND id NOT GLOB '*[^-0-9a-f]*'),
    email     TEXT     NOT NULL COLLATE NOCASE UNIQUE CHECK (instr(email, '@') > 1),
    name      TEXT     NOT NULL CHECK (trim(name) <> ''),
    paying    BOOLEAN  NOT NULL DEFAULT FALSE CHECK (paying IN (0, 1)),
    prefs     TEXT     NOT NULL DEFAULT '{}' CHECK (json_valid(prefs)),
    joined_at DATETIME NOT NULL
);

-- AUTOINCREMENT: the id of a post that is gone is not given out again. Money is in cents:
-- a whole number, which sums and compares exactly. Tags are an array of JSON's.
CREATE TABLE posts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    slug         TEXT    NOT NULL UNIQUE CHECK (slug <> '' AND slug NOT GLOB '*[^a-z0-9-]*'),
    title        TEXT    NOT NULL CHECK (trim(title) <> '' AND length(title) <= 200),
    status       TEXT    NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'withdrawn')),
    featured     BOOLEAN NOT NULL DEFAULT FALSE CHECK (featured IN (0, 1)),
    price_cents  INTEGER NOT NULL DEFAULT 0 CHECK (typeof(price_cents) = 'integer' AND price_cents BETWEEN 0 AND 99999999),
    tags         TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(tags) AND json_array_length(tags) <= 8),
    published_at DATETIME,
    CHECK (status <> 'published' OR published_at IS NOT NULL)
);

-- One post is on the front page.
CREATE UNIQUE INDEX posts_featured ON posts (featured) WHERE featured;
-- SQLite's lower knows A to Z only; pg_lower, which package appdb brings, is PostgreSQL's.
CREATE INDEX posts_by_title ON posts (pg_lower(title));

CREATE TABLE post_reads (
    id        TEXT     NOT NULL PRIMARY KEY
        DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
                 || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))
        CHECK (id GLOB '????????-????-????-????-????????????' AND id NOT GLOB '*[^-0-9a-f]*'),
    post_id   INTEGER  NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    reader_id TEXT     NOT NULL REFERENCES readers (id) ON DELETE CASCADE,
    read_at   DATETIME NOT NULL,
    seconds   INTEGER  NOT NULL CHECK (seconds BETWEEN 0 AND 86400),
    finished  BOOLEAN  NOT NULL DEFAULT FALSE CHECK (finished IN (0, 1))
);

-- A reader finishes a post once, however often it is opened.
CREATE UNIQUE INDEX post_reads_finished ON post_reads (post_id, reader_id) WHERE finished;
CREATE INDEX post_reads_by_reader ON post_reads (reader_id, read_at);

CREATE TABLE purchases (
    reader_id  TEXT     NOT NULL REFERENCES readers (id) ON DELETE CASCADE,
    post_id    INTEGER  NOT NULL REFERENCES posts (id) ON DELETE RESTRICT,
    paid_cents INTEGER  NOT NULL CHECK (typeof(paid_cents) = 'integer' AND paid_cents BETWEEN 1 AND 99999999),
    bought_at  DATETIME NOT NULL,
    PRIMARY KEY (reader_id, post_id)
);

-- +goose Down
DROP TABLE purchases;
DROP TABLE post_reads;
DROP TABLE posts;
DROP TABLE readers;
