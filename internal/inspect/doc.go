// Package inspect is the work of `flysql db` and `flysql migrate status`: it finds an
// app's database, and looks into it beside the app.
//
//	db, err := inspect.Find(ctx, inspect.Request{Env: os.Environ(), Dir: "."})
//	size, err := db.Size(ctx)
//	copied, err := db.Copy(ctx, "/data/copy.db", inspect.CopyOptions{})
//
// Whatever only looks opens the file for reading, and leaves neither a -wal nor a
// -shm beside it. Only Copy writes files, and only Checkpoint and the shell write to
// the database. On a LiteFS mount LiteFS is asked first whether it lives: who reads a
// mount that hangs cannot be ended.
//
// The package neither prompts nor prints, but for the shell; cmd/flysql does.
package inspect
