package entrypoint_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing/fstest"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/entrypoint"
)

// An app that boots in its own process. The migrations are an embed.FS in a real
// one.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "flysql")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	url := "file://" + filepath.Join(dir, "app.db")

	err = entrypoint.Run(context.Background(), entrypoint.Config{
		DB: url,
		Migrations: fstest.MapFS{
			"00001_guests.sql": {Data: []byte("-- +goose Up\nCREATE TABLE guests (name TEXT);\nINSERT INTO guests VALUES ('Ada');\n")},
		},
		App: func(ctx context.Context) error {
			db, err := appdb.Open(ctx, url)
			if err != nil {
				return err
			}
			defer db.Close()
			return db.View(ctx, func(tx *sql.Tx) error {
				var name string
				err := tx.QueryRowContext(ctx, "SELECT name FROM guests").Scan(&name)
				fmt.Println("served by", name)
				return err
			})
		},
	})
	fmt.Println("exit code", entrypoint.ExitCode(err))
	// Output:
	// served by Ada
	// exit code 0
}

// A look at a machine, beside the app that runs there.
func ExampleLook() {
	dir, err := os.MkdirTemp("", "flysql")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := entrypoint.Look(context.Background(), entrypoint.Config{DB: filepath.Join(dir, "app.db"), LiteFS: "off"})
	fmt.Println(s.Mode, s.Ready, strings.ReplaceAll(s.Why, dir, "/data"), err)
	// Output: volume false there is no database yet at /data/app.db <nil>
}

// Flags go before variables, and the first word that is no flag begins the
// command.
func ExampleFromEnv() {
	inv, err := entrypoint.FromEnv(
		[]string{"--snapshots", "5", "app", "--verbose"},
		[]string{"DATABASE_URL=file:///data/app.db", "FLYSQL_MIGRATIONS=/app/migrations"})
	fmt.Println(inv.DB, inv.MigrationsDir, inv.Snapshots, inv.Command, err)
	// Output: file:///data/app.db /app/migrations 5 [app --verbose] <nil>
}

func ExampleVariables() {
	for _, name := range entrypoint.Variables() {
		if strings.HasSuffix(name, "_FROM") {
			fmt.Println(name)
		}
	}
	// Output: FLYSQL_MIGRATE_FROM
}

// The lease of a LiteFS cluster goes to the node at the second address, without a write
// lost. Without an Output this is compiled, and not run: it needs the nodes.
func ExampleMoveLease() {
	err := entrypoint.MoveLease(context.Background(), "ams1.vm.app.internal:20202", "ams2.vm.app.internal:20202")
	if err != nil {
		log.Fatal(err)
	}
}
