package inspect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/internal/scaffold"
)

// Request says which database is meant.
type Request struct {
	Name string   // a path or a URL as appdb.Open takes it; "" looks for the app's own
	Env  []string // the environment, as flysql-entrypoint reads it
	Dir  string   // the app's repository, where Env names no database; "" is "."
}

// A ChoiceError says that the request leaves open which database, or which migrations,
// are meant.
type ChoiceError struct{ msg string }

func (e *ChoiceError) Error() string { return e.msg }

// place is a database that something names.
type place struct{ path, from string }

// Find finds the database that the request names, else that of the environment
// (FLYSQL_DB, DATABASE_URL), else that of the app in Dir, by its .env, its code and
// fly.toml. The file is looked at, and must be an SQLite database; a missing one is an
// error that wraps fs.ErrNotExist.
func Find(ctx context.Context, r Request) (*Database, error) {
	at, err := r.place(ctx)
	if err != nil {
		return nil, err
	}
	return open(ctx, at, r.Env)
}

// place finds the name, without a look at the file.
func (r Request) place(ctx context.Context) (place, error) {
	if r.Name != "" {
		return placeOf(r.Name, "the argument")
	}
	if value, name := settingsOf(r.Env).database(); value != "" {
		return placeOf(value, name)
	}
	return r.ofApp(ctx)
}

// placeOf reads what names a database; its value is in an error only as far as
// appdb shows it.
func placeOf(value, from string) (place, error) {
	path, err := appdb.Path(value)
	if err != nil {
		return place{}, fmt.Errorf("%s: %w", from, err)
	}
	abs, err := filepath.Abs(path)
	return place{abs, from}, err
}

// ofApp goes by the files of a repository, as init does.
func (r Request) ofApp(ctx context.Context) (place, error) {
	dir := r.Dir
	if dir == "" {
		dir = "."
	}
	facts, err := scaffold.Detect(ctx, dir)
	if err != nil {
		if ctx.Err() != nil {
			return place{}, context.Cause(ctx)
		}
		return place{}, noneNamed(dir) // no app, or none that init would take
	}
	env, err := readDotEnv(dir)
	if err != nil {
		return place{}, err
	}
	named, elsewhere := placesOf(facts, env, r.Env)
	var found, missing []place
	for _, p := range named {
		if slices.ContainsFunc(append(found, missing...), func(q place) bool { return q.path == p.path }) {
			continue
		}
		if _, err := os.Stat(p.path); err == nil {
			found = append(found, p)
		} else {
			missing = append(missing, p)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return place{}, &ChoiceError{"the app has several databases: give one of them\n  " + listed(found)}
	case len(missing) > 0:
		return missing[0], nil // whose absence is told with the names nearby
	case elsewhere.path != "":
		return place{}, &ChoiceError{fmt.Sprintf("%s names %s, which is on the app's machine and not here: give the path of a database here, or run this there (fly ssh console)", elsewhere.from, elsewhere.path)}
	}
	return place{}, noneNamed(dir)
}

func noneNamed(dir string) error {
	return &ChoiceError{"no database is named: give its path, or set DATABASE_URL (file:///data/app.db)" + beside(dir)}
}

// placesOf lists what a repository says of databases here, the likelier first, and
// what fly.toml says of the machine's.
func placesOf(facts *scaffold.Facts, dotenv map[string]string, env []string) (named []place, elsewhere place) {
	add := func(value, from string) {
		path, err := appdb.Path(value)
		if err != nil {
			return // another server's
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(facts.Dir, path)
		}
		named = append(named, place{path, from})
	}
	mains := facts.Mains
	if facts.Foreign != nil {
		mains = []scaffold.Main{*facts.Foreign}
	}
	names := []string{"FLYSQL_DB", "DATABASE_URL"}
	for _, m := range mains {
		if v := m.Database.Var; v != "" && !slices.Contains(names, v) {
			names = append(names, v)
		}
	}
	for _, name := range names {
		if value := lookup(env, name); value != "" {
			add(value, name)
		} else if value := dotenv[name]; value != "" {
			add(value, name+" in .env")
		}
	}
	if len(named) > 0 {
		return named[:1], place{} // an app reads its variable first
	}
	for _, m := range mains {
		if m.Database.Default != "" {
			add(m.Database.Default, m.Database.Place)
		}
		if m.Database.Literal != "" && m.Database.DirVar == "" && m.Database.DirFlag == "" {
			add(m.Database.Literal, m.Database.LiteralPlace)
		}
	}
	if facts.Fly != nil {
		for _, name := range names {
			path, err := appdb.Path(facts.Fly.Env[name])
			if err != nil {
				continue
			}
			if _, err := os.Stat(path); err == nil {
				add(path, name+" in fly.toml")
			}
			return named, place{path, name + " in fly.toml"}
		}
	}
	return named, place{}
}

// readDotEnv reads the .env of a repository: NAME=value, a line each.
func readDotEnv(dir string) (map[string]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	data, err := scaffold.ReadText(root, ".env")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read .env: %w", err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		} else if i := strings.Index(value, " #"); i >= 0 {
			value = strings.TrimSpace(value[:i])
		}
		env[strings.TrimSpace(name)] = value
	}
	return env, nil
}

func listed(places []place) string {
	var lines []string
	for _, p := range places {
		lines = append(lines, p.path+"  ("+p.from+")")
	}
	return strings.Join(lines, "\n  ")
}

// lookup finds a variable; the last one of a name wins, as in a shell.
func lookup(env []string, name string) string {
	for _, kv := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

// settings are what flysql-entrypoint's environment says.
type settings struct {
	flysqlDB, databaseURL string

	migrations, tool, table string
	command                 bool   // FLYSQL_MIGRATE: another tool migrates
	litefs                  string // a litefs.yml, "off", or ""
}

// database is the value that counts, and the variable that has it.
func (s settings) database() (value, name string) {
	if s.flysqlDB != "" {
		return s.flysqlDB, "FLYSQL_DB"
	}
	return s.databaseURL, "DATABASE_URL"
}
