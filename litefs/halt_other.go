//go:build !linux

package litefs

import (
	"context"
	"time"
)

// LiteFS runs on Linux only.
func withHalt(context.Context, string, time.Duration, time.Duration, func(context.Context) error) error {
	return ErrNotLiteFS
}
