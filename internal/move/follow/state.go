package follow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// Table is the table in the file that says what it follows, and how far it has come. A
// cutover removes it; until then a boot of the app warns (package entrypoint).
const Table = "_flysql_follow"

// Mode is how changes are heard of.
type Mode string

// The modes.
const (
	Logical  Mode = "logical"  // logical replication, by a slot
	Triggers Mode = "triggers" // triggers, which fill a table
)

// Stage is how far a file is on its way.
type Stage string

// The stages. Between them a kill changes nothing.
const (
	Following Stage = "following"
	Verified  Stage = "verified" // nothing differs: what is in PostgreSQL may go
)

// State is what a file follows.
type State struct {
	Mode     Mode
	Name     string // of the slot and the publication, or of the schema
	Server   string // which PostgreSQL: its system identifier, or a mark in the schema
	Database string
	Position string // applied up to here: an LSN, or a snapshot
	Stage    Stage
	Rows     int64  // applied
	Recall   string // Options.Recall

	shape shape
}

// ErrNotFollowing is that a file follows nothing, or no longer.
var ErrNotFollowing = errors.New("it follows no database")

// statements make the table with the state in it.
func (s *State) statements() []string {
	text := pgexpr.Literal
	shape, err := json.Marshal(s.shape)
	if err != nil {
		panic(err) // it is strings and numbers
	}
	return []string{
		"CREATE TABLE " + Table + ` (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  mode TEXT NOT NULL,
  name TEXT NOT NULL,
  server TEXT NOT NULL,
  "database" TEXT NOT NULL,
  position TEXT NOT NULL,
  stage TEXT NOT NULL,
  "rows" INTEGER NOT NULL,
  recall TEXT NOT NULL,
  shape TEXT NOT NULL
)`,
		fmt.Sprintf("INSERT INTO %s VALUES (1, %s, %s, %s, %s, %s, %s, %d, %s, %s)", Table, text(string(s.Mode)), text(s.Name), text(s.Server), text(s.Database),
			text(s.Position), text(string(s.Stage)), s.Rows, text(s.Recall), text(string(shape))),
	}
}

// Load reads what a file follows; an error may be [ErrNotFollowing].
func Load(ctx context.Context, path string) (s *State, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: there is no such file", path, ErrNotFollowing)
	}
	db, err := lite.Open(ctx, path, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Exec("PRAGMA busy_timeout=10000"); err != nil { // who comes first behind a kill tidies up
		return nil, err
	}
	if s, err = load(db); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func load(db *lite.Conn) (*State, error) {
	there := false
	if err := db.Rows("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '"+Table+"'", func(*lite.Stmt) error { there = true; return nil }); err != nil {
		return nil, err
	}
	if !there {
		return nil, ErrNotFollowing
	}
	var s *State
	err := db.Rows(`SELECT mode, name, server, "database", position, stage, "rows", recall, shape FROM `+Table, func(r *lite.Stmt) error {
		s = &State{Mode: Mode(r.Text(0)), Name: r.Text(1), Server: r.Text(2), Database: r.Text(3), Position: r.Text(4), Stage: Stage(r.Text(5)),
			Rows: r.Column(6).Int, Recall: r.Text(7)}
		return json.Unmarshal([]byte(r.Text(8)), &s.shape)
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", Table, err)
	case s == nil:
		return nil, fmt.Errorf("%s is empty: somebody has written to it", Table)
	case s.Mode != Logical && s.Mode != Triggers, s.Stage != Following && s.Stage != Verified, !ours(s.Name):
		return nil, fmt.Errorf("%s is of another release of flysql, or somebody has written to it", Table)
	}
	return s, nil
}

// ours reports whether a name is one that Begin gives, and needs no quotes. Others' slots
// are not ours to drop.
func ours(name string) bool {
	return strings.HasPrefix(name, move.OwnName) && len(name) <= 63 && !slices.ContainsFunc([]byte(name), func(c byte) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_'
	})
}

// openFile opens the file to write changes to it: durable at each commit, readable
// meanwhile, and without what PostgreSQL has done already.
func openFile(ctx context.Context, path string) (*lite.Conn, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err // SQLite would make one
	}
	db, err := lite.Open(ctx, path, false)
	if err != nil {
		return nil, err
	}
	for _, pragma := range []string{"busy_timeout=10000", "journal_mode=wal", "synchronous=full", "foreign_keys=off", "recursive_triggers=off", "cache_size=-32768", "wal_autocheckpoint=4000"} {
		if err := db.Exec("PRAGMA " + pragma); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), db.Close())
		}
	}
	if err := db.DisableTriggers(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// setStage writes how far the file is.
func setStage(db *lite.Conn, stage Stage) error {
	return db.Exec("UPDATE " + Table + " SET stage = " + pgexpr.Literal(string(stage)))
}

func textValue(s string) convert.Value { return convert.Value{Kind: convert.Text, Bytes: []byte(s)} }

func intValue(n int64) convert.Value { return convert.Value{Kind: convert.Integer, Int: n} }
