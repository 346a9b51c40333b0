//go:build !unix

package transfer

import "os"

// lock does nothing where files cannot be locked so.
func lock(*os.File) (ok bool, err error) { return true, nil }

// giveTo does nothing: files have no owner of that kind there.
func giveTo(*os.File, string) error { return nil }

// syncDir does nothing: directories cannot be synced there.
func syncDir(string) error { return nil }
