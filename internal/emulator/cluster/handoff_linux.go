package cluster

import (
	"context"

	"github.com/flysql/flysql/entrypoint"
)

func moveLease(ctx context.Context, from, to string) error {
	return entrypoint.MoveLease(ctx, from, to)
}
