package inspect

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// WAL is the state of a write-ahead log.
type WAL struct {
	Mode     string // "wal", or "delete" for any rollback journal
	Size     int64  // of the -wal in bytes; 0 where there is none
	PageSize int64
	Frames   int64 // that count: of transactions that are complete
	Room     int64 // frames that the file has room for: it is used again from its start

	// Checkpointed is how many of Frames are in the database file already; -1 where
	// that is not known, for want of a -shm.
	Checkpointed int64

	Readers []Reader // what holds up a checkpoint, or may
	Open    []Holder // processes that have the database open
	Locks   bool     // Readers and Open are known
}

// Reader is a process that reads an older state of the database.
type Reader struct {
	Holder
	Frame int64 // frames up to it can be checkpointed meanwhile; 0 where it reads the file alone
}

// https://www.sqlite.org/walformat.html
const (
	walHeader   = 32
	frameHeader = 24

	shmFrames   = 16  // mxFrame of the first header
	shmBackfill = 96  // nBackfill
	shmMarks    = 100 // aReadMark
	shmLocks    = 120 // the first byte that is locked
	readLock    = 3   // the first of the readers' five
	readLocks   = 5
	openLock    = shmLocks + 8 // held by each connection
)

// WAL looks at the -wal and the -shm. It opens neither through SQLite.
func (d *Database) WAL(ctx context.Context) (*WAL, error) {
	w := &WAL{Mode: "delete", Checkpointed: -1}
	if err := d.readMode(w); err != nil {
		return nil, d.explain(ctx, err)
	}
	if err := w.readLog(ctx, d.Path+"-wal"); err != nil {
		return nil, d.explain(ctx, err)
	}
	marks, err := w.readIndex(d.Path + "-shm")
	if err != nil {
		return nil, d.explain(ctx, err)
	}
	if d.LiteFS != nil {
		return w, nil // whose locks the kernel does not know
	}
	locks, known := locksOf(d.Path + "-shm")
	w.Locks = known
	for _, l := range locks {
		if l.covers(openLock) {
			w.Open = addHolder(w.Open, l.Holder)
		}
		for i := range int64(readLocks) {
			if !l.covers(shmLocks+readLock+i) || l.write {
				continue
			}
			frame := marks[i]
			if i == 0 {
				frame = 0
			}
			w.Readers = append(w.Readers, Reader{l.Holder, frame})
		}
	}
	if w.Mode != "wal" {
		w.Open = nil
		locks, w.Locks = locksOf(d.Path)
		for _, l := range locks {
			w.Open = addHolder(w.Open, l.Holder)
		}
	}
	return w, nil
}

// readMode reads the database's header.
func (d *Database) readMode(w *WAL) error {
	f, err := os.Open(d.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 100)
	if _, err := io.ReadFull(f, head); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil // nothing is in it yet
	} else if err != nil {
		return err
	}
	h := readHeader(head)
	if w.PageSize = h.pageSize; h.wal {
		w.Mode = "wal"
	}
	return nil
}

// readLog counts the frames up to the last complete transaction. Frames with other
// salts are of an earlier round.
func (w *WAL) readLog(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w.Size = info.Size()
	r := bufio.NewReaderSize(f, 256<<10)
	head := make([]byte, walHeader)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil // too short for a transaction
	}
	pageSize := int64(binary.BigEndian.Uint32(head[8:]))
	if m := binary.BigEndian.Uint32(head); m&^1 != 0x377f0682 || pageSize < 512 || pageSize > 65536 {
		return nil // SQLite would not read it either
	}
	w.Room = (w.Size - walHeader) / (frameHeader + pageSize)
	frame := make([]byte, frameHeader)
	for n := int64(1); n <= w.Room && ctx.Err() == nil; n++ {
		if _, err := io.ReadFull(r, frame); err != nil {
			break
		}
		if string(frame[8:16]) != string(head[16:24]) {
			break
		}
		if binary.BigEndian.Uint32(frame[4:]) != 0 { // a commit
			w.Frames = n
		}
		if _, err := r.Discard(int(pageSize)); err != nil {
			break
		}
	}
	return context.Cause(ctx)
}

// readIndex reads what of the log has been checkpointed, and the readers' marks.
func (w *WAL) readIndex(path string) (marks [readLocks]int64, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return marks, nil
	}
	if err != nil {
		return marks, err
	}
	defer f.Close()
	head := make([]byte, shmLocks)
	if _, err := io.ReadFull(f, head); err != nil {
		return marks, nil
	}
	at := func(offset int) int64 { return int64(binary.NativeEndian.Uint32(head[offset:])) }
	if frames := at(shmFrames); w.Frames == 0 || frames != w.Frames {
		return marks, nil // of another log, or nobody has read this one yet
	}
	w.Checkpointed = at(shmBackfill)
	for i := range marks {
		marks[i] = at(shmMarks + 4*i)
	}
	return marks, nil
}

func addHolder(list []Holder, h Holder) []Holder {
	for _, have := range list {
		if have.PID == h.PID {
			return list
		}
	}
	return append(list, h)
}

// Checkpoint moves the log into the database file and empties it, as far as readers
// allow. Where one is in the way, what could be moved has been, and busy is true. It is
// refused beside LiteFS, which does it by itself.
func (d *Database) Checkpoint(ctx context.Context) (busy bool, err error) {
	if d.LiteFS != nil {
		return false, errors.New("beside LiteFS the log is LiteFS's to move: it does so by itself, and a checkpoint by another breaks what it counts on")
	}
	o := dsn(d.Path, "rw", "_pragma=busy_timeout(1000)")
	db, err := sql.Open("sqlite", o)
	if err != nil {
		return false, err
	}
	defer func() { err = d.explain(ctx, errors.Join(err, db.Close())) }()
	db.SetMaxOpenConns(1)
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return false, err
	}
	if mode != "wal" {
		return false, fmt.Errorf("its journal mode is %s: it has no write-ahead log", mode)
	}
	// What holds nobody up first: the second waits for readers, and writers for it.
	for _, kind := range []string{"PASSIVE", "TRUNCATE"} {
		var blocked, frames, moved int
		if err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+kind+")").Scan(&blocked, &frames, &moved); err != nil {
			return false, err
		}
		busy = blocked != 0
	}
	return busy, nil
}
