package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/flysql/flysql/internal/doctor"
)

// The colours of severities.
var severityColors = map[doctor.Severity]string{doctor.Error: "1;31", doctor.Warning: "1;33", doctor.Note: "1;36"}

// printFindings writes the findings as text, with the line that each is about.
func (c *cli) printFindings(w io.Writer, r *doctor.Report, f *doctorFlags) error {
	colors := c.colors(w)
	var b strings.Builder
	shown := 0
	for _, finding := range r.Findings {
		if finding.Severity > f.least {
			continue
		}
		shown++
		severity := finding.Severity.String()
		if colors {
			severity = "\x1b[" + severityColors[finding.Severity] + "m" + severity + "\x1b[0m"
		}
		fmt.Fprintf(&b, "%s: %s %s: %s\n", visible(finding.Place.String()), severity, finding.Rule.ID, visible(finding.Rule.Title))
		writeIndented(&b, finding.Excerpt)
		writeIndented(&b, finding.Message)
		for _, other := range finding.Related {
			fmt.Fprintf(&b, "  and %s: %s\n", visible(other.Place.String()), visible(other.Message))
			writeIndented(&b, other.Excerpt)
		}
		writeIndented(&b, "why: "+finding.Rule.Why)
		if finding.Fix != "" {
			writeIndented(&b, "fix: "+finding.Fix)
		}
		if finding.Fixable() {
			writeIndented(&b, "     flysql doctor --fix does it")
		}
		b.WriteString("\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	c.sayCounts(r, f, shown)
	return nil
}

func writeIndented(b *strings.Builder, text string) {
	for line := range strings.Lines(text) {
		b.WriteString("  " + visible(strings.TrimRight(line, "\n")) + "\n")
	}
}

// sayCounts ends the text with what there was.
func (c *cli) sayCounts(r *doctor.Report, f *doctorFlags, shown int) {
	var parts []string
	for _, s := range []doctor.Severity{doctor.Error, doctor.Warning, doctor.Note} {
		if n := r.Count(s); n > 0 {
			parts = append(parts, counted(n, s.String()))
		}
	}
	if n := len(r.Ignored); n > 0 {
		parts = append(parts, fmt.Sprintf("%d ignored by comments", n))
	}
	if len(parts) == 0 {
		parts = append(parts, "no findings")
	}
	text := strings.Join(parts, ", ")
	if files := r.Files(); len(files) > 0 {
		text = strings.Join(files, ", ") + ": " + text
	}
	fixable := 0
	for _, finding := range r.Findings {
		if finding.Fixable() {
			fixable++
		}
	}
	if fixable > 0 && !f.fix {
		text += fmt.Sprintf("; flysql doctor --fix mends %d", fixable)
	}
	if hidden := len(r.Findings) - shown; hidden > 0 {
		text += fmt.Sprintf("; --severity note shows %d more", hidden)
	}
	c.say("%s", visible(text))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// printRules lists the rules.
func (c *cli) printRules(f *doctorFlags) error {
	if f.json {
		return writeRulesJSON(c.stdout)
	}
	var b strings.Builder
	for _, rule := range doctor.Rules() {
		fmt.Fprintf(&b, "%s  %-7s  %s\n", rule.ID, rule.Severity, rule.Title)
	}
	_, err := io.WriteString(c.stdout, b.String())
	return err
}
