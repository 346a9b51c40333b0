package entrypoint

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// judge looks for what the pending migrations take away, while other nodes still run
// the release before: beside LiteFS the schema changes for all at once, and the code
// does not. It warns, or, strictly, refuses.
func (b *boot) judge(ctx context.Context) error {
	if b.node == nil || b.set == nil {
		return nil
	}
	found, err := b.set.Destructive(b.pending.Pending)
	if err != nil || len(found) == 0 {
		return err
	}
	var what []string
	for _, d := range found {
		d.File = b.shown(d.File)
		what = append(what, d.String())
	}
	const shown = 5
	if more := len(what) - shown; more > 0 {
		what = append(what[:shown], fmt.Sprintf("%d more", more))
	}
	text := strings.Join(what, "; ") + ": other nodes run the release before until the deploy has reached them, and may still use it"
	const hint = "add first, and take away in a later release, when none uses it any more"
	if b.StrictMigrations {
		return refused(hint+"; where none does, unset FLYSQL_STRICT_MIGRATIONS for one deploy", "%s", text)
	}
	b.Logger.LogAttrs(ctx, slog.LevelWarn, "migrate", slog.String("outcome", "pending"), slog.String("warning", text), slog.String("hint", hint))
	return nil
}
