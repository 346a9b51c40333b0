package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// backend is what the two ways do differently.
type backend interface {
	// base makes a stage that stands for a public image, such as golang:1.25-bookworm.
	base(ctx context.Context, name string) (*stage, error)
	// from makes a stage that begins as a copy of another.
	from(st *stage) (*stage, error)
	// seal says that the stages are built: they are read from now on.
	seal() error
	// remove drops a stage that a sealed one was derived from.
	remove(st *stage) error
	// do calls f where the stages' files can be seen. f must not leave its goroutine.
	do(f func() error) error
	// whyNotRun says why a RUN line is left out, or "".
	whyNotRun(r runLine) string
	// run runs one RUN line.
	run(ctx context.Context, st *stage, r runLine) error
	start(ctx context.Context, st *stage, l launch) (*Machine, error)
	close() error
}

// runLine is a RUN instruction, expanded.
type runLine struct {
	argv []string // as written in exec form, or one shell line
	sh   bool     // argv is a line for the shell
	dir  string   // absolute, in the image
	env  []string
	last bool // it belongs to the last stage: the image itself
	out  io.Writer
}

func (r runLine) String() string { return strings.Join(r.argv, " ") }

func (r runLine) command() []string {
	if r.sh {
		return append([]string{"/bin/sh", "-c"}, r.argv...)
	}
	return r.argv
}

// stage is the file system of a stage, being built or complete.
type stage struct {
	root   string   // where it is, as seen inside backend.do
	layers []string // Chroot only: what it is made of, the uppermost first
	golang bool     // it stands for an image with Go
}

// open gives the stage's root as a place that no path or link leads out of.
func (st *stage) open() (*os.Root, error) { return os.OpenRoot(st.root) }

// write puts a file at an absolute path of the image. A link in its place is
// replaced, not followed.
func (st *stage) write(name, content string) (err error) {
	root, err := st.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	rel, err := inside(name)
	if err != nil {
		return err
	}
	if err := root.MkdirAll(path.Dir(rel), 0o755); err != nil {
		return err
	}
	if err := root.Remove(rel); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return root.WriteFile(rel, []byte(content), 0o644)
}

// inside turns an absolute path of the image into one relative to a stage's root.
func inside(name string) (string, error) {
	if !path.IsAbs(name) {
		return "", fmt.Errorf("%q is not an absolute path", name)
	}
	rel := strings.TrimPrefix(path.Clean(name), "/")
	if rel == "" {
		return ".", nil
	}
	return filepath.FromSlash(rel), nil
}

// imagePath is the PATH of the public images that stages begin from.
const imagePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// baseImage says whether a FROM line names an image that there is a stand-in
// for, and whether that one has Go.
func baseImage(name string) (golang bool, err error) {
	repo, tag, _ := strings.Cut(name, ":")
	repo = strings.TrimPrefix(strings.TrimPrefix(repo, "docker.io/"), "library/")
	debian := strings.Contains(tag, "bookworm")
	switch {
	case repo == "golang" && debian:
		return true, nil
	case repo == "debian" && debian:
		return false, nil
	}
	return false, fmt.Errorf("there is no stand-in for the base image %q: only for golang:*bookworm and debian:*bookworm*", name)
}
