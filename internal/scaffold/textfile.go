package scaffold

import "os"

// ReadText reads a file of a repository as Detect does: a plain text file of a
// usual size that is no link out of it. The error is fs.ErrNotExist where there is
// none.
func ReadText(root *os.Root, name string) ([]byte, error) { return readSmall(root, name) }
