//go:build !unix

package appdb

import "context"

// lockLocal does nothing where there is no flock.
func lockLocal(context.Context, string) (unlock func(), err error) { return func() {}, nil }
