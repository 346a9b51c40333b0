package migrate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"sync"
)

// files is what a library gets to see: one directory with the files of the set and nothing else, so that
// an editor's backup or a stray file cannot become a migration. It remembers which file was read last.
type files struct {
	set *Set

	mu   sync.Mutex
	last string // base name
}

var _ fs.ReadDirFS = (*files)(nil)

// Open implements [fs.FS].
func (f *files) Open(name string) (fs.File, error) {
	if _, ok := f.set.entries[name]; !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f.mu.Lock()
	f.last = name
	f.mu.Unlock()
	return f.set.fsys.Open(path.Join(f.set.dir, name))
}

// ReadDir implements [fs.ReadDirFS].
func (f *files) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	out := make([]fs.DirEntry, 0, len(f.set.migrations))
	for _, m := range f.set.migrations {
		out = append(out, f.set.entries[path.Base(m.File)])
	}
	return out, nil
}

// lastRead returns the path within the set's fs.FS of the file opened last, "" when there is none.
func (f *files) lastRead() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == "" {
		return ""
	}
	return path.Join(f.set.dir, f.last)
}

// lineHead is how much of a line is looked at for annotations, which are short, in bytes.
const lineHead = 4 << 10

// eachLine calls f with every line of r, without its end, until f returns false. Of a line longer than
// lineHead it passes the beginning: a dump may hold a whole table in one line. b is only a buffer.
func eachLine(r io.Reader, b *bufio.Reader, f func(line []byte) bool) error {
	b.Reset(r)
	for {
		line, err := b.ReadSlice('\n')
		if len(line) > 0 && !f(bytes.TrimRight(line, "\r\n")) {
			return nil
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = b.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
