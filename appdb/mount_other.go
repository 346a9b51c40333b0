//go:build !linux

package appdb

// LiteFS is Linux's.
func onLiteFS(string) bool { return false }

func mountPrimary(string) (hostname string, ok bool) { return "", false }

func mapped(uintptr) bool { return false }
