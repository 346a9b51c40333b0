package move

import (
	"context"
	"io"
)

// Source is where a database comes from: PostgreSQL itself at one moment, or a dump.
type Source interface {
	// Schema is what is there. Callers must not change it.
	Schema() *Schema

	// CopyTable writes the rows of a table that the plan copies, its Copied columns in
	// COPY's text format, and returns how many they are. A Write holds any number of
	// bytes. It may be called concurrently, and again, for the same rows.
	CopyTable(ctx context.Context, w io.Writer, t *TablePlan) (int64, error)

	// Snapshot says what moment the rows are of.
	Snapshot() string

	Close() error
}
