package migrate

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/pressly/goose/v3"
)

// upGoose applies what is pending with goose.
func (s *Set) upGoose(ses *session, before Status) error {
	db := ses.db()
	defer db.Close()
	files := s.files()
	// A Provider serves one attempt: it looks for its table once, and never again when that has failed.
	// Migrations in Go that the program has registered are left out: Status would not know of them.
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithTableName(s.sqlTable()), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return s.fail(ses, "", err)
	}
	_, err = p.Up(ses.ctx)
	if err == nil {
		return nil
	}
	var partial *goose.PartialError
	switch {
	case errors.As(err, &partial):
		return gooseHint(s.fail(ses, path.Join(s.dir, partial.Failed.Source.Path), partial.Err))
	case strings.HasPrefix(err.Error(), "failed to prepare migration"):
		// goose reads every pending file before it runs the first: the one read last is the one it cannot read.
		return s.unreadable(files.lastRead(), err)
	case len(missing(before)) > 0 && ses.fault() == nil:
		return s.outOfOrder(before, err)
	}
	return s.fail(ses, "", err)
}

// unreadable describes a file that goose's own parser refuses.
func (s *Set) unreadable(file string, cause error) error {
	e := &Error{Tool: Goose, File: file, Err: cause, hint: "nothing has been applied"}
	text, err := fs.ReadFile(s.fsys, file)
	if err != nil {
		return e
	}
	e.Line, e.Column = locateQuoted(string(text), cause.Error())
	if before, _, quotes := strings.Cut(cause.Error(), ` "`); quotes && substitutes(string(text)) {
		// goose quotes the statement with the values from the environment in it.
		e.Err = errors.New(before + " …")
	}
	return e
}

// missing returns the pending migrations that are older than one which has been applied.
func missing(st Status) []Migration {
	var out []Migration
	for _, m := range st.Pending {
		if newer(st.Version, m.Version) {
			out = append(out, m)
		}
	}
	return out
}

// outOfOrder explains goose's refusal to apply migrations that are older than one already applied.
func (s *Set) outOfOrder(before Status, cause error) error {
	m := missing(before)
	names := make([]string, len(m))
	for i := range m {
		names[i] = m[i].File
	}
	return &Error{Tool: Goose, File: m[0].File, Err: cause, hint: fmt.Sprintf(
		"%s came after version %s had been applied; give what is new a higher number, or apply it once with: goose up -allow-missing",
		list(names), before.Version)}
}

var createTrigger = regexp.MustCompile(`(?i)^CREATE\s+(TEMP\s+|TEMPORARY\s+)?TRIGGER\b`)

// gooseHint adds what to do about a trigger that goose has cut in two.
func gooseHint(err error) error {
	var e *Error
	if errors.As(err, &e) && createTrigger.MatchString(e.Statement) && strings.Contains(message(e.Err), "incomplete input") {
		e.hint = "goose ends a statement at every line that ends in a semicolon: put the trigger between -- +goose StatementBegin and -- +goose StatementEnd"
	}
	return err
}
