package inspect

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/mod/semver"
)

// Setting is what a database is set to, beside what flysql advises.
type Setting struct {
	Name    string
	Value   string // "" where each connection sets it for itself
	Advised string // "" where any value is right
	Why     string
	Fix     string // what sets it as advised; "" where it is, or where connections do
}

// FixedSQLite is the first release of SQLite in which a database in WAL mode cannot be
// corrupted by a checkpoint beside a writer. https://www.sqlite.org/wal.html#walresetbug
const FixedSQLite = "3.51.3"

// Pragmas reports what the file is set to, and what each connection should set.
func (d *Database) Pragmas(ctx context.Context) ([]Setting, error) {
	var h header
	var free int64
	err := d.read(ctx, func(db *sql.DB) error {
		var page []byte
		if err := db.QueryRowContext(ctx, "SELECT substr(data, 1, 100) FROM sqlite_dbpage WHERE pgno = 1").Scan(&page); err != nil {
			return err
		}
		if len(page) < 100 {
			return errors.New("its header is too short")
		}
		h = readHeader(page)
		for pragma, value := range map[string]*int64{"page_count": &h.pages, "freelist_count": &free} {
			if err := db.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if h.pageSize == 0 { // an empty file: nothing is set yet
		return connectionSettings(d), nil
	}
	list := []Setting{d.journal(h), h.page(), h.vacuum()}
	list = append(list, h.freePages(free, d), h.writer())
	list = append(list,
		Setting{Name: "encoding", Value: h.encoding, Advised: "UTF-8", Why: "others take more room, and each text is converted", Fix: unless(h.encoding == "UTF-8", "it is chosen when a database is made: sqlite3 OLD .dump | sqlite3 NEW")},
		Setting{Name: "user_version", Value: fmt.Sprint(h.userVersion), Why: "the app's own number; migration tools keep theirs in tables"},
		Setting{Name: "application_id", Value: fmt.Sprint(h.applicationID), Why: "which app the file belongs to; 0 is none"})
	return append(list, connectionSettings(d)...), nil
}

func unless(ok bool, fix string) string {
	if ok {
		return ""
	}
	return fix
}

// header is what the first page says. https://www.sqlite.org/fileformat.html#the_database_header
type header struct {
	wal                  bool
	pageSize, pages      int64
	largestRoot, autoInc uint32
	encoding             string
	userVersion          int32
	applicationID        int32
	version              uint32 // of the SQLite that wrote last: 3051003
}

func readHeader(page []byte) header {
	at := func(offset int) uint32 { return binary.BigEndian.Uint32(page[offset:]) }
	h := header{
		wal: page[18] == 2, pageSize: int64(binary.BigEndian.Uint16(page[16:])),
		largestRoot: at(52), autoInc: at(64),
		userVersion: int32(at(60)), applicationID: int32(at(68)), version: at(96),
	}
	if h.pageSize == 1 {
		h.pageSize = 65536
	}
	h.encoding = "UTF-8"
	switch at(56) {
	case 2:
		h.encoding = "UTF-16le"
	case 3:
		h.encoding = "UTF-16be"
	}
	return h
}

func (d *Database) journal(h header) Setting {
	s := Setting{Name: "journal_mode", Value: "delete"}
	if h.wal {
		s.Value = "wal"
	}
	switch {
	case d.LiteFS == nil:
		s.Advised = "wal"
		s.Why = "readers and the writer do not block each other"
		s.Fix = unless(h.wal, "PRAGMA journal_mode=WAL; once: the file keeps it. appdb does it by itself")
	case h.wal:
		s.Advised = "delete"
		s.Why = "beside LiteFS, a change of the primary that nobody prepared loses acknowledged rows of WAL mode, and ends LiteFS"
		s.Fix = "never by PRAGMA there, which breaks replicas: litefs export, change it, litefs import (docs/database.md, LiteFS)"
	default:
		s.Advised = "delete"
		s.Why = "beside LiteFS a rollback journal loses nothing that WAL would"
	}
	return s
}

func (h header) page() Setting {
	s := Setting{Name: "page_size", Value: fmt.Sprint(h.pageSize), Advised: "4096", Why: "SQLite's default, and a disk's block"}
	s.Fix = unless(h.pageSize == 4096, "PRAGMA page_size=4096; VACUUM; in a rollback journal, with the app stopped")
	return s
}

func (h header) vacuum() Setting {
	s := Setting{Name: "auto_vacuum", Value: "none", Advised: "none", Why: "free pages are used again; moving them at each commit costs writes and scatters tables"}
	switch {
	case h.largestRoot == 0:
	case h.autoInc != 0:
		s.Value, s.Advised = "incremental", "none or incremental"
	default:
		s.Value, s.Fix = "full", "PRAGMA auto_vacuum=NONE; VACUUM; with the app stopped"
	}
	return s
}

func (h header) freePages(free int64, d *Database) Setting {
	s := Setting{Name: "freelist_count", Value: fmt.Sprintf("%d of %d pages", free, h.pages), Advised: "less than a quarter", Why: "free pages take room on the volume and in each copy, until they are used again"}
	if free*4 > h.pages && free > 1000 {
		s.Fix = "VACUUM; it needs as much room again, and writers wait for it"
		if d.LiteFS != nil && h.wal {
			s.Fix = "not by VACUUM: LiteFS does not survive it in WAL mode. flysql db copy --vacuum shows what it would come to"
		}
	}
	return s
}

func (h header) writer() Setting {
	v := fmt.Sprintf("%d.%d.%d", h.version/1_000_000, h.version/1000%1000, h.version%1000)
	s := Setting{Name: "written_by", Value: "SQLite " + v}
	if h.version == 0 {
		s.Value = "not known"
		return s
	}
	s.Advised, s.Why = FixedSQLite+" or newer", "before it, SQLite can corrupt a database in WAL mode"
	if h.wal && OldSQLite(v) {
		s.Fix = "update the SQLite driver of what wrote last; an sqlite3 of Debian or Ubuntu is older too"
	}
	return s
}

// OldSQLite tells whether a release has the fault that FixedSQLite has not.
func OldSQLite(version string) bool {
	return semver.Compare("v"+version, "v"+FixedSQLite) < 0
}

// connectionSettings are those that no file keeps.
func connectionSettings(d *Database) []Setting {
	synchronous := Setting{Name: "synchronous", Advised: "normal", Why: "in WAL mode it cannot damage the file; the last transactions before a power failure may be missing, each as a whole"}
	if d.LiteFS != nil {
		synchronous.Advised, synchronous.Why = "full", "with a rollback journal the file survives a power failure only where SQLite waits for the disk"
	}
	return []Setting{
		{Name: "foreign_keys", Advised: "on", Why: "SQLite's own default is off: rows may then refer to none (flysql db check finds them)"},
		synchronous,
		{Name: "busy_timeout", Advised: "5000", Why: "milliseconds to wait for another process; the default of 0 fails at once with \"database is locked\""},
	}
}
