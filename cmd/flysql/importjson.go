package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
)

// What flysql import --json prints. docs/from-postgres.md documents it; it only ever grows.

type importPlanJSON struct {
	Source    importSourceJSON `json:"source"`
	Database  string           `json:"database"`  // the file to be made; empty where none was named
	PlanFile  string           `json:"plan_file"` // whose choices were read; empty: none
	Tables    []planTableJSON  `json:"tables"`
	Views     []planViewJSON   `json:"views"`
	Losses    []planLossJSON   `json:"losses"`
	Left      []planLeftJSON   `json:"left"`
	Dangers   int              `json:"dangers"`    // of losses and left
	Mismatch  []mismatchJSON   `json:"mismatches"` // of a schema of the app's own; where one is danger, nothing is copied
	Functions []string         `json:"functions"`  // of appdb, that the app needs
	SQL       []string         `json:"sql"`        // what makes the database, in order
	Options   string           `json:"options"`    // what --plan-out writes
}

type importSourceJSON struct {
	Kind      string `json:"kind"`    // postgres or dump
	Address   string `json:"address"` // without a password; of a dump its name
	Name      string `json:"name"`    // of the database
	Version   int    `json:"version"` // 150004 is 15.4; 0: not known
	Encoding  string `json:"encoding"`
	Collation string `json:"collation"`
	Snapshot  string `json:"snapshot"` // what moment its rows are of
}

type planTableJSON struct {
	Source      string           `json:"source"` // as PostgreSQL prints it
	Name        string           `json:"name"`
	Rows        *int64           `json:"rows"`  // estimated, or counted in a dump; null: not known
	Bytes       int64            `json:"bytes"` // in PostgreSQL, or in the dump
	Where       string           `json:"where"`
	Columns     []planColumnJSON `json:"columns"`
	Key         []string         `json:"key"`
	Constraints []string         `json:"constraints"` // checks and foreign keys, beside those of columns
	Indexes     []planIndexJSON  `json:"indexes"`
	NextAbove   *int64           `json:"next_above"` // AUTOINCREMENT goes on above it; null: it does not count
	Create      string           `json:"create"`
}

type planColumnJSON struct {
	Source      string   `json:"source"`
	Name        string   `json:"name"`
	Type        string   `json:"type"`        // PostgreSQL's, with NOT NULL, default and the like
	Declaration string   `json:"declaration"` // SQLite's
	Form        string   `json:"form"`
	Forms       []string `json:"forms"`  // all that there are
	Copied      bool     `json:"copied"` // false: SQLite computes it
}

type planIndexJSON struct {
	Source string `json:"source"`
	Name   string `json:"name"`
	Create string `json:"create"`
}

type planViewJSON struct {
	Source string `json:"source"`
	Name   string `json:"name"`
	Create string `json:"create"`
}

type planLossJSON struct {
	ID       string `json:"id"`
	Severity string `json:"severity"` // note, warning, danger
	Where    string `json:"where"`
	Message  string `json:"message"`
	Switch   string `json:"switch"` // what would change it; empty: nothing
}

type planLeftJSON struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Severity   string `json:"severity"`
	Reason     string `json:"reason"`
	Definition string `json:"definition"`
}

func newImportSourceJSON(job *importJob) importSourceJSON {
	s := job.plan.Source
	kind := "postgres"
	if !job.from.live() {
		kind = "dump"
	}
	return importSourceJSON{kind, job.from.shown, s.Database, s.Version, s.Encoding, s.Collation, job.source.Snapshot()}
}

func writeImportPlanJSON(w io.Writer, job *importJob) error {
	p := job.plan
	out := importPlanJSON{Source: newImportSourceJSON(job), Database: job.target, PlanFile: job.planFile, Tables: []planTableJSON{}, Views: []planViewJSON{},
		Losses: lossesJSON(p), Left: leftJSON(p), Mismatch: mismatchesJSON(p, nil), Dangers: len(p.Dangers()), Functions: append([]string{}, p.Functions...), SQL: append([]string{}, p.DDL()...), Options: string(p.TOML())}
	for _, t := range p.Tables {
		out.Tables = append(out.Tables, newPlanTableJSON(t))
	}
	for _, v := range p.Views {
		out.Views = append(out.Views, planViewJSON{v.Source.String(), v.Name, v.Create})
	}
	return encodeJSON(w, out)
}

func newPlanTableJSON(t *move.TablePlan) planTableJSON {
	out := planTableJSON{Source: t.Source.String(), Name: t.Name, Bytes: t.Source.Bytes, Where: t.Where, Columns: []planColumnJSON{}, Key: append([]string{}, t.Key...),
		Constraints: append([]string{}, t.Constraints()...), Indexes: []planIndexJSON{}, Create: t.Create}
	if t.Source.Rows >= 0 {
		out.Rows = &t.Source.Rows
	}
	if t.Counts {
		out.NextAbove = &t.Seed
	}
	for _, c := range t.Columns {
		out.Columns = append(out.Columns, planColumnJSON{c.Source.Name, c.Name, c.Source.Describe(), t.Declaration(c), c.Form.Name, append([]string{}, c.Forms...), c.Generated == ""})
	}
	for _, i := range t.Indexes {
		out.Indexes = append(out.Indexes, planIndexJSON(i))
	}
	return out
}

func lossesJSON(p *move.Plan) []planLossJSON {
	out := []planLossJSON{}
	for _, l := range p.Losses {
		out = append(out, planLossJSON{l.ID, string(l.Severity), l.Where, l.Message, l.Switch})
	}
	return out
}

func leftJSON(p *move.Plan) []planLeftJSON {
	out := []planLeftJSON{}
	for _, l := range p.Left {
		out = append(out, planLeftJSON{l.Kind, l.Name, string(l.Severity), l.Reason, l.Definition})
	}
	return out
}

// importReportJSON is the last line, and what --report writes.
type importReportJSON struct {
	Event     string           `json:"event"` // "report"
	Done      bool             `json:"done"`
	Error     string           `json:"error"` // empty: none
	Source    importSourceJSON `json:"source"`
	Database  string           `json:"database"`
	PlanFile  string           `json:"plan_file"` // what was chosen, written beside the database
	Rows      int64            `json:"rows"`
	Bytes     int64            `json:"bytes"`      // of rows, as PostgreSQL prints them
	FileBytes int64            `json:"file_bytes"` // of the database
	Seconds   float64          `json:"seconds"`
	PerSecond float64          `json:"rows_per_second"`
	Tables    []importedJSON   `json:"tables"`
	Kept      string           `json:"kept"` // the file that was there before; empty: there was none
	Notes     []string         `json:"notes"`
	Losses    []planLossJSON   `json:"losses"`
	Left      []planLeftJSON   `json:"left"`
	Mismatch  []mismatchJSON   `json:"mismatches"`
	Functions []string         `json:"functions"`
	Verified  *verdictJSON     `json:"verification"` // null where it did not come to that
	LiteFS    *givenJSON       `json:"litefs"`       // null: not handed to LiteFS
}

type givenJSON struct {
	Database string `json:"database"`
	Position string `json:"position"` // empty: the mount is not here
	Kept     string `json:"kept"`     // the file with what LiteFS had; empty: nothing
}

type importedJSON struct {
	Source string `json:"source"`
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
}

func newImportReportJSON(done *importResult) importReportJSON {
	job := done.job
	out := importReportJSON{Event: "report", Done: done.err == nil, Source: newImportSourceJSON(job), Database: job.target, Seconds: seconds(done.took), Tables: []importedJSON{},
		Notes: []string{}, Losses: lossesJSON(job.plan), Left: leftJSON(job.plan), Mismatch: mismatchesJSON(job.plan, done.err), Functions: append([]string{}, job.plan.Functions...)}
	if done.err != nil {
		out.Error = done.err.Error()
	}
	out.Verified = newVerdictJSON(verificationOf(done))
	if g := done.given; g != nil {
		given := givenJSON(*g)
		out.LiteFS = &given
	}
	r := done.report
	if r == nil {
		return out
	}
	out.PlanFile = importedPlanFile(job.target)
	out.Rows, out.Bytes, out.PerSecond, out.Kept = r.Rows, r.Bytes, perSecond(r.Rows, done.took), r.Kept
	out.Notes = append(out.Notes, r.Notes...)
	for _, t := range r.Tables {
		out.Tables = append(out.Tables, importedJSON(t))
	}
	if info, err := os.Stat(job.target); err == nil {
		out.FileBytes = info.Size()
	}
	return out
}

// writeImportLine writes a value in one line.
func writeImportLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// writeImportReport writes the file of --report.
func writeImportReport(file string, done *importResult) error {
	data, err := json.MarshalIndent(newImportReportJSON(done), "", "  ")
	if err == nil {
		err = writeWhole(file, append(data, '\n'))
	}
	if err != nil && done.err == nil {
		return fmt.Errorf("the import is done, and its report could not be written: %w", err)
	}
	return err
}

// verdictJSON is what a comparison has found.
type verdictJSON struct {
	Equal  bool               `json:"equal"`
	Tables []tableVerdictJSON `json:"tables"`
}

type tableVerdictJSON struct {
	Source      string              `json:"source"`
	Name        string              `json:"name"`
	Equal       bool                `json:"equal"`
	Rows        transfer.Pair       `json:"rows"` // on both sides
	Columns     []columnVerdictJSON `json:"columns"`
	SameRows    bool                `json:"same_rows"`   // the values stand together as they did
	Differences []rowDifferenceJSON `json:"differences"` // some rows at least, where there are any
	More        bool                `json:"more"`        // there are others
}

type columnVerdictJSON struct {
	Name      string        `json:"name"`
	Nulls     transfer.Pair `json:"nulls"`
	Same      bool          `json:"same"`
	Unchecked string        `json:"unchecked"` // why nothing can be said; empty: it was compared
}

type rowDifferenceJSON struct {
	Key     []string `json:"key"`  // the row's; empty where the table has none
	Kind    string   `json:"kind"` // missing, extra, changed
	Columns []string `json:"columns"`
	Count   int      `json:"count"`
}

func newVerdictJSON(v *transfer.Verification) *verdictJSON {
	if v == nil {
		return nil
	}
	out := &verdictJSON{Equal: v.Equal(), Tables: []tableVerdictJSON{}}
	for _, t := range v.Tables {
		one := tableVerdictJSON{Source: t.Source, Name: t.Name, Equal: t.Equal(), Rows: t.Rows, Columns: []columnVerdictJSON{}, SameRows: t.SameRows, Differences: []rowDifferenceJSON{}, More: t.More}
		for _, c := range t.Columns {
			one.Columns = append(one.Columns, columnVerdictJSON(c))
		}
		for _, d := range t.Differences {
			one.Differences = append(one.Differences, rowDifferenceJSON{append([]string{}, d.Key...), d.Kind, append([]string{}, d.Columns...), d.Count})
		}
		out.Tables = append(out.Tables, one)
	}
	return out
}
