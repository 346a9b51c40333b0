package follow

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/testkit"
)

// told is what a Run has told.
type told struct {
	sync.Mutex
	last     Progress
	warnings string
}

func (o *told) is(f func(Progress, string) bool) func() bool {
	return func() bool {
		o.Lock()
		defer o.Unlock()
		return f(o.last, o.warnings)
	}
}

// A Run tells how far it is, what PostgreSQL keeps, and of others that write to the file.
func TestProgress(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t)
			db.Exec("CREATE TABLE t (id int PRIMARY KEY, v text)")
			source := sourceOf(t, db, move.Options{})
			begun(t, source, Options{Mode: mode})
			db.Exec("CREATE TABLE newcomer (id int PRIMARY KEY)")
			var o told
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() {
				ended <- Run(ctx, source, Options{Every: time.Millisecond, Batch: time.Millisecond, MaxWAL: 1,
					Progress: func(p Progress) { o.Lock(); o.last = p; o.Unlock() }, Warn: func(s string) { o.Lock(); o.warnings += s + "\n"; o.Unlock() }})
			}()
			db.Exec("INSERT INTO t VALUES (1), (2)")
			testkit.Poll(t, "progress", o.is(func(p Progress, _ string) bool { return p.State == "following" && p.Rows == 2 && p.Kept > 0 }))
			write(t, source.Path, "INSERT INTO t VALUES (3, 'of somebody')")
			db.Exec("INSERT INTO t VALUES (4)")
			want := []string{"public.newcomer has come since the copy", "another program has written to the file"}
			if mode == Logical {
				want = append(want, "of WAL for the slot flysql_")
			}
			for _, w := range want {
				testkit.Poll(t, w, o.is(func(_ Progress, warnings string) bool { return strings.Contains(warnings, w) }))
			}
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if _, err := Cutover(context.Background(), source, quick); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "public.newcomer has come since the copy") {
				t.Error(err)
			}
		})
	}
}
