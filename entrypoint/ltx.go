package entrypoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// ltxHeader is what is read of a transaction file of LiteFS v0.5, LTX version 1:
// https://github.com/superfly/ltx/blob/v0.3.14/ltx.go. Later versions of LTX are
// laid out differently, and no LiteFS writes them.
type ltxHeader struct {
	min, max uint64 // transactions
	before   uint64 // the database's checksum before them
	pages    uint32 // of the database afterwards
	node     uint64 // the run of LiteFS that made it
	pageSize uint32
}

// maxTransactions is far above what one boot's migrations can be.
const maxTransactions = 1 << 20

func readLTX(file string) (ltxHeader, error) {
	f, err := os.Open(file)
	if err != nil {
		return ltxHeader{}, err
	}
	defer f.Close()
	b := make([]byte, 80)
	if _, err := io.ReadFull(f, b); err != nil {
		return ltxHeader{}, err
	}
	if string(b[:4]) != "LTX1" {
		return ltxHeader{}, fmt.Errorf("%s is no transaction file of LiteFS's", file)
	}
	u := binary.BigEndian.Uint64
	return ltxHeader{min: u(b[16:]), max: u(b[24:]), before: u(b[40:]), pages: binary.BigEndian.Uint32(b[12:]), node: u(b[72:]), pageSize: binary.BigEndian.Uint32(b[8:])}, nil
}

// onlyBy makes sure that every transaction of a database after one position and up
// to another was made on this machine by one run of LiteFS. Where that cannot be
// shown, the error says why not: somebody else's rows may be among them.
func (n *node) onlyBy(run, db string, after, upTo position) error {
	id, err := strconv.ParseUint(run, 16, 64)
	switch {
	case err != nil:
		return errors.New("it is not known which run of LiteFS has migrated")
	case upTo.tx < after.tx, upTo.tx == after.tx && upTo.checksum != after.checksum:
		return fmt.Errorf("the database stands at %s, which does not follow from %s", upTo, after)
	case upTo.tx-after.tx > maxTransactions:
		return fmt.Errorf("there have been %d transactions since", upTo.tx-after.tx)
	}
	for tx := after.tx + 1; tx <= upTo.tx; tx++ {
		file := filepath.Join(n.data, "dbs", db, "ltx", fmt.Sprintf("%016x-%016x.ltx", tx, tx))
		h, err := readLTX(file)
		switch {
		case isNotExist(err):
			return fmt.Errorf("LiteFS no longer has transaction %016x", tx)
		case err != nil:
			return err
		case h.min != tx || h.max != tx:
			return fmt.Errorf("%s holds other transactions than its name says", file)
		case h.node != id:
			return fmt.Errorf("transaction %016x was made by another node, or after a restart of LiteFS", tx)
		case tx == after.tx+1 && h.before != after.checksum && after.tx != 0:
			return fmt.Errorf("transaction %016x does not follow from %s", tx, after)
		}
	}
	return nil
}
