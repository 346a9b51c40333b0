package entrypoint

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
)

// In WAL mode SQLite reports a transaction as committed when it is in the WAL. LiteFS
// takes it from there a moment later, when SQLite gives up its lock, and knows nothing
// of it where it is killed in between. Started again, it cuts it off. So a row that
// was acknowledged can be in the WAL alone, which is put aside for that.

const (
	walHeader   = 32
	frameHeader = 24
)

// walTail tells whether a WAL has a transaction that LiteFS has not taken: it lies
// behind what the last transaction file is of.
func walTail(wal, last string) (bool, error) {
	f, err := os.Open(wal)
	if isNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, walHeader)
	if _, err := io.ReadFull(f, head); err != nil { // too short for a transaction
		return false, nil
	}
	pageSize := int64(binary.BigEndian.Uint32(head[8:]))
	if pageSize < 512 || pageSize > 65536 {
		return false, nil
	}
	from, err := takenOf(last, string(head[16:24]))
	if err != nil {
		return false, err
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return false, err
	}
	r, frame := bufio.NewReaderSize(f, 256<<10), make([]byte, frameHeader+pageSize)
	for {
		if _, err := io.ReadFull(r, frame); err != nil {
			return false, nil // what is cut short is no transaction
		}
		if string(frame[8:16]) != string(head[16:24]) {
			return false, nil // of an earlier round
		}
		if binary.BigEndian.Uint32(frame[4:]) != 0 { // a commit
			return true, nil
		}
	}
}

// takenOf is how much LiteFS has taken of the WAL with these salts, by its last
// transaction file.
func takenOf(last, salts string) (int64, error) {
	h, err := os.Open(last)
	if err != nil {
		return 0, err
	}
	defer h.Close()
	head := make([]byte, 100)
	if _, err := io.ReadFull(h, head); err != nil {
		return 0, err
	}
	end := int64(binary.BigEndian.Uint64(head[48:]) + binary.BigEndian.Uint64(head[56:]))
	if salts != string(head[64:72]) || end < walHeader { // the WAL was begun anew since
		return walHeader, nil
	}
	return end, nil
}

// cutWAL takes from a WAL what LiteFS had not taken from SQLite, as it does itself.
func cutWAL(wal, last string) error {
	f, err := os.OpenFile(wal, os.O_RDWR, 0)
	if isNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, walHeader)
	if _, err := io.ReadFull(f, head); err != nil { // too short for a transaction
		return os.Remove(wal)
	}
	end, err := takenOf(last, string(head[16:24]))
	if err != nil {
		return err
	}
	if end == walHeader { // with nothing in it that was taken
		return os.Remove(wal)
	}
	info, err := f.Stat()
	if err != nil || info.Size() <= end {
		return err
	}
	return f.Truncate(end)
}

const tailSuffix = "-tail"

// keepWAL keeps the whole WAL of a database beside it. What is killed here, or at any
// time after, finds it when it is done again.
func keepWAL(ctx context.Context, db string) error {
	kept := db + tailSuffix
	if _, err := os.Stat(kept); !isNotExist(err) {
		return err
	}
	if err := os.Remove(kept + ".partial"); err != nil && !isNotExist(err) {
		return err
	}
	if err := copyFile(ctx, db+"-wal", kept+".partial"); err != nil {
		return err
	}
	return os.Rename(kept+".partial", kept)
}

// differ tells whether two files differ, or one is not there.
func differ(a, b string) (bool, error) {
	f, err := os.Open(a)
	if err != nil {
		return isNotExist(err), unless(err, fs.ErrNotExist)
	}
	defer f.Close()
	g, err := os.Open(b)
	if err != nil {
		return isNotExist(err), unless(err, fs.ErrNotExist)
	}
	defer g.Close()
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err1 := io.ReadFull(f, x)
		m, err2 := io.ReadFull(g, y)
		if n != m || string(x[:n]) != string(y[:m]) {
			return true, nil
		}
		if err1 != nil || err2 != nil { // the end of both, or a fault
			return false, errors.Join(unless(err1, io.EOF, io.ErrUnexpectedEOF), unless(err2, io.EOF, io.ErrUnexpectedEOF))
		}
	}
}

// unless is err, where it is none of these.
func unless(err error, these ...error) error {
	for _, e := range these {
		if errors.Is(err, e) {
			return nil
		}
	}
	return err
}

// addTail has SQLite bring the kept WAL in, as far as it is whole.
func addTail(ctx context.Context, db string) error {
	if err := os.Remove(db + "-wal"); err != nil && !isNotExist(err) {
		return err
	}
	if err := copyFile(ctx, db+tailSuffix, db+"-wal"); err != nil {
		return errors.Join(err, os.Remove(db+"-wal"))
	}
	return inSQLite(ctx, db, "PRAGMA wal_checkpoint(TRUNCATE)")
}
