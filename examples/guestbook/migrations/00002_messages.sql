-- +goose Up
-- AUTOINCREMENT: an id is never used twice, so "the messages after this id"
-- stays a true question even when the newest message has been deleted.
CREATE TABLE messages (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    guest_id INTEGER  NOT NULL REFERENCES guests (id) ON DELETE CASCADE,
    body     TEXT     NOT NULL CHECK (length(body) BETWEEN 1 AND 1000),
    created  DATETIME NOT NULL
);

-- One guest's messages, newest first.
CREATE INDEX messages_by_guest ON messages (guest_id, id);

-- +goose Down
DROP TABLE messages;
