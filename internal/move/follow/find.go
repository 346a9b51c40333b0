package follow

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Found is something of flysql's in PostgreSQL that a follow has made, and that stays until
// a cutover, or until somebody drops it.
type Found struct {
	Mode     Mode   `json:"mode"`
	Name     string `json:"name"`
	Database string `json:"database"`
	Whose    string `json:"whose"` // which file's, as far as it says so
	Active   bool   `json:"active"`
	PID      int32  `json:"pid,omitempty"` // who uses it
	Kept     int64  `json:"kept_bytes"`    // in PostgreSQL, for it: WAL, or the table of changes
	Lost     bool   `json:"lost"`          // PostgreSQL has thrown away what it was to keep

	slot, publication bool
}

// bare reports whether it is a publication alone, which costs nothing.
func (f Found) bare() bool { return f.Mode == Logical && !f.slot }

// Drop is what drops it, in SQL.
func (f Found) Drop() string {
	if f.Mode == Triggers {
		return "DROP SCHEMA " + f.Name + " CASCADE;"
	}
	var out []string
	if f.slot {
		out = append(out, "SELECT pg_drop_replication_slot('"+f.Name+"');")
	}
	if f.publication {
		out = append(out, "DROP PUBLICATION "+f.Name+";")
	}
	return strings.Join(out, " ")
}

// String says it in a line.
func (f Found) String() string {
	what, kept := "slot", "WAL"
	if f.Mode == Triggers {
		what, kept = "triggers of schema", "changes"
	} else if !f.slot {
		what = "publication"
	}
	s := fmt.Sprintf("%s %s of the database %s", what, f.Name, f.Database)
	if f.Whose != "" {
		s += " (" + f.Whose + ")"
	}
	switch {
	case f.Mode == Triggers: // which write in any case
		s += " are there"
	case f.Active:
		s += " is in use"
	default:
		s += " is in nobody's use"
	}
	if f.Lost {
		return s + ", and is lost: " + f.Drop()
	}
	if f.Kept > 0 {
		s += fmt.Sprintf(", and PostgreSQL keeps %s of %s for it", bytesText(f.Kept), kept)
	}
	return s + "; flysql import abandon, or " + f.Drop() + " drops it"
}

func bytesText(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	case n < 10_000_000_000:
		return fmt.Sprintf("%d MB", n/1_000_000)
	}
	return fmt.Sprintf("%d GB", n/1_000_000_000)
}

// Find returns what follows have left on a server: its slots of all databases, and the
// publications and triggers of this one.
func Find(ctx context.Context, tx queryer) ([]Found, error) {
	all, err := slots(ctx, tx, `WHERE slot_name LIKE 'flysql\_%' AND plugin = 'pgoutput'`)
	if err != nil {
		return nil, fmt.Errorf("look for flysql's slots: %w", err)
	}
	by := map[string]*Found{}
	for _, s := range all {
		by[s.Name] = &Found{Mode: Logical, Name: s.Name, Database: s.Database, Active: s.Active, PID: s.PID, Kept: s.Kept, Lost: s.Status == "lost", slot: true}
	}
	var name, comment, database string
	if err := each(ctx, tx, `SELECT pubname::text, coalesce(obj_description(oid, 'pg_publication'), ''), current_database()::text FROM pg_catalog.pg_publication
		WHERE pubname LIKE 'flysql\_%'`, []any{&name, &comment, &database}, func() {
		f := by[name]
		if f == nil {
			f = &Found{Mode: Logical, Name: name, Database: database}
			by[name] = f
		}
		f.publication, f.Whose = true, comment
	}); err != nil {
		return nil, fmt.Errorf("look for flysql's publications: %w", err)
	}
	if err := findTriggers(ctx, tx, by); err != nil {
		return nil, err
	}
	var out []Found
	for _, f := range by {
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b Found) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// FindAt is Find at the address of a PostgreSQL.
func FindAt(ctx context.Context, url string) ([]Found, error) {
	conn, err := connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer closing(conn)
	return Find(ctx, conn)
}
