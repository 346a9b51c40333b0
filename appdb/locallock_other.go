//go:build !unix

package appdb

import (
	"context"
	"os"
)

// lockLocal makes the file; there is no flock to lock it with.
func lockLocal(_ context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return func() {}, f.Close()
}
