package scaffold

import (
	"errors"
	"io/fs"
	"os"
)

// ReadText reads a file of a repository as Detect does: a plain text file of a
// usual size that is no link out of it. The error is fs.ErrNotExist where there is
// none.
func ReadText(root *os.Root, name string) ([]byte, error) {
	data, err := readSmall(root, name)
	if err == nil || errors.Is(err, errTooLarge) || errors.Is(err, errBinary) {
		return data, err
	}
	if info, statErr := root.Lstat(name); statErr == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, errors.New("is a link that leads to no file in the repository, and is not followed: put the file itself here")
	}
	return nil, err
}
