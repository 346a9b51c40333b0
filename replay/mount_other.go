//go:build !linux

package replay

// mountedByFUSE: LiteFS runs on Linux.
func mountedByFUSE(string) bool { return false }
