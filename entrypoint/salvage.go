package entrypoint

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// salvaged is what a boot tells of a database of which only this node had a part:
// salvage.json beside the copies.
type salvaged struct {
	Database string         `json:"database"`
	Copy     string         `json:"copy,omitempty"` // file name; an SQLite database
	Whole    bool           `json:"whole"`          // the copy has the checksum that LiteFS had for it
	Position string         `json:"position"`       // of the copy
	Primary  string         `json:"primary"`        // position of the database that replaced it
	LTX      int            `json:"ltx"`            // transaction files
	Rows     map[string]int `json:"rows,omitempty"` // by table: those that the other database has not, or has otherwise
	Problem  string         `json:"problem,omitempty"`
}

// salvageDir has a directory for each time that something was salvaged.
func (s state) salvageDir() string { return filepath.Join(s.dir, "salvage") }

// settleAside decides, once LiteFS is ready, about what was put aside before.
func (b *boot) settleAside(ctx context.Context, a *aside, info nodeInfo) error {
	if err := b.node.noteRun(info.id); err != nil {
		return failed("", "note this run of LiteFS: %w", err)
	}
	if a == nil {
		return nil
	}
	if !info.IsPrimary && info.Primary.Hostname == "" {
		return nil // skip-sync: it is not known yet; the next boot looks
	}
	gone, err := b.node.erased(a)
	if err != nil {
		return failed("", "look for what LiteFS has replaced: %w", err)
	}
	if len(gone) > 0 {
		return b.finishAside(ctx)
	}
	if err := os.RemoveAll(a.dir); err != nil {
		return failed("", "remove what was put aside: %w", err)
	}
	if a.took > time.Second {
		b.Logger.LogAttrs(ctx, slog.LevelInfo, "salvage", slog.String("outcome", "needless"), millis(a.took), slog.String("size", megabytes(a.size)))
	}
	return nil
}

// finishAside makes a salvage of what was put aside and has been replaced since, and
// removes what has not. It may be killed anywhere and is then done again.
func (b *boot) finishAside(ctx context.Context) error {
	a, err := b.node.readAside()
	if a == nil && err == nil {
		return nil
	}
	if err != nil {
		return failed("look at it, and move it away", "read what an earlier boot has put aside in %s: %w", b.node.asideDir(), err)
	}
	gone, err := b.node.erased(a)
	if err != nil {
		return failed("", "look for what LiteFS has replaced: %w", err)
	}
	var found []salvaged
	for _, d := range a.Databases {
		if !slices.Contains(gone, d) {
			if err := os.RemoveAll(filepath.Join(a.dir, d.Name)); err != nil {
				return failed("", "remove what was put aside: %w", err)
			}
			continue
		}
		found = append(found, b.mendAside(ctx, a, d))
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	if len(found) == 0 {
		if err := os.RemoveAll(a.dir); err != nil {
			return failed("", "remove what was put aside: %w", err)
		}
		return nil
	}
	if err := b.fault("salvage.keep"); err != nil {
		return err
	}
	dir, err := b.keepSalvage(a, found)
	if err != nil {
		return failed("what was put aside is in "+a.dir+": keep it", "keep what only this node had: %w", err)
	}
	for _, s := range found {
		b.tellSalvage(ctx, dir, s)
	}
	return b.pruneSalvage(ctx, filepath.Base(dir))
}

// mendAside makes a database that SQLite opens of the files that a killed LiteFS
// left, the way LiteFS itself does.
func (b *boot) mendAside(ctx context.Context, a *aside, d asideDB) salvaged {
	dir := filepath.Join(a.dir, d.Name)
	s := salvaged{Database: d.Name, Position: d.TX}
	names, err := ltxFiles(filepath.Join(dir, "ltx"))
	s.LTX = len(names)
	if err == nil && !d.NoCopy {
		s.Copy = d.Name
		s.Whole, err = mend(ctx, filepath.Join(dir, d.Name), filepath.Join(dir, "ltx"), names, d.Tail)
	}
	if at, perr := b.node.lastPosition(d.Name); perr == nil {
		s.Primary = at.String()
	}
	if err == nil && s.Copy != "" {
		s.Rows, err = b.rowsOnlyIn(ctx, dir, d.Name)
	}
	if err != nil {
		s.Problem = err.Error()
	}
	return s
}

// lastPosition is where LiteFS's files say that a database stands.
func (n *node) lastPosition(db string) (position, error) {
	dir := filepath.Join(n.dbDir(db), "ltx")
	names, err := ltxFiles(dir)
	if err != nil || len(names) == 0 {
		return position{}, errors.Join(err, errors.New("there are no transaction files"))
	}
	return positionAfter(filepath.Join(dir, names[len(names)-1]))
}

// mend recovers a database: its journal is rolled back, or its WAL brought in as far
// as LiteFS has taken it; then the transaction files are applied, which makes up for
// what had not reached the disk. whole tells whether the result is what LiteFS had.
// Last comes what LiteFS had not taken, where there is a tail.
func mend(ctx context.Context, db, ltx string, names []string, tail bool) (whole bool, err error) {
	if len(names) == 0 {
		return false, errors.New("there are no transaction files")
	}
	if tail {
		if err := keepWAL(ctx, db); err != nil {
			return false, err
		}
	}
	if err := cutWAL(db+"-wal", filepath.Join(ltx, names[len(names)-1])); err != nil {
		return false, err
	}
	if err := inSQLite(ctx, db, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return false, err
	}
	f, err := os.OpenFile(db, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	limit := info.Size()
	var body ltxBody
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return false, context.Cause(ctx)
		}
		if limit, err = grown(filepath.Join(ltx, name), limit); err != nil {
			return false, err
		}
		body, err = eachPage(filepath.Join(ltx, name), func(size, number uint32, page []byte) error {
			_, err := f.WriteAt(page, int64(number-1)*int64(size))
			return err
		})
		if err == nil {
			err = f.Truncate(int64(body.commit) * int64(body.pageSize))
		}
		if err != nil {
			return false, err
		}
	}
	if err := f.Sync(); err != nil {
		return false, err
	}
	sum, err := checksumOf(db, body.pageSize)
	if err != nil {
		return false, err
	}
	want, err := positionAfter(filepath.Join(ltx, names[len(names)-1]))
	if err != nil {
		return false, err
	}
	if tail {
		if err := addTail(ctx, db); err != nil {
			return false, err
		}
	}
	// One file, for whoever looks at it.
	return sum == want.checksum, inSQLite(ctx, db, "PRAGMA journal_mode=DELETE")
}

// grown is how large a database of that size can be after a transaction file: a damaged
// one may say anything, and a file of that size would be made and read.
func grown(file string, size int64) (int64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	h, err := readLTX(file)
	if err != nil {
		return 0, err
	}
	size += 255 * info.Size() // LZ4 packs no tighter
	if says := int64(h.pages) * int64(h.pageSize); says > size {
		return 0, fmt.Errorf("%s says that the database has %s afterwards: it is damaged", file, megabytes(says))
	}
	return size, nil
}

func inSQLite(ctx context.Context, path, statement string) (err error) {
	db, err := sql.Open("sqlite", dsn(path, "rw"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, statement)
	return err
}

// rowsLimit bounds the comparison, during which the app does not run yet.
const rowsLimit = 20 * time.Second

// rowsOnlyIn counts, by table, the rows of the copy that are not in the database as
// it is now, which LiteFS hands out for this.
func (b *boot) rowsOnlyIn(ctx context.Context, dir, name string) (rows map[string]int, err error) {
	if b.node.cmd == nil {
		return nil, nil // an earlier boot's, told before LiteFS is started
	}
	ctx, cancel := context.WithTimeoutCause(ctx, rowsLimit, errors.New("the rows were not compared within "+rowsLimit.String()))
	defer cancel()
	now := filepath.Join(dir, "now")
	defer func() { err = errors.Join(err, os.RemoveAll(now)) }()
	if err := b.export(ctx, name, now); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(filepath.Join(dir, name), "ro"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "ATTACH ? AS now", (&url.URL{Scheme: "file", Path: now, RawQuery: "mode=ro&immutable=1"}).String()); err != nil {
		return nil, err
	}
	var names string
	if err := db.QueryRowContext(ctx, "SELECT coalesce(json_group_array(name), '[]') FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND rootpage > 0").Scan(&names); err != nil {
		return nil, err
	}
	var tables []string
	if err := json.Unmarshal([]byte(names), &tables); err != nil {
		return nil, err
	}
	rows = map[string]int{}
	for _, t := range tables {
		quoted := `"` + strings.ReplaceAll(t, `"`, `""`) + `"`
		count := func(q string) (n int, err error) {
			err = db.QueryRowContext(ctx, strings.ReplaceAll(q, "$", quoted)).Scan(&n)
			return n, err
		}
		n, err := count("SELECT count(*) FROM (SELECT * FROM main.$ EXCEPT SELECT * FROM now.$)")
		if err != nil && ctx.Err() == nil { // the table is not there, or another
			n, err = count("SELECT count(*) FROM main.$")
		}
		if ctx.Err() != nil {
			return rows, context.Cause(ctx)
		}
		if err != nil {
			return rows, err
		}
		if n > 0 {
			rows[t] = n
		}
	}
	return rows, nil
}

// export has LiteFS write a database as it is now into a file.
func (b *boot) export(ctx context.Context, name, file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, _, err = request{to: server{addr: b.node.api}, path: "/export?name=" + url.QueryEscape(name), patience: rowsLimit, into: f}.do(ctx)
	return errors.Join(err, f.Close())
}

// keepSalvage gives what was put aside its last name.
func (b *boot) keepSalvage(a *aside, found []salvaged) (string, error) {
	data, err := json.MarshalIndent(found, "", "  ")
	if err != nil {
		return "", err
	}
	if err := writeDurably(filepath.Join(a.dir, "salvage.json"), append(data, '\n')); err != nil {
		return "", err
	}
	parent := b.state.salvageDir()
	if err := os.Mkdir(parent, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	if info, err := os.Lstat(parent); err != nil || !info.IsDir() { // the app could have made it a link
		return "", errors.Join(err, fmt.Errorf("%s is not a directory: remove it", parent))
	}
	name, err := freeName(parent, a.Time.UTC().Format(stamp))
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, name)
	if err := os.Rename(a.dir, dir); err != nil {
		return "", err
	}
	if err := errors.Join(syncDir(parent), syncDir(b.node.data)); err != nil {
		return "", err
	}
	if b.who != nil { // the app's user may look; what is killed here is made up for by the next boot's own
		_, err = b.giveTo(*b.who)
	}
	return dir, err
}

// tellSalvage says, loudly, what was lost to the cluster and is here.
func (b *boot) tellSalvage(ctx context.Context, dir string, s salvaged) {
	total := 0
	var tables []string
	for t, n := range s.Rows {
		total += n
		tables = append(tables, fmt.Sprintf("%s: %d", t, n))
	}
	slices.Sort(tables)
	where := filepath.Join(dir, s.Database)
	attrs := []slog.Attr{slog.String("outcome", "kept"), slog.String("db", s.Database), slog.String("dir", dir),
		slog.String("warning", "this node had transactions that the cluster's primary has not: LiteFS has replaced its database, and what it was is kept here"),
		slog.String("position", s.Position), slog.String("now", s.Primary), slog.Int("ltx", s.LTX)}
	if s.Rows != nil {
		attrs = append(attrs, slog.Int("rows", total), slog.String("tables", strings.Join(tables, ", ")))
	}
	if s.Copy != "" {
		attrs = append(attrs, slog.Bool("whole", s.Whole), slog.String("look", "sqlite3 "+filepath.Join(where, s.Copy)))
	}
	if s.Problem != "" {
		attrs = append(attrs, slog.String("problem", s.Problem))
	}
	b.Logger.LogAttrs(ctx, slog.LevelError, "salvage", attrs...)
}

// pruneSalvage keeps the salvages within FLYSQL_SALVAGE: the oldest go first, and
// the newest stays whatever its size.
func (b *boot) pruneSalvage(ctx context.Context, newest string) error {
	entries, err := os.ReadDir(b.state.salvageDir())
	if err != nil {
		return failed("", "read what was salvaged: %w", err)
	}
	limit := b.Salvage
	if limit <= 0 { // off: what there is stays
		return nil
	}
	var sum int64
	slices.Reverse(entries) // by time, from the newest
	for _, e := range entries {
		if !e.IsDir() || !ownName.MatchString(e.Name()) {
			continue
		}
		dir := filepath.Join(b.state.salvageDir(), e.Name())
		if sum += sizeOfTree(dir); sum <= limit || e.Name() == newest {
			continue
		}
		b.Logger.LogAttrs(ctx, slog.LevelWarn, "salvage", slog.String("outcome", "removed"), slog.String("dir", dir), slog.String("why", "what was salvaged takes more than FLYSQL_SALVAGE allows, and this is older"))
		if err := os.RemoveAll(dir); err != nil {
			return failed("", "remove what was salvaged: %w", err)
		}
	}
	return nil
}

func sizeOfTree(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil {
			if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
				sum += info.Size()
			}
		}
		return nil // what cannot be read counts nothing
	})
	return sum
}
