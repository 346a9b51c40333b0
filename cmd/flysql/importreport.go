package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/flysql/flysql/internal/move/handover"
	"github.com/flysql/flysql/internal/move/transfer"
)

// tellImport writes what was done: for people, as JSON, and into the file of --report.
func (c *cli) tellImport(f *importFlags, done *importResult) error {
	var errs []error
	if f.json {
		errs = append(errs, writeImportLine(c.stdout, newImportReportJSON(done)))
	} else if done.report != nil {
		errs = append(errs, c.printImportReport(c.stdout, done))
	}
	if f.report != "" {
		errs = append(errs, writeImportReport(f.report, done))
	}
	return errors.Join(errs...)
}

// tablesListed is how many tables a report names.
const tablesListed = 20

func (c *cli) printImportReport(w io.Writer, done *importResult) error {
	r := done.report
	var b strings.Builder
	size := ""
	if info, err := os.Stat(done.job.target); err == nil {
		size = ", " + bytesText(info.Size())
	}
	fmt.Fprintf(&b, "%s: %s rows of %s in %s (%s rows/s)%s\n", flat(done.job.target), humanize.Comma(r.Rows), counted(len(r.Tables), "table"), roundTime(done.took), humanize.Comma(int64(perSecond(r.Rows, done.took))), size)
	if v := r.Verification; v != nil && v.Equal() {
		b.WriteString(verifiedText(v, sourceKind(done.job)))
	}
	b.WriteString(tablesText(r.Tables))
	if r.Kept != "" {
		fmt.Fprintf(&b, "kept what was there as %s\n", flat(filepath.Base(r.Kept)))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", flat(note))
	}
	b.WriteString(givenText(done.given))
	b.WriteString(acceptedText(done.job))
	for _, step := range nextSteps(done) {
		fmt.Fprintf(&b, "%s\n", flat(step))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func sourceKind(job *importJob) string {
	if job.from.live() {
		return "PostgreSQL"
	}
	return "the dump"
}

// tablesText lists tables, as far as somebody wants to read that.
func tablesText(tables []transfer.TableReport) string {
	var b strings.Builder
	for i, t := range tables {
		if i == tablesListed {
			fmt.Fprintf(&b, "  and %d tables more\n", len(tables)-i)
			break
		}
		fmt.Fprintf(&b, "  %12s  %s\n", humanize.Comma(t.Rows), flat(t.Name))
	}
	return b.String()
}

// acceptedText says what is lost, and where that can be read again.
func acceptedText(job *importJob) string {
	_, warnings := countLosses(job.plan)
	text := fmt.Sprintf("accepted: %s, %s", counted(len(job.plan.Dangers()), "danger"), counted(warnings, "warning"))
	text += "; " + flat(filepath.Base(importedPlanFile(job.target))) + " has them, and all choices\n"
	if len(job.plan.Functions) > 0 {
		text += "the app must open it with appdb, whose functions it needs: " + strings.Join(job.plan.Functions, ", ") + "\n"
	}
	return text
}

// givenText says what LiteFS has now.
func givenText(g *handover.Given) string {
	if g == nil {
		return ""
	}
	text := "handed to LiteFS as " + flat(g.Database)
	if g.Position != "" {
		text += ", at " + g.Position
	}
	if g.Kept != "" {
		text += "; what it had is kept as " + flat(filepath.Base(g.Kept))
	}
	return text + "\n"
}

// nextSteps are commands that somebody may want now.
func nextSteps(done *importResult) []string {
	job := done.job
	steps := []string{
		"next:",
		fmt.Sprintf("  flysql verify %s %s  # at any time", shellArgument(job.from.argument()), shellArgument(job.target)),
		fmt.Sprintf("  flysql db check %s", shellArgument(job.target)),
	}
	if done.given == nil && !job.follows {
		steps = append(steps, fmt.Sprintf("  fly ssh sftp put %s /data/%s  # onto an empty volume; see docs/from-postgres.md", shellArgument(job.target), shellArgument(filepath.Base(job.target))))
	}
	return steps
}

// shellArgument quotes what a shell would take apart.
func shellArgument(s string) string {
	if strings.HasPrefix(s, `"$`) || s != "" && !strings.ContainsAny(s, " \t\n'\"\\$`&|;<>()*?[]#~!{}") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
