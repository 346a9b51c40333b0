package transfer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
)

// Options are how a copy is made. The zero value takes every default.
type Options struct {
	Replace  bool           // a file that is there is kept beside, as app.db.before-import
	Streams  int            // connections that read rows; 2 by default
	Progress func(Progress) // called from one goroutine at a time
	Also     []string       // statements that the file gets behind the plan's own

	// Base is the file whose schema a plan's Existing is: a copy of it is filled. Empty, it
	// is the target itself, which is then kept beside.
	Base string

	// FullCheck has SQLite's integrity_check look for every row in every index. Without it,
	// the indexes are read and compared with the tables, which shows the same in a fraction
	// of the time.
	FullCheck bool
}

// Stage is what an import is at.
type Stage string

// The stages, in order. The last two are short.
const (
	Copying   Stage = "copy"
	Indexing  Stage = "index"
	Checking  Stage = "check" // and comparing, at the same time
	Syncing   Stage = "sync"
	Replacing Stage = "rename"
)

// Progress is how far an import is.
type Progress struct {
	Stage    Stage
	Table    string // as PostgreSQL names it; of Indexing and the later stages, ""
	Rows     int64  // of the table, so far
	Bytes    int64  // of the table's rows as text, so far
	Estimate int64  // of the table's rows, by PostgreSQL; -1 where it has none
}

// Report is what an import has done.
type Report struct {
	Tables       []TableReport `json:"tables"`
	Rows         int64         `json:"rows"`
	Bytes        int64         `json:"bytes"`          // as PostgreSQL sent them
	Kept         string        `json:"kept,omitempty"` // the file that was there
	Notes        []string      `json:"notes,omitempty"`
	Verification *Verification `json:"verification"`
}

// TableReport is what has been copied of a table.
type TableReport struct {
	Source string `json:"source"` // as PostgreSQL names it
	Name   string `json:"name"`   // in SQLite
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
}

// Import makes the file path of the source's snapshot, and compares it with that. On an
// error, path is what it was; a *DifferenceError says which rows are not the same.
func Import(ctx context.Context, source move.Source, plan *move.Plan, path string, o Options) (r *Report, err error) {
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Streams < 1 {
		o.Streams = 2
	}
	if plan.Existing != nil {
		if err := intoExisting(ctx, source, plan, path, &o); err != nil {
			return nil, err
		}
	}
	t, err := newTarget(path, o.Replace)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.discard()) }()
	i := &importer{source: source, other: otherOf(source), plan: plan, o: o, temp: t.temp, report: &Report{}}
	if plan.Existing != nil {
		if i.into, err = copyBase(o.Base, t); err != nil {
			return nil, err
		}
	}
	if t.left > 0 {
		i.report.Notes = append(i.report.Notes, fmt.Sprintf("an import that was killed had left %s, %d bytes: it is gone", filepath.Base(t.temp), t.left))
	}
	if err := i.run(ctx); err != nil {
		return nil, i.explain(err, path)
	}
	o.Progress(Progress{Stage: Syncing})
	if err := errors.Join(i.into.restore(ctx, t.temp), t.sync()); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o.Progress(Progress{Stage: Replacing})
	if err := i.into.unchanged(); err != nil {
		return nil, err
	}
	i.report.Kept, err = t.place(o.Replace)
	return i.report, err
}

// importer is one import under way.
type importer struct {
	source move.Source
	other  other // the same
	plan   *move.Plan
	o      Options
	temp   string
	into   *base // nil where the schema is the plan's own
	report *Report
}

// explain says what a person can do.
func (i *importer) explain(err error, path string) error {
	var refused *lite.Error
	if errors.As(err, &refused) && refused.Full() {
		return fmt.Errorf("%w: no room for %s, or for the temporary files of its indexes (SQLITE_TMPDIR says where)", err, path)
	}
	return err
}

// run makes the file, all but its name.
func (i *importer) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := i.fill(ctx); err != nil {
		return err
	}
	sums := make(chan sums, 1)
	go func() { sums <- i.other.sums(ctx, i.plan) }()
	err := i.finish(ctx)
	if err != nil {
		cancel()
	}
	theirs := <-sums // it uses the source's connection
	if err != nil {
		return err
	}
	return i.check(ctx, theirs)
}

// open opens the file for one who is alone with it.
func (i *importer) open(ctx context.Context) (*lite.Conn, error) {
	db, err := lite.Open(ctx, i.temp, false)
	if err != nil {
		return nil, err
	}
	// Nobody else sees the file, and what fails is thrown away.
	for _, pragma := range []string{"journal_mode=off", "synchronous=off", "locking_mode=exclusive", "page_size=4096", "cache_size=-32768", "foreign_keys=off"} {
		if err := db.Exec("PRAGMA " + pragma); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}

// finish makes what comes after the rows: sequences, indexes, statistics.
func (i *importer) finish(ctx context.Context) error {
	i.o.Progress(Progress{Stage: Indexing})
	steps := []func(*lite.Conn, *move.Plan) error{lateKeys}
	if i.into != nil {
		steps = []func(*lite.Conn, *move.Plan) error{i.into.finish, i.into.asBefore}
	}
	for _, step := range steps {
		if err := i.alone(ctx, step); err != nil {
			return err
		}
	}
	db, err := i.open(ctx)
	if err != nil {
		return err
	}
	for _, statement := range slices.Concat(i.plan.After(), i.o.Also, []string{"ANALYZE"}) {
		if err := db.Exec(statement); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", statement, err), db.Close())
		}
	}
	return db.Close()
}

// check has SQLite look for faults, while the rows are compared.
func (i *importer) check(ctx context.Context, theirs sums) error {
	i.o.Progress(Progress{Stage: Checking})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sound := make(chan error, 1)
	go func() {
		notes, err := Sound(ctx, i.plan, i.temp, i.o.FullCheck)
		i.report.Notes = append(i.report.Notes, notes...)
		if err != nil {
			cancel()
		}
		sound <- err
	}()
	v, err := compare(ctx, i.other, i.plan, i.temp, theirs)
	if err != nil {
		cancel()
	}
	if bad := <-sound; bad != nil && !errors.Is(bad, context.Canceled) {
		return bad
	} else if err == nil {
		err = bad
	}
	if err != nil {
		return err
	}
	i.report.Verification = v
	if !v.Equal() {
		return &DifferenceError{v}
	}
	return nil
}
