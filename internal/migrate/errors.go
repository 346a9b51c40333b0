package migrate

import (
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrNoMigrations is what [Open] returns when there is nothing in the directory that a tool would run.
	ErrNoMigrations = errors.New("no migrations found")

	// ErrDirty is what [Set.Up] returns when golang-migrate has marked the database dirty: a run was cut
	// short and nobody has told golang-migrate what became of it.
	ErrDirty = errors.New("the database is marked dirty")

	// ErrOtherTool is what [Set.Status] and [Set.Up] return when the database records the migrations of
	// another tool than the one this set is for.
	ErrOtherTool = errors.New("the database was migrated by another tool")
)

// Error is a migration that did not work, or a run that could not begin.
type Error struct {
	Tool         Tool
	File         string // path within the fs.FS given to Open; "" when no one file is to blame
	Line, Column int    // in File, counted from 1, columns in characters; 0 when not known
	Statement    string // the SQL that failed, without comments before it; "" when none did
	NoTx         bool   // File runs outside a transaction: what it did before the error stays done
	Err          error  // the cause: a *sqlite.Error, the context's error, the library's

	hint string // what to do about it
}

// Error returns one line, such as
//
//	migrations/0003_x.sql:12:5: near "CRATE": syntax error (goose), in "CRATE TABLE x (id INTEGER)"
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
			if e.Column > 0 {
				fmt.Fprintf(&b, ":%d", e.Column)
			}
		}
		fmt.Fprintf(&b, ": %s (%s)", message(e.Err), e.Tool)
	} else {
		fmt.Fprintf(&b, "%s: %s", e.Tool, message(e.Err))
	}
	if e.Statement != "" {
		fmt.Fprintf(&b, ", in %q", excerpt(e.Statement))
	}
	if e.NoTx {
		b.WriteString("; this file runs outside a transaction: what it changed before the error is still in the database")
	}
	if e.hint != "" {
		b.WriteString("; " + e.hint)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// message returns err without what the driver adds to SQLite's own words.
func message(err error) string {
	if err == nil {
		return "unknown error"
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	s := strings.TrimSuffix(e.Error(), " (SQLITE_BUSY)")
	s = strings.TrimSuffix(s, fmt.Sprintf(" (%d)", e.Code()))
	s = strings.TrimPrefix(s, "SQL logic error: ")
	s = strings.TrimPrefix(s, "constraint failed: ")
	if e.Code()&0xff == sqlite3.SQLITE_CANTOPEN {
		s = "unable to open the database file" // the driver adds "out of memory", which is not so
	}
	return strings.Replace(err.Error(), e.Error(), s, 1)
}

// excerpt returns the beginning of a statement on one line.
func excerpt(statement string) string {
	const limit = 80 // characters
	// A statement can be a data file; its beginning is enough to fold.
	s := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(statement[:min(len(statement), 16*limit)], "")), " "))
	if len(s) > limit {
		return string(s[:limit]) + "…"
	}
	return string(s)
}
