package guestbook

// A Migration is a file of the next build's.
type Migration struct {
	Name, SQL string
	Line      int // that is to be named where it fails; 0 for none
}

var (
	// Broken does not parse in its third statement, after two that have done something.
	Broken = Migration{Name: "99999_broken.sql", Line: 4, SQL: `-- +goose Up
CREATE TABLE half_done (id INTEGER PRIMARY KEY);
DELETE FROM messages;
CREATE TABEL misspelt (id INTEGER PRIMARY KEY);
`}
	// More is one that what the release before does goes on to work with.
	More = Migration{Name: "99998_mood.sql", SQL: `-- +goose Up
ALTER TABLE messages ADD COLUMN mood TEXT;

-- +goose Down
ALTER TABLE messages DROP COLUMN mood;
`}
)
