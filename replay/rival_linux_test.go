package replay_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// filesCookie is the cookie of files.
const filesCookie = "txnum"

// files is the middleware that apps beside LiteFS had before: it asks the files of the
// mount at each request, as Fly.io's libraries for other languages do. A replica's
// writes are the primary's; after a write the client has the TXID, for which a replica
// then looks once in a millisecond.
func files(dir string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		primary, err := os.ReadFile(filepath.Join(dir, ".primary"))
		replica := err == nil
		switch reads := r.Method == http.MethodGet || r.Method == http.MethodHead; {
		case !reads && replica:
			w.Header().Set("Fly-Replay", "instance="+strings.TrimSpace(string(primary)))
			w.WriteHeader(http.StatusConflict)
			return
		case !reads:
			fw := &filesWriter{ResponseWriter: w, dir: dir}
			next.ServeHTTP(fw, r)
			fw.give()
			return
		case replica:
			if c, err := r.Cookie(filesCookie); err == nil {
				want, _ := strconv.ParseUint(c.Value, 16, 64)
				if !awaitFile(r, dir, want) {
					return
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// awaitFile looks until the database has come so far.
func awaitFile(r *http.Request, dir string, want uint64) bool {
	if fileTXID(dir) >= want {
		return true
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for fileTXID(dir) < want {
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return false
		}
	}
	return true
}

func fileTXID(dir string) uint64 {
	text, _ := os.ReadFile(filepath.Join(dir, "app.db-pos"))
	txid, _, _ := strings.Cut(string(text), "/")
	n, _ := strconv.ParseUint(txid, 16, 64)
	return n
}

// filesWriter sets the cookie before the head goes out.
type filesWriter struct {
	http.ResponseWriter
	dir   string
	given bool
}

func (w *filesWriter) give() {
	if !w.given {
		w.given = true
		http.SetCookie(w.ResponseWriter, &http.Cookie{Name: filesCookie, Value: strconv.FormatUint(fileTXID(w.dir), 16), Path: "/"})
	}
}

func (w *filesWriter) WriteHeader(status int) {
	w.give()
	w.ResponseWriter.WriteHeader(status)
}

func (w *filesWriter) Write(p []byte) (int, error) {
	w.give()
	return w.ResponseWriter.Write(p)
}
