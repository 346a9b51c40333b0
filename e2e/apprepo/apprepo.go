// Package apprepo makes app repositories as a user of flysql would have them,
// and runs flysql init in them.
package apprepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/flysql/flysql/e2e/group"
)

// flysqlModule is the module that the clone holds.
const flysqlModule = "github.com/flysql/flysql"

// Clone returns the directory of the flysql clone that this module is part of.
// dir is any directory of this module.
func Clone(ctx context.Context, dir string) (string, error) {
	out, err := run(ctx, dir, nil, "go", "list", "-m", "-f", "{{.Dir}}", flysqlModule)
	if err != nil {
		return "", fmt.Errorf("find the clone (run this from the e2e directory): %w", err)
	}
	return strings.TrimSpace(out), nil
}

// BuildFlysql builds the command flysql from the clone. It does not ask git for
// the commit, which fails where the clone belongs to another user.
func BuildFlysql(ctx context.Context, clone, output string) error {
	return build(ctx, clone, output, "./cmd/flysql")
}

// BuildPrograms builds the commands flysql and flysql-entrypoint into a directory.
func BuildPrograms(ctx context.Context, clone, dir string) error {
	return build(ctx, clone, dir+string(filepath.Separator), "./cmd/flysql", "./cmd/flysql-entrypoint")
}

func build(ctx context.Context, clone, output string, packages ...string) error {
	// Without what debuggers want, linking takes half as long.
	argv := append([]string{"go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", output}, packages...)
	_, err := run(ctx, clone, []string{"CGO_ENABLED=0"}, argv...)
	return err
}

// LiteFSVariable names a LiteFS binary to use instead of the clone's.
const LiteFSVariable = "FLYSQL_TEST_LITEFS"

// LiteFS returns the path of the LiteFS binary that the clone pins, and builds it
// where that has not been done.
func LiteFS(ctx context.Context, clone string) (string, error) {
	if path := os.Getenv(LiteFSVariable); path != "" {
		return path, nil
	}
	// A make that this runs under gives flags that are not for this one.
	_, err := run(ctx, clone, []string{"MAKEFLAGS="}, "make", "--no-print-directory", "litefs")
	return filepath.Join(clone, "bin", "tools", "litefs"), err
}

// litefsImage is the public image that flysql init's Dockerfile copies LiteFS from.
const litefsImage = "flyio/litefs:0.5.14"

// LiteFSImage lays out a LiteFS binary in dir as that image has it. It returns the
// build contexts for image.Options.
func LiteFSImage(binary, dir string) (map[string]string, error) {
	data, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	bin := filepath.Join(dir, "usr", "local", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return nil, err
	}
	return map[string]string{litefsImage: dir}, os.WriteFile(filepath.Join(bin, "litefs"), data, 0o755)
}

const guestbookModule = "guestbook"

// Guestbook copies examples/guestbook to dir as a repository of its own: a go.mod
// that requires what the clone requires, and flysql itself from the clone. None
// of Fly.io's files are in it.
func Guestbook(clone, dir string) error {
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(clone, "examples", "guestbook"))); err != nil {
		return err
	}
	for _, name := range []string{"fly.toml", "Dockerfile", ".dockerignore", ".flysql", "go.mod"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("examples/guestbook has a %s: it must be as an app is before flysql init", name)
		}
	}
	// What somebody who tried the app there has left.
	left, err := filepath.Glob(filepath.Join(dir, "*.db*"))
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	data, err := os.ReadFile(filepath.Join(clone, "go.mod"))
	if err != nil {
		return err
	}
	root, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return err
	}
	mod := &modfile.File{Syntax: &modfile.FileSyntax{}}
	add := []error{
		mod.AddModuleStmt(guestbookModule),
		mod.AddGoStmt(root.Go.Version),
		mod.AddRequire(flysqlModule, "v0.0.0"),
		mod.AddReplace(flysqlModule, "", clone, ""),
	}
	for _, r := range root.Require {
		mod.AddNewRequire(r.Mod.Path, r.Mod.Version, r.Indirect)
	}
	if err := errors.Join(add...); err != nil {
		return err
	}
	mod.Cleanup()
	text, err := mod.Format()
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(clone, "go.sum"))
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "go.mod"), text, 0o644),
		os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644),
	)
}

// IsGuestbook refuses a directory that Guestbook has not made.
func IsGuestbook(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || modfile.ModulePath(data) != guestbookModule {
		return fmt.Errorf("%s has files, and is no copy of examples/guestbook: name another directory", dir)
	}
	return nil
}

// Init runs flysql init --yes in dir and returns what it printed.
func Init(ctx context.Context, flysql, dir string, args ...string) (string, error) {
	return run(ctx, dir, nil, append([]string{flysql, "init", "--yes"}, args...)...)
}

// ThreeRegions is what Init is asked for where the app is to run in ams, ord and syd, on
// LiteFS, the primary in ams.
func ThreeRegions() []string {
	return []string{"--mode", "litefs", "--region", "ams", "--regions", "ord,syd"}
}

// run runs argv in dir. The error carries what it printed.
func run(ctx context.Context, dir string, env []string, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Env = append(cmd.Env, "PWD="+dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := group.Run(cmd); err != nil {
		if ctx.Err() != nil {
			return out.String(), context.Cause(ctx)
		}
		return out.String(), fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out.String())
	}
	return out.String(), nil
}
