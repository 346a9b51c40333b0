package inspect_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flysql/flysql/internal/inspect"
)

func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "app.db")
	app, err := sql.Open("sqlite", path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer app.Close()
	if _, err := app.Exec("CREATE TABLE guests (name); INSERT INTO guests VALUES ('ann'), ('bob')"); err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	db, err := inspect.Find(ctx, inspect.Request{Env: []string{"DATABASE_URL=file://" + path}})
	if err != nil {
		fmt.Println(err)
		return
	}
	size, err := db.Size(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, o := range size.Objects {
		fmt.Println(o.Type, o.Name, o.Entries)
	}
	// Output:
	// table guests 2
	// table sqlite_schema 1
}
