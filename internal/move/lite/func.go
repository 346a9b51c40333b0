package lite

import (
	"database/sql/driver"
	"fmt"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/flysql/flysql/internal/pgfunc"
)

var functions = pgfunc.All()

// addFunctions makes package pgfunc's functions known. SQLite gives call the number of
// the one that is meant.
func (c *Conn) addFunctions() error {
	for i, f := range functions {
		name, err := libc.CString(f.Name)
		if err != nil {
			return err
		}
		rc := sqlite3.Xsqlite3_create_function_v2(c.tls, c.db, name, int32(f.Args), sqlite3.SQLITE_UTF8|sqlite3.SQLITE_DETERMINISTIC, uintptr(i),
			pointer(call), 0, 0, 0)
		libc.Xfree(c.tls, name)
		if rc != sqlite3.SQLITE_OK {
			return fmt.Errorf("register %s: %w", f.Name, c.err())
		}
	}
	return nil
}

// pointer is a declared function as the translated C code calls one: by the word that a
// variable of its type holds.
func pointer[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

func call(tls *libc.TLS, ctx uintptr, argc int32, argv uintptr) {
	f := functions[sqlite3.Xsqlite3_user_data(tls, ctx)]
	args := make([]driver.Value, argc)
	for i := range args {
		args[i] = argument(tls, wordAt(argv+uintptr(i)*word))
	}
	v, err := f.Apply(args)
	if err != nil {
		v = err
	}
	result(tls, ctx, v)
}

func argument(tls *libc.TLS, p uintptr) driver.Value {
	switch sqlite3.Xsqlite3_value_type(tls, p) {
	case sqlite3.SQLITE_INTEGER:
		return sqlite3.Xsqlite3_value_int64(tls, p)
	case sqlite3.SQLITE_FLOAT:
		return sqlite3.Xsqlite3_value_double(tls, p)
	case sqlite3.SQLITE_TEXT:
		text := sqlite3.Xsqlite3_value_text(tls, p)
		return string(bytesAt(text, int(sqlite3.Xsqlite3_value_bytes(tls, p))))
	case sqlite3.SQLITE_BLOB:
		blob := sqlite3.Xsqlite3_value_blob(tls, p)
		return append([]byte{}, bytesAt(blob, int(sqlite3.Xsqlite3_value_bytes(tls, p)))...)
	}
	return nil
}

func result(tls *libc.TLS, ctx uintptr, v any) {
	const transient = ^uintptr(0) // SQLite copies the text
	switch v := v.(type) {
	case int64:
		sqlite3.Xsqlite3_result_int64(tls, ctx, v)
	case float64:
		sqlite3.Xsqlite3_result_double(tls, ctx, v)
	case bool:
		n := int64(0)
		if v {
			n = 1
		}
		sqlite3.Xsqlite3_result_int64(tls, ctx, n)
	case nil:
		sqlite3.Xsqlite3_result_null(tls, ctx)
	default:
		text := libc.Xmalloc(tls, libc.Tsize_t(len(fmt.Sprint(v))+1))
		s := fmt.Sprint(v)
		copy(bytesAt(text, len(s)), s)
		if _, failed := v.(error); failed {
			sqlite3.Xsqlite3_result_error(tls, ctx, text, int32(len(s)))
		} else {
			sqlite3.Xsqlite3_result_text(tls, ctx, text, int32(len(s)), transient)
		}
		libc.Xfree(tls, text)
	}
}
