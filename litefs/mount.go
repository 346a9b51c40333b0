package litefs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// mountLimit is how long a file of the mount may take: a hung LiteFS does not
	// answer at all, and what waits for it cannot be interrupted.
	mountLimit = 2 * time.Second
	// maxDatabases is how many databases are followed.
	maxDatabases = 1 << 16
	// notReady is in .lag while the node has not heard from a primary.
	notReady = math.MaxInt32
)

// mount reads the small files of a LiteFS mount. Each read is done by a goroutine
// of its own, which a hung LiteFS keeps; turns limits how many it can keep.
//
// No descriptor is kept between reads: it would be in the way of unmounting.
type mount struct {
	dir   string
	turns chan struct{}
	queue bool // wait for a turn; otherwise one that is not free says that LiteFS hangs
}

func newMount(dir string, turns int, queue bool) *mount {
	return &mount{dir, make(chan struct{}, turns), queue}
}

// errHung is about a file system that does not answer.
var errHung = errors.New("the LiteFS mount does not answer")

// within runs read, and returns without it when it takes too long.
func within[T any](ctx context.Context, m *mount, read func() (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, mountLimit, fmt.Errorf("%w within %v: %s", errHung, mountLimit, m.dir))
	defer cancel()
	var zero T
	select {
	case m.turns <- struct{}{}:
	default:
		if !m.queue {
			return zero, fmt.Errorf("%w: %s", errHung, m.dir)
		}
		select {
		case m.turns <- struct{}{}:
		case <-ctx.Done():
			return zero, context.Cause(ctx)
		}
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-m.turns }()
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	}
}

// wait waits until no read is under way, or says that one hangs.
func (m *mount) wait(limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	taken := 0
	defer func() {
		for range taken {
			<-m.turns
		}
	}()
	for ; taken < cap(m.turns); taken++ {
		select {
		case m.turns <- struct{}{}:
		case <-timer.C:
			return fmt.Errorf("%w: %s: a goroutine waits for it until LiteFS goes on or ends", errHung, m.dir)
		}
	}
	return nil
}

// lag reads .lag. That it is there says that LiteFS is mounted.
func (m *mount) lag(ctx context.Context) (lag time.Duration, ready bool, err error) {
	text, err := within(ctx, m, func() (string, error) { return readSmall(filepath.Join(m.dir, ".lag")) })
	if err != nil {
		return 0, false, m.explain(err)
	}
	ms, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("read %s: %s is no number of milliseconds", filepath.Join(m.dir, ".lag"), quote(text))
	}
	// Behind the clock of the primary means level with it.
	ms = min(max(ms, 0), math.MaxInt64/int64(time.Millisecond))
	return time.Duration(ms) * time.Millisecond, ms != notReady, nil
}

// positions reads all -pos files.
func (m *mount) positions(ctx context.Context) ([]Database, error) {
	dbs, err := within(ctx, m, func() ([]Database, error) {
		d, err := os.Open(m.dir)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		names, err := d.Readdirnames(6 * maxDatabases) // a database has at most six files
		if err != nil && err != io.EOF {
			return nil, err
		}
		var dbs []Database
		for _, name := range names {
			db, ok := strings.CutSuffix(name, "-pos")
			if !ok || checkName(db) != nil {
				continue
			}
			pos, err := readPos(m.dir, db)
			if errors.Is(err, fs.ErrNotExist) {
				continue // dropped since it was listed
			}
			if err != nil {
				return nil, err
			}
			if !pos.IsZero() {
				dbs = append(dbs, Database{Name: db, Pos: pos})
			}
		}
		if len(dbs) > maxDatabases {
			return nil, errTooMany
		}
		sort.Slice(dbs, func(i, j int) bool { return dbs[i].Name < dbs[j].Name })
		return dbs, nil
	})
	if err != nil {
		return nil, m.explain(err)
	}
	return dbs, nil
}

var errTooMany = fmt.Errorf("there are more than %d databases", maxDatabases)

// position reads one -pos file.
func (m *mount) position(ctx context.Context, db string) (Pos, error) {
	if err := checkName(db); err != nil {
		return Pos{}, err
	}
	pos, err := within(ctx, m, func() (Pos, error) {
		pos, err := readPos(m.dir, db)
		if errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Stat(filepath.Join(m.dir, ".lag")); err == nil {
				return Pos{}, fmt.Errorf("%s: %w", filepath.Join(m.dir, db), ErrNoDatabase)
			}
		}
		return pos, err
	})
	if err != nil {
		return Pos{}, m.explain(err)
	}
	return pos, nil
}

func readPos(dir, db string) (Pos, error) {
	path := filepath.Join(dir, db+"-pos")
	text, err := readSmall(path)
	if err != nil {
		return Pos{}, err
	}
	pos, err := ParsePos(strings.TrimSuffix(text, "\n"))
	if err != nil {
		return Pos{}, fmt.Errorf("read %s: %w", path, err)
	}
	return pos, nil
}

// readSmall reads the one line of a file, at most a hundred bytes. An os.File asks for
// more, each time, that LiteFS has to answer.
func readSmall(path string) (string, error) {
	const flags = syscall.O_RDONLY | syscall.O_CLOEXEC
	fd, err := syscall.Open(path, flags, 0)
	for err == syscall.EINTR {
		fd, err = syscall.Open(path, flags, 0)
	}
	if err != nil {
		return "", &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd) // of what was only read
	var buf [100]byte
	for size := 0; ; {
		n, err := syscall.Read(fd, buf[size:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return "", &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if size += n; n == 0 || size == len(buf) || buf[size-1] == '\n' {
			return string(buf[:size]), nil
		}
	}
}

// explain says what an error of the operating system means for a LiteFS mount.
func (m *mount) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("LiteFS is not mounted at %s (fuse.dir of litefs.yml): %w", m.dir, err)
	case errors.Is(err, syscall.ENOTCONN):
		return fmt.Errorf("the mount at %s is dead, its LiteFS has ended: %w", m.dir, err)
	}
	return err
}
