package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

const (
	flysqlModule      = "github.com/flysql/flysql"
	entrypointPackage = flysqlModule + "/cmd/flysql-entrypoint"
)

// readModule reads go.mod, and go.work if there is one, into f. It returns the
// modules that go.mod requires.
func (f *Facts) readModule(root *os.Root) (map[string]bool, error) {
	data, err := readSmall(root, "go.mod")
	if errors.Is(err, fs.ErrNotExist) {
		if f.Docker != nil && !f.Docker.Written {
			return nil, nil // not in Go
		}
		return nil, noModule(f.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("read go.mod: %w", err)
	}
	mod, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return nil, fmt.Errorf("go.mod cannot be read, mend it first (go mod edit -json shows what Go makes of it): %w", err)
	}
	if mod.Module == nil || mod.Module.Mod.Path == "" {
		return nil, errors.New("go.mod names no module: add a line such as \"module example.com/app\" at its top")
	}
	f.Module = mod.Module.Mod.Path
	f.GoVersion = goRelease(mod)
	for _, t := range mod.Tool {
		f.EntrypointTool = f.EntrypointTool || t.Path == entrypointPackage
	}
	for _, r := range mod.Replace {
		f.noteReplace(r)
	}
	if f.HasGoSum, err = regular(root, "go.sum"); err != nil {
		return nil, err
	}
	if f.HasVendor, err = regular(root, "vendor/modules.txt"); err != nil {
		return nil, err
	}
	f.Requires = len(mod.Require) > 0
	requires := map[string]bool{}
	for _, r := range mod.Require {
		requires[r.Mod.Path] = true
	}
	return requires, f.readWorkspace(root)
}

var errNoModule = errors.New("no go.mod")

// noModule says that dir is no place for init, and where one is.
func noModule(dir string) error {
	for up := filepath.Dir(dir); ; up = filepath.Dir(up) {
		if info, err := os.Stat(filepath.Join(up, "go.mod")); err == nil && info.Mode().IsRegular() {
			return fmt.Errorf("%w in %s, and no Dockerfile: run flysql init in the root of the module, which is %s", errNoModule, dir, up)
		}
		if up == filepath.Dir(up) {
			return fmt.Errorf("%w in %s, and no Dockerfile: run flysql init in the root of a Go module, or make this directory one: go mod init example.com/app; for an app in another language, run it where its Dockerfile is", errNoModule, dir)
		}
	}
}

// goRelease is the newer of the go and toolchain lines, "1.25".
func goRelease(mod *modfile.File) string {
	newest := ""
	if mod.Go != nil {
		newest = release(mod.Go.Version)
	}
	if mod.Toolchain != nil {
		newest = newerRelease(newest, release(strings.TrimPrefix(mod.Toolchain.Name, "go")))
	}
	return newest
}

// release cuts a Go version to its release: "1.25.3" and "1.25rc1" are 1.25.
func release(version string) string {
	major, rest, _ := strings.Cut(version, ".")
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		rest = rest[:end]
	}
	if major == "" || rest == "" {
		return ""
	}
	return major + "." + rest
}

// newerRelease compares two releases, either of which may be empty.
func newerRelease(a, b string) string {
	if semver.Compare("v"+a, "v"+b) < 0 {
		return b
	}
	return a
}

// noteReplace sorts a replacement by whether an image build can follow it: only
// the repository itself is sent to the builder.
func (f *Facts) noteReplace(r *modfile.Replace) {
	if !modfile.IsDirectoryPath(r.New.Path) {
		return
	}
	if inside(r.New.Path) {
		f.LocalReplace = true
		return
	}
	if r.Old.Path != flysqlModule {
		f.OutsideReplaces = append(f.OutsideReplaces, r.Old.Path)
		return
	}
	f.FlysqlReplaced = r.Old.String()
}

// inside tells whether a directory, as go.mod and go.work write it, lies in the
// repository.
func inside(dir string) bool {
	dir = filepath.ToSlash(dir)
	return !path.IsAbs(dir) && !filepath.IsAbs(dir) && path.Clean(dir) != ".." && !strings.HasPrefix(path.Clean(dir), "../")
}

func (f *Facts) readWorkspace(root *os.Root) error {
	data, err := readSmall(root, "go.work")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read go.work: %w", err)
	}
	work, err := modfile.ParseWork("go.work", data, nil)
	if err != nil {
		return fmt.Errorf("go.work cannot be read, mend it first: %w", err)
	}
	f.HasWorkspace = true
	others := 0
	for _, use := range work.Use {
		switch {
		case !inside(use.Path):
			f.WorkspaceOutside = append(f.WorkspaceOutside, use.Path)
		case path.Clean(filepath.ToSlash(use.Path)) != ".":
			others++
		}
	}
	f.UseWorkspace = others > 0 && len(f.WorkspaceOutside) == 0
	return nil
}
