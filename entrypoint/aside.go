package entrypoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A node that was the primary and was killed may have transactions that no other
// node has. When LiteFS starts again and finds another primary, it replaces the
// database and removes the transaction files, without a word. Whether it will is not
// known before it has connected, and then it is done. So what could be erased is put
// aside before LiteFS starts, in its data directory:
//
//	flysql-aside.partial     it is being put aside
//	flysql-aside             all of it is there; LiteFS may have been started since
//
// and once LiteFS is ready it is removed, or becomes .flysql/litefs/salvage/<time>:
// see salvage.go. A kill leaves one of these names, by which the next boot goes on.

const asideDir = "flysql-aside"

// runsFile lists the runs of LiteFS on this data directory, by which transactions
// are told from those that came from other nodes.
const runsFile = "flysql-runs"

// aside is what was put aside: aside.json in its directory.
type aside struct {
	Time      time.Time     `json:"time"`
	Databases []asideDB     `json:"databases"`
	dir       string        // not kept
	took      time.Duration // not kept
	size      int64         // not kept
}

type asideDB struct {
	Name   string `json:"name"`
	Last   string `json:"last"`   // its last transaction file
	TX     string `json:"tx"`     // position, as LiteFS writes it
	NoCopy bool   `json:"noCopy"` // there was no room for the database
	Tail   bool   `json:"tail"`   // its WAL has more than LiteFS had taken
}

func (n *node) asideDir() string      { return filepath.Join(n.data, asideDir) }
func (n *node) dbDir(d string) string { return filepath.Join(n.data, "dbs", d) }

// putAside keeps what LiteFS could erase.
func (b *boot) putAside(ctx context.Context) (*aside, error) {
	n := b.node
	if err := os.RemoveAll(n.asideDir() + ".partial"); err != nil {
		return nil, failed("", "remove what an earlier boot had not put aside whole: %w", err)
	}
	if err := b.finishAside(ctx); err != nil {
		return nil, err
	}
	if b.Salvage < 0 || n.conf.Lease.Type == "static" && n.conf.Lease.Candidate {
		return nil, nil // nobody else is ever the primary
	}
	a := &aside{Time: time.Now().UTC().Truncate(time.Millisecond), dir: n.asideDir()}
	own, err := n.ownTails()
	if err != nil {
		return nil, failed("look at the files; FLYSQL_SALVAGE=off starts LiteFS without putting anything aside", "read LiteFS's transaction files: %w", err)
	}
	if a.Databases = own; len(own) == 0 {
		return nil, nil
	}
	start := time.Now()
	noRoom := b.roomAside(a)
	if noRoom == "" {
		err = b.copyAside(ctx, a, true)
	}
	if diskFull(err) {
		noRoom, err = "the disk was full before the copy was complete", os.RemoveAll(n.asideDir()+".partial")
	}
	if err == nil && noRoom != "" {
		if err = b.withoutAside(ctx, noRoom); err == nil {
			err = b.copyAside(ctx, a, false)
		}
		if diskFull(err) { // not even for links; the warning has been given
			return nil, os.RemoveAll(n.asideDir() + ".partial")
		}
	}
	if err != nil {
		return nil, err
	}
	a.took = time.Since(start)
	return a, nil
}

// ownTails are the databases whose last transaction was made on this machine. What
// came from another node is not this node's to save.
func (n *node) ownTails() ([]asideDB, error) {
	runs, err := os.ReadFile(filepath.Join(n.data, runsFile))
	if err != nil && !isNotExist(err) {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(n.data, "dbs"))
	if err != nil && !isNotExist(err) {
		return nil, err
	}
	var own []asideDB
	for _, e := range entries {
		dir := filepath.Join(n.dbDir(e.Name()), "ltx")
		names, err := ltxFiles(dir)
		if isNotExist(err) || err == nil && len(names) == 0 {
			continue
		}
		if err != nil {
			return nil, err
		}
		last := names[len(names)-1]
		h, err := readLTX(filepath.Join(dir, last))
		if err != nil {
			return nil, err
		}
		tail, err := walTail(filepath.Join(n.dbDir(e.Name()), "wal"), filepath.Join(dir, last))
		if err != nil {
			return nil, err
		}
		if !tail && len(runs) > 0 && h.node != 0 && !strings.Contains(string(runs), fmt.Sprintf("%016X\n", h.node)) {
			continue
		}
		if h.pages == 0 { // it was dropped
			continue
		}
		at, err := positionAfter(filepath.Join(dir, last))
		if err != nil {
			return nil, err
		}
		own = append(own, asideDB{Name: e.Name(), Last: last, TX: at.String(), Tail: tail})
	}
	return own, nil
}

// noteRun remembers a run of LiteFS as one on this machine.
func (n *node) noteRun(id string) error {
	run, err := strconv.ParseUint(id, 16, 64)
	if err != nil {
		return nil // LiteFS did not say; all its transactions are taken for its own then
	}
	file := filepath.Join(n.data, runsFile)
	runs, err := os.ReadFile(file)
	if err != nil && !isNotExist(err) {
		return err
	}
	const width, keep = 17, 1000
	if len(runs) > keep*width {
		runs = runs[len(runs)-keep*width:]
	}
	return writeDurably(file, fmt.Appendf(runs, "%016X\n", run))
}

// asideFiles are the files of a database of LiteFS's, and what SQLite calls them.
var asideFiles = []struct{ litefs, suffix string }{{"database", ""}, {"wal", "-wal"}, {"journal", "-journal"}}

// roomAside says what is against copying, or "".
func (b *boot) roomAside(a *aside) (why string) {
	for _, d := range a.Databases {
		for _, f := range asideFiles {
			if info, err := os.Stat(filepath.Join(b.node.dbDir(d.Name), f.litefs)); err == nil {
				a.size += info.Size()
			}
		}
	}
	room, err := spaceOf(b.node.data)
	switch need := a.size + 2*max(b.MinFree, 0); {
	case a.size > b.Salvage:
		return fmt.Sprintf("a copy would take %s, more than FLYSQL_SALVAGE allows", megabytes(a.size))
	case err == nil && room.free < need:
		return fmt.Sprintf("a copy needs %s, %s are free", megabytes(need), megabytes(room.free))
	}
	return ""
}

// withoutAside refuses to let LiteFS replace the only copy where it is known that
// another node is the primary. Where it is not, this node may well become it.
func (b *boot) withoutAside(ctx context.Context, why string) error {
	var other string
	if key := b.node.leaseKey(b.getenv); key != nil {
		if h, session, err := key.holder(ctx, 2*time.Second); err == nil && session != "" && !key.self.is(h) {
			other = h.Hostname
		}
	}
	if other != "" {
		return failed("extend the volume (fly volumes extend ID --size GB) or remove files; FLYSQL_SALVAGE=MB allows larger copies, FLYSQL_SALVAGE=off starts LiteFS all the same, and what only this node has is lost",
			"this node was the primary, %s is now, and LiteFS replaces what only this node has; it cannot be put aside first: %s", other, why)
	}
	b.Logger.LogAttrs(ctx, slog.LevelWarn, "salvage", slog.String("outcome", "skipped"), slog.String("why", why),
		slog.String("warning", "if another node becomes primary before this one, what only this node has is kept as LiteFS's transaction files alone"))
	return nil
}

// copyAside links the transaction files and copies the databases, which LiteFS
// writes in place.
func (b *boot) copyAside(ctx context.Context, a *aside, whole bool) error {
	partial := a.dir + ".partial"
	if err := b.fault("aside.copy"); err != nil {
		return err
	}
	for i, d := range a.Databases {
		a.Databases[i].NoCopy = !whole
		to := filepath.Join(partial, d.Name)
		if err := os.MkdirAll(filepath.Join(to, "ltx"), 0o700); err != nil {
			return err
		}
		from := filepath.Join(b.node.dbDir(d.Name), "ltx")
		names, err := ltxFiles(from)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := os.Link(filepath.Join(from, name), filepath.Join(to, "ltx", name)); err != nil {
				return err
			}
		}
		for _, f := range asideFiles {
			if !whole {
				break
			}
			err := copyFile(ctx, filepath.Join(b.node.dbDir(d.Name), f.litefs), filepath.Join(to, d.Name+f.suffix))
			if err != nil && !isNotExist(err) {
				return err
			}
		}
		if err := errors.Join(syncDir(filepath.Join(to, "ltx")), syncDir(to)); err != nil {
			return err
		}
	}
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := writeDurably(filepath.Join(partial, "aside.json"), data); err != nil {
		return err
	}
	if err := os.Rename(partial, a.dir); err != nil {
		return err
	}
	if err := syncDir(b.node.data); err != nil {
		return err
	}
	return b.fault("aside.copied")
}

// copyFile copies without reading where the file system can.
func copyFile(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = cloneFile(out, in); err != nil {
		_, err = io.Copy(out, readerUntil{ctx, in})
	}
	return errors.Join(err, out.Sync(), out.Close())
}

// readerUntil ends with an error when the context has ended.
type readerUntil struct {
	ctx context.Context
	r   io.Reader
}

func (r readerUntil) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// readAside is what an earlier step, or boot, has put aside; nil for nothing.
func (n *node) readAside() (*aside, error) {
	data, err := os.ReadFile(filepath.Join(n.asideDir(), "aside.json"))
	if isNotExist(err) {
		return nil, nil
	}
	a := &aside{dir: n.asideDir()}
	if err == nil {
		err = json.Unmarshal(data, a)
	}
	return a, err
}

// erased lists the databases that LiteFS has replaced since they were put aside: their
// last transaction is not among its files any more, or the tail of the WAL is cut off.
func (n *node) erased(a *aside) (gone []asideDB, err error) {
	for _, d := range a.Databases {
		at, err := positionAfter(filepath.Join(n.dbDir(d.Name), "ltx", d.Last))
		if err != nil && !isNotExist(err) {
			return nil, err
		}
		cut := false
		if err == nil && d.Tail && !d.NoCopy {
			if cut, err = differ(filepath.Join(n.dbDir(d.Name), "wal"), filepath.Join(a.dir, d.Name, d.Name+"-wal")); err != nil {
				return nil, err
			}
		}
		if err != nil || at.String() != d.TX || cut {
			gone = append(gone, d)
		}
	}
	return gone, nil
}
