package follow

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move/transfer"
)

func (b *beginning) triggers(ctx context.Context) (*transfer.Report, error) {
	return nil, errors.New("todo")
}
func dropTriggers(ctx context.Context, conn *pgx.Conn, name string) error      { return errors.New("todo") }
func findTriggers(ctx context.Context, tx queryer, by map[string]*Found) error { return nil }
func (f *follower) pollTriggers(ctx context.Context, conn *pgx.Conn, to goal) error {
	return errors.New("todo")
}
