package follow_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/follow"
)

// A whole move: the copy, an hour in step with it, the cutover. It needs a PostgreSQL, so
// it is not run here.
func Example() {
	ctx := context.Background()
	source := follow.Source{URL: "postgres://app@localhost/shop", Path: "app.db",
		Plan: func(_ context.Context, s *move.Schema) (*move.Plan, error) { return move.NewPlan(s, move.Options{}) }}
	if _, err := follow.Begin(ctx, source, follow.Options{}); err != nil {
		fmt.Println(err)
		return
	}
	hour, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	if err := follow.Run(hour, source, follow.Options{}); !errors.Is(err, context.DeadlineExceeded) {
		fmt.Println(err)
		return
	}
	// The app is stopped here.
	result, err := follow.Cutover(ctx, source, follow.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Rows, "rows changed since the import")
}

// What a follow has left in PostgreSQL says what it costs, and how to be rid of it.
func ExampleFound() {
	f := follow.Found{Mode: follow.Triggers, Name: "flysql_follow_0123456789ab", Database: "shop", Whose: "flysql import --follow of /srv/app.db on web1: following", Kept: 73_000_000}
	fmt.Println(f)
	fmt.Println(f.Drop())
	// Output:
	// triggers of schema flysql_follow_0123456789ab of the database shop (flysql import --follow of /srv/app.db on web1: following) are there, and PostgreSQL keeps 73 MB of changes for it; flysql import abandon, or DROP SCHEMA flysql_follow_0123456789ab CASCADE; drops it
	// DROP SCHEMA flysql_follow_0123456789ab CASCADE;
}

// What stands in the way of a follow is told all at once, with what mends it.
func ExampleUnfitError() {
	fmt.Println(&follow.UnfitError{Mode: follow.Logical, Reasons: []string{"wal_level is replica: ALTER SYSTEM SET wal_level = 'logical', then restart PostgreSQL",
		"nothing tells the rows of public.log, which has no primary key that PostgreSQL could use: ALTER TABLE public.log REPLICA IDENTITY FULL"}})
	// Output:
	// it cannot be followed as it is: wal_level is replica: ALTER SYSTEM SET wal_level = 'logical', then restart PostgreSQL; nothing tells the rows of public.log, which has no primary key that PostgreSQL could use: ALTER TABLE public.log REPLICA IDENTITY FULL; or use --follow=triggers, which asks for less
}

func ExampleParseLSN() {
	position, err := follow.ParseLSN("16/B374D848")
	fmt.Println(uint64(position), position, err)
	_, err = follow.ParseLSN("here")
	fmt.Println(err)
	// Output:
	// 97500059720 16/B374D848 <nil>
	// "here" is no position in PostgreSQL's WAL
}
