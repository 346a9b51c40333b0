package entrypoint

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// smallDatabase is the size up to which CheckAuto reads every page: about a
// tenth of a second.
const smallDatabase = 64 << 20

// magic starts every SQLite database. https://www.sqlite.org/fileformat.html
const magic = "SQLite format 3\x00"

// check looks at what an earlier boot left, and at the database itself, before
// anything may write to it.
func (b *boot) check(ctx context.Context) (report, error) {
	var attrs []slog.Attr
	if b.DryRun {
		if hot, _ := journalAt(b.path + "-journal"); hot {
			// Only a write can undo it, so nothing more can be known.
			return report{outcome: "would recover", attrs: []slog.Attr{slog.String("from", b.path+"-journal")}}, nil
		}
	} else {
		settled, err := b.settle(ctx)
		if err != nil {
			return report{}, err
		}
		attrs = settled
	}
	size, err := b.header()
	if err != nil {
		return report{}, err
	}
	if size == 0 {
		return ok(append(attrs, slog.String("db", "new"))...), nil
	}
	b.exists = true
	recovered, found, err := b.inspect(ctx, size)
	if err != nil {
		return report{}, err
	}
	if recovered != "" {
		attrs = append(attrs, slog.String("recovered", recovered))
	}
	if b.node != nil {
		why, err := b.shrinks(ctx)
		if err != nil {
			return report{}, b.damaged(ctx, err)
		}
		if why != "" {
			found = append(found, why)
		}
	}
	r := ok(append(attrs, slog.String("size", megabytes(size)))...)
	if len(found) > 0 {
		r.warn = true
		r.attrs = append(r.attrs, slog.String("warning", strings.Join(found, "; ")))
	}
	return r, nil
}

// header reads the first bytes without SQLite, which would create the file, or
// take an empty journal for its own. It returns the file's size.
func (b *boot) header() (int64, error) {
	info, err := os.Stat(b.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, b.strayJournals()
	case err != nil:
		return 0, failed("", "look at the database: %w", err)
	case !info.Mode().IsRegular(): // opening a pipe would wait for its other end
		return 0, refused("let DATABASE_URL name a file", "%s is not a file but a %s", b.path, kindOf(info.Mode()))
	case info.Size() == 0:
		return 0, b.strayJournals()
	}
	f, err := os.Open(b.path)
	if err != nil {
		return 0, failed("", "open the database: %w", err)
	}
	defer f.Close()
	head := make([]byte, len(magic))
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, failed("", "read the database: %w", err)
	}
	if hot, pages := journalAt(b.path + "-journal"); hot && pages == 0 {
		return 0, nil // whatever is in the file, SQLite takes it back to an empty one
	}
	if string(head[:n]) != magic {
		return 0, refused("it was not changed: move it away, or let DATABASE_URL name the database",
			"%s is not an SQLite database: it begins with %s", b.path, printable(head[:n]))
	}
	return info.Size(), nil
}

// strayJournals refuses an empty or missing database whose journal still holds
// data: SQLite deletes the journal when it makes a new file beside it.
func (b *boot) strayJournals() error {
	for _, suffix := range []string{"-wal", "-journal"} {
		info, err := os.Stat(b.path + suffix)
		if err != nil || info.Size() == 0 {
			continue
		}
		if hot, pages := journalAt(b.path + suffix); suffix == "-journal" && (!hot || pages == 0) {
			continue // never made valid, so SQLite has not relied on it; or it leads back to nothing
		}
		return failed("it may hold the last transactions of a database that is missing: put the database back, or move the file away",
			"%s has no content but %s has: SQLite would throw it away", b.path, b.path+suffix)
	}
	return nil
}

// journalAt reads the header of a rollback journal: the magic, three numbers, and
// the size of the database in pages before the transaction, which is 0 for a
// database's very first one. A journal that is not hot holds nothing that counts.
// https://www.sqlite.org/fileformat.html#the_rollback_journal
func journalAt(path string) (hot bool, pages uint32) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return false, 0
	}
	f, err := os.Open(path)
	if err != nil {
		return false, 0
	}
	defer f.Close()
	head := make([]byte, 20)
	if _, err := io.ReadFull(f, head); err != nil {
		return false, 0
	}
	if !bytes.Equal(head[:8], []byte{0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7}) {
		return false, 0
	}
	return true, binary.BigEndian.Uint32(head[16:])
}

// inspect lets SQLite recover what a crash left, and read. It returns what was
// recovered from, and what was found that is no damage.
func (b *boot) inspect(ctx context.Context, size int64) (recovered string, found []string, err error) {
	mode := "ro"
	if info, err := os.Stat(b.path + "-wal"); err == nil && info.Size() > 0 {
		recovered = "wal"
	} else if b.DryRun {
		mode = "ro&immutable=1" // or SQLite would leave an empty WAL behind
	}
	if info, err := os.Stat(b.path + "-journal"); err == nil && info.Size() > 0 {
		// Rolling a journal back writes to the database. That is SQLite's own
		// recovery; a read-only handle would only refuse to read.
		recovered, mode = "journal", "rw"
	}
	db, err := sql.Open("sqlite", dsn(b.path, mode))
	if err != nil {
		return "", nil, failed("", "open the database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // one handle, one view

	found, err = b.look(ctx, db, size)
	if err != nil {
		return "", nil, b.damaged(ctx, err)
	}
	return recovered, found, nil
}

// look reads as much of the database as Check asks for. The error is one of
// damage; found is what SQLite says beside that.
func (b *boot) look(ctx context.Context, db *sql.DB, size int64) (found []string, err error) {
	tables, err := userTables(ctx, db)
	if slices.Contains(tables, followTable) {
		found = append(found, "flysql import --follow still fills this database: what PostgreSQL gets from now on is not in it, and what the app writes ends that; "+
			"before the app changes over, run flysql import cutover, or flysql import abandon")
	}
	if err != nil || b.Check == CheckOff {
		return found, err
	}
	pragma := ""
	switch {
	case b.Check == CheckFull:
		pragma = "integrity_check"
	case b.Check == CheckQuick, size <= smallDatabase:
		pragma = "quick_check"
	}
	if pragma != "" {
		more, err := integrity(ctx, db, pragma)
		return append(found, more...), err
	}
	for _, t := range tables {
		var one int
		err := db.QueryRowContext(ctx, `SELECT 1 FROM "`+strings.ReplaceAll(t, `"`, `""`)+`" LIMIT 1`).Scan(&one)
		if err != nil && !errors.Is(err, sql.ErrNoRows) && !ofTheApp(err) {
			return nil, fmt.Errorf("table %s: %w", t, err)
		}
	}
	return found, nil
}

// followTable is where flysql import --follow keeps how far it has come, until a cutover.
const followTable = "_flysql_follow"

func userTables(ctx context.Context, db *sql.DB) ([]string, error) {
	// A virtual table's module may be one that only the app has.
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// ofTheApp tells whether a statement failed for something that only the app's
// own connection has: a collation, a function, a module. It is no damage.
func ofTheApp(err error) bool { return sqliteCode(err)&0xff == sqlite3.SQLITE_ERROR }

// values matches what the check pragmas say of rows that a constraint would
// refuse today: an app may have stored them on purpose. It is no damage.
var values = regexp.MustCompile(`^(NULL value in|NUMERIC value in|TEXT value in|non-[A-Z]+ value in|CHECK constraint failed in)`)

// integrity runs one of the check pragmas.
func integrity(ctx context.Context, db *sql.DB, pragma string) (found []string, err error) {
	rows, err := db.QueryContext(ctx, "PRAGMA "+pragma+"(100)")
	if err == nil {
		defer rows.Close()
		var damage []string
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				return nil, err
			}
			switch line = strings.ReplaceAll(line, "\n", "; "); {
			case line == "ok":
			case values.MatchString(line):
				found = append(found, line)
			default:
				damage = append(damage, line)
			}
		}
		if err = rows.Err(); err == nil && len(damage) > 0 {
			return nil, fmt.Errorf("%s: %s", pragma, strings.Join(damage[:min(3, len(damage))], "; "))
		}
	}
	if err != nil && ofTheApp(err) {
		return []string{fmt.Sprintf("%s cannot be run here: %v", pragma, err)}, nil
	}
	return found[:min(3, len(found))], err
}

// damaged explains an error of reading the database.
func (b *boot) damaged(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	switch code := sqliteCode(err); code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return failed("stop the other process that has the database open", "read the database %s: %w", b.path, err)
	case sqlite3.SQLITE_FULL:
		return failed("extend the volume: fly volumes extend ID --size GB", "recover the database %s: the disk is full: %w", b.path, err)
	}
	return failed("it was left as it is. Copies to go back to: "+b.copies(),
		"the database %s is damaged: %w", b.path, err)
}

// copies says where older states of the database are.
func (b *boot) copies() string {
	own := "the volume's snapshots (fly volumes snapshots list ID)"
	if names, err := b.snapshotNames(); err == nil && len(names) > 0 {
		return fmt.Sprintf("%s/%s, and %s", b.state.snapshots(), names[len(names)-1], own)
	}
	return own
}

// diskFull tells whether err says that there was no room.
func diskFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || sqliteCode(err)&0xff == sqlite3.SQLITE_FULL
}

func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// dsn names path for the driver; any character may be in it. Without a
// busy_timeout among the pragmas it is 10 seconds: given twice, the driver would
// take either.
func dsn(path, mode string, pragmas ...string) string {
	if !slices.ContainsFunc(pragmas, func(p string) bool { return strings.HasPrefix(p, "busy_timeout") }) {
		pragmas = append([]string{"busy_timeout(10000)"}, pragmas...)
	}
	q := url.Values{"_pragma": pragmas}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: "mode=" + mode + "&" + q.Encode()}).String()
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "directory"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return m.Type().String()
}

// printable quotes the head of a foreign file for a message.
func printable(head []byte) string {
	for _, r := range string(head) {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return fmt.Sprintf("the bytes % x", head)
		}
	}
	return fmt.Sprintf("%q", head)
}
