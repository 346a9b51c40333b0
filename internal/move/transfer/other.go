package transfer

import (
	"context"

	"github.com/flysql/flysql/internal/move"
)

// other is the side that a file is compared with. PostgreSQL computes its sums itself;
// those of a dump are computed from its text.
type other interface {
	// sums are those of all tables of a plan.
	sums(context.Context, *move.Plan) sums

	// buckets are a table's rows by the hash of their identity modulo n.
	buckets(ctx context.Context, q query, n int64) (map[int64]bucket, error)

	// rowsOf are the rows of some buckets.
	rowsOf(ctx context.Context, q query, n int64, buckets []int64) (map[string]*found, error)
}

func otherOf(s move.Source) other {
	if live, ok := s.(*Live); ok {
		return live
	}
	return printed{s}
}
