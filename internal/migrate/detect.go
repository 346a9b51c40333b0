package migrate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// Open finds the migrations in fsys: in its root or, if there are none, in the one directory below it, at
// any depth, that has some (as in an embed.FS). Directories whose names begin with a dot, and
// node_modules, are passed over.
//
// It reads the beginning of every migration (of goose's, all of it) to see which tool it is for and
// whether it runs in a transaction. Files that no tool would run (no number first, or no .sql last) are
// ignored. Whatever is doubtful is an error that names the files: files of two tools, a file without its
// tool's marker, two files of one version, goose migrations written in Go. With nothing to run at all the
// error wraps [ErrNoMigrations].
func Open(fsys fs.FS, o Options) (*Set, error) {
	switch {
	case fsys == nil:
		return nil, errors.New("open migrations: no file system given")
	case o.Tool != "" && defaultTable[o.Tool] == "":
		return nil, fmt.Errorf("open migrations: unknown tool %q; use %s, %s or %s", o.Tool, Goose, GolangMigrate, Dbmate)
	case strings.ContainsRune(o.Table, 0):
		return nil, errors.New("open migrations: a NUL byte in the name of the table")
	}
	d, err := find(fsys)
	if err != nil {
		return nil, err
	}
	tool, err := d.tool(o.Tool)
	if err != nil {
		return nil, err
	}
	s := &Set{fsys: fsys, dir: d.path, tool: tool, table: o.Table, locks: o.Locks, entries: make(map[string]fs.DirEntry)}
	if s.table == "" {
		s.table = defaultTable[tool]
	}
	if s.migrations, err = d.migrations(tool); err != nil {
		return nil, err
	}
	for _, c := range d.sql {
		s.entries[c.entry.Name()] = c.entry
	}
	return s, nil
}

// directory is a directory with files that may be migrations.
type directory struct {
	path string
	sql  []candidate // by name
	code []string    // names of Go files that goose takes for migrations
}

// candidate is an SQL file with a number in front.
type candidate struct {
	entry fs.DirEntry
	path  string // within the fs.FS
	marks marks
}

// marked tells whether one of the tools would know the file for its own.
func (c candidate) marked() bool {
	return c.marks.goose || c.marks.dbmate || golangMigrateName.MatchString(c.entry.Name())
}

var (
	sqlName           = regexp.MustCompile(`^\d.*\.sql$`)
	gooseCodeName     = regexp.MustCompile(`^\d+_.*\.go$`)
	gooseName         = regexp.MustCompile(`^(\d+)_.*\.sql$`)
	golangMigrateName = regexp.MustCompile(`^(\d+)_.*\.(up|down)\.sql$`)
	dbmateName        = regexp.MustCompile(`^(\d+).*\.sql$`)
)

// find returns the directory that holds the migrations.
func find(fsys fs.FS) (*directory, error) {
	root, err := readDirectory(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("open migrations: %w", err)
	}
	if root.holdsMigrations() {
		return root, nil
	}
	unmarked := []*directory{root} // have SQL files, none of which is a migration for sure
	var found []*directory
	err = fs.WalkDir(fsys, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !e.IsDir() || p == "." {
			return nil
		}
		if strings.HasPrefix(e.Name(), ".") || e.Name() == "node_modules" {
			return fs.SkipDir
		}
		d, err := readDirectory(fsys, p)
		if err != nil {
			return err
		}
		if d.holdsMigrations() {
			found = append(found, d)
		} else {
			unmarked = append(unmarked, d)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open migrations: %w", err)
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if len(found) > 1 {
		names := make([]string, len(found))
		for i, d := range found {
			names[i] = d.path
		}
		return nil, fmt.Errorf("open migrations: %s all hold migrations; point to one of them", list(names))
	}
	for _, d := range unmarked {
		if len(d.sql) > 0 {
			return nil, fmt.Errorf("%w: %s is for no tool: %s", ErrNoMigrations, d.sql[0].path, howToMark)
		}
	}
	return nil, fmt.Errorf("%w: no file is named like 0001_create_guests.sql", ErrNoMigrations)
}

const howToMark = `goose needs a line "-- +goose Up" before the first statement, dbmate a line "-- migrate:up", ` +
	`golang-migrate a name that ends in .up.sql`

func (d *directory) holdsMigrations() bool {
	if len(d.code) > 0 {
		return true
	}
	for _, c := range d.sql {
		if c.marked() {
			return true
		}
	}
	return false
}

func readDirectory(fsys fs.FS, dir string) (*directory, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, err
	}
	d := &directory{path: dir}
	buf := bufio.NewReaderSize(nil, lineHead)
	for _, e := range entries {
		name := e.Name()
		switch {
		case e.IsDir():
		case gooseCodeName.MatchString(name) && !strings.HasSuffix(name, "_test.go"):
			d.code = append(d.code, path.Join(dir, name))
		case sqlName.MatchString(name):
			c := candidate{entry: e, path: path.Join(dir, name)}
			if c.marks, err = readHead(fsys, c.path, buf); err != nil {
				return nil, err
			}
			d.sql = append(d.sql, c)
		}
	}
	return d, nil
}

// tool returns the tool that the directory is for: want if that is given.
func (d *directory) tool(want Tool) (Tool, error) {
	example := make(map[Tool]string)
	var plain []string
	for _, c := range d.sql {
		switch {
		case c.marks.bom && (c.marks.goose || c.marks.dbmate):
			return "", fmt.Errorf("%s begins with a byte order mark, which hides the first line from the tool; save it as UTF-8 without one", c.path)
		case want != "":
		case c.marks.goose && c.marks.dbmate:
			return "", fmt.Errorf("%s is marked for goose and for dbmate; say which of them runs it", c.path)
		case c.marks.goose:
			example[Goose] = c.path
		case c.marks.dbmate:
			example[Dbmate] = c.path
		case golangMigrateName.MatchString(c.entry.Name()):
			example[GolangMigrate] = c.path
		default:
			plain = append(plain, c.path)
		}
	}
	if want != "" {
		return want, nil
	}
	tool := Goose // if there are only migrations in Go
	var names []string
	for _, t := range []Tool{Goose, GolangMigrate, Dbmate} {
		if example[t] != "" {
			tool = t
			names = append(names, fmt.Sprintf("%s (%s)", example[t], t))
		}
	}
	if len(names) > 1 {
		return "", fmt.Errorf("%s are for different tools; keep each tool's migrations in a directory of its own", list(names))
	}
	if len(plain) > 0 {
		return "", fmt.Errorf("%s: the other files are for %s, and it would not run %s: %s", list(plain), tool, pronoun(plain), howToMark)
	}
	return tool, nil
}

func pronoun(names []string) string {
	if len(names) == 1 {
		return "this one"
	}
	return "these"
}

// list joins names for a sentence, the first few of many.
func list(names []string) string {
	const limit = 5
	more := ""
	if len(names) > limit {
		more = fmt.Sprintf(" and %d more", len(names)-limit)
		names = names[:limit]
	}
	if n := len(names) - 1; n > 0 && more == "" {
		return strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return strings.Join(names, ", ") + more
}

// marks is what the text of a file says about the tool it is for.
type marks struct {
	goose, dbmate bool // has the marker
	bom           bool // begins with a byte order mark
	gooseNoTx     bool
	dbmateNoTx    bool
}

var dbmateUp = regexp.MustCompile(`^--\s*migrate:up(\s*$|\s+\S+)`)

// readHead reads a file up to the first line that is neither blank nor a comment; a file for goose to its
// end, for goose takes NO TRANSACTION anywhere.
func readHead(fsys fs.FS, name string, buf *bufio.Reader) (marks, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return marks{}, err
	}
	defer f.Close()
	var h marks
	first := true
	err = eachLine(f, buf, func(line []byte) bool {
		if first {
			first = false
			line, h.bom = bytes.CutPrefix(line, []byte("\uFEFF"))
		}
		if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("--")) {
			return h.goose || len(bytes.TrimSpace(line)) == 0
		}
		switch {
		case bytes.Contains(line, []byte("+goose")):
			switch gooseAnnotation(line) {
			case "UP":
				h.goose = true
			case "NO TRANSACTION":
				h.gooseNoTx = true
			}
		case !h.dbmate && dbmateUp.Match(line):
			h.dbmate = true
			for _, option := range bytes.Fields(line) {
				h.dbmateNoTx = h.dbmateNoTx || string(option) == "transaction:false"
			}
		}
		return true
	})
	if err != nil {
		return h, fmt.Errorf("read %s: %w", name, err)
	}
	return h, nil
}

// gooseAnnotation returns what goose reads in a comment line with "+goose" in it, in upper case.
func gooseAnnotation(line []byte) string {
	s := strings.ReplaceAll(string(line), "--", "")
	return strings.ToUpper(strings.TrimSpace(strings.Replace(s, "+goose", "", 1)))
}
