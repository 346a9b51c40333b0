package watch

import (
	"path/filepath"
	"strings"
)

// byName tells whether a file in the app's directory counts for what it is called.
func (l *looker) byName(path string) bool {
	dir, name := filepath.Split(path)
	if hidden(name) || temporary(name) {
		return false
	}
	switch name {
	case "fly.toml", "litefs.yml", "Dockerfile":
		return filepath.Clean(dir) == l.dir // elsewhere they are of something else
	case "go.mod", "go.sum", "go.work", "go.work.sum":
		return true
	case "modules.txt":
		return filepath.Base(dir) == "vendor"
	}
	switch filepath.Ext(name) {
	case ".go", ".s", ".S", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".syso", // what the go command compiles
		".sql", ".html", ".tmpl", ".tpl", ".gohtml":
		return !strings.HasSuffix(name, "_test.go") && !l.outOfBuild(dir)
	}
	return false
}

// outOfBuild tells whether the go command leaves a directory out.
func (l *looker) outOfBuild(dir string) bool {
	rel, err := filepath.Rel(l.dir, dir)
	if err != nil {
		return true
	}
	for part := range strings.SplitSeq(rel, string(filepath.Separator)) {
		if part == "testdata" || strings.HasPrefix(part, "_") {
			return true
		}
	}
	return false
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// temporary tells whether an editor is known to give a file such a name while it saves
// another.
func temporary(name string) bool {
	switch {
	case name == "4913", // vim tries whether it may write
		strings.HasSuffix(name, "~"),                                     // vim, emacs
		strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#"),     // emacs
		strings.HasPrefix(name, ".#"),                                    // emacs
		strings.HasSuffix(name, ".swp"), strings.HasSuffix(name, ".swx"), // vim
		strings.HasSuffix(name, "___jb_tmp___"), strings.HasSuffix(name, "___jb_old___"): // JetBrains
		return true
	}
	return false
}
