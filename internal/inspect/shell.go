package inspect

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/muesli/cancelreader"
	sqlite3 "modernc.org/sqlite/lib"
)

// ShellOptions are of the built-in prompt.
type ShellOptions struct {
	In       io.Reader
	Out, Err io.Writer
	SQL      string // run this, and read nothing of In
	Mode     string // how rows are shown: one of ShellModes
	ReadOnly bool

	// Prompt shows one, and goes on after an error; otherwise the first error ends the
	// shell, for what follows was written in trust of it.
	Prompt bool
	// Terminal shows control characters instead of passing them on.
	Terminal bool
}

// ShellModes are the ways to show rows.
var ShellModes = []string{"list", "table", "json"}

// maxStatement is how long a statement may be that is typed, or piped, in bytes.
const maxStatement = 64 << 20

// Shell runs the built-in prompt until the input ends, .quit or an error. ctx ends it
// in the middle of a statement, whose transaction is rolled back.
func (d *Database) Shell(ctx context.Context, o ShellOptions) (err error) {
	conn, err := openRaw(d.Path, o.ReadOnly || !d.LiteFS.writes())
	if err != nil {
		return d.explainRaw(err)
	}
	defer func() { err = errors.Join(err, conn.close()) }()
	s := &shell{db: d, conn: conn, o: o, mode: o.Mode}
	if err := s.setUp(ctx); err != nil {
		return d.explainRaw(err)
	}
	if o.SQL != "" {
		return s.execute(ctx, o.SQL)
	}
	return s.loop(ctx)
}

// shell is a run of the built-in prompt.
type shell struct {
	db   *Database
	conn *rawConn
	o    ShellOptions
	mode string
}

// setUp makes the connection as appdb's are.
func (s *shell) setUp(ctx context.Context) error {
	sql := "PRAGMA foreign_keys=ON"
	if l := s.db.LiteFS; l != nil && l.writes() && !s.o.ReadOnly {
		sql += "; PRAGMA synchronous=FULL"
	}
	return s.conn.exec(ctx, sql, func(string, bool) error { return nil }, discard{})
}

// loop reads lines: commands that begin with a point, and statements until their end.
func (s *shell) loop(ctx context.Context) (err error) {
	in, err := cancelreader.NewReader(s.o.In)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { in.Cancel() })
	defer func() {
		stop()
		err = errors.Join(err, in.Close())
	}()
	lines := bufio.NewReader(in)
	var text strings.Builder
	for {
		s.prompt(text.Len() > 0)
		line, readErr := readLine(lines, maxStatement-text.Len())
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			return readErr
		}
		if text.Len() == 0 && strings.HasPrefix(line, ".") {
			if quit, err := s.command(ctx, strings.TrimSpace(line)); quit || err != nil && !s.goesOn(ctx, err) {
				return err
			}
			line = ""
		}
		text.WriteString(line)
		ended := errors.Is(readErr, io.EOF)
		// To look at the whole text after each line would take long where it is long.
		if ended || strings.HasSuffix(strings.TrimSpace(line), ";") && s.conn.complete(text.String()) {
			sql := text.String()
			text.Reset()
			if err := s.execute(ctx, sql); err != nil && !s.goesOn(ctx, err) {
				return err
			}
		}
		if ended {
			return nil
		}
	}
}

// goesOn tells of an error where somebody reads it and can do better.
func (s *shell) goesOn(ctx context.Context, err error) bool {
	if !s.o.Prompt || ctx.Err() != nil {
		return false
	}
	fmt.Fprintf(s.o.Err, "error: %v\n", err)
	return true
}

func (s *shell) prompt(more bool) {
	switch {
	case !s.o.Prompt:
	case more:
		fmt.Fprint(s.o.Err, "   ...> ")
	default:
		fmt.Fprint(s.o.Err, "flysql> ")
	}
}

// readLine reads a line, with its end, of at most limit bytes.
func readLine(r *bufio.Reader, limit int) (string, error) {
	var b strings.Builder
	for {
		part, err := r.ReadSlice('\n')
		if b.Write(part); b.Len() > limit {
			return "", fmt.Errorf("a statement is longer than %d MB", maxStatement>>20)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return b.String(), err
		}
	}
}

// setsJournal finds a statement that would change the journal mode.
var setsJournal = regexp.MustCompile(`(?i)\bpragma\s+(\w+\s*\.\s*)?(journal_mode\s*[=(]|wal_checkpoint)`)

func (s *shell) execute(ctx context.Context, sql string) error {
	if strings.IndexByte(sql, 0) >= 0 {
		return errors.New("a NUL byte in a statement: SQLite would read no further")
	}
	out, err := newOutput(s.o.Out, s.mode, s.o.Terminal)
	if err != nil {
		return err
	}
	err = s.conn.exec(ctx, sql, s.refuse, out)
	return s.db.explainRaw(errors.Join(err, out.flush()))
}

// refuse keeps from statements what they would do harm by.
func (s *shell) refuse(sql string, reads bool) error {
	l := s.db.LiteFS
	switch {
	case l != nil && setsJournal.MatchString(sql):
		return errors.New("on LiteFS neither the journal mode of a database can be changed nor its log moved by hand: replicas break, or nothing of what is written is replicated; export the database, change it, and import it again (litefs export, litefs import)")
	case l != nil && !l.writes() && !reads:
		return errors.New(l.refusal())
	}
	return nil
}

const shellHelp = `statements end with ;
.tables        the tables and views
.schema [NAME] how they were made
.mode MODE     list, table or json
.quit          ends, as the end of the input does
`

// command runs one that begins with a point.
func (s *shell) command(ctx context.Context, line string) (quit bool, err error) {
	words := strings.Fields(line)
	arg := ""
	if len(words) > 1 {
		arg = words[1]
	}
	switch words[0] {
	case ".quit", ".exit":
		return true, nil
	case ".help":
		_, err := io.WriteString(s.o.Out, shellHelp)
		return false, err
	case ".tables":
		return false, s.inList(ctx, `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name;`)
	case ".schema":
		where := ""
		if arg != "" {
			where = " AND lower(tbl_name) = lower('" + strings.ReplaceAll(arg, "'", "''") + "')"
		}
		return false, s.inList(ctx, "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL"+where+" ORDER BY tbl_name, type DESC, name;")
	case ".mode":
		if _, err := newOutput(s.o.Out, arg, false); err != nil {
			return false, err
		}
		s.mode = arg
		return false, nil
	}
	return false, fmt.Errorf("unknown command %q: .help lists them; sqlite3 has more", words[0])
}

func (s *shell) inList(ctx context.Context, sql string) error {
	mode := s.mode
	defer func() { s.mode = mode }()
	s.mode = "list"
	return s.execute(ctx, sql)
}

// explainRaw says what to do about an error of the built-in prompt's connection.
func (d *Database) explainRaw(err error) error {
	var e *sqlError
	if !errors.As(err, &e) {
		return err
	}
	switch e.code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: another process has held its lock for five seconds%s; try again", err, d.holders())
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%s: %w: it is encrypted, or no database", d.Path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR:
		if d.LiteFS != nil {
			return fmt.Errorf("%w: only the primary writes, and this machine may have stopped being it: look with flysql db wal", err)
		}
	case sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("%s: %w%s", d.Path, err, ": its directory must be writable too, for -wal and -shm")
	}
	return err
}
