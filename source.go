// Package flysql holds flysql's own source, for `flysql init`. It has nothing
// for apps: they import the packages below it, such as appdb.
//
// The image of an app needs flysql-entrypoint. A flysql that was installed from a
// published version has the image build fetch that version; one that was built
// from a clone has nowhere to fetch itself from, so it carries what the image
// must build, and init writes it into the app's repository.
package flysql

import (
	"embed"
	"io/fs"
)

// What cmd/flysql-entrypoint is made of, and every public package that an app
// may import, except flydev: that is for tests, which no image builds, and draws in
// all of flysql dev. A pattern for each directory, rather than the directory itself,
// leaves out testdata; a new package needs a new pattern, and the test that
// builds the copied source fails until it has one.
//
//go:embed go.mod go.sum LICENSE
//go:embed appdb/*.go appdb/appdbtest/*.go
//go:embed cmd/flysql-entrypoint/*.go
//go:embed engine/*.go
//go:embed entrypoint/*.go
//go:embed flyconf/*.go
//go:embed litefs/*.go
//go:embed internal/migrate/*.go
//go:embed internal/sqlitefile/*.go internal/nodestatus/*.go internal/pgfunc/*.go
//go:embed replay/*.go
var source embed.FS

// Source returns the files by their paths in the module. Test files are among
// them. It may be used by several goroutines at once.
func Source() fs.FS { return source }
