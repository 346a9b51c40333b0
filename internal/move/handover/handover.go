// Package handover gives a SQLite file to a LiteFS node, as one of its databases.
//
//	node, err := handover.Open(ctx, litefs.Config{})      // refused unless it is the primary
//	defer node.Close()
//	err = node.Check(ctx, "app.db", false)                // refused where it has that database
//	given, err := node.Give(ctx, "app.db", "import/app.db")
//
// What the node had under that name is exported into a file first, and in the end what it
// gives back is compared with the file, byte for byte. Nobody else should write meanwhile:
// LiteFS has no lock that an import could hold. Where the mount is here, a transaction
// that came between is told.
package handover

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/flysql/flysql/litefs"
)

// ErrHasDatabase is that the node has a database of that name, and nobody said that it is
// to be replaced.
var ErrHasDatabase = errors.New("the LiteFS node has that database already")

// Node is a primary that takes a file.
type Node struct {
	node  *litefs.Node
	local bool // its mount is here

	reached func(step string) // a test's seam: "kept", "checked", "sent"
}

// Given is what has been done.
type Given struct {
	Database string
	Position string // that it is at; "" where the mount is not here
	Kept     string // the file that holds what was there before; "" where there was nothing
}

// answerLimit is how long LiteFS may take to say what it is.
const answerLimit = 6 * time.Second

// Open connects to a node, and waits until it says that it is the primary.
func Open(ctx context.Context, c litefs.Config) (*Node, error) {
	node, err := litefs.Open(c)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	st, err := litefs.Wait(limited, node, func(st litefs.State) bool {
		return st.Role != litefs.RoleUnknown || errors.Is(st.Err, syscall.ECONNREFUSED)
	})
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case st.Role == litefs.RoleUnknown:
		err = fmt.Errorf("no LiteFS that knows a primary answers there: %w", errors.Join(st.Err, err))
	case err != nil:
	case st.Role != litefs.RolePrimary:
		err = fmt.Errorf("%w: it is %s; run this there (fly ssh console --select)", litefs.ErrNotPrimary, st.Primary)
	}
	if err != nil {
		return nil, errors.Join(err, node.Close())
	}
	return &Node{node, !c.Remote, func(string) {}}, nil
}

// Close ends the connection.
func (n *Node) Close() error { return n.node.Close() }

// Check returns why Give would refuse a database, as far as that is known beforehand.
func (n *Node) Check(ctx context.Context, db string, replace bool) error {
	if replace {
		return nil
	}
	has, err := n.has(ctx, db)
	if err == nil && has {
		err = fmt.Errorf("%s: %w", db, ErrHasDatabase)
	}
	return err
}

// errSeen ends an export that was only to show that there is something.
var errSeen = errors.New("seen")

type see struct{ seen bool }

func (s *see) Write([]byte) (int, error) { s.seen = true; return 0, errSeen }

// has reports whether the node has a database with something in it.
func (n *Node) has(ctx context.Context, db string) (bool, error) {
	s := &see{}
	err := n.node.Export(ctx, db, s)
	switch {
	case s.seen:
		return true, nil
	case errors.Is(err, litefs.ErrNoDatabase):
		return false, nil
	}
	return false, err
}

// Give makes a file the database db. On an error the node has what it had, unless the
// error says otherwise; what it had is in Given.Kept then, too.
func (n *Node) Give(ctx context.Context, db, file string) (*Given, error) {
	given := &Given{Database: db}
	before, err := n.position(ctx, db)
	if err != nil {
		return given, err
	}
	has, err := n.has(ctx, db)
	if err != nil {
		return given, err
	}
	if has {
		if given.Kept, err = n.keep(ctx, db, file); err != nil {
			return given, err
		}
	}
	n.reached("kept")
	if now, err := n.position(ctx, db); err != nil || now != before {
		return given, errors.Join(err, fmt.Errorf("somebody writes to %s on LiteFS: stop the app, and run it again; nothing was changed there", db))
	}
	n.reached("checked")
	if err := n.send(ctx, db, file); err != nil {
		return given, err
	}
	n.reached("sent")
	after, err := n.position(ctx, db)
	if err != nil {
		return given, err
	}
	if n.local {
		given.Position = after.String()
	}
	if err := n.compare(ctx, db, file); err != nil {
		return given, fmt.Errorf("%s is on LiteFS now, and what LiteFS gives back is not the file: %w: somebody writes to it, or see LiteFS's log", db, err)
	}
	if n.local && after.TXID > before.TXID+1 {
		return given, fmt.Errorf("%s is on LiteFS now, and a transaction came between that is neither in it nor in %s: somebody wrote to it while it was replaced", db, given.Kept)
	}
	return given, nil
}

// position is where a database stands; the zero value where there is none, or no mount.
func (n *Node) position(ctx context.Context, db string) (litefs.Pos, error) {
	if !n.local {
		return litefs.Pos{}, nil
	}
	pos, err := n.node.ReadPosition(ctx, db)
	if errors.Is(err, litefs.ErrNoDatabase) {
		return litefs.Pos{}, nil
	}
	return pos, err
}

// keep exports what the node has into a file beside the one that it is to get.
func (n *Node) keep(ctx context.Context, db, file string) (kept string, err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".from-litefs.*")
	if err != nil {
		return "", fmt.Errorf("make a file for what LiteFS has: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	err = n.node.Export(ctx, db, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("keep what LiteFS has: %w", err)
	}
	for i := 1; i < 10_000; i++ {
		name := file + ".before-litefs"
		if i > 1 {
			name += fmt.Sprintf("-%d", i)
		}
		if err := os.Link(f.Name(), name); err == nil {
			return name, syncDir(filepath.Dir(file))
		} else if !errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("keep what LiteFS has: %w", err)
		}
	}
	return "", fmt.Errorf("keep what LiteFS has: 9999 files %s.before-litefs are there already", file)
}

func (n *Node) send(ctx context.Context, db, file string) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return n.node.Import(ctx, db, f)
}

// compare exports the database again, and compares it with the file.
func (n *Node) compare(ctx context.Context, db, file string) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	page, err := pageSize(f)
	if err != nil {
		return err
	}
	c := &comparer{file: f, page: page}
	if err := n.node.Export(ctx, db, c); err != nil {
		return err
	}
	if c.at != info.Size() {
		return fmt.Errorf("%d bytes where the file has %d", c.at, info.Size())
	}
	return nil
}

// comparer compares what is written to it with a file.
type comparer struct {
	file io.ReaderAt
	page int64 // its size
	at   int64
	buf  []byte
}

// Of the header LiteFS sets the change counter and the schema cookie to zero on an import;
// and it has no page at 1 GB, where SQLite keeps its locks and nothing else.
const (
	pageSizeAt    = 16
	changeCounter = 24
	schemaCookie  = 40
	lockByte      = 1 << 30
)

// pageSize is that of a database, by its header: 1 stands for 64 KiB.
func pageSize(file io.ReaderAt) (int64, error) {
	var b [2]byte
	if _, err := file.ReadAt(b[:], pageSizeAt); err != nil {
		return 0, err
	}
	if n := int64(binary.BigEndian.Uint16(b[:])); n != 1 {
		return n, nil
	}
	return 64 << 10, nil
}

func (c *comparer) Write(p []byte) (int, error) {
	if len(c.buf) < len(p) {
		c.buf = make([]byte, len(p))
	}
	want := c.buf[:len(p)]
	if n, err := c.file.ReadAt(want, c.at); n < len(p) {
		return 0, fmt.Errorf("it is longer than the file: %w", err)
	}
	for i := range p {
		at := c.at + int64(i)
		if p[i] == want[i] || at >= changeCounter && at < changeCounter+4 || at >= schemaCookie && at < schemaCookie+4 || at >= lockByte && at < lockByte+c.page {
			continue
		}
		return 0, fmt.Errorf("byte %d differs", at)
	}
	c.at += int64(len(p))
	return len(p), nil
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // Windows has none for directories
	return d.Close()
}
