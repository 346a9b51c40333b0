package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"

	gm "github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	gmsqlite "github.com/golang-migrate/migrate/v4/database/sqlite"
)

// upGolangMigrate applies what is pending with golang-migrate, one migration a call.
//
// Migrate.Up would do it in one call, with two faults: a file that cannot be read to its end is run as
// far as it was read and counts as applied, and after a failure the goroutines that read ahead never end.
// So the files are read here, and handed over whole.
func (s *Set) upGolangMigrate(ses *session, before Status) error {
	if before.Version != "" && s.fileOf(before.Version) == "" {
		return &Error{Tool: GolangMigrate, File: before.Pending[0].File,
			Err: fmt.Errorf("the database is at version %s, which has no file here, and golang-migrate does not go on from a version it cannot find", before.Version)}
	}
	db := ses.db()
	defer db.Close()
	drv, err := gmsqlite.WithInstance(db, &gmsqlite.Config{MigrationsTable: s.sqlTable()})
	if err != nil {
		return s.fail(ses, "", err)
	}
	// Run is given its migrations and never asks a source for them.
	m, err := gm.NewWithInstance("files", nil, "sqlite", recorder{drv, ses})
	if err != nil {
		return s.fail(ses, "", err)
	}
	for _, p := range before.Pending {
		if err := ses.ctx.Err(); err != nil {
			return s.fail(ses, p.File, err)
		}
		if err := s.runOne(m, p); err != nil {
			return s.fail(ses, p.File, err)
		}
	}
	return nil
}

func (s *Set) runOne(m *gm.Migrate, p Migration) error {
	number, err := strconv.ParseInt(p.Version, 10, 64)
	if err != nil {
		return err
	}
	name := golangMigrateName.FindStringSubmatch(path.Base(p.File))
	var body io.ReadCloser // none: a version with only a down file
	if name[2] == "up" {
		text, err := fs.ReadFile(s.fsys, p.File)
		if err != nil {
			return err
		}
		body = io.NopCloser(bytes.NewReader(text))
	}
	migr, err := gm.NewMigration(body, path.Base(p.File), uint(number), int(number))
	if err != nil {
		return err
	}
	err = m.Run(migr)
	if c, ok := migr.BufferedBody.(io.Closer); ok {
		// Ends the goroutine that waits to hand over the file, if Run failed before it asked for it.
		err = errors.Join(err, c.Close())
	}
	return err
}

// recorder lets golang-migrate take back the dirty mark of a migration that has been committed, although
// the context is done by then.
type recorder struct {
	database.Driver
	session *session
}

// SetVersion implements [database.Driver].
func (r recorder) SetVersion(version int, dirty bool) error {
	if !dirty {
		defer r.session.shield()()
	}
	return r.Driver.SetVersion(version, dirty)
}

// dirtyError says which file a run of golang-migrate was cut short in, and what to do about it.
func (s *Set) dirtyError(st Status, dbPath string) error {
	before := "-1" // golang-migrate's name for no version at all
	if n := len(st.Applied); n > 0 {
		before = st.Applied[n-1].Version
	}
	e := &Error{Tool: GolangMigrate, File: s.fileOf(st.Version), Err: fmt.Errorf("%w at version %s", ErrDirty, st.Version)}
	e.hint = fmt.Sprintf("a run of that version failed or was cut short; restore the snapshot taken before it, or, once you have seen "+
		"that the database has nothing of it: migrate -path %s -database sqlite://%s force %s", s.dir, dbPath, before)
	return e
}
