package transfer

import (
	"os"
	"path/filepath"
)

// CheckTarget returns why Import would refuse to write to path, as far as that can be
// told before there is anything to write.
func CheckTarget(path string, replace bool) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return err
	}
	return (&target{path: path}).refuse(replace)
}
