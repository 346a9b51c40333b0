package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/transfer"
)

// Result is what a cutover has done.
type Result struct {
	Position     string                 `json:"position"` // up to which the file has everything
	Rows         int64                  `json:"rows"`     // that were changed since the import
	Notes        []string               `json:"notes,omitempty"`
	Resumed      bool                   `json:"resumed,omitempty"` // an earlier cutover had verified it already
	Verification *transfer.Verification `json:"verification,omitempty"`
}

// Cutover ends a follow: it looks whether writers have stopped, applies the rest, sets
// what the file counts from, compares it with PostgreSQL, and removes what Begin has made
// there. Until the comparison finds nothing, nothing is removed: an error leaves a file
// that Run follows on. After a kill, another Cutover does what is left.
//
// An error may be a [*WritersError], a [*transfer.DifferenceError] or a
// [*transfer.UnsoundError].
func Cutover(ctx context.Context, source Source, o Options) (*Result, error) {
	o = o.defaults()
	state, err := Load(ctx, source.Path)
	if err != nil {
		return nil, err
	}
	conn, err := connect(ctx, source.URL)
	if err != nil {
		return nil, err
	}
	defer closing(conn)
	c := &cutover{source: source, o: o, conn: conn, result: &Result{}}
	if state.Stage == Verified {
		there, err := c.there(ctx, state)
		if err != nil {
			return nil, err
		}
		if !there { // killed behind the comparison
			c.result.Resumed, c.result.Position, c.result.Rows = true, state.Position, state.Rows
			return c.result, c.remove(ctx, state)
		}
	}
	if c.f, err = open(ctx, source, o); err != nil {
		return nil, err
	}
	err = c.verified(ctx)
	state = c.f.state
	if err := errors.Join(err, c.f.close()); err != nil {
		return nil, err
	}
	return c.result, c.remove(ctx, state)
}

// cutover is a Cutover under way.
type cutover struct {
	source Source
	o      Options
	conn   *pgx.Conn // holds the locks
	f      *follower
	result *Result
}

// there reports whether what changes are heard by is in PostgreSQL.
func (c *cutover) there(ctx context.Context, state *State) (there bool, err error) {
	if state.Mode == Triggers {
		err = c.conn.QueryRow(ctx, "SELECT to_regnamespace($1) IS NOT NULL", state.Name).Scan(&there)
		return there, err
	}
	s, err := findSlot(ctx, c.conn, state.Name)
	return s != nil, err
}

// verified brings the file to where PostgreSQL is, with nobody writing there, and proves
// it.
func (c *cutover) verified(ctx context.Context) error {
	if news := c.f.newcomers(); len(news) > 0 {
		return fmt.Errorf("%s has come since the copy, and is not in the file: %w", news[0], ErrChanged)
	}
	c.o.Progress(Progress{State: "catching up", Position: c.f.state.Position})
	if err := c.f.run(ctx, c.f.here()); err != nil {
		return err
	}
	if err := c.stopped(ctx); err != nil {
		return err
	}
	c.o.at("drained")
	if err := c.prove(ctx); err != nil {
		return err
	}
	if err := c.stillStopped(ctx); err != nil {
		return err
	}
	if err := setStage(c.f.db, Verified); err != nil {
		return err
	}
	c.o.at("verified")
	return nil
}

// prove compares the file with PostgreSQL as it is now.
func (c *cutover) prove(ctx context.Context) error {
	live, err := transfer.Open(ctx, c.source.URL)
	if err != nil {
		return err
	}
	defer live.Close()
	plan, err := c.source.Plan(ctx, live.Schema())
	if err != nil {
		return err
	}
	if err := inOneTransaction(c.f.db, plan.Sequences()); err != nil {
		return fmt.Errorf("set what the file counts from: %w", err)
	}
	notes, err := transfer.Sound(ctx, plan, c.source.Path, true)
	if err != nil {
		return err
	}
	missing, err := notThere(c.f.db, plan)
	if err != nil {
		return err
	}
	c.o.Progress(Progress{State: "comparing", Position: c.f.state.Position, Rows: c.f.state.Rows})
	v, err := transfer.Verify(ctx, live, plan, c.source.Path, c.o.Transfer.Progress)
	if err != nil {
		return err
	}
	c.result.Verification, c.result.Notes = v, slices.Concat(c.result.Notes, notes, missing)
	c.result.Position, c.result.Rows = c.f.state.Position, c.f.state.Rows
	if !v.Equal() {
		return &transfer.DifferenceError{Verification: v}
	}
	return nil
}

// notThere names indexes and views that PostgreSQL has got since the copy.
func notThere(db *lite.Conn, plan *move.Plan) (notes []string, err error) {
	have := map[string]bool{}
	if err := db.Rows("SELECT name FROM sqlite_schema", func(s *lite.Stmt) error { have[s.Text(0)] = true; return nil }); err != nil {
		return nil, err
	}
	note := func(what, name, create string) {
		if !have[name] {
			notes = append(notes, fmt.Sprintf("%s %s has come since the copy: %s", what, name, create))
		}
	}
	for _, t := range plan.Tables {
		for _, i := range t.Indexes {
			note("the index", i.Name, i.Create)
		}
	}
	for _, v := range plan.Views {
		note("the view", v.Name, v.Create)
	}
	return notes, nil
}

func inOneTransaction(db *lite.Conn, statements []string) error {
	if err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, s := range statements {
		if err := db.Exec(s); err != nil {
			return errors.Join(err, db.Exec("ROLLBACK"))
		}
	}
	return db.Exec("COMMIT")
}

// remove removes what Begin has made: in PostgreSQL, then in the file, which says until
// then that it is to be done.
func (c *cutover) remove(ctx context.Context, state *State) error {
	if err := c.removeThere(ctx, state); err != nil {
		return fmt.Errorf("the file is complete and verified; what is left in PostgreSQL: %w; the same command again removes it", err)
	}
	c.o.at("dropped")
	note, err := leave(ctx, c.source.Path)
	c.result.Notes = noted(c.result.Notes, note)
	return err
}

// removeThere removes what is in PostgreSQL, by the connection with the locks where others
// would wait for them.
func (c *cutover) removeThere(ctx context.Context, state *State) error {
	if state.Mode == Triggers && c.conn.PgConn().TxStatus() == 'T' {
		if _, err := c.conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+state.Name+" CASCADE; COMMIT"); err == nil {
			return nil
		}
		if err := rollback(ctx, c.conn); err != nil { // somebody reads; what follows has more patience
			return err
		}
	}
	conn, err := connect(ctx, c.source.URL)
	if err != nil {
		return err
	}
	defer closing(conn)
	note, err := remove(ctx, conn, state.Name)
	c.result.Notes = noted(c.result.Notes, note)
	return err
}
