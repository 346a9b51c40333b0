package lite

import (
	"sync"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Page sizes and what SQLite holds of pages at a time.
const (
	pageSize = 4096
	pages    = 8600 // of all connections; about 37 MB
)

// givePages gives SQLite the memory for its pages. It would allocate each, and the
// allocator of the translated C code has but powers of two: a page, and what SQLite keeps
// beside it, takes 8192 bytes, and is given back to the kernel and fetched again all the
// time. SQLite takes it before the process's first connection only; later it goes on as
// it did.
var givePages = sync.OnceFunc(func() {
	tls := libc.NewTLS()
	defer tls.Close()
	header := tls.Alloc(int(word))
	defer tls.Free(int(word))
	if config(tls, sqlite3.SQLITE_CONFIG_PCACHE_HDRSZ, header) != sqlite3.SQLITE_OK {
		return
	}
	size := pageSize + int(int32(wordAt(header)))
	memory := libc.Xmalloc(tls, libc.Tsize_t(size*pages))
	if memory != 0 && config(tls, sqlite3.SQLITE_CONFIG_PAGECACHE, memory, int32(size), int32(pages)) != sqlite3.SQLITE_OK {
		libc.Xfree(tls, memory)
	}
})

func config(tls *libc.TLS, option int32, args ...any) int32 {
	list := libc.NewVaList(args...)
	defer libc.Xfree(tls, list)
	return sqlite3.Xsqlite3_config(tls, option, list)
}

// ballast is memory that balancing a tree of small entries allocates for a moment. Where
// some is taken, the allocator has a place for it at hand.
const ballast = 16 << 10
