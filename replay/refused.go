package replay

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
)

// Redirected tells whether err is a write that was refused because this machine is
// not the primary. The request then goes to the primary as soon as the handler has
// returned, and what it has written to w is dropped:
//
//	if replay.Redirected(w, r, err) {
//		return
//	}
//
// It knows appdb.ErrReplica, whatever has a method ReplicaWrite() bool, and, while
// this machine is not the primary, the errors with which modernc.org/sqlite,
// mattn/go-sqlite3 and ncruces/go-sqlite3 report it: SQLITE_READONLY (8, and 1544),
// SQLITE_IOERR_WRITE (778) and SQLITE_CANTOPEN (14). With appdb it need not be called:
// the router hears of the refusal by itself.
func Redirected(w http.ResponseWriter, r *http.Request, err error) bool {
	if err == nil {
		return false
	}
	wit := witnessOf(r.Context())
	if wit == nil {
		if wit = latecomer(w); wit == nil {
			return false
		}
	}
	if wit.again() {
		return true
	}
	if wit.over.Load() {
		return false // whoever asks is outside of the router
	}
	switch refusalOf(err) {
	case certain:
	case possible:
		if wit.primary {
			x, leave := exchangeOf(w)
			defer leave()
			if x == nil || !x.demoted() {
				return false // the disk is at fault
			}
		}
	default:
		return false
	}
	wit.refused.Store(true)
	return true
}

// latecomer is the witness of a read on a machine that was the primary when it began,
// which has one only from now on.
func latecomer(w http.ResponseWriter) *witness {
	x, leave := exchangeOf(w)
	defer leave()
	if x == nil || x.untouched || !x.primary || !x.demoted() {
		return nil
	}
	if x.witness == nil {
		x.witness = &witness{primary: true}
	}
	return x.witness
}

// A HandlerFunc is a handler that returns an error. One that [Redirected] knows sends
// the request to the primary; any other is a 500, whose text the client does not see.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP calls f.
func (f HandlerFunc) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := f(w, r)
	if err == nil || Redirected(w, r, err) {
		return
	}
	if x, leave := exchangeOf(w); x != nil {
		x.rt.log(r, "500: "+err.Error())
		leave()
	}
	http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
}

// refusal says whether an error may be a replica's.
type refusal uint8

const (
	no refusal = iota
	possible
	certain
)

// replicaCodes are what SQLite says to a write on a LiteFS replica, by journal mode
// and pragma; on a primary they mean other things.
var replicaCodes = map[int64]bool{8: true, 14: true, 778: true, 1544: true}

func refusalOf(err error) refusal {
	var r interface{ ReplicaWrite() bool }
	if errors.As(err, &r) && r.ReplicaWrite() {
		return certain
	}
	found := no
	walk(err, 0, func(e error) {
		if code, ok := sqliteCode(e); ok && (replicaCodes[code] || replicaCodes[code&0xff] && code&0xff == 8) {
			found = possible
		}
	})
	return found
}

// walk visits an error and all that it wraps.
func walk(err error, depth int, visit func(error)) {
	if err == nil || depth > 50 {
		return
	}
	visit(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		walk(e.Unwrap(), depth+1, visit)
	case interface{ Unwrap() []error }:
		for _, e := range e.Unwrap() {
			walk(e, depth+1, visit)
		}
	}
}

// sqliteCode is the extended result code of a driver's error. The drivers are not
// imported: an app has one of them, and would get all.
//
//	modernc.org/sqlite           *Error with Code() int
//	github.com/mattn/go-sqlite3  Error{Code, ExtendedCode}
//	github.com/ncruces/go-sqlite3 *Error with Code() and ExtendedCode()
func sqliteCode(err error) (code int64, ok bool) {
	v := reflect.ValueOf(err)
	t := v.Type()
	for t.Kind() == reflect.Pointer {
		if v.IsNil() {
			return 0, false
		}
		t, v = t.Elem(), v.Elem()
	}
	if !strings.Contains(t.PkgPath(), "sqlite") {
		return 0, false
	}
	if code, ok := integer(v); ok {
		return code, true // the code itself is an error, as of mattn and ncruces
	}
	for _, name := range []string{"ExtendedCode", "Code"} {
		if m := reflect.ValueOf(err).MethodByName(name); m.IsValid() && m.Type().NumIn() == 0 && m.Type().NumOut() == 1 {
			if code, ok = integer(m.Call(nil)[0]); ok && code != 0 {
				return code, true
			}
		}
		if v.Kind() == reflect.Struct {
			if f := v.FieldByName(name); f.IsValid() {
				if code, ok = integer(f); ok && code != 0 {
					return code, true
				}
			}
		}
	}
	return 0, false
}

func integer(v reflect.Value) (int64, bool) {
	switch {
	case v.CanInt():
		return v.Int(), true
	case v.CanUint():
		return int64(v.Uint()), true
	}
	return 0, false
}
