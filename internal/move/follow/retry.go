package follow

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// dropPatience is how long a slot may be in use yet by a connection that has ended.
const dropPatience = 20 * time.Second

// retry calls f until it does not ask for more, with pauses that grow, for as long as
// patience at most; then its error is f's last.
func retry(ctx context.Context, patience time.Duration, f func() (again bool, err error)) error {
	end := time.Now().Add(patience)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		again, err := f()
		if !again || !time.Now().Before(end) {
			return err
		}
		if err := wait(ctx, min(pause, time.Until(end))); err != nil {
			return err
		}
	}
}

// wait waits, unless ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// passing reports whether an error may pass by itself: PostgreSQL restarts, the network
// is cut, an earlier connection of ours has not ended yet.
func passing(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "57P01", "57P02", "57P03", "53300", "55006":
			return true
		}
		return strings.HasPrefix(pg.Code, "08")
	}
	var network net.Error
	var connecting *pgconn.ConnectError
	if pgconn.SafeToRetry(err) { // the connection was closed before
		return true
	}
	return errors.Is(err, errEnded) || errors.Is(err, ErrBusy) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) || errors.As(err, &connecting) || errors.Is(err, net.ErrClosed)
}

// errEnded is that the server has ended the stream of changes: it is being stopped.
var errEnded = errors.New("the connection has ended")
