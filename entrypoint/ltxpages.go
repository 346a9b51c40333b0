package entrypoint

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// ltxName is what a transaction file is called.
var ltxName = regexp.MustCompile(`^([0-9a-f]{16})-([0-9a-f]{16})\.ltx$`)

// ltxFiles lists the transaction files of a directory in their order.
func ltxFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && ltxName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	// By their last transaction, as LiteFS does.
	slices.SortFunc(names, func(a, b string) int { return bytes.Compare([]byte(a[17:]), []byte(b[17:])) })
	return names, nil
}

// ltxTrailer is the last 16 bytes: the database's checksum after the transactions,
// and the file's own.
const ltxTrailer = 16

// positionAfter is where the database stands after a transaction file.
func positionAfter(file string) (position, error) {
	m := ltxName.FindStringSubmatch(filepath.Base(file))
	if m == nil {
		return position{}, fmt.Errorf("%s is no name of a transaction file", file)
	}
	tx, err := strconv.ParseUint(m[2], 16, 64)
	if err != nil {
		return position{}, err
	}
	f, err := os.Open(file)
	if err != nil {
		return position{}, err
	}
	defer f.Close()
	b := make([]byte, ltxTrailer)
	if info, err := f.Stat(); err != nil || info.Size() < 100+ltxTrailer {
		return position{}, errors.Join(err, fmt.Errorf("%s is too short", file))
	} else if _, err := f.ReadAt(b, info.Size()-ltxTrailer); err != nil {
		return position{}, err
	}
	return position{tx, binary.BigEndian.Uint64(b)}, nil
}

// ltxBody is what a transaction file does to a database.
type ltxBody struct {
	pageSize, commit uint32 // bytes; pages of the database afterwards
	pages            int
}

// eachPage reads the pages of a transaction file.
func eachPage(file string, do func(size, number uint32, page []byte) error) (body ltxBody, err error) {
	f, err := os.Open(file)
	if err != nil {
		return body, err
	}
	defer f.Close()
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", file, err)
		}
	}()
	r := bufio.NewReaderSize(f, 128<<10)
	head := make([]byte, 100)
	if _, err := io.ReadFull(r, head); err != nil {
		return body, err
	}
	u := binary.BigEndian.Uint32
	if body.pageSize, body.commit = u(head[8:]), u(head[12:]); string(head[:4]) != "LTX1" || body.pageSize < 512 || body.pageSize > 64<<10 || body.pageSize&(body.pageSize-1) != 0 {
		return body, errors.New("it is no transaction file of LiteFS's")
	}
	var from io.Reader = r
	if u(head[4:])&1 != 0 {
		if from, err = newLZ4(r); err != nil {
			return body, err
		}
	}
	page := make([]byte, body.pageSize)
	for {
		if _, err := io.ReadFull(from, head[:4]); err != nil {
			return body, err
		}
		number := u(head)
		if number == 0 {
			return body, nil
		}
		if number > body.commit {
			return body, fmt.Errorf("page %d of a database of %d pages", number, body.commit)
		}
		if _, err := io.ReadFull(from, page); err != nil {
			return body, err
		}
		if body.pages++; do != nil {
			if err := do(body.pageSize, number, page); err != nil {
				return body, err
			}
		}
	}
}

// checksumOf is LiteFS's checksum of a database file: that of each page and its
// number, all in one.
func checksumOf(file string, pageSize uint32) (sum uint64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	const flag = 1 << 63
	table := crc64.MakeTable(crc64.ISO)
	lock := uint32(1<<30)/pageSize + 1 // SQLite's locks are there, and nothing else
	r := bufio.NewReaderSize(f, 1<<20)
	page := make([]byte, 4+pageSize)
	for number := uint32(1); ; number++ {
		binary.BigEndian.PutUint32(page, number)
		if _, err := io.ReadFull(r, page[4:]); err == io.EOF {
			return flag | sum, nil
		} else if err != nil {
			return 0, err
		}
		if number != lock {
			sum ^= crc64.Checksum(page, table)
		}
	}
}
