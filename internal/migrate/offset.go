package migrate

import (
	"encoding/binary"
	"strings"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// errorOffset returns the offset of the token in statement that message complains about, in bytes, and
// -1 when SQLite does not say.
//
// database/sql does not pass the offset on, so the statement is compiled, not run, once more: on an
// empty database in memory that is given the same schema. An answer counts only if the complaint is
// the same.
func errorOffset(schema []string, statement, message string) int {
	tls := libc.NewTLS()
	defer tls.Close()

	out := libc.Xcalloc(tls, 1, pointerSize)
	if out == 0 {
		return -1
	}
	defer libc.Xfree(tls, out)

	const memory = sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE | sqlite3.SQLITE_OPEN_MEMORY
	name, err := libc.CString(":memory:")
	if err != nil {
		return -1
	}
	defer libc.Xfree(tls, name)
	rc := sqlite3.Xsqlite3_open_v2(tls, name, out, memory, 0)
	db := load(out)
	defer sqlite3.Xsqlite3_close_v2(tls, db) // also of a failed open; a no-op on 0
	if rc != sqlite3.SQLITE_OK {
		return -1
	}

	for _, s := range schema {
		sql, err := libc.CString(s)
		if err != nil {
			return -1
		}
		// What cannot be created (a virtual table of the app's own) is left out.
		sqlite3.Xsqlite3_exec(tls, db, sql, 0, 0, 0)
		libc.Xfree(tls, sql)
	}

	sql, err := libc.CString(statement)
	if err != nil {
		return -1
	}
	defer libc.Xfree(tls, sql)
	if sqlite3.Xsqlite3_prepare_v2(tls, db, sql, -1, out, 0) == sqlite3.SQLITE_OK {
		sqlite3.Xsqlite3_finalize(tls, load(out))
		return -1
	}
	if !strings.Contains(message, libc.GoString(sqlite3.Xsqlite3_errmsg(tls, db))) {
		return -1
	}
	return int(sqlite3.Xsqlite3_error_offset(tls, db))
}

// pointerSize is the size of a pointer in SQLite's memory, in bytes.
const pointerSize = 4 << (^uintptr(0) >> 63)

// load reads the pointer stored at p, which lies in SQLite's memory.
func load(p uintptr) uintptr {
	if b := libc.GoBytes(p, pointerSize); pointerSize == 8 {
		return uintptr(binary.NativeEndian.Uint64(b))
	} else {
		return uintptr(binary.NativeEndian.Uint32(b))
	}
}
