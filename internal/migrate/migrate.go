package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Tool is a migration tool.
type Tool string

// The tools whose directories can be run.
const (
	Goose         Tool = "goose"
	GolangMigrate Tool = "golang-migrate"
	Dbmate        Tool = "dbmate"
)

// defaultTable is where each tool records what it has applied.
var defaultTable = map[Tool]string{
	Goose:         "goose_db_version",
	GolangMigrate: "schema_migrations",
	Dbmate:        "schema_migrations",
}

// Options say what [Open] is to expect. The zero value detects the tool and uses its own table.
type Options struct {
	Tool  Tool   // "" means: see which one the files are written for
	Table string // where applied versions are recorded, unquoted; "" means the tool's default

	// Locks makes Status read with SQLite's locks only. Where a file changes under its readers, as on a
	// LiteFS replica, sizes and times do not tell.
	Locks bool
}

// Set is the migrations of one directory. It does not change, and may be used from several goroutines
// at once, on different databases.
type Set struct {
	fsys       fs.FS
	dir        string
	tool       Tool
	table      string
	locks      bool
	migrations []Migration            // in the order in which the tool runs them
	entries    map[string]fs.DirEntry // by base name
}

// Migration is one version of the schema.
type Migration struct {
	// Version is written as the tool records it: "20240131120000", "3"; dbmate keeps leading zeros.
	Version string

	// File is the path of the file within the fs.FS given to [Open]. For a version of golang-migrate's
	// that has only a down file it is that file: golang-migrate counts such a version as applied,
	// running nothing.
	File string

	// NoTx tells that the file runs outside a transaction, so that a failure leaves it half-done:
	// "-- +goose NO TRANSACTION" and dbmate's "transaction:false".
	NoTx bool
}

// Status is what a database has of a [Set].
type Status struct {
	// Applied and Pending divide the set, each in the order in which the tool runs it.
	//
	// For golang-migrate, which records one version only, applied is what is not newer than that version.
	// A dirty version counts as pending: nobody knows what became of it.
	Applied, Pending []Migration

	// Unknown are the versions that the database records and the set does not have: an older image on a
	// newer database.
	Unknown []string

	// Dirty is golang-migrate's mark for a run that has begun and not ended. [Set.Up] refuses to go on.
	Dirty bool

	// Version is the highest version recorded, "" when there is none.
	Version string
}

// Tool returns the tool whose migrations these are.
func (s *Set) Tool() Tool { return s.tool }

// Dir returns the directory of the migrations within the fs.FS given to [Open]; "." is its root.
func (s *Set) Dir() string { return s.dir }

// Len returns the number of migrations.
func (s *Set) Len() int { return len(s.migrations) }

// Up applies all pending migrations to the SQLite file at dbPath, which it creates if there is none, and
// returns those it applied, also when it fails on a later one. With nothing pending it does nothing; the
// database may then well have migrations that this set does not know.
//
// When ctx is done, the running statement is interrupted and its transaction rolled back; Up returns when
// that has happened and the file is closed. golang-migrate then leaves the database marked dirty, as it
// does after every failure.
//
// Errors are [*Error] for all that goes wrong with a migration, wrapping [ErrDirty] or the context's
// error where that is the cause, or they wrap [ErrOtherTool]. A database locked by someone else is
// waited for, 10 seconds in all.
func (s *Set) Up(ctx context.Context, dbPath string) ([]Migration, error) {
	before, err := s.Status(ctx, dbPath)
	switch {
	case err != nil:
		return nil, err
	case before.Dirty:
		return nil, s.dirtyError(before, dbPath)
	case len(before.Pending) == 0:
		return nil, nil
	}
	if err := s.run(ctx, dbPath, before); err != nil {
		return s.done(ctx, dbPath, before, err)
	}
	return before.Pending, nil
}

// run applies what is pending with the set's own tool.
func (s *Set) run(ctx context.Context, dbPath string, before Status) (err error) {
	ses, err := newSession(ctx, dbPath, "_txlock=immediate")
	if err != nil {
		return &Error{Tool: s.tool, Err: err}
	}
	defer func() {
		if e := ses.close(); e != nil {
			err = errors.Join(err, fmt.Errorf("close %s: %w", dbPath, e))
		}
	}()
	switch s.tool {
	case Goose:
		return s.upGoose(ses, before)
	case GolangMigrate:
		return s.upGolangMigrate(ses, before)
	default:
		return s.upDbmate(ses, before)
	}
}

// done returns what a failed run has applied. It asks the database: not every library tells.
func (s *Set) done(ctx context.Context, dbPath string, before Status, cause error) ([]Migration, error) {
	after, err := s.Status(context.WithoutCancel(ctx), dbPath)
	if err != nil {
		return nil, errors.Join(cause, fmt.Errorf("see what was applied before that: %w", err))
	}
	applied := make(map[string]bool, len(after.Applied))
	for _, m := range after.Applied {
		applied[m.Version] = true
	}
	var done []Migration
	for _, m := range before.Pending {
		if applied[m.Version] {
			done = append(done, m)
		}
	}
	return done, cause
}

// fail describes what went wrong in a run, with the place in file where a script failed. file may be "".
func (s *Set) fail(ses *session, file string, cause error) error {
	e := &Error{Tool: s.tool, File: file, Err: cause}
	for _, m := range s.migrations {
		if m.File == file {
			e.NoTx = m.NoTx
		}
	}
	f := ses.fault()
	if f == nil {
		if err := ses.ctx.Err(); err != nil && !errors.Is(cause, err) {
			e.Err = fmt.Errorf("%w: %w", err, cause)
		}
		return e
	}
	// The driver's error, not what the library made of it: each has words of its own, and not all wrap.
	e.Statement, e.Err = f.statement, f.err
	if file == "" || f.queries == nil {
		return e
	}
	text, err := fs.ReadFile(s.fsys, file)
	if err != nil {
		e.hint = "the place in the file is not known: " + err.Error()
		return e
	}
	e.Line, e.Column = locate(string(text), f.queries, f.offset)
	if s.tool == Goose && substitutes(string(text)) {
		// Values from the environment are often secrets: show the file as it is, not what goose made of it.
		e.Statement = ""
		if e.Line > 0 {
			e.Statement = strings.TrimSpace(strings.Split(string(text), "\n")[e.Line-1])
		}
	}
	return e
}

// fileOf returns the path of the file of a version, "" for one the set does not have.
func (s *Set) fileOf(version string) string {
	for _, m := range s.migrations {
		if m.Version == version {
			return m.File
		}
	}
	return ""
}

// files returns the set's directory as the libraries get to see it.
func (s *Set) files() *files { return &files{set: s} }

// sqlTable returns the set's table for use in SQL. The default needs no quotes, and none are put, so that
// the schema stays the same, byte for byte, as the tool itself would have written it.
func (s *Set) sqlTable() string {
	if s.table == defaultTable[s.tool] {
		return s.table
	}
	return quoteName(s.table)
}

// quoteName writes a name for use in SQL.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
