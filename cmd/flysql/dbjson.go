package main

import (
	"io"

	"github.com/flysql/flysql/internal/inspect"
)

// What flysql db --json prints. docs/db.md documents it; it only ever grows.

type databaseJSON struct {
	Database string      `json:"database"`
	From     string      `json:"from"`   // what named it
	LiteFS   *litefsJSON `json:"litefs"` // null where it is in no mount of LiteFS
}

type litefsJSON struct {
	Role     string `json:"role"`    // primary, replica, unknown
	Primary  string `json:"primary"` // of a replica
	Position string `json:"position"`
}

func newDatabaseJSON(db *inspect.Database) databaseJSON {
	out := databaseJSON{Database: db.Path, From: db.From}
	if l := db.LiteFS; l != nil {
		out.LiteFS = &litefsJSON{l.Role.String(), l.Primary, l.Position}
	}
	return out
}

type sizeJSON struct {
	databaseJSON
	File      int64        `json:"file"`
	WAL       int64        `json:"wal"`
	Journal   int64        `json:"journal"`
	SHM       int64        `json:"shm"`
	PageSize  int64        `json:"page_size"`
	Pages     int64        `json:"pages"`
	FreePages int64        `json:"free_pages"`
	Objects   []objectJSON `json:"objects"`
}

type objectJSON struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Table   string `json:"table"`
	Rows    int64  `json:"rows"`
	Pages   int64  `json:"pages"`
	Bytes   int64  `json:"bytes"`
	Payload int64  `json:"payload"`
	Unused  int64  `json:"unused"`
}

func writeSizeJSON(w io.Writer, db *inspect.Database, s *inspect.Size) error {
	out := sizeJSON{newDatabaseJSON(db), s.File, s.WAL, s.Journal, s.SHM, s.PageSize, s.Pages, s.FreePages, []objectJSON{}}
	for _, o := range s.Objects {
		out.Objects = append(out.Objects, objectJSON{o.Name, o.Type, o.Table, o.Entries, o.Pages, o.Bytes, o.Payload, o.Unused})
	}
	return encodeJSON(w, out)
}

type checkJSON struct {
	databaseJSON
	OK          bool         `json:"ok"`
	Quick       bool         `json:"quick"`
	Problems    []string     `json:"problems"`
	Orphans     []orphanJSON `json:"orphans"` // the first hundred
	OrphanCount int          `json:"orphan_count"`
	NotChecked  []string     `json:"not_checked"`
}

type orphanJSON struct {
	Table   string `json:"table"`
	RowID   *int64 `json:"rowid"` // null in a table WITHOUT ROWID
	Columns string `json:"columns"`
	Parent  string `json:"parent"`
}

func writeCheckJSON(w io.Writer, db *inspect.Database, r *inspect.Report, quick bool) error {
	out := checkJSON{newDatabaseJSON(db), r.OK(), quick, append([]string{}, r.Problems...), []orphanJSON{}, r.OrphanCount, append([]string{}, r.Broken...)}
	for _, o := range r.Orphans {
		out.Orphans = append(out.Orphans, orphanJSON(o))
	}
	return encodeJSON(w, out)
}

type pragmasJSON struct {
	databaseJSON
	Settings []settingJSON `json:"settings"`
}

type settingJSON struct {
	Name    string `json:"name"`
	Value   string `json:"value"`   // empty where each connection sets it
	Advised string `json:"advised"` // empty where any value is right
	Why     string `json:"why"`
	Fix     string `json:"fix"` // empty where it is as advised
}

func writePragmasJSON(w io.Writer, db *inspect.Database, settings []inspect.Setting) error {
	out := pragmasJSON{newDatabaseJSON(db), []settingJSON{}}
	for _, s := range settings {
		out.Settings = append(out.Settings, settingJSON(s))
	}
	return encodeJSON(w, out)
}

type copyJSON struct {
	databaseJSON
	Copy   string `json:"copy"`
	Bytes  int64  `json:"bytes"`
	Kept   string `json:"kept"` // where the file is that was replaced; empty: there was none
	Vacuum bool   `json:"vacuum"`
}

func writeCopyJSON(w io.Writer, db *inspect.Database, c *inspect.Copied, vacuum bool) error {
	return encodeJSON(w, copyJSON{newDatabaseJSON(db), c.Path, c.Bytes, c.Kept, vacuum})
}

type walJSON struct {
	databaseJSON
	JournalMode  string       `json:"journal_mode"` // wal, or delete for any other
	Size         int64        `json:"size"`
	PageSize     int64        `json:"page_size"`
	Frames       int64        `json:"frames"`
	Room         int64        `json:"room"`
	Checkpointed *int64       `json:"checkpointed"` // null: not known
	LocksKnown   bool         `json:"locks_known"`
	Open         []holderJSON `json:"open"`
	Readers      []readerJSON `json:"readers"`
}

type holderJSON struct {
	PID  int    `json:"pid"`
	Name string `json:"name"`
}

type readerJSON struct {
	holderJSON
	Frame int64 `json:"frame"`
}

func writeWALJSON(w io.Writer, db *inspect.Database, l *inspect.WAL) error {
	out := walJSON{databaseJSON: newDatabaseJSON(db), JournalMode: l.Mode, Size: l.Size, PageSize: l.PageSize, Frames: l.Frames, Room: l.Room,
		LocksKnown: l.Locks, Open: []holderJSON{}, Readers: []readerJSON{}}
	if l.Checkpointed >= 0 {
		out.Checkpointed = &l.Checkpointed
	}
	for _, h := range l.Open {
		out.Open = append(out.Open, holderJSON(h))
	}
	for _, r := range l.Readers {
		out.Readers = append(out.Readers, readerJSON{holderJSON(r.Holder), r.Frame})
	}
	return encodeJSON(w, out)
}
