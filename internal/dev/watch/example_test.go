package watch_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flysql/flysql/internal/dev/watch"
)

func ExampleWatcher_Next() {
	dir, err := os.MkdirTemp("", "app")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	w, err := watch.New(watch.Options{Dir: dir})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	for _, name := range []string{"main.go", "main_test.go", "app.log"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("package main\n"), 0o666); err != nil {
			panic(err)
		}
	}
	paths, err := w.Next(context.Background())
	fmt.Println(paths, err)
	// Output: [main.go] <nil>
}
