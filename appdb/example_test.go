package appdb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/engine"
)

// An app opens its database once, when it starts.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "appdb-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	// On Fly.io this is DATABASE_URL, and file:///data/app.db on a volume.
	db, err := appdb.Open(ctx, "file://"+dir+"/app.db")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	var mode string
	if err := db.Reader().QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.Base(db.Path()), mode)
	// Output: app.db wal
}

// A configuration for an app with few, long reads.
func ExampleConfig_Open() {
	dir, err := os.MkdirTemp("", "appdb-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	c := appdb.Config{Readers: 4, BusyTimeout: 10 * time.Second}
	db, err := c.Open(context.Background(), filepath.Join(dir, "app.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	fmt.Println(db.Reader().Stats().MaxOpenConnections, "readers")
	fmt.Println(db.Writer().Stats().MaxOpenConnections, "writer")
	// Output:
	// 4 readers
	// 1 writer
}

func ExamplePath() {
	for _, s := range []string{
		"/data/app.db",
		"file:///data/app.db",
		"sqlite:app.db",
		"file://data/app.db",
		"postgres://app:secret@db.internal/app",
	} {
		path, err := appdb.Path(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(path)
	}
	// Output:
	// /data/app.db
	// /data/app.db
	// app.db
	// database URL file://data/app.db refused: after two slashes "data" is read as a host name, not as part of the path; write file:///data/app.db (absolute) or file:data/app.db (relative to the working directory)
	// database URL refused: this is a postgres: URL, and appdb opens SQLite files; bring the data into an SQLite file first; then write the file's URL, for example file:///data/app.db
}

// A write transaction reads what it needs and writes: no other writer comes
// between.
func ExampleDB_Update() {
	db, done := exampleDB()
	defer done()
	ctx := context.Background()

	sign := func(name string) (visitor int64, err error) {
		err = db.Update(ctx, func(tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, "INSERT INTO guests (name, signed_at) VALUES (?, ?)",
				name, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
			if err != nil {
				return err // rolls back
			}
			visitor, err = res.LastInsertId()
			return err
		})
		return visitor, err
	}
	for _, name := range []string{"Ada", "Grace"} {
		visitor, err := sign(name)
		fmt.Println(visitor, err)
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
}

// Everything read in a View is from the same moment.
func ExampleDB_View() {
	db, done := exampleDB()
	defer done()
	ctx := context.Background()
	if _, err := db.Writer().ExecContext(ctx, "INSERT INTO guests (name, signed_at) VALUES (?, ?)",
		"Ada", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)); err != nil {
		log.Fatal(err)
	}

	var guests int
	var last time.Time
	err := db.View(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM guests").Scan(&guests); err != nil {
			return err
		}
		// Not max(signed_at): from an expression the driver gives text.
		return tx.QueryRowContext(ctx, "SELECT signed_at FROM guests ORDER BY signed_at DESC LIMIT 1").Scan(&last)
	})
	fmt.Println(guests, last, err)
	// Output: 1 2026-01-02 03:04:05 +0000 UTC <nil>
}

// exampleDB opens a database with a table of guests.
func exampleDB() (db *appdb.DB, done func()) {
	dir, err := os.MkdirTemp("", "appdb-example-")
	if err != nil {
		log.Fatal(err)
	}
	if db, err = appdb.Open(context.Background(), filepath.Join(dir, "app.db")); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Writer().Exec("CREATE TABLE guests (id INTEGER PRIMARY KEY, name TEXT NOT NULL, signed_at DATETIME NOT NULL)"); err != nil {
		log.Fatal(err)
	}
	return db, func() { _ = db.Close(); _ = os.RemoveAll(dir) }
}

// An app beside LiteFS gives its node to the DB, and sends refused writes to the
// primary (package replay does it for a whole web app).
func ExampleReplicaError() {
	db, done := exampleDB()
	path := db.Path()
	_ = db.Close()
	defer done()
	ctx := context.Background()

	// node, err := litefs.Open(litefs.Config{})
	var node engine.Engine = replicaOf("9080e6f3a12987")
	db, err := appdb.Config{Engine: node}.Open(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	err = db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM guests")
		return err
	})
	var elsewhere *appdb.ReplicaError
	if errors.As(err, &elsewhere) {
		fmt.Println("the primary is", elsewhere.Primary)
	}
	fmt.Println(errors.Is(err, appdb.ErrReplica))
	// Output:
	// the primary is 9080e6f3a12987
	// true
}

// replicaOf is an engine on a replica of a primary.
type replicaOf string

func (r replicaOf) State() engine.State {
	return engine.State{Role: engine.RoleReplica, Primary: string(r), Ready: true}
}

func (r replicaOf) WaitPosition(context.Context, string, engine.Pos) error { return nil }

// A cache that every machine has for itself: it is written on replicas too, and
// filled again where it was lost.
func ExampleLocal_Open() {
	dir, err := os.MkdirTemp("", "appdb-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	cache := appdb.Local{
		Dir: dir, // on Fly.io leave it out: flysql-entrypoint says where
		Fill: func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "CREATE TABLE pages (path TEXT PRIMARY KEY, html TEXT NOT NULL)")
			return err
		},
	}
	db, err := cache.Open(ctx, "cache.db")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	if _, err := db.Writer().ExecContext(ctx, "INSERT INTO pages VALUES ('/', '<h1>Hello</h1>')"); err != nil {
		log.Fatal(err)
	}
	var html string
	err = db.Reader().QueryRowContext(ctx, "SELECT html FROM pages WHERE path = '/'").Scan(&html)
	fmt.Println(html, err)
	// Output: <h1>Hello</h1> <nil>
}

func ExampleOpenLocal() {
	dir, err := os.MkdirTemp("", "appdb-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Setenv(appdb.LocalDirVariable, dir) // flysql-entrypoint does it
	defer os.Unsetenv(appdb.LocalDirVariable)

	db, err := appdb.OpenLocal(context.Background(), "cache.db")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	fmt.Println(filepath.Base(db.Path()))
	// Output: cache.db
}
