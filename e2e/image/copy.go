package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// copy carries out a COPY line.
func (b *builder) copy(st *builtStage, c *instructions.CopyCommand) error {
	switch {
	case len(c.SourceContents) > 0:
		return errors.New("COPY with a here-document is not supported here")
	case c.Chown != "":
		return errors.New("COPY --chown is not supported here")
	case c.Parents:
		return errors.New("COPY --parents is not supported here")
	case len(c.ExcludePatterns) > 0:
		return errors.New("COPY --exclude is not supported here")
	}
	var chmod fs.FileMode
	if c.Chmod != "" {
		n, err := strconv.ParseUint(c.Chmod, 8, 12)
		if err != nil {
			return fmt.Errorf("COPY --chmod=%s: only an octal mode is supported here", c.Chmod)
		}
		chmod = fs.FileMode(n)
	}
	from, err := b.source(c.From)
	if err != nil {
		return err
	}
	return b.way.do(func() error { return copyInto(st, from, c.SourcePaths, c.DestPath, chmod) })
}

// source is the tree that COPY --from names: a stage, a named context, or,
// without a name, the build context.
func (b *builder) source(name string) (*tree, error) {
	if name == "" {
		return b.context, nil
	}
	if st := b.find(name); st != nil {
		return &tree{dir: st.stage.root}, nil
	}
	if dir, ok := b.Contexts[name]; ok {
		return buildContext(dir, "Dockerfile")
	}
	return nil, fmt.Errorf("COPY --from=%s: no stage before this line has that name, and no build context was given for it", name)
}

// copyInto copies as Docker does: the contents of a directory, a file by its
// name where the destination is a directory (or ends in a slash), and several
// sources into a directory only.
func copyInto(st *builtStage, from *tree, sources []string, dest string, chmod fs.FileMode) (err error) {
	src, err := os.OpenRoot(from.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := st.stage.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()

	var found []string
	many := len(sources) > 1
	for _, s := range sources {
		names, pattern, err := from.match(src, s)
		if err != nil {
			return fmt.Errorf("COPY %s: %w", s, err)
		}
		if len(names) == 0 {
			return fmt.Errorf("COPY %s: not found in the build context, or left out by .dockerignore", s)
		}
		many = many || pattern && len(names) > 1
		found = append(found, names...)
	}
	slash := strings.HasSuffix(dest, "/")
	if many && !slash {
		return fmt.Errorf("COPY of several sources: the destination %s must be a directory and end with /", dest)
	}
	target, err := inside(st.abs(dest))
	if err != nil {
		return err
	}
	c := copier{src: src, dst: dst, from: from, chmod: chmod}
	for _, name := range found {
		info, err := src.Stat(name)
		if err != nil {
			return err
		}
		to := target
		if !info.IsDir() {
			if have, err := dst.Stat(target); slash || err == nil && have.IsDir() {
				to = filepath.Join(target, path.Base(name))
			}
		}
		if err := dst.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := c.copy(name, to, info, true); err != nil {
			return fmt.Errorf("COPY %s: %w", name, err)
		}
	}
	return nil
}

// copier copies between two trees, neither of which it leaves.
type copier struct {
	src, dst *os.Root
	from     *tree
	chmod    fs.FileMode // 0 keeps each file's own
}

func (c copier) mode(info fs.FileInfo) fs.FileMode {
	if c.chmod != 0 {
		return c.chmod
	}
	return info.Mode().Perm()
}

func (c copier) copy(from, to string, info fs.FileInfo, top bool) error {
	switch {
	case info.IsDir():
		return c.dir(from, to, info, top)
	case info.Mode().IsRegular():
		return c.file(from, to, info)
	case info.Mode()&fs.ModeSymlink != 0:
		return c.link(from, to)
	}
	return fmt.Errorf("%s is neither a file, a directory nor a link", from)
}

// dir copies what is in a directory. One that the COPY line itself names (top)
// gives its contents, not its mode.
func (c copier) dir(from, to string, info fs.FileInfo, top bool) error {
	if err := c.dst.MkdirAll(to, 0o755); err != nil {
		return err
	}
	entries, err := fs.ReadDir(c.src.FS(), filepath.ToSlash(from))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(from, e.Name())
		if !c.from.keeps(name) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if err := c.copy(name, filepath.Join(to, e.Name()), info, false); err != nil {
			return err
		}
	}
	// Last, so that a directory that may not be written to can be filled.
	if !top || c.chmod != 0 {
		return c.dst.Chmod(to, c.mode(info))
	}
	return nil
}

func (c copier) file(from, to string, info fs.FileInfo) (err error) {
	r, err := c.src.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if have, err := c.dst.Lstat(to); err == nil && !have.IsDir() {
		if err := c.dst.Remove(to); err != nil {
			return err
		}
	}
	w, err := c.dst.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Chmod(c.mode(info)), w.Close())
}

func (c copier) link(from, to string) error {
	target, err := c.src.Readlink(from)
	if err != nil {
		return err
	}
	if err := c.dst.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.dst.Symlink(target, to)
}

// mkdir makes a directory of the image, as WORKDIR does.
func mkdir(st *stage, dir string) (err error) {
	root, err := st.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	rel, err := inside(dir)
	if err != nil {
		return err
	}
	return root.MkdirAll(rel, 0o755)
}
