package follow

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// lag is what is known of how far the file is behind.
type lag struct {
	alive     time.Time // PostgreSQL was heard of
	committed time.Time // the last commit that was applied, by PostgreSQL's clock
	inStep    time.Time // PostgreSQL had nothing else to send

	told     time.Time
	toldRows int64
	rate     float64
	bytes    int64
	kept     int64
	warned   int64 // bytes of WAL that were warned of
}

// due reports whether it is time to tell, and reckons the rate then.
func (g *lag) due(f *follower) bool {
	now := time.Now()
	passed := now.Sub(g.told)
	if passed < f.o.Every {
		return false
	}
	rows := f.state.Rows + f.a.rows
	if !g.told.IsZero() {
		g.rate = float64(rows-g.toldRows) / passed.Seconds()
	}
	g.told, g.toldRows = now, rows
	return true
}

// tellTable is tell where triggers fill a table: it is what PostgreSQL keeps.
func (g *lag) tellTable(ctx context.Context, f *follower, conn *pgx.Conn) error {
	if !g.due(f) {
		return nil
	}
	if err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_total_relation_size(to_regclass($1 || '.changes'))", f.state.Name).Scan(&g.kept); err != nil {
		return fmt.Errorf("ask for the lag: %w", err)
	}
	f.o.Progress(g.out(f.state, nil))
	return nil
}

// tell reports, if it is time to.
func (g *lag) tell(ctx context.Context, f *follower, conn *pgx.Conn, end LSN) error {
	if !g.due(f) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	all, err := slots(ctx, conn, "WHERE slot_name = $1", f.state.Name)
	if err != nil {
		return fmt.Errorf("ask for the lag: %w", err)
	}
	var text string
	if err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_current_wal_lsn()::text").Scan(&text); err != nil {
		return fmt.Errorf("ask for the lag: %w", err)
	}
	wal, err := ParseLSN(text)
	if err != nil {
		return err
	}
	g.bytes = max(int64(wal)-int64(end), 0)
	if len(all) == 1 {
		g.warn(f.o, all[0])
	}
	f.o.Progress(g.out(f.state, nil))
	return nil
}

// warn speaks of WAL that grows, each time that it has doubled.
func (g *lag) warn(o Options, s slot) {
	g.kept = s.Kept
	if g.kept < o.MaxWAL/2 {
		g.warned = 0
	}
	if g.kept >= max(o.MaxWAL, 2*g.warned) {
		g.warned = g.kept
		o.Warn(fmt.Sprintf("PostgreSQL keeps %s of WAL for the slot %s (max_slot_wal_keep_size is %s): its disk may fill up", bytesText(g.kept), s.Name, s.Limit))
	}
}

// out is what is known; why is that it is not following.
func (g *lag) out(s *State, why error) Progress {
	p := Progress{State: "following", Position: s.Position, Lag: g.bytes, Rows: s.Rows, Rate: g.rate, Kept: g.kept}
	if known := later(g.committed, g.inStep); g.bytes > 0 && !known.IsZero() {
		p.Behind = max(time.Since(known), 0)
	}
	if why != nil {
		p.State, p.Why, p.Rate = "connecting", why.Error(), 0
	}
	return p
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
