-- +goose Up
-- How often each page has been read, counted while it is served.
CREATE TABLE page_reads (
    path  TEXT    NOT NULL PRIMARY KEY,
    reads INTEGER NOT NULL CHECK (reads > 0)
);

-- +goose Down
DROP TABLE page_reads;
