package dev

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/flysql/flysql"
)

const (
	flysqlModule      = "github.com/flysql/flysql"
	entrypointPackage = flysqlModule + "/cmd/flysql-entrypoint"

	// EntrypointVariable and LiteFSVariable name the programs, where no option does.
	EntrypointVariable = "FLYSQL_ENTRYPOINT"
	LiteFSVariable     = "FLYSQL_LITEFS_BIN"
)

// findEntrypoint finds flysql-entrypoint, or builds it. say gets what is worth knowing.
func findEntrypoint(ctx context.Context, o Options, a *app, s *stateDir, say func(string)) (string, error) {
	if given := cmp.Or(o.Entrypoint, os.Getenv(EntrypointVariable)); given != "" {
		return program(given, "flysql-entrypoint")
	}
	own := moduleOf(a.dir)
	if own != flysqlModule { // else it is what is being worked on
		if path := installed("flysql-entrypoint"); path != "" {
			compareVersion(ctx, path, say)
			return path, nil
		}
	}
	out := s.join("bin", "flysql-entrypoint")
	var failed error
	if own == flysqlModule || requires(a.dir, flysqlModule) {
		say("building flysql-entrypoint of the app's module")
		if failed = goTool(ctx, a.dir, []string{"CGO_ENABLED=0"}, nil, "build", "-o", out, entrypointPackage); failed == nil {
			return out, nil
		}
		if ctx.Err() != nil || own == flysqlModule {
			return "", failed
		}
		say("that cannot be: " + firstLine(failed.Error()))
	}
	return buildOwn(ctx, s, say)
}

// buildOwn builds flysql-entrypoint of the source that this program carries, once for each.
func buildOwn(ctx context.Context, s *stateDir, say func(string)) (string, error) {
	sum, err := sumOf(flysql.Source())
	if err != nil {
		return "", err
	}
	out := s.join("bin", "entrypoint-"+sum, "flysql-entrypoint")
	if executable(out) {
		return out, nil
	}
	say("building flysql-entrypoint of this flysql")
	src, err := os.MkdirTemp(s.path, sourceDir)
	if err != nil {
		return "", err
	}
	err = os.CopyFS(src, flysql.Source())
	if err == nil {
		err = goTool(ctx, src, []string{"CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off"}, nil, "build", "-trimpath", "-ldflags=-s -w", "-o", out+".new", "./cmd/flysql-entrypoint")
	}
	if err == nil {
		err = os.Rename(out+".new", out) // whole, or not there
	}
	if err = errors.Join(err, os.RemoveAll(src)); err != nil {
		return "", fmt.Errorf("build flysql-entrypoint: %w\nit can be installed by go install %s@latest, and named by %s", err, entrypointPackage, EntrypointVariable)
	}
	return out, nil
}

// sumOf tells sources apart.
func sumOf(files fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		fmt.Fprintf(sum, "%s %d\n", name, len(text))
		sum.Write(text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:8]), err
}

// installed is a program beside this one, or in PATH; "" for none.
func installed(name string) string {
	if self, err := os.Executable(); err == nil {
		if path := filepath.Join(filepath.Dir(self), name); executable(path) {
			return path
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

// program is one that was named.
func program(path, name string) (string, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, name)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if !executable(abs) {
		return "", fmt.Errorf("%s is no program: it was named as %s", path, name)
	}
	return abs, nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (info.Mode()&0o111 != 0 || runtime.GOOS == "windows")
}

// compareVersion says when a program is of another flysql than this one.
func compareVersion(ctx context.Context, path string, say func(string)) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	its, own := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(string(out)), "flysql-entrypoint")), "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == flysqlModule && info.Main.Version != "" {
		own = info.Main.Version
	}
	if err != nil || its != own {
		say(fmt.Sprintf("%s is %s, and this flysql %s", path, cmp.Or(its, "of an unknown version"), own))
	}
}

// moduleOf is the path of the module in a directory; "" for none.
func moduleOf(dir string) string {
	data, err := readSmall(filepath.Join(dir, "go.mod"))
	if err != nil {
		return ""
	}
	return modfile.ModulePath(data)
}

// requires tells whether the module in a directory requires another.
func requires(dir, path string) bool {
	data, err := readSmall(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	mod, err := modfile.ParseLax("go.mod", data, nil)
	if err != nil {
		return false
	}
	for _, r := range mod.Require {
		if r.Mod.Path == path {
			return true
		}
	}
	return false
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// MissingLiteFS says what LiteFS lacks on this machine, and how to mend that; "" is nothing.
func MissingLiteFS(o Options) (string, error) {
	_, why, err := findLiteFS(o)
	return why, err
}

// findLiteFS is the directory of the program litefs. why says what is missing for LiteFS
// on this machine, and how to mend it.
func findLiteFS(o Options) (dir, why string, err error) {
	if given := cmp.Or(o.LiteFS, os.Getenv(LiteFSVariable)); given != "" {
		path, err := program(given, "litefs")
		if err != nil {
			return "", "", err
		}
		dir = filepath.Dir(path)
	}
	if why := noFUSE(); why != "" {
		return "", why, nil
	}
	if dir != "" {
		return dir, "", nil
	}
	path := installed("litefs")
	if path == "" {
		return "", "no program litefs: docker cp $(docker create flyio/litefs:0.5.14):/usr/local/bin/litefs /usr/local/bin/ gets it, or name it by " + LiteFSVariable, nil
	}
	return filepath.Dir(path), "", nil
}

// noFUSE says what keeps LiteFS from mounting.
func noFUSE() string {
	if runtime.GOOS != "linux" {
		return "LiteFS runs on Linux only: use a virtual machine or a container with /dev/fuse"
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return "no /dev/fuse: load the kernel's module (modprobe fuse), or give the container the device (docker run --device /dev/fuse --cap-add SYS_ADMIN)"
	}
	if _, err := exec.LookPath("fusermount3"); err != nil {
		return "no program fusermount3: install the package fuse3"
	}
	if os.Geteuid() != 0 {
		return "not root, who alone may mount LiteFS: sudo env \"PATH=$PATH\" flysql dev"
	}
	return ""
}

// maxBuildLines is how much of what a compiler says is shown.
const maxBuildLines = 60

// goTool runs the go command. The error has what it printed, and each line of it goes to say.
func goTool(ctx context.Context, dir string, env []string, say func(string), args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	ownGroup(cmd)
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	text := strings.TrimSpace(out.String())
	if say != nil {
		for line := range strings.Lines(text) {
			say(strings.TrimRight(line, "\r\n"))
		}
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		why := "install Go (https://go.dev/dl)"
		if os.Getenv("SUDO_USER") != "" {
			why = "sudo has another PATH (sudo env \"PATH=$PATH\" flysql dev)"
		}
		return fmt.Errorf("no program go: %s, or give the command that runs the app: flysql dev -- COMMAND", why)
	}
	lines := strings.SplitN(text, "\n", maxBuildLines+1)
	if len(lines) > maxBuildLines {
		lines[maxBuildLines] = "..."
	}
	return fmt.Errorf("go %s: %w\n%s", args[0], err, strings.Join(lines, "\n"))
}
