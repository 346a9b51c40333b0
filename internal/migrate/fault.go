package migrate

import (
	"context"
	"database/sql/driver"
	"errors"
	"regexp"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var errNUL = errors.New("a NUL byte in the SQL: SQLite would stop reading here; save the file as UTF-8 text")

// begun notes that a script is about to run, and tells whether it is the first
// since the tool last recorded a version.
func (s *session) begun(script string) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = append(s.queries, script)
	return len(s.queries) == 1
}

// failed notes the statement at offset of the current script as the one at fault, and returns err.
func (s *session) failed(offset int, statement string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = &failure{queries: s.queries, offset: offset, statement: statement, err: err}
	return err
}

// broke notes an error that is no statement's of a script: of a commit, or of the tool's own record. A
// statement that failed before it is the cause.
func (s *session) broke(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = &failure{err: err}
	}
}

// recorded notes that the tool has written down a version: what follows belongs to another migration,
// and a failure before it was one the tool has got over (goose tries again to create its table).
func (s *session) recorded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries, s.failure = nil, nil
}

// fault returns the failure of the run, nil when no script failed.
func (s *session) fault() *failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// faultIn finds the place in p that err is about, as an offset in p.text: the token when SQLite knows it,
// else the start of the statement. It must be called before the transaction is rolled back, for the
// schema may hold what earlier statements of the same migration created.
func (c *conn) faultIn(p piece, err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) || e.Code() != sqlite3.SQLITE_ERROR {
		return p.start // it compiled: a constraint, a full disk
	}
	if at := errorOffset(c.schema(), p.text, e.Error()); at >= p.start {
		return at
	}
	if at := tableIn(p.text[p.start:], e.Error()); at >= 0 {
		return p.start + at
	}
	return p.start
}

// schema returns the statements that create what is in the database as this connection sees it. It is
// only an aid to find an offset: with an error, there is less of it.
func (c *conn) schema() []string {
	rows, err := c.sqliteConn.QueryContext(context.Background(),
		`SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL UNION ALL SELECT sql FROM sqlite_temp_schema WHERE sql IS NOT NULL`, nil)
	if err != nil {
		return nil
	}
	defer rows.Close()
	var out []string
	for row := make([]driver.Value, 1); ; {
		if err := rows.Next(row); err != nil {
			return out // io.EOF or a real one
		}
		if s, ok := row[0].(string); ok {
			out = append(out, s)
		}
	}
}

var noSuchTable = regexp.MustCompile(`no such table: (?:\w+\.)?(\w+)`)

// tableIn finds the table that a "no such table" error names, for which SQLite gives no offset. It
// returns -1 unless the name stands in the statement exactly once.
func tableIn(statement, message string) int {
	m := noSuchTable.FindStringSubmatch(message)
	if m == nil {
		return -1
	}
	at := -1
	for i := 0; i < len(statement); {
		t := nextToken(statement[i:])
		if name := strings.Trim(statement[i:i+t.size], "\"`[]"); t.kind != space && strings.EqualFold(name, m[1]) {
			if at >= 0 {
				return -1
			}
			at = i
		}
		i += t.size
	}
	return at
}
