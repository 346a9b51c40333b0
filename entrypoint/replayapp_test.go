package entrypoint

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/replay"
)

// readWait is the router's Config.ReadWait, where it is not the default.
const readWait = "FLYSQL_TEST_READ_WAIT"

// perClient is how many ids each client has: its n-th is client*perClient+n.
const perClient = 1_000_000

// replayMain is the app of asApp as a web app, behind a replay.Router.
//
//	POST /rows/ID    writes the row
//	GET  /visit/ID   writes it, too
//	GET  /rows/ID    answers the last rows of the client that the ID belongs to
//	POST /hold       reads for a second: until then the machine falls behind
//
// and what [replayApp.cases] adds.
func replayMain(args string) int {
	var addr, path, version string
	if _, err := fmt.Sscan(args, &addr, &path, &version); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		return 2
	}
	if err := serveReplay(addr, path); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		return 1
	}
	return 0
}

func serveReplay(addr, path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// The entrypoint is not told that it is on Fly.io; what comes with Fly's header is
	// replayed all the same, and the rest forwarded.
	for node := range strings.SplitSeq(os.Getenv(asReplay), ",") {
		if name, api, ok := strings.Cut(node, "="+addr+"="); ok {
			os.Setenv("FLY_MACHINE_ID", name)
			os.Setenv("FLYSQL_LITEFS_ADDR", api)
			os.Setenv("FLYSQL_LITEFS_DIR", filepath.Dir(path))
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	wait, err := time.ParseDuration(cmp.Or(os.Getenv(readWait), "0s"))
	if err != nil {
		return err
	}
	r, err := replay.New(replay.Config{DB: filepath.Base(path), ReadWait: wait, Logger: log})
	if err != nil {
		return err
	}
	defer r.Close()
	if r.Engine() == nil {
		return errors.New("the router has found no LiteFS")
	}
	db, err := appdb.Config{Engine: r.Engine(), Confirm: 20 * time.Millisecond}.Open(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	app := &replayApp{db: db, events: make(chan string)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rows/{id}", app.write)
	mux.HandleFunc("GET /visit/{id}", app.write)
	mux.HandleFunc("GET /rows/{id}", app.read)
	mux.Handle("POST /hold", replay.Never(http.HandlerFunc(app.hold)))
	app.cases(mux)
	mux.Handle("GET /health", replay.Never(r.HealthHandler()))
	mux.Handle("GET /metrics", replay.Never(r.MetricsHandler()))
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("serving")
	server := &http.Server{Handler: r.Handler(mux), Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		ended <- server.Shutdown(drain)
	}()
	if err := server.Serve(l); err != http.ErrServerClosed {
		return err
	}
	if err := <-ended; err != nil {
		log.Info("requests were cut off", "err", err) // those that wait for a primary
		return server.Close()
	}
	return nil
}

type replayApp struct {
	db     *appdb.DB
	events chan string // each goes to one of those who follow
}

// insert is one transaction.
func (a *replayApp) insert(ctx context.Context, id string) error {
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO rows(id) VALUES (?)", id)
		return err
	})
}

func (a *replayApp) write(w http.ResponseWriter, r *http.Request) {
	if err := a.insert(r.Context(), r.PathValue("id")); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "ok")
}

// lastRows is more than a client looks for.
const lastRows = 40

func (a *replayApp) read(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	first := id / perClient * perClient
	var ids sql.NullString
	err = a.db.View(r.Context(), func(tx *sql.Tx) error {
		return tx.QueryRow("SELECT group_concat(id) FROM (SELECT id FROM rows WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?)", first, first+perClient-1, lastRows).Scan(&ids)
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, ids.String)
}

func (a *replayApp) hold(w http.ResponseWriter, r *http.Request) {
	err := a.db.View(r.Context(), func(tx *sql.Tx) error {
		var n int
		err := tx.QueryRow("SELECT count(*) FROM rows").Scan(&n)
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
		}
		return err
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
