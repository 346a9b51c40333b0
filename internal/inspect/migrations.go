package inspect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/flysql/flysql/internal/migrate"
	"github.com/flysql/flysql/internal/scaffold"
)

// MigrationsRequest says which migrations are compared with which database.
type MigrationsRequest struct {
	Request
	Args  []string // databases and directories, as they come; Name is not used
	Tool  string   // "" as in the environment, else detected
	Table string   // "" as in the environment, else the tool's own
}

// Migrations are a directory's, as a database has them.
type Migrations struct {
	Dir  string
	Tool string
	migrate.Status
}

// Migrations compares them. Nothing is applied in a database that is empty.
func (r MigrationsRequest) Migrations(ctx context.Context) (*Database, []Migrations, error) {
	dirs, err := r.sort()
	if err != nil {
		return nil, nil, err
	}
	s := settingsOf(r.Env)
	if len(dirs) == 0 {
		if dirs, err = r.dirs(ctx, s); err != nil {
			return nil, nil, err
		}
	}
	db, err := Find(ctx, r.Request)
	if err != nil {
		return nil, nil, err
	}
	if r.Tool == "" {
		r.Tool = s.tool
	}
	if r.Table == "" {
		r.Table = s.table
	}
	var list []Migrations
	for _, dir := range dirs {
		m, err := db.migrations(ctx, dir, migrate.Options{Tool: migrate.Tool(r.Tool), Table: r.Table, Locks: db.LiteFS != nil})
		if err != nil {
			return db, nil, err
		}
		list = append(list, m)
	}
	return db, list, nil
}

// sort tells directories from the database among the arguments.
func (r *MigrationsRequest) sort() (dirs []string, err error) {
	for _, arg := range r.Args {
		if info, err := os.Stat(arg); err == nil && info.IsDir() {
			if !slices.Contains(dirs, filepath.Clean(arg)) {
				dirs = append(dirs, filepath.Clean(arg))
			}
			continue
		}
		if r.Name != "" {
			return nil, &ChoiceError{"two databases are named: give one, and directories of migrations"}
		}
		r.Name = arg
	}
	return dirs, nil
}

// dirs finds the app's migrations, where none are named.
func (r *MigrationsRequest) dirs(ctx context.Context, s settings) ([]string, error) {
	if s.migrations != "" {
		if _, err := os.Stat(s.migrations); err != nil {
			return nil, fmt.Errorf("FLYSQL_MIGRATIONS: %w", err)
		}
		return []string{s.migrations}, nil
	}
	if s.command {
		return nil, &ChoiceError{"FLYSQL_MIGRATE runs a command of the app's own, which alone knows what is pending: ask that tool, or give the directory of its SQL files"}
	}
	dir := r.Dir
	if dir == "" {
		dir = "."
	}
	facts, err := scaffold.Detect(ctx, dir)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, errNoMigrations // no app, or none that init would take
	}
	mains := facts.Mains
	if facts.Foreign != nil {
		mains = []scaffold.Main{*facts.Foreign}
	}
	var dirs []string
	for _, m := range mains {
		for _, d := range m.Migrations {
			if d = filepath.Join(dir, filepath.FromSlash(d)); !slices.Contains(dirs, d) {
				dirs = append(dirs, d)
			}
		}
	}
	switch len(dirs) {
	case 0:
		return nil, errNoMigrations
	case 1:
		return dirs, nil
	}
	slices.Sort(dirs)
	text := "several directories may hold the migrations: give one of them"
	for _, d := range dirs {
		text += "\n  " + d
	}
	return nil, &ChoiceError{text}
}

var errNoMigrations = &ChoiceError{"no migrations are found here: give their directory, or set FLYSQL_MIGRATIONS"}

// migrations compares one directory.
func (d *Database) migrations(ctx context.Context, dir string, o migrate.Options) (Migrations, error) {
	set, err := migrate.Open(os.DirFS(dir), o)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w%s", err, rightsHint(err))
		}
		return Migrations{}, fmt.Errorf("%s: %w", dir, err)
	}
	st, err := set.Status(ctx, d.Path)
	if err != nil {
		if ctx.Err() != nil {
			return Migrations{}, context.Cause(ctx)
		}
		return Migrations{}, fmt.Errorf("%s: %w", dir, err)
	}
	return Migrations{Dir: dir, Tool: string(set.Tool()), Status: st}, nil
}
