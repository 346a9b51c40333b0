package inspect

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Program is an sqlite3 to run instead of the built-in prompt.
type Program struct {
	Path string
	Argv []string
	Note string // for the user; may be empty
}

// Program says how sqlite3 is to be run, if path has one; nil is to use the built-in
// prompt, for the reason in why. An sqlite3 with the fault that FixedSQLite mends is
// not let at a WAL database that others have open, but with insist.
func (d *Database) Program(ctx context.Context, path, sql string, readOnly, insist bool) (p *Program, why string) {
	file := lookPath(path)
	if file == "" {
		return nil, "there is no sqlite3 in PATH"
	}
	readOnly = readOnly || !d.LiteFS.writes()
	p = &Program{Path: file, Argv: []string{"sqlite3"}}
	version := versionOf(ctx, file)
	if version == "" {
		return nil, file + " does not say which version it is"
	}
	if w, err := d.WAL(ctx); err == nil && w.Mode == "wal" && OldSQLite(version) && !readOnly {
		p.Note = fmt.Sprintf("%s is %s: before %s, SQLite can corrupt a database in WAL mode that others write to", file, version, FixedSQLite)
		if !insist && (len(w.Open) > 0 || !w.Locks) {
			return nil, p.Note
		}
	}
	if readOnly {
		p.Argv = append(p.Argv, "-readonly")
	}
	// As appdb's connections; the shell's own default leaves rows that refer to none.
	p.Argv = append(p.Argv, "-cmd", ".timeout 5000", "-cmd", "PRAGMA foreign_keys=ON", d.Path)
	if sql != "" {
		p.Argv = append(p.Argv, sql)
	}
	return p, ""
}

// lookPath finds sqlite3 in a PATH; a directory of the working directory's is not asked.
func lookPath(path string) string {
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if file, err := exec.LookPath(filepath.Join(dir, "sqlite3")); err == nil {
			return file
		}
	}
	return ""
}

// versionOf asks a program what it is, "3.40.1".
func versionOf(ctx context.Context, file string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, file, "-version").Output()
	if err != nil {
		return ""
	}
	version, _, _ := strings.Cut(string(out), " ")
	return version
}
