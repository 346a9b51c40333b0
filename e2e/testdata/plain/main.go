// Command plain is a web app that knows nothing of flysql: database/sql, a SQLite
// driver, and a number that grows with every POST.
package main

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	_ "modernc.org/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	db, err := sql.Open("sqlite", os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, db.QueryRowContext(r.Context(), "SELECT hits FROM counter"))
	})
	http.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, db.QueryRowContext(r.Context(), "UPDATE counter SET hits = hits + 1 RETURNING hits"))
	})

	server := &http.Server{Addr: ":" + cmp.Or(os.Getenv("PORT"), "8080")}
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.Background())
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}
}

func answer(w http.ResponseWriter, row *sql.Row) {
	var hits int
	if err := row.Scan(&hits); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, hits)
}
