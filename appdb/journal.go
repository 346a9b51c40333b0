package appdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
)

// errMemoryJournal is about journals that LiteFS never sees the end of.
var errMemoryJournal = errors.New("its journal is kept in memory, or not at all: LiteFS would replicate nothing of what is written")

// setsJournal finds a statement that would change the journal mode.
var setsJournal = regexp.MustCompile(`(?i)\bpragma\s+(\w+\s*\.\s*)?journal_mode\s*[=(]`)

// errJournal refuses such a statement.
var errJournal = errors.New("on LiteFS the journal mode of a database cannot be changed: in memory, or off, nothing of what is written would be replicated, and a change to or from WAL breaks replicas; export the database, change it, and import it again (litefs export, litefs import)")

// keepJournal sees to the journal mode on LiteFS. A database keeps the one that it
// has: LiteFS does not survive another on its replicas. A new one gets a rollback
// journal, or WAL where the URL asks for that.
func (c *connector) keepJournal(ctx context.Context, conn driver.Conn, writing bool) error {
	mode, err := queryText(ctx, conn, "PRAGMA journal_mode")
	if err != nil {
		return err
	}
	switch mode {
	case "wal":
		c.node.wal.Store(true)
		return nil
	case "memory", "off":
		return errMemoryJournal
	}
	if c.target.wal && writing {
		pages, err := queryText(ctx, conn, "PRAGMA page_count")
		if err != nil {
			return err
		}
		if pages == "0" {
			c.node.wal.Store(true)
			return setWAL(ctx, conn)
		}
		return fmt.Errorf("its journal mode is %q, and LiteFS does not bear a change of it: take journal_mode out of the URL, or export the database, change it, and import it again (litefs export, litefs import)", mode)
	}
	if c.target.pragmas["synchronous"] != "" {
		return nil
	}
	// With a rollback journal SQLite promises that the file survives a power failure
	// only where it waits for the disk.
	return execPragmas(ctx, conn, map[string]string{"synchronous": "full"})
}
