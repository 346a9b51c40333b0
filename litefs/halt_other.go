//go:build !linux

package litefs

import "context"

// LiteFS runs on Linux only.
func withHalt(context.Context, string, func(context.Context) error) error { return ErrNotLiteFS }
