-- +goose Up
-- A guest is known by name, whatever the case: name keeps the spelling of the
-- first visit, name_key the same name folded by the app. The folding is not
-- left to COLLATE NOCASE, which knows only the letters A to Z.
CREATE TABLE guests (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT     NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    name_key TEXT     NOT NULL UNIQUE,
    created  DATETIME NOT NULL
);

-- +goose Down
DROP TABLE guests;
