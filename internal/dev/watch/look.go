package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
)

// How much is looked at. An app's repository is far below.
const (
	maxEntries = 200_000
	maxDepth   = 64 // of directories
)

// looker looks at an app's files.
type looker struct {
	dir   string
	files []string         // that count, by Options
	dirs  []string         // of which all counts
	visit func(dir string) // is called before a directory is read
	last  *round
}

func newLooker(dir string, files, dirs []string) *looker {
	return &looker{dir: dir, files: files, dirs: dirs, visit: func(string) {}, last: &round{}}
}

// round is one look.
type round struct {
	*looker
	entries int
	listed  map[string][]fs.DirEntry // directories
	whole   map[string]bool          // directories of which all counts
	loud    map[string]bool          // directories of which any file may count
	found   map[string]bool          // files that count
	goes    []string                 // Go files that were found, and not followed yet
	met     map[string]bool          // packages that were imported
	read    files
	modules map[string]module // by directory
}

// look finds the files that count, and what they hold.
func (l *looker) look() (files, error) {
	r := &round{looker: l, listed: map[string][]fs.DirEntry{}, whole: map[string]bool{}, loud: map[string]bool{},
		found: map[string]bool{}, met: map[string]bool{}, read: files{}, modules: map[string]module{}}
	if info, err := os.Stat(l.dir); err != nil {
		return nil, fmt.Errorf("watch %s: %w", l.dir, err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("watch %s: it is not a directory", l.dir)
	}
	err := r.walk(l.dir, 0, rulesAbove(l.dir))
	for _, dir := range l.dirs {
		err = errors.Join(err, r.all(dir, 0, false))
	}
	for _, file := range l.files {
		r.found[file] = true
		r.list(filepath.Dir(file))
	}
	for err == nil && len(r.goes) > 0 {
		file := r.goes[0]
		r.goes = r.goes[1:]
		err = r.follow(file)
	}
	if err != nil {
		return nil, err
	}
	for path := range r.found {
		r.readFile(path)
	}
	r.looker, l.last = nil, r
	return r.read, nil
}

// list reads a directory, and has it watched from before. One that cannot be read has
// nothing in it.
func (r *round) list(dir string) []fs.DirEntry {
	if entries, ok := r.listed[dir]; ok {
		return entries
	}
	r.visit(dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		entries = nil
	}
	r.entries += len(entries)
	r.listed[dir] = entries
	return entries
}

// tooMany is why a look was given up.
func (r *round) tooMany() error {
	if r.entries <= maxEntries {
		return nil
	}
	return fmt.Errorf("watch %s: there are more than %d files in it: name what is not of the app's in .gitignore, or do without --watch", r.dir, maxEntries)
}

// walk finds what counts by its name.
func (r *round) walk(dir string, depth int, rules []rule) error {
	if depth > maxDepth {
		return nil
	}
	rules = rulesOf(dir, rules)
	for _, entry := range r.list(dir) {
		path := filepath.Join(dir, entry.Name())
		if !entry.IsDir() {
			r.meet(path)
			continue
		}
		if hidden(entry.Name()) || entry.Name() == "node_modules" || leftOut(rules, path) {
			continue
		}
		if err := r.walk(path, depth+1, rules); err != nil {
			return err
		}
	}
	return r.tooMany()
}

// meet takes a file that counts by its name.
func (r *round) meet(path string) {
	if r.found[path] || !r.byName(path) {
		return
	}
	r.found[path] = true
	if strings.HasSuffix(path, ".go") {
		r.goes = append(r.goes, path)
	}
}

// all takes what is in a directory, whatever its name, but nothing that is hidden unless
// that is asked for.
func (r *round) all(dir string, depth int, withHidden bool) error {
	if depth > maxDepth || r.whole[dir] && !withHidden {
		return nil
	}
	r.whole[dir], r.loud[dir] = true, true
	for _, entry := range r.list(dir) {
		name := entry.Name()
		path := filepath.Join(dir, name)
		switch {
		case name == ".git" || name == ".flysql" || name == "node_modules":
		case !withHidden && (hidden(name) || name[0] == '_'):
		case entry.IsDir():
			if err := r.all(path, depth+1, withHidden); err != nil {
				return err
			}
		case !temporary(name):
			r.found[path] = true
		}
	}
	return r.tooMany()
}

// follow reads a Go file, and goes where it leads.
func (r *round) follow(path string) error {
	f := r.readFile(path)
	dir := filepath.Dir(path)
	for _, pattern := range f.embeds {
		pattern, withHidden := strings.CutPrefix(pattern, "all:")
		if err := r.embed(dir, strings.Split(pattern, "/"), withHidden); err != nil {
			return err
		}
	}
	if len(f.imports) == 0 {
		return nil
	}
	m := r.moduleOf(dir)
	for _, imported := range f.imports {
		below, ok := m.has(imported)
		if pkg := filepath.Join(m.dir, filepath.FromSlash(below)); ok && inside(r.dir, pkg) && !r.met[pkg] {
			r.met[pkg] = true
			for _, entry := range r.list(pkg) { // it may be left out, as what is generated often is, and yet be part of a build
				if !entry.IsDir() {
					r.meet(filepath.Join(pkg, entry.Name()))
				}
			}
		}
	}
	return r.tooMany()
}

// embed takes what a pattern of //go:embed names, part by part.
func (r *round) embed(dir string, parts []string, withHidden bool) error {
	r.loud[dir] = true
	for _, entry := range r.list(dir) {
		name := entry.Name()
		path := filepath.Join(dir, name)
		matched, err := filepath.Match(parts[0], name)
		switch {
		case err != nil || !matched || name == ".git" || name == "node_modules":
		case len(parts) == 1 && entry.IsDir():
			err = r.all(path, 0, withHidden)
		case len(parts) == 1:
			if !temporary(name) {
				r.found[path] = true
			}
		case entry.IsDir():
			err = r.embed(path, parts[1:], withHidden)
		}
		if err != nil && !errors.Is(err, filepath.ErrBadPattern) {
			return err
		}
	}
	return r.tooMany()
}

// module is one of Go's.
type module struct {
	path string // "" for none
	dir  string
}

// has tells where in a module a package is.
func (m module) has(pkg string) (below string, ok bool) {
	if m.path == "" || !strings.HasPrefix(pkg+"/", m.path+"/") {
		return "", false
	}
	return strings.TrimPrefix(pkg[len(m.path):], "/"), true
}

func (r *round) moduleOf(dir string) module {
	if m, ok := r.modules[dir]; ok {
		return m
	}
	var m module
	if data, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil {
		m = module{modfile.ModulePath(data), dir}
	} else if up := filepath.Dir(dir); up != dir {
		m = r.moduleOf(up)
	}
	r.modules[dir] = m
	return m
}

// mayCount tells whether what happened to a path may have changed a file that counts.
func (l *looker) mayCount(path string) bool {
	if l.last.loud[filepath.Dir(path)] {
		return !temporary(filepath.Base(path))
	}
	_, listed := l.last.listed[path]
	if l.last.found[path] || listed || l.byName(path) || filepath.Base(path) == ".gitignore" {
		return true
	}
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

// forgetting has files be unknown that were written after a time.
func (f files) forgetting(since time.Time) files {
	out := maps.Clone(f)
	for path, of := range f {
		if of.modified.After(since) {
			delete(out, path)
		}
	}
	return out
}
