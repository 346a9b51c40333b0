package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
	"github.com/flysql/flysql/internal/sqlitefile"
)

// ReadExisting reads the schema of the SQLite file at path, for [move.NewExistingPlan],
// and leaves no trace of that.
func ReadExisting(ctx context.Context, path string) (e *move.Existing, err error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	err = sqlitefile.Read(ctx, path, false, func(o sqlitefile.Opening) error {
		db, err := lite.Open(ctx, o.DSN(), true)
		if err != nil {
			return err
		}
		e, err = move.ReadExisting(db)
		return errors.Join(err, db.Close())
	})
	if err == nil && e == nil {
		err = errors.New("the file is empty: run the app's migrations first")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}

// atRest returns an error where a file is not there, or has others beside it without
// which it is not whole.
func atRest(path string) error {
	switch info, err := os.Stat(path); {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", path)
	}
	return noCompanions(path)
}

// intoExisting refuses a plan that does not fit, and fills in options.
func intoExisting(ctx context.Context, source move.Source, plan *move.Plan, path string, o *Options) error {
	if err := Look(ctx, source, plan); err != nil {
		return err
	}
	if err := plan.Fits(); err != nil {
		return err
	}
	var err error
	if o.Base, err = filepath.Abs(cmp.Or(o.Base, path)); err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	o.Replace = o.Replace || o.Base == path // it is kept beside
	return atRest(o.Base)
}

// base is the file that an import's file begins as a copy of.
type base struct {
	path string
	info fs.FileInfo
	head []byte // its first page's beginning, which counts its changes
	wal  bool   // it is in WAL mode

	indexes []placed            // taken away, to be made again
	tables  map[string]struct{} // that stand without their keys meanwhile
}

// placed is an index, and its place in sqlite_schema.
type placed struct {
	rowid, name, sql string
	auto             string // the name that SQLite gives a key's; "" of another
}

// called is its name in the end.
func (p placed) called() string { return cmp.Or(p.auto, p.name) }

// headSize is that of a SQLite file's header.
const headSize = 100

// copyBase copies a file to where an import works, byte for byte.
func copyBase(path string, t *target) (*base, error) {
	b := &base{path: path}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it has only been read
	if b.info, err = f.Stat(); err != nil {
		return nil, err
	}
	if b.head, err = readHead(f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b.wal = len(b.head) > 19 && b.head[18] == 2
	if _, err := io.Copy(t.file, f); err != nil {
		return nil, fmt.Errorf("copy %s to %s: %w", path, t.temp, err)
	}
	return b, b.unchanged()
}

func readHead(f *os.File) ([]byte, error) {
	head := make([]byte, headSize)
	n, err := f.ReadAt(head, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return head[:n], err
}

// unchanged returns an error where somebody has written to the base since it was copied.
func (b *base) unchanged() error {
	if b == nil {
		return nil
	}
	changed := fmt.Errorf("%s has been written to while the import ran, and is left as it is: stop the app, and import again", b.path)
	info, err := os.Stat(b.path)
	if err != nil {
		return err
	}
	if noCompanions(b.path) != nil || !os.SameFile(info, b.info) || info.Size() != b.info.Size() || !info.ModTime().Equal(b.info.ModTime()) {
		return changed
	}
	f, err := os.Open(b.path)
	if err != nil {
		return err
	}
	head, err := readHead(f)
	if err == nil && !slices.Equal(head, b.head) {
		err = changed
	}
	return errors.Join(err, f.Close())
}

// standIns has tables stand without their keys, whose indexes are slow to fill: these
// become such as CREATE INDEX makes, which can be taken away. A connection that is open
// does not see it.
func (b *base) standIns(db *lite.Conn, plan *move.Plan) error {
	if err := b.same(db, plan); err != nil {
		return err
	}
	b.tables = map[string]struct{}{}
	statements := []string{"PRAGMA writable_schema = on"}
	for _, t := range plan.Tables {
		late := func(auto string) string { return "flysql late " + auto }
		create, indexes := t.Target.WithoutKeys(late)
		if create == "" || !stands(create) {
			continue
		}
		b.tables[t.Name] = struct{}{}
		statements = append(statements, "UPDATE sqlite_schema SET sql = "+pgexpr.Literal(create)+" WHERE type = 'table' AND name = "+pgexpr.Literal(t.Name))
		for _, auto := range slices.Sorted(maps.Keys(indexes)) {
			statements = append(statements, "UPDATE sqlite_schema SET name = "+pgexpr.Literal(late(auto))+", sql = "+pgexpr.Literal(indexes[auto])+" WHERE type = 'index' AND name = "+pgexpr.Literal(auto))
		}
	}
	return execAll(db, append(statements, "PRAGMA writable_schema = off"))
}

func execAll(db *lite.Conn, statements []string) error {
	for _, s := range statements {
		if err := db.Exec(s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// stands reports whether SQLite makes a table, and no index with it.
func stands(create string) bool {
	db, err := lite.Open(context.Background(), ":memory:", false)
	if err != nil {
		return false
	}
	defer db.Close() // nothing is in it
	indexes := ""
	err = errors.Join(db.Exec(create), db.Rows("SELECT count(*) FROM sqlite_schema WHERE type = 'index'", func(s *lite.Stmt) error {
		indexes = s.Text(0)
		return nil
	}))
	return err == nil && indexes == "0"
}

// prepare readies the tables for rows: without those that they hold, and, for speed,
// without their indexes. No trigger fires.
func (b *base) prepare(db *lite.Conn, plan *move.Plan) error {
	if err := db.DisableTriggers(); err != nil {
		return err
	}
	for _, t := range plan.Tables {
		if plan.Truncate {
			if err := db.Exec("DELETE FROM " + pgexpr.Ident(t.Name)); err != nil {
				return fmt.Errorf("empty %s: %w", t.Name, err)
			}
		}
	}
	err := db.Rows("SELECT rowid, name, sql, tbl_name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY rowid", func(s *lite.Stmt) error {
		if slices.ContainsFunc(plan.Tables, func(t *move.TablePlan) bool { return pgexpr.FoldName(t.Name) == pgexpr.FoldName(s.Text(3)) }) {
			i := placed{rowid: s.Text(0), name: s.Text(1), sql: s.Text(2)}
			if auto, late := strings.CutPrefix(i.name, "flysql late "); late {
				i.auto = auto
			}
			b.indexes = append(b.indexes, i)
		}
		return nil
	})
	for _, i := range b.indexes {
		if err == nil {
			err = db.Exec("DROP INDEX " + pgexpr.Ident(i.name))
		}
	}
	return err
}

// same returns an error where the schema is not the one that the plan was made for.
func (b *base) same(db *lite.Conn, plan *move.Plan) error {
	e, err := move.ReadExisting(db)
	if err != nil {
		return err
	}
	if !slices.Equal(e.SQL, plan.Existing.SQL) {
		return fmt.Errorf("%s has another schema than when the import was planned: import again", b.path)
	}
	for _, t := range plan.Tables {
		if now := e.Table(t.Name); now.HasRows && !plan.Truncate {
			return fmt.Errorf("%s: the table %s holds rows now: import again", b.path, t.Name)
		}
	}
	return nil
}

// finish makes the indexes again, each in its old place, and looks at what the rows must
// be by them and by the checks.
func (b *base) finish(db *lite.Conn, plan *move.Plan) error {
	found := &broken{db: db, plan: plan}
	for _, i := range b.indexes {
		if err := db.Exec(i.sql); err != nil {
			if !isConstraint(err) {
				return fmt.Errorf("%s: %w", i.sql, err)
			}
			if err := found.index(i); err != nil {
				return err
			}
		}
	}
	if err := found.checks(); err != nil {
		return err
	}
	if len(found.list) > 0 {
		if err := found.foreignKeys(); err != nil {
			return err
		}
		return &move.MismatchError{Mismatches: append(slices.Clone(plan.Mismatches), found.list...)}
	}
	statements := []string{"PRAGMA writable_schema = on"}
	for _, i := range b.indexes {
		set := "rowid = " + i.rowid
		if i.auto != "" {
			set += ", sql = NULL, name = " + pgexpr.Literal(i.auto)
		}
		statements = append(statements, "UPDATE sqlite_schema SET "+set+" WHERE type = 'index' AND name = "+pgexpr.Literal(i.name))
	}
	for _, t := range plan.Tables {
		if _, ok := b.tables[t.Name]; ok {
			statements = append(statements, "UPDATE sqlite_schema SET sql = "+pgexpr.Literal(t.Target.SQL)+" WHERE type = 'table' AND name = "+pgexpr.Literal(t.Name))
		}
	}
	return execAll(db, append(statements, "PRAGMA writable_schema = off"))
}

// asBefore returns an error where the schema is not what it was, to the byte. The
// connection is one that has been opened since finish.
func (b *base) asBefore(db *lite.Conn, plan *move.Plan) error {
	e, err := move.ReadExisting(db)
	if err == nil && !slices.Equal(e.SQL, plan.Existing.SQL) {
		err = errors.New("the schema has not come out as it was")
	}
	return err
}

// restore gives the file its journal mode back.
func (b *base) restore(ctx context.Context, temp string) error {
	if b == nil || !b.wal {
		return nil
	}
	db, err := lite.Open(ctx, temp, false)
	if err != nil {
		return err
	}
	return errors.Join(db.Exec("PRAGMA journal_mode = wal"), db.Close())
}
