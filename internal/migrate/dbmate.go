package migrate

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path"
	"sync"

	"github.com/amacneil/dbmate/v2/pkg/dbmate"
	"github.com/amacneil/dbmate/v2/pkg/dbutil"
)

// dbmateScheme is what this package's driver is called in dbmate's registry. dbmate's own driver for
// SQLite needs cgo.
const dbmateScheme = "flysql-migrate"

// registerDbmate makes the driver known to dbmate, once. dbmate's registry is a plain map of the process;
// this is the only writing to it.
var registerDbmate = sync.OnceFunc(func() { dbmate.RegisterDriver(newDbmateDriver, dbmateScheme) })

// upDbmate applies what is pending with dbmate.
func (s *Set) upDbmate(ses *session, before Status) (err error) {
	// dbmate reads a file only when its turn has come. One it cannot read is better known before anything
	// is applied.
	for _, m := range before.Pending {
		d := dbmate.Migration{FS: s.files(), FilePath: path.Base(m.File)}
		if _, err := d.Parse(); err != nil {
			return &Error{Tool: Dbmate, File: m.File, Err: err, hint: "nothing has been applied"}
		}
	}
	registerDbmate()
	files := s.files()
	db := dbmate.New(&url.URL{Scheme: dbmateScheme})
	db.AutoDumpSchema = false
	db.FS = files
	db.MigrationsDir = []string{"."}
	db.MigrationsTableName = s.table
	db.Log = dbmateLog{session: ses, table: s.sqlTable()}
	defer func() {
		if r := recover(); r != nil { // dbmate panics when it cannot close something
			err = s.fail(ses, files.lastRead(), fmt.Errorf("panic in dbmate: %v", r))
		}
	}()
	if err := db.Migrate(); err != nil {
		return s.fail(ses, files.lastRead(), err)
	}
	return nil
}

// dbmateLog takes dbmate's messages, which nobody wants, and brings the session to the driver: its log is
// the one thing of a dbmate.DB that reaches the driver unchanged.
type dbmateLog struct {
	session *session
	table   string // as Set.sqlTable
}

// Write implements io.Writer.
func (dbmateLog) Write(p []byte) (int, error) { return len(p), nil }

// dbmateDriver is dbmate's SQLite driver without cgo: what migrating needs of it, with the same table.
type dbmateDriver struct {
	session *session
	name    string // of the table
	table   string // the same, as Set.sqlTable
}

func newDbmateDriver(c dbmate.DriverConfig) dbmate.Driver {
	l, _ := c.Log.(dbmateLog)
	return &dbmateDriver{session: l.session, name: c.MigrationsTableName, table: l.table}
}

var errNotHere = errors.New("this driver only migrates, for package migrate")

// Open implements [dbmate.Driver].
func (d *dbmateDriver) Open() (*sql.DB, error) {
	if d.session == nil {
		return nil, errNotHere
	}
	return d.session.db(), nil
}

// MigrationsTableExists implements [dbmate.Driver].
func (d *dbmateDriver) MigrationsTableExists(db *sql.DB) (bool, error) {
	var n int
	err := db.QueryRow(`SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)`, d.name).Scan(&n)
	return n > 0, err
}

// CreateMigrationsTable implements [dbmate.Driver]. The statement is that of dbmate's own driver.
func (d *dbmateDriver) CreateMigrationsTable(db *sql.DB) error {
	_, err := db.Exec("create table if not exists " + quoteName(d.name) + " (version varchar(128) primary key)")
	return err
}

// SelectMigrations implements [dbmate.Driver].
func (d *dbmateDriver) SelectMigrations(db *sql.DB, limit int) (_ map[string]bool, err error) {
	rows, err := db.Query("SELECT version FROM "+d.table+" ORDER BY version DESC LIMIT ?", limit) // -1 is no limit
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	applied := make(map[string]bool)
	for rows.Next() {
		var version string
		if err := rows.Scan(&version); err != nil {
			return nil, err
		}
		applied[version] = true
	}
	return applied, rows.Err()
}

// InsertMigration implements [dbmate.Driver].
func (d *dbmateDriver) InsertMigration(tx dbutil.Transaction, version string) error {
	_, err := tx.Exec("INSERT INTO "+d.table+" (version) VALUES (?)", version)
	return err
}

// QueryError implements [dbmate.Driver]: the session knows the place.
func (d *dbmateDriver) QueryError(_ string, err error) error { return err }

// Ping implements [dbmate.Driver].
func (d *dbmateDriver) Ping() error {
	db, err := d.Open()
	if err != nil {
		return err
	}
	return errors.Join(db.Ping(), db.Close())
}

// The rest of [dbmate.Driver] is for commands that this package does not give.

func (d *dbmateDriver) DatabaseExists() (bool, error)                        { return false, errNotHere }
func (d *dbmateDriver) CreateDatabase() error                                { return errNotHere }
func (d *dbmateDriver) DropDatabase() error                                  { return errNotHere }
func (d *dbmateDriver) DumpSchema(*sql.DB) ([]byte, error)                   { return nil, errNotHere }
func (d *dbmateDriver) DeleteMigration(_ dbutil.Transaction, _ string) error { return errNotHere }
