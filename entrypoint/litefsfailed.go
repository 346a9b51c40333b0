package entrypoint

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A machine that fails is started again, some ten times on Fly. One that took over in
// order to migrate, and could not, must not take the primary from the others each
// time: what failed is noted, and the next boots of the same image wait instead.

// failed is where it is noted.
func (s state) failed() string { return filepath.Join(s.dir, s.base+".failed") }

// settleFailed notes how the steps of a primary ended.
func (b *boot) settleFailed(ctx context.Context, err error) error {
	var e *Error
	switch {
	case err == nil:
		if err := os.Remove(b.state.failed()); err != nil && !isNotExist(err) {
			return err
		}
		return nil
	case b.MigrateFrom == FromPrimary, ctx.Err() != nil, !errors.As(err, &e), e.Step != "migrate", len(b.pending.Pending) == 0:
		return err
	}
	sum, herr := b.pendingSum()
	if herr == nil {
		herr = writeDurably(b.state.failed(), []byte(sum+"\n"))
	}
	if herr != nil {
		b.Logger.Warn("migrate", "outcome", "failed", "why", "what failed cannot be noted: "+herr.Error())
	}
	return err
}

// failedBefore tells whether what is pending has failed on this node already.
func (b *boot) failedBefore() bool {
	data, err := os.ReadFile(b.state.failed())
	if err != nil {
		return false
	}
	sum, err := b.pendingSum()
	return err == nil && string(data) == sum+"\n"
}

// pendingSum identifies the pending migrations: a release that mends one has another.
func (b *boot) pendingSum() (string, error) {
	h := sha256.New()
	for _, m := range b.pending.Pending {
		text, err := fs.ReadFile(b.Migrations, m.File)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s", m.File, len(text), text)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
