package dump

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flysql/flysql/internal/move"
)

// section is what a dump has of one database.
type section struct {
	database string
	ddl      *ddl
	data     map[move.Name][]block
	order    []move.Name // of data, as in the dump
	tool     string      // pg_dump's version
}

func newSection(database string) *section {
	return &section{database: database, ddl: newDDL(), data: map[move.Name][]block{}}
}

// empty reports whether nothing of a database of anybody's own is there.
func (s *section) empty() bool {
	c := s.ddl.schema
	return len(s.order) == 0 && len(c.Tables) == 0 && len(c.Views) == 0 && len(c.Functions) == 0 && len(c.Sequences) == 0
}

// withPartitions returns a table and all its partitions, in the dump's order.
func (s *section) withPartitions(table move.Name) []move.Name {
	t := s.ddl.tables[table]
	if t == nil || t.Kind != move.PartitionedTable {
		return []move.Name{table}
	}
	var out []move.Name
	for _, name := range s.order {
		if s.under(name, table) {
			out = append(out, name)
		}
	}
	return out
}

func (s *section) under(name, of move.Name) bool {
	for range 100 { // a bound for dumps that lie
		if name == of {
			return true
		}
		t := s.ddl.tables[name]
		if t == nil || t.PartitionOf == nil {
			return false
		}
		name = *t.PartitionOf
	}
	return false
}

// sectionReader reads a dump for the first time.
type sectionReader struct {
	s        *scanner
	encoding string // that the dump was in, where that was not UTF-8
	current  *section
	sections []*section
	blocks   int
	open     *block // the INSERTs that were read last, if nothing else came between
	head     string // theirs
	width    int    // of their rows; -1 where that is not known yet
	row      row
	begun    int // heads of dumps that have no end yet
	whole    bool
	version  int
	tool     string
}

func readSections(ctx context.Context, src *source) ([]*section, error) {
	r := &sectionReader{s: newScanner(src.name, &contextReader{ctx, io.NewSectionReader(src.file, 0, src.size)}), encoding: src.encoding, current: newSection("")}
	r.sections = []*section{r.current}
	for {
		it, err := r.s.next()
		if err != nil {
			return nil, err
		}
		if it.kind == itemEnd {
			break
		}
		if err := r.item(it); err != nil {
			return nil, err
		}
	}
	if r.begun > 0 || !r.whole {
		return nil, &Error{File: src.name, Line: r.s.line, Reason: `the dump ends without "-- PostgreSQL database dump complete"`, Hint: "it is cut: dump again"}
	}
	for _, s := range r.sections {
		s.ddl.finish(s)
	}
	return slices.DeleteFunc(r.sections, func(s *section) bool { return s.database == "" && s.empty() && len(r.sections) > 1 }), nil
}

func (r *sectionReader) item(it item) error {
	if it.kind != itemInsert && it.kind != itemComment {
		r.open = nil
	}
	switch it.kind {
	case itemComment:
		r.comment(it.text)
	case itemMeta:
		return r.meta(it)
	case itemInsert:
		return r.insert(it)
	case itemStatement:
		return r.statement(it)
	}
	return nil
}

var versionLine = regexp.MustCompile(`^-- Dumped (from database|by pg_dump) version (\d+)\.(\d+)(\.\d+)?`)

func (r *sectionReader) comment(text string) {
	switch text {
	case "-- PostgreSQL database dump":
		r.begun++
	case "-- PostgreSQL database dump complete":
		r.begun, r.whole = max(0, r.begun-1), true
	case "-- PostgreSQL database cluster dump complete":
		r.whole = true
	}
	m := versionLine.FindStringSubmatch(text)
	switch {
	case m == nil:
	case m[1] == "by pg_dump":
		r.tool = strings.TrimPrefix(m[0], "-- Dumped by pg_dump version ")
		r.current.tool = r.tool
	default:
		major, _ := strconv.Atoi(m[2]) // digits, and at worst too many
		minor, _ := strconv.Atoi(m[3])
		if r.version = major*10000 + minor; major < 10 {
			patch, _ := strconv.Atoi(strings.TrimPrefix(m[4], "."))
			r.version = major*10000 + minor*100 + patch
		}
		r.current.ddl.schema.Server.Version = r.version
	}
}

// meta is a line for psql.
func (r *sectionReader) meta(it item) error {
	word, rest, _ := strings.Cut(it.text, " ")
	switch word {
	case `\restrict`, `\unrestrict`:
		return nil
	case `\connect`, `\c`:
		r.connect(connectTo(rest))
		return nil
	}
	return r.s.fail(it.line, it.text, "a command for psql that pg_dump does not write", insertHint)
}

// connectTo is the database that \connect names: `app`, `"a b"`, `-reuse-previous=on
// "dbname='a b'"`.
func connectTo(rest string) string {
	rest = strings.TrimSpace(rest)
	if after, ok := strings.CutPrefix(rest, "-reuse-previous=on "); ok {
		rest = strings.TrimSpace(after)
	}
	rest = strings.TrimSpace(rest)
	if len(rest) > 1 && rest[0] == '"' {
		rest, _ = unquoteName(rest, 1)
	}
	if after, ok := strings.CutPrefix(rest, "dbname="); ok {
		if rest = after; len(rest) > 1 && rest[0] == '\'' {
			rest, _ = unquote(rest, 1, true)
		}
	}
	return rest
}

// connect goes to another database. What CREATE DATABASE has said of it is kept.
func (r *sectionReader) connect(database string) {
	from := r.current
	if from.database == database {
		return
	}
	r.current = newSection(database)
	r.current.tool = r.tool
	if c := from.ddl.created; c.Database == database {
		r.current.ddl.schema.Server, r.current.ddl.settings = c, from.ddl.settings
	}
	r.current.ddl.schema.Server.Version, r.current.ddl.schema.Server.Database = r.version, database
	r.sections = append(r.sections, r.current)
}

func (r *sectionReader) statement(it item) error {
	d := r.current.ddl
	if d.escapes = r.s.escapes; d.escapes {
		it.text = standard(it.text)
	}
	if !utf8.ValidString(it.text) {
		if !spoken(it.text) {
			return r.s.fail(it.line, firstLine([]byte(it.text)), "it is not UTF-8", "dump again with pg_dump --encoding=UTF8")
		}
		it.text = strings.ToValidUTF8(it.text, "\uFFFD")
	}
	p := newParser(d, it.text)
	if p.words("copy") {
		return r.copyStatement(it, p)
	}
	p.statement()
	if p.problem != "" {
		line := it.line + strings.Count(it.text[:p.problemAt], "\n")
		text := it.text[strings.LastIndexByte(it.text[:p.problemAt], '\n')+1:]
		return r.s.fail(line, firstLine([]byte(text)), p.problem, p.hint)
	}
	r.s.escapes = d.escapes
	if d.encoding != "" && foldEncoding(d.encoding) != foldEncoding(r.encoding) && (r.encoding != "" || !asIs(d.encoding)) {
		return r.s.fail(it.line, it.text, "the encoding changes within the dump", "dump again with pg_dump --encoding=UTF8")
	}
	return nil
}

// spoken reports whether a statement only says something to people here: in a database
// of SQL_ASCII it may be in any encoding, and pg_dump cannot tell.
func spoken(text string) bool {
	for _, begin := range []string{"COMMENT ", "CREATE FUNCTION ", "CREATE PROCEDURE "} {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return false
}

func (r *sectionReader) copyStatement(it item, p *parser) error {
	table := p.tableName()
	columns := []string{}
	if p.op("(") {
		columns = p.nameList()
	}
	if !p.words("from", "stdin") || p.kind() != tokEnd {
		return r.s.fail(it.line, it.text, "a COPY that pg_dump does not write", "pg_dump writes COPY table (columns) FROM stdin: dump again")
	}
	if err := r.checkColumns(it, table, columns); err != nil {
		return err
	}
	b, err := r.s.copyRows(len(columns))
	if err != nil {
		return err
	}
	b.columns = columns
	return r.add(table, b)
}

// checkColumns refuses columns that the table does not have.
func (r *sectionReader) checkColumns(it item, table move.Name, columns []string) error {
	t := r.current.ddl.tables[table]
	if t == nil {
		return nil // --data-only
	}
	seen := map[string]bool{}
	for _, c := range columns {
		if t.Column(c) == nil || seen[c] {
			return r.s.fail(it.line, it.text, fmt.Sprintf("%s has no column %q, or it is named twice", table, c), "the dump is damaged or was edited: dump again")
		}
		seen[c] = true
	}
	return nil
}

func (r *sectionReader) add(table move.Name, b block) error {
	if r.blocks++; r.blocks > maxBlocks {
		return r.s.fail(b.line, "", "the rows of the tables alternate more than a million times", "dump again: pg_dump writes table by table")
	}
	s := r.current
	if s.data[table] == nil {
		s.order = append(s.order, table)
	}
	s.data[table] = append(s.data[table], b)
	return nil
}

// defaultValues reports whether an INSERT's head ends so, and not in a table's name such as
// t_default.
func defaultValues(head string) bool {
	const end = "DEFAULT VALUES"
	at := len(head) - len(end)
	return at > 0 && isSpace(head[at-1]) && strings.EqualFold(head[at:], end)
}

// insert reads an INSERT, and adds it to those before it if they are of one table.
func (r *sectionReader) insert(it item) error {
	if r.open == nil || r.head != it.text {
		if err := r.openBlock(it); err != nil {
			return err
		}
	}
	err := r.s.insertRows(it, &r.row, func() error {
		if r.open.rows++; r.width < 0 {
			r.width = r.row.fields
		}
		if r.row.fields != r.width && !r.row.none {
			return r.s.fail(r.row.line, "", fmt.Sprintf("a row of %d values where %d columns are", r.row.fields, r.width), insertHint)
		}
		return nil
	})
	r.open.end = r.s.offset()
	return err
}

// openBlock reads an INSERT's head, and begins a block that those after it with the
// same one extend.
func (r *sectionReader) openBlock(it item) error {
	p := newParser(r.current.ddl, it.text)
	ok := p.words("insert", "into")
	table := p.tableName()
	var columns []string
	if p.op("(") {
		columns = p.nameList()
	}
	_ = p.words("overriding", "system", "value") || p.words("overriding", "user", "value") || p.words("default") // or none of them
	if !ok || p.problem != "" || !p.words("values") {
		return r.s.fail(it.line, firstLine([]byte(it.text)), "an INSERT that pg_dump does not write", insertHint)
	}
	if err := r.checkColumns(it, table, columns); err != nil {
		return err
	}
	t := p.tables[table]
	switch {
	case columns != nil:
		r.width = len(columns)
	case t != nil:
		r.width = len(t.Columns)
	default:
		r.width = -1 // --data-only: the first row says it
	}
	if err := r.add(table, block{kind: insertBlock, columns: columns, start: it.at, end: it.at, line: it.line, escapes: r.s.escapes}); err != nil {
		return err
	}
	blocks := r.current.data[table]
	r.open, r.head = &blocks[len(blocks)-1], it.text
	return nil
}
