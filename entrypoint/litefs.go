package entrypoint

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/flysql/flysql/flyconf"
)

// litefsOff is the value of Config.LiteFS that turns LiteFS off.
const litefsOff = "off"

// node is the LiteFS node that a boot starts, beside which the app runs.
type node struct {
	file   string // litefs.yml
	conf   *flyconf.LiteFS
	binary string // litefs
	mount  string // fuse.dir, links resolved
	data   string // data.dir, links resolved
	api    string // host:port at which this machine reaches http.addr
	edited []byte // what LiteFS is given instead of file; nil for file itself

	cmd    *exec.Cmd     // nil until it is started, and after it was stopped
	ended  chan struct{} // closed when it has ended
	ready  bool          // it has been
	fate   fate          // why it was killed
	ending atomic.Int64  // when what runs beside it was asked to end, in nanoseconds; 0 is not yet
	lock   *lock         // held by all that runs on this data directory
}

// readLiteFS finds out whether this is a boot of LiteFS, and reads its
// configuration: what is wrong with it is told before anything is touched.
func (b *boot) readLiteFS() error {
	file, err := b.litefsFile()
	if file == "" || err != nil {
		return err
	}
	n, err := b.parseLiteFS(file)
	if err != nil {
		return err
	}
	if err := litefsPlatform(); err != nil {
		return err
	}
	if n.binary, err = b.find([]string{"litefs"}); err != nil {
		return refused("let the Dockerfile copy it (COPY --from=flyio/litefs:0.5.14 /usr/local/bin/litefs /usr/local/bin/litefs), or set FLYSQL_LITEFS=off",
			"%s is there, but litefs is not in PATH: %w", file, err)
	}
	if _, err := b.find([]string{"fusermount3"}); err != nil {
		return refused("install it in the Dockerfile: apt-get install fuse3", "LiteFS mounts with fusermount3: %w", err)
	}
	b.node, b.Supervise = n, true
	return nil
}

// litefsFile is the litefs.yml that counts, or "".
func (c Config) litefsFile() (string, error) {
	switch {
	case c.LiteFS == litefsOff:
		return "", nil
	case c.LiteFS != "":
		return c.LiteFS, nil
	case c.App != nil: // an app that boots in its own process, perhaps under LiteFS
		return "", nil
	}
	_, err := os.Stat(DefaultLiteFS)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", refused("", "look for LiteFS's configuration: %w", err)
	}
	return DefaultLiteFS, nil
}

// maxLiteFS is far above the size of any litefs.yml.
const maxLiteFS = 1 << 20

// parseLiteFS reads a litefs.yml as LiteFS will, with the environment that it is
// given.
func (b *boot) parseLiteFS(file string) (*node, error) {
	info, err := os.Stat(file)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxLiteFS) { // a pipe would wait for its other end
		err = errors.New("it is not a file of the size of a litefs.yml")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, refused("let FLYSQL_LITEFS name LiteFS's configuration, or set it to off", "read %s: %w", file, err)
	}
	var edited []byte
	if b.NeverPrimary {
		if edited, err = neverPrimary(file, data); err != nil {
			return nil, refused("set lease.candidate and lease.promote in it to false, and unset FLYSQL_LITEFS_CANDIDATE", "%w", oneLine(err))
		}
		data = edited
	}
	conf, err := flyconf.ParseLiteFS(file, data, func(name string) (string, bool) {
		v := b.getenv(name)
		if v == "" && name == "HOSTNAME" { // LiteFS sets it
			v, _ = os.Hostname()
		}
		return v, true
	})
	if err == nil {
		err = conf.Validate()
	}
	if err != nil {
		return nil, refused("mend it: docs/litefs.md of flysql has one that works", "%w", oneLine(err))
	}
	if len(conf.Exec) > 0 {
		return nil, refused("remove it: flysql-entrypoint starts the app, after LiteFS and the migrations; the image's CMD names it",
			"%s: exec: starts the app a second time", placeOf(file, data, "exec:"))
	}
	if who, err := findAccount(b.User); b.User != "" && !conf.FUSE.AllowOther && (err != nil || who.uid != 0) {
		return nil, refused("set fuse.allow-other: true", "%s: fuse.allow-other is off, so %s could not see the databases", file, b.User)
	}
	n := &node{file: file, conf: conf, api: loopback(conf.HTTP.Addr), edited: edited}
	if b.NeverPrimary {
		return n, n.checkNewcomer()
	}
	return n, nil
}

// oneLine joins the problems of a file in one line of the log.
func oneLine(err error) error {
	var lines []string
	for _, p := range flyconf.Problems(err) {
		lines = append(lines, p.Error())
	}
	if len(lines) == 0 {
		return err
	}
	return errors.New(strings.Join(lines, "; "))
}

// placeOf is file:line:col of a top-level key, or the file alone.
func placeOf(file string, data []byte, key string) string {
	line := 0
	for text := range strings.Lines(string(data)) {
		if line++; strings.HasPrefix(text, key) {
			return fmt.Sprintf("%s:%d:1", file, line)
		}
	}
	return file
}

// loopback is where this machine reaches a server that listens on addr.
func loopback(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil { // Validate has looked
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// stateOfNode names the files of a database on a LiteFS node. They cannot be
// beside it, for there are no directories in LiteFS's mount: they are beside
// LiteFS's data, or in it where that is a volume's root. Those of a database that
// was on the volume before LiteFS are another's.
func stateOfNode(data, db string, mounts []mount) state {
	dir := filepath.Dir(data)
	if mountAt(mounts, existing(dir)).id != mountAt(mounts, existing(data)).id {
		dir = data
	}
	return state{dir: filepath.Join(dir, stateDir, litefsMode), base: filepath.Base(db)}
}

func (s state) nodeLock() string { return filepath.Join(s.dir, "node.lock") }
