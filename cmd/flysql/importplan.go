package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// lossColors are the colours of losses.
var lossColors = map[move.Severity]string{move.Warning: yellow, move.Danger: red}

// printImportPlan writes what becomes of a database: each table with its columns, keys,
// indexes and losses, then the views, and what is not carried.
func (c *cli) printImportPlan(w io.Writer, job *importJob) error {
	p := &importText{plan: job.plan, schema: job.source.Schema(), colors: c.colors(w), about: about(job), losses: map[string][]move.Loss{}}
	for _, l := range job.plan.Losses {
		p.losses[l.Where] = append(p.losses[l.Where], l)
	}
	p.head(job)
	for _, t := range job.plan.Tables {
		p.table(t)
	}
	p.views()
	p.types()
	p.others()
	p.left()
	p.mismatches()
	p.sums()
	_, err := io.WriteString(w, p.b.String())
	return err
}

// importText is a plan under way to a person.
type importText struct {
	b      strings.Builder
	plan   *move.Plan
	schema *move.Schema
	colors bool
	about  string
	losses map[string][]move.Loss // by where; without those that have been written
}

func (p *importText) line(format string, a ...any) {
	p.b.WriteString(flat(fmt.Sprintf(format, a...)) + "\n")
}

// flat is visible in one line: a name may have line ends in it.
func flat(s string) string { return strings.ReplaceAll(visible(s), "\n", `\n`) }

// definition writes somebody's SQL, indented.
func (p *importText) definition(sql, indent string) {
	for line := range strings.Lines(strings.TrimSpace(sql)) {
		p.line("%s%s", indent, strings.TrimRight(line, "\r\n"))
	}
}

func (p *importText) head(job *importJob) {
	s := p.plan.Source
	to := ""
	if job.target != "" {
		to = " -> " + job.target
	}
	p.line("%s%s", job.from.shown, to)
	var about []string
	for _, a := range []struct{ name, value string }{{"database ", s.Database}, {"PostgreSQL ", majorVersion(s.Version)}, {"", s.Encoding}, {"", s.Collation}} {
		if a.value != "" {
			about = append(about, a.name+a.value)
		}
	}
	p.line("%s", strings.Join(about, ", "))
	if job.planFile != "" {
		p.line("choices: %s", job.planFile)
	}
	if job.schemaOf != "" {
		p.line("into the schema of %s", job.schemaOf)
	}
	if job.target != "" && job.target != job.schemaOf {
		if _, err := os.Lstat(job.target); err == nil {
			p.line("%s is there: --replace keeps it beside, as %s.before-import", job.target, filepath.Base(job.target))
		}
	}
	p.line("of each column: its name, what it is in PostgreSQL, what in SQLite, its form")
}

// majorVersion is "15" of 150004, and "" of a server that nobody knows.
func majorVersion(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n / 10000)
}

// rowsText is "1 row", "12,000 rows".
func rowsText(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return humanize.Comma(n) + " rows"
}

// about stands before a number of rows that is an estimate, and not counted in a dump.
func about(job *importJob) string {
	if job.from.live() {
		return "about "
	}
	return ""
}

// table writes one table.
func (p *importText) table(t *move.TablePlan) {
	p.line("")
	size := ""
	if t.Source.Rows >= 0 {
		size = fmt.Sprintf("  (%s%s, %s)", p.about, rowsText(t.Source.Rows), bytesText(t.Source.Bytes))
	}
	p.line("%s -> %s%s", t.Source, t.Name, size)
	if t.Where != "" {
		p.line("  only rows with %s", t.Where)
	}
	var b strings.Builder
	tabs := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, c := range t.Columns {
		name := c.Name
		if c.Name != c.Source.Name {
			name = c.Source.Name + " -> " + c.Name
		}
		form := c.Form.Name
		if others := slices.DeleteFunc(slices.Clone(c.Forms), func(f string) bool { return f == c.Form.Name }); len(others) > 0 {
			form += " (or " + strings.Join(others, ", ") + ")"
		}
		fmt.Fprintf(tabs, "  %s\t%s\t%s\t%s\n", cellText(name), cellText(c.Source.Describe()), cellText(t.Declared(c)), cellText(form))
	}
	tabs.Flush() // into memory
	p.b.WriteString(b.String())
	p.keys(t)
	where := []string{t.Source.String()}
	for _, c := range t.Source.Columns {
		where = append(where, t.Source.String()+"."+pgexpr.PgIdent(c.Name))
	}
	for _, c := range t.Source.Constraints {
		where = append(where, t.Source.String()+"."+pgexpr.PgIdent(c.Name))
	}
	for _, i := range t.Source.Indexes {
		where = append(where, t.Source.String()+"."+pgexpr.PgIdent(i.Name))
	}
	p.writeLosses(where, t.Source.String()+".")
}

// cellText keeps a cell in its line and its column.
func cellText(s string) string {
	const most = 100
	return shorten(visible(strings.Join(strings.Fields(s), " ")), most)
}

func (p *importText) keys(t *move.TablePlan) {
	if len(t.Key) > 0 && !slices.ContainsFunc(t.Columns, func(c *move.ColumnPlan) bool { return c.RowID }) {
		p.line("  primary key (%s)", strings.Join(t.Key, ", "))
	}
	if t.Counts {
		p.line("  the next key is above %d", t.Seed)
	}
	for _, c := range t.Constraints() {
		p.line("  %s", strings.Join(strings.Fields(c), " "))
	}
	for _, i := range t.Indexes {
		p.line("  %s", strings.Join(strings.Fields(i.Create), " "))
	}
}

// writeLosses writes the losses of some places, those that say the same in one line.
func (p *importText) writeLosses(where []string, prefix string) {
	type same struct{ id, message, change string }
	var order []same
	places, severity := map[same][]string{}, map[same]move.Severity{}
	for _, w := range where {
		for _, l := range p.losses[w] {
			s := same{l.ID, l.Message, l.Switch}
			if places[s] == nil {
				order = append(order, s)
			}
			place := strings.TrimPrefix(l.Where, prefix)
			if !slices.Contains(places[s], place) {
				places[s] = append(places[s], place)
			}
			severity[s] = l.Severity
		}
		delete(p.losses, w)
	}
	for _, s := range order {
		text := strings.Join(places[s], ", ") + ": " + s.message
		if s.change != "" {
			text += "; or " + s.change
		}
		p.b.WriteString("  " + p.severity(severity[s]) + " " + flat(text) + " [" + s.id + "]\n")
	}
}

func (p *importText) severity(s move.Severity) string {
	text := fmt.Sprintf("%-7s", s)
	if code := lossColors[s]; p.colors && code != "" {
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	return text
}

func (p *importText) views() {
	for _, v := range p.plan.Views {
		p.line("")
		p.line("%s -> %s  (view)", v.Source, v.Name)
		p.definition(v.Create, "  ")
		p.writeLosses([]string{v.Source.String()}, "")
	}
}

// types says where the types went that somebody has made.
func (p *importText) types() {
	if p.plan.Existing != nil {
		return // the schema is somebody else's
	}
	if len(p.schema.Enums)+len(p.schema.Domains) > 0 {
		p.line("")
	}
	for _, e := range p.schema.Enums {
		p.line("enum %s: each column of it is text with a CHECK of its %s", e.Name, counted(len(e.Labels), "label"))
	}
	for _, d := range p.schema.Domains {
		p.line("domain %s: each column of it is %s, with the domain's default and checks", d.Name, d.Type.SQL)
	}
}

// others writes the losses that belong to nothing above.
func (p *importText) others() {
	if len(p.losses) == 0 {
		return
	}
	p.line("")
	p.line("the database as a whole:")
	p.writeLosses(slices.Sorted(maps.Keys(p.losses)), "")
}

func (p *importText) left() {
	if len(p.plan.Left) == 0 {
		return
	}
	p.line("")
	p.line("not carried:")
	for _, l := range p.plan.Left {
		p.b.WriteString("  " + p.severity(l.Severity) + " " + flat(l.Kind+" "+l.Name+": "+l.Reason) + "\n")
		p.definition(l.Definition, "            ")
	}
}

// sums ends a plan: what there is of everything, and apart from it what is worst.
func (p *importText) sums() {
	var rows, size int64
	indexes, known := 0, true
	for _, t := range p.plan.Tables {
		known = known && t.Source.Rows >= 0
		rows, size = rows+max(t.Source.Rows, 0), size+t.Source.Bytes
		indexes += len(t.Indexes)
	}
	about := ""
	if known {
		about = fmt.Sprintf(", %s%s in %s", p.about, rowsText(rows), bytesText(size))
	}
	p.line("")
	if p.plan.Existing != nil {
		p.line("%s%s", counted(len(p.plan.Tables), "table"), about)
	} else {
		p.line("%s%s; %s; %s", counted(len(p.plan.Tables), "table"), about, countedIndexes(indexes), counted(len(p.plan.Views), "view"))
	}
	if len(p.plan.Functions) > 0 {
		p.line("the app must open the database with appdb, whose functions it needs: %s", strings.Join(p.plan.Functions, ", "))
	}
	notes, warnings := countLosses(p.plan)
	dangers := p.plan.Dangers()
	p.line("%s (the same data in another shape), %s (a query may give another answer), %s", counted(notes, "note"), counted(warnings, "warning"), counted(len(dangers), "danger"))
	if stops := countStops(p.plan); stops > 0 {
		p.line("%s between the two schemas, told above: nothing is copied", counted(stops, "danger"))
	}
	if len(dangers) == 0 {
		return
	}
	p.line("")
	p.line("data or guarantees that are gone:")
	for _, d := range dangers {
		p.b.WriteString("  " + p.severity(move.Danger) + " " + flat(d) + "\n")
	}
}

// countStops counts what of the two schemas ends the import.
func countStops(p *move.Plan) (n int) {
	for _, m := range p.Mismatches {
		if m.Severity == move.Danger {
			n++
		}
	}
	return n
}

// countLosses counts what is carried otherwise, and what is not carried, but for dangers.
func countLosses(p *move.Plan) (notes, warnings int) {
	count := map[move.Severity]int{}
	for _, l := range p.Losses {
		count[l.Severity]++
	}
	for _, l := range p.Left {
		count[l.Severity]++
	}
	return count[move.Note], count[move.Warning]
}

func countedIndexes(n int) string {
	if n == 1 {
		return "1 index"
	}
	return fmt.Sprintf("%d indexes", n)
}
