package entrypoint

import (
	"bufio"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/flysql/flysql/replay"
)

// cases adds what TestReplayCases asks: what handlers do beside reading and writing.
// What is under /primary, too, runs there.
func (a *replayApp) cases(mux *http.ServeMux) {
	mux.Handle("GET /level", replay.Never(http.HandlerFunc(level)))
	mux.Handle("POST /stall", replay.Never(http.HandlerFunc(a.stall)))
	mux.Handle("POST /emit/{text}", replay.Never(http.HandlerFunc(a.emit)))
	mux.HandleFunc("/panic/{id}", a.panics)
	mux.HandleFunc("GET /give-up/{id}", a.giveUp)
	mux.HandleFunc("POST /sum", sum)
	mux.HandleFunc("GET /socket", a.socket)
	mux.HandleFunc("/echo", echo)
	for path, h := range map[string]http.HandlerFunc{
		"/half": half, "/events": a.follow, "/file": file, "/hints": hints, "/trailers": trailers, "/deadlines": deadlines, "/late": late,
	} {
		mux.Handle(path, h)
		mux.Handle("/primary"+path, replay.Always(h))
	}
}

// level tells of what would be left of requests.
func level(w http.ResponseWriter, r *http.Request) {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "%d %d", runtime.NumGoroutine(), len(open))
}

// stall reads, and lets the machine fall behind, until the client goes.
func (a *replayApp) stall(w http.ResponseWriter, r *http.Request) {
	_ = a.db.View(r.Context(), func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM rows").Scan(&n); err != nil {
			return err
		}
		fmt.Fprintln(w, "stalled")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return nil
	})
}

// panics writes, and panics whether it could or not.
func (a *replayApp) panics(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, "about to")
	err := a.insert(r.Context(), r.PathValue("id"))
	panic(fmt.Sprintf("on purpose, after a write with the error %v", err))
}

// giveUp breaks off what could not be written.
func (a *replayApp) giveUp(w http.ResponseWriter, r *http.Request) {
	if err := a.insert(r.Context(), r.PathValue("id")); err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintln(w, "ok")
}

// half breaks off a response that has begun.
func half(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "half")
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// sum tells how much it got, and its hash.
func sum(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	n, err := io.Copy(h, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%d %x", n, h.Sum(nil))
}

// socket takes the connection over, and writes a row for each line.
func (a *replayApp) socket(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	for lines := bufio.NewScanner(rw); rw.Flush() == nil && lines.Scan(); {
		fmt.Fprintf(rw, "%s: %v\n", lines.Text(), a.insert(r.Context(), lines.Text()))
	}
}

// echo answers each piece of the body when it has come.
func echo(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	if err := rc.EnableFullDuplex(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		fmt.Fprintf(w, "echo %s\n", lines.Text())
		if rc.Flush() != nil {
			return
		}
	}
}

// emit gives an event to one who follows.
func (a *replayApp) emit(w http.ResponseWriter, r *http.Request) {
	select {
	case a.events <- r.PathValue("text"):
	case <-r.Context().Done():
	}
}

// follow sends events as they come.
func (a *replayApp) follow(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		w.(http.Flusher).Flush()
		select {
		case text := <-a.events:
			fmt.Fprintf(w, "data: %s\n", text)
		case <-r.Context().Done():
			return
		}
	}
}

// fileText is larger than what a router holds back.
var fileText = strings.Repeat("0123456789", 20_000)

func file(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "a.txt", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), strings.NewReader(fileText))
}

func hints(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Link", "</a.css>; rel=preload")
	w.WriteHeader(http.StatusEarlyHints)
	io.WriteString(w, "body")
}

func trailers(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	w.Header().Set("Trailer", "X-Sum")
	io.WriteString(w, "body, and then "+r.Trailer.Get("X-Asked"))
	w.Header().Set("X-Sum", "4")
	w.Header().Set(http.TrailerPrefix+"X-More", "5")
}

// deadlines tells what a handler can ask of its connection.
func deadlines(w http.ResponseWriter, r *http.Request) {
	rc, at := http.NewResponseController(w), time.Now().Add(time.Hour)
	fmt.Fprint(w, rc.SetReadDeadline(at), rc.SetWriteDeadline(at), rc.EnableFullDuplex())
}

// late answers when it must not any more.
func late(w http.ResponseWriter, r *http.Request) {
	if err := http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)); err != nil {
		panic(err)
	}
	io.WriteString(w, fileText)
}
