package inspect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/litefs"
)

// LiteFS is the node in whose mount a database is.
type LiteFS struct {
	Mount    string
	Role     litefs.Role
	Primary  string // its hostname; "" where this node is the primary, or nobody knows one
	Position string // of the database, "txid/checksum"; "" where it has none
}

// writes tells whether the node takes writes.
func (l *LiteFS) writes() bool { return l == nil || l.Role == litefs.RolePrimary }

// refusal says why not, and what to do.
func (l *LiteFS) refusal() string {
	if l.Role == litefs.RoleUnknown {
		return "no primary is known at the moment, and only the primary writes: try again when there is one"
	}
	return fmt.Sprintf("this machine has a replica, and only the primary, %s, writes: run this there (fly ssh console --select)", l.Primary)
}

// answerLimit is how long LiteFS may take to say what it is.
const answerLimit = 6 * time.Second

// litefsOf asks the LiteFS in whose mount path is; nil where it is in none. It touches
// the mount only when LiteFS has answered: who reads from one that hangs, hangs with
// it, beyond kill -9.
func litefsOf(ctx context.Context, path string, env []string) (*LiteFS, error) {
	dir := filepath.Dir(path)
	mount, addr, err := configured(env)
	if err != nil {
		return nil, err
	}
	if mount != dir {
		if mount, addr = dir, ""; !hasLag(dir) {
			return nil, nil
		}
	}
	node, err := litefs.Open(litefs.Config{Addr: addr, FUSEDir: mount})
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, answerLimit)
	st, err := litefs.Wait(limited, node, func(st litefs.State) bool {
		return st.NodeID != "" && st.Err == nil || errors.Is(st.Err, syscall.ECONNREFUSED)
	})
	cancel()
	if cerr := node.Close(); err == nil {
		err = cerr
	}
	if st.NodeID == "" || st.Err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("it is in the LiteFS mount %s, and LiteFS does not answer: %w; nothing can be read there before it does", mount, errors.Join(st.Err, err))
	}
	l := &LiteFS{Mount: mount, Role: st.Role}
	if st.Role == litefs.RoleReplica {
		l.Primary = st.Primary
	}
	if pos, ok := st.Position(filepath.Base(path)); ok {
		l.Position = pos.String()
	}
	return l, nil
}

// LiteFSHere is the node of this machine: as its litefs.yml has it, else what answers
// where LiteFS does by default, whose mount is not known.
func LiteFSHere(env []string) (litefs.Config, error) {
	mount, addr, err := configured(env)
	return litefs.Config{Addr: addr, FUSEDir: mount, Remote: mount == ""}, err
}

// maxLiteFS is far above the size of any litefs.yml.
const maxLiteFS = 1 << 20

// configured is what the litefs.yml of this machine says; "" where there is none.
func configured(env []string) (mount, addr string, err error) {
	file := settingsOf(env).litefs
	if file == "" {
		if file = defaultLiteFS; file == "" {
			return "", "", nil
		}
		if _, err := os.Stat(file); err != nil {
			return "", "", nil
		}
	}
	if file == "off" {
		return "", "", nil
	}
	info, err := os.Stat(file)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxLiteFS) { // a pipe would wait for its other end
		err = errors.New("it is not a file of the size of a litefs.yml")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return "", "", fmt.Errorf("read %s: %w; let FLYSQL_LITEFS name LiteFS's configuration, or set it to off", file, err)
	}
	conf, err := flyconf.ParseLiteFS(file, data, func(name string) (string, bool) { return lookup(env, name), true })
	if conf == nil {
		return "", "", err
	}
	return filepath.Clean(conf.FUSE.Dir), conf.HTTP.Addr, nil // whatever else is wrong with it
}

// hasLag looks for the file that LiteFS has in its mount, and nobody else. A mount
// that does not answer counts as one.
func hasLag(dir string) bool {
	found := make(chan bool, 1)
	go func() {
		_, err := os.Stat(filepath.Join(dir, ".lag"))
		found <- err == nil || errors.Is(err, syscall.ENOTCONN)
	}()
	timer := time.NewTimer(2 * time.Second)
	defer timer.Stop()
	select {
	case ok := <-found:
		return ok
	case <-timer.C:
		return true
	}
}
