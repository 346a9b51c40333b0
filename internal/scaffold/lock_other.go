//go:build !unix

package scaffold

import "os"

// lock does nothing where directories cannot be locked.
func lock(*os.Root) (unlock func(), err error) { return func() {}, nil }
