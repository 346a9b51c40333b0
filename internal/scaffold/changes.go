package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// Action is what Apply does with a file.
type Action string

// The actions. Overwrite touches what may be the user's work, and is to be asked
// for outside the directory of the copied source.
const (
	Create    Action = "create"
	Overwrite Action = "overwrite"
	Remove    Action = "remove" // only in the directory of the copied source
	Edit      Action = "edit"   // a present file is changed where it must be, and nowhere else
	Unchanged Action = "unchanged"
	Keep      Action = "keep" // the user's own: there is advice, and nothing is written
)

// Change is one file of a plan beside what is in the repository.
type Change struct {
	Path   string
	Action Action
	New    []byte // nil when removed
	// Old is the present content; nil when there is none, or when it is no
	// text of a usual size and cannot be shown.
	Old []byte

	// Advice is the present file with what should be added to it. nil: nothing.
	Advice []byte

	info fs.FileInfo // of the present file, to notice that it changed since
}

// Changes is a plan compared with the repository.
type Changes struct {
	Dir   string
	Files []Change // in the plan's order, then what is to be removed
}

// Compare looks at the files that the plan would write. A directory, a link or a
// special file in a file's place, or a link in the way to it, is an error: init
// writes nothing through it, not even when asked to overwrite.
//
// A present fly.toml or litefs.yml is edited: only what must be right is changed. So
// is a Dockerfile that init wrote and the user went on with; one that init did not
// write is kept, with advice, and so is a .dockerignore. With force, all of them are
// overwritten, or where a whole one cannot be written, added to.
func (p *Plan) Compare(force bool) (*Changes, error) {
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // it was only read

	c := &Changes{Dir: p.Dir}
	var errs []error
	planned := map[string]bool{}
	for _, f := range p.Files {
		planned[f.Path] = true
		change, err := compare(root, f, force)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.Files = append(c.Files, change)
	}
	if slices.ContainsFunc(p.Files, func(f File) bool { return within(f.Path, sourceDir) }) && len(errs) == 0 {
		stale, err := compareSource(root, planned)
		errs = append(errs, err)
		c.Files = append(c.Files, stale...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

func compare(root *os.Root, f File, force bool) (Change, error) {
	change := Change{Path: f.Path, Action: Create, New: f.Content}
	for _, dir := range parents(f.Path) {
		info, err := root.Lstat(filepath.FromSlash(dir))
		if errors.Is(err, fs.ErrNotExist) {
			return change, nil
		}
		if err != nil {
			return change, err
		}
		if !info.IsDir() {
			return change, fmt.Errorf("%s is %s where a directory is needed: move it away", dir, kind(info))
		}
	}
	info, err := root.Lstat(filepath.FromSlash(f.Path))
	if errors.Is(err, fs.ErrNotExist) {
		if f.Content == nil {
			return change, fmt.Errorf("%s was removed by something else meanwhile: run the command again", f.Path)
		}
		return change, nil
	}
	if err != nil {
		return change, err
	}
	if !info.Mode().IsRegular() {
		return change, fmt.Errorf("%s is %s, and flysql does not write through it: move it away", f.Path, kind(info))
	}
	change.Action, change.info = Overwrite, info
	change.Old, err = readSmall(root, filepath.FromSlash(f.Path))
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, errBinary):
		return change, nil
	case err != nil:
		return change, fmt.Errorf("read %s: %w", f.Path, err)
	case bytes.Equal(change.Old, f.Content):
		change.Action = Unchanged
		return change, nil
	}
	return change, change.edit(f, force)
}

// edit decides what becomes of a file that is there with other content.
func (c *Change) edit(f File, force bool) error {
	theirs := f.Marked && !byInit(c.Old)
	own := slices.ContainsFunc(f.Own, func(content []byte) bool { return bytes.Equal(content, c.Old) })
	switch {
	case f.Edit == nil, force && !(f.Adds && theirs):
		return nil
	case own:
		c.Action = Edit
		return nil
	}
	edited, err := f.Edit.to(c.Old)
	switch {
	case errors.Is(err, errRewrite):
	case err != nil:
		return err
	case bytes.Equal(edited, c.Old):
		c.Action, c.New = Unchanged, c.Old
	case !theirs:
		c.Action, c.New = Edit, edited
	case !force:
		c.Action, c.New, c.Advice = Keep, c.Old, edited
	default:
		c.New = edited
	}
	return nil
}

// compareSource finds what lies in the directory of the copied source and is
// not of this flysql: a left-over Go file would become part of the build.
func compareSource(root *os.Root, planned map[string]bool) ([]Change, error) {
	var stale []Change
	err := fs.WalkDir(root.FS(), sourceDir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == sourceDir {
			return fs.SkipAll
		}
		if err != nil {
			return err
		}
		if d.IsDir() || planned[name] || isTemp(path.Base(name)) {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is %s, and %s is flysql's own: move it away", name, kind(info), sourceDir)
		}
		change := Change{Path: name, Action: Remove, info: info}
		if change.Old, err = readSmall(root, filepath.FromSlash(name)); err != nil && !errors.Is(err, errTooLarge) && !errors.Is(err, errBinary) {
			return fmt.Errorf("read %s: %w", name, err)
		}
		stale = append(stale, change)
		return nil
	})
	return stale, err
}

// Pending tells whether there is anything to write.
func (c *Changes) Pending() bool {
	return slices.ContainsFunc(c.Files, func(f Change) bool { return f.Action != Unchanged && f.Action != Keep })
}

// Kept lists the files of the user's own that something should be added to.
func (c *Changes) Kept() []Change {
	var list []Change
	for _, f := range c.Files {
		if f.Action == Keep {
			list = append(list, f)
		}
	}
	return list
}

// Conflicts lists the files that are there with other content: they may be the
// user's work, and are touched only when that is asked for. The directory of the
// copied source is flysql's own, and no conflict.
func (c *Changes) Conflicts() []string {
	var list []string
	for _, f := range c.Files {
		if f.Action == Overwrite && !within(f.Path, sourceDir) {
			list = append(list, f.Path)
		}
	}
	return list
}

// Group is changes to show together: one file, or all of the copied source,
// which nobody wants to read as a diff.
type Group struct {
	Path   string // "Dockerfile", or ".flysql/src/"
	Action Action // for several files: Unchanged, Create, or else Overwrite
	Files  []Change
}

// Groups sorts the changes for showing, in the plan's order.
func (c *Changes) Groups() []Group {
	var groups []Group
	source := Group{Path: sourceDir + "/", Action: Unchanged}
	for _, f := range c.Files {
		if !within(f.Path, sourceDir) {
			groups = append(groups, Group{Path: f.Path, Action: f.Action, Files: []Change{f}})
			continue
		}
		source.Files = append(source.Files, f)
		switch {
		case f.Action == Unchanged, source.Action == Overwrite:
		case f.Action == Create:
			source.Action = Create
		default:
			source.Action = Overwrite
		}
	}
	if len(source.Files) > 0 {
		groups = append(groups, source)
	}
	return groups
}

// Single tells whether the group is one file, and not the copied source.
func (g Group) Single() bool { return len(g.Files) == 1 && g.Files[0].Path == g.Path }

// Size counts what a group will hold: files and their bytes.
func (g Group) Size() (files int, size int64) {
	for _, f := range g.Files {
		if f.Action != Remove {
			files++
			size += int64(len(f.New))
		}
	}
	return files, size
}

// parents lists the directories above a file, the outermost first.
func parents(name string) []string {
	var list []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		list = append(list, dir)
	}
	slices.Reverse(list)
	return list
}

// kind names what is not a regular file.
func kind(info fs.FileInfo) string {
	switch mode := info.Mode(); {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode.IsRegular():
		return "a file"
	}
	return "a special file"
}
