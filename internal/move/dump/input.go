package dump

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// headSize is how much of a dump's beginning is looked at to know what it is.
const headSize = 64 << 10

// source is a dump in UTF-8 that can be read at any place.
type source struct {
	name string
	file *os.File
	size int64

	encoding string // that it was in, where that was not UTF-8
}

// openSource opens a file, and lays it into a temporary one if it is not plain UTF-8.
func openSource(ctx context.Context, path string, o Options) (*source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open the dump: %w", err)
	}
	if info.IsDir() {
		return nil, refuseDirectory(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the dump: %w", err)
	}
	if info.Mode().IsRegular() {
		head := make([]byte, headSize)
		n, err := f.ReadAt(head, 0)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, errors.Join(fmt.Errorf("read the dump: %w", err), f.Close())
		}
		if head = head[:n]; compression(head) == "" && asIs(declaredOr(head, "utf8")) {
			if err := refuse(path, head); err != nil {
				return nil, errors.Join(err, f.Close())
			}
			return &source{name: path, file: f, size: info.Size()}, nil
		}
	}
	s, err := spool(ctx, path, f, o)
	return s, errors.Join(err, f.Close())
}

func declaredOr(head []byte, otherwise string) string {
	if name := declared(head); name != "" {
		return name
	}
	return otherwise
}

// spool lays a stream into a temporary file, decompressed and in UTF-8. The file has no
// name: however the process ends, its space is free again.
func spool(ctx context.Context, name string, r io.Reader, o Options) (s *source, err error) {
	plain, release, err := decompressed(name, bufio.NewReaderSize(&contextReader{ctx, r}, headSize))
	if err != nil {
		return nil, err
	}
	defer release()
	b := bufio.NewReaderSize(plain, headSize)
	head, err := b.Peek(headSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, spoolError(name, "", err)
	}
	if err := refuse(name, head); err != nil {
		return nil, err
	}
	plain = b
	encoding := ""
	if e := declaredOr(head, "utf8"); !asIs(e) {
		encoding = e
		if plain, err = decoded(name, e, b); err != nil {
			return nil, err
		}
	}
	f, err := os.CreateTemp(o.TempDir, "flysql-dump-")
	if err != nil {
		return nil, fmt.Errorf("make a file for the dump: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("make a file for the dump: %w", err), f.Close())
	}
	size, err := io.Copy(f, plain)
	if err != nil {
		return nil, errors.Join(spoolError(name, f.Name(), err), f.Close())
	}
	return &source{name: name, file: f, size: size, encoding: encoding}, nil
}

func spoolError(name, temp string, err error) error {
	var path *os.PathError
	var own *Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", name, err)
	case errors.As(err, &path):
		return fmt.Errorf("%s: lay it open in %s: %w: give room for it there, or another directory", name, filepath.Dir(temp), err)
	case errors.As(err, &own):
		return own
	}
	return &Error{File: name, Reason: err.Error(), Hint: "the file is damaged or cut: dump again"}
}

// compression names what a file is compressed with, by its first bytes.
func compression(head []byte) string {
	for _, c := range []struct{ magic, name string }{{"\x1f\x8b", "gzip"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"\x04\x22\x4d\x18", "lz4"}, {"BZh", "bzip2"}, {"\xfd7zXZ\x00", "xz"}, {"PK\x03\x04", "zip"}} {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			return c.name
		}
	}
	return ""
}

// maxWindow is the most memory that a zstd file may ask for; zstd --long takes 128 MB.
const maxWindow = 128 << 20

func decompressed(name string, r *bufio.Reader) (io.Reader, func(), error) {
	head, err := r.Peek(8)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("read the dump: %w", err)
	}
	nothing := func() {}
	switch c := compression(head); c {
	case "":
		return r, nothing, nil
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, &Error{File: name, Reason: err.Error(), Hint: "the file is damaged or cut: dump again"}
		}
		return z, nothing, nil
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		return z, z.Close, nil
	default:
		tool := map[string]string{"lz4": "lz4 -dc", "bzip2": "bunzip2 -c", "xz": "xz -dc", "zip": "unzip -p"}[c]
		return nil, nil, &Error{File: name, Reason: "it is compressed with " + c + ", and flysql reads gzip and zstd", Hint: fmt.Sprintf("%s %s | flysql import - app.db", tool, name)}
	}
}

// refuse says of a file that is no plain dump what it is, and what makes one of it.
func refuse(name string, head []byte) error {
	convert := "write it as SQL: pg_restore -f dump.sql " + name
	switch {
	case bytes.HasPrefix(head, []byte("PGDMP")):
		return &Error{File: name, Reason: "it is a dump in custom format", Hint: convert}
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return &Error{File: name, Reason: "it is a dump in tar format", Hint: convert}
	case bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")):
		return &Error{File: name, Reason: "it is UTF-16, as a shell on Windows writes what is redirected", Hint: "let pg_dump write the file itself: pg_dump -f dump.sql"}
	case len(head) == 0:
		return &Error{File: name, Reason: "it is empty", Hint: "dump again: pg_dump -f dump.sql"}
	case !bytes.Contains(head, []byte("-- PostgreSQL database dump")) && !bytes.Contains(head, []byte("-- PostgreSQL database cluster dump")):
		return &Error{File: name, Reason: "it is not what pg_dump writes: its first lines do not say \"-- PostgreSQL database dump\"", Hint: "load a script of another kind into PostgreSQL and import from there"}
	}
	return nil
}

func refuseDirectory(path string) error {
	if _, err := os.Stat(filepath.Join(path, "toc.dat")); err == nil {
		return &Error{File: path, Reason: "it is a dump in directory format", Hint: "write it as SQL: pg_restore -f dump.sql " + path}
	}
	return &Error{File: path, Reason: "it is a directory", Hint: "name the file that pg_dump has written"}
}
