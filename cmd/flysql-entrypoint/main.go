// Command flysql-entrypoint is the ENTRYPOINT of a container whose app keeps its
// data in SQLite: it checks the volume, runs the migrations, and becomes the app.
//
//	ENTRYPOINT ["flysql-entrypoint"]
//	CMD ["app"]
//
// It is package entrypoint behind flags and environment variables; see
// docs/entrypoint.md, or run it with --help.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
