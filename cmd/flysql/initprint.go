package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/dustin/go-humanize"

	"github.com/flysql/flysql/internal/scaffold"
)

// say writes one line for people.
func (c *cli) say(format string, a ...any) { fmt.Fprintf(c.stderr, format+"\n", a...) }

// printPlan shows what was found and what would change. A dry run's diff is
// data, for patch -p1; otherwise it goes where the question about it goes.
func (c *cli) printPlan(plan *scaffold.Plan, changes *scaffold.Changes, f *initFlags) error {
	for _, line := range plan.Found {
		c.say("%s", line)
	}
	region := plan.Answers.Region
	if region == scaffold.DefaultRegion && !f.given("region") && !plan.RegionKnown {
		c.say("region      %s, the default: choose the one nearest to your users (fly platform regions)", region)
	} else {
		c.say("region      %s", region)
	}
	for _, note := range plan.Notes {
		c.say("note: %s", note)
	}
	if f.json {
		return nil // the diffs are in it
	}
	out := c.stderr
	if f.dryRun {
		out = c.stdout
	}
	for _, g := range changes.Groups() {
		if g.Single() {
			if err := c.printDiff(out, diffOf(g.Files[0])); err != nil {
				return fmt.Errorf("show the changes: %w", err)
			}
		}
		c.say("%s", summary(g, f.force))
	}
	return nil
}

// diffOf is what is written, or what the user is to write.
func diffOf(f scaffold.Change) string {
	if f.Action == scaffold.Keep {
		return f.AdviceDiff()
	}
	return f.Diff()
}

// printDiffs writes the diffs and nothing else. The copied source is left out:
// nobody wants to read it.
func (c *cli) printDiffs(changes *scaffold.Changes) error {
	for _, g := range changes.Groups() {
		if g.Single() {
			if err := c.printDiff(c.stdout, diffOf(g.Files[0])); err != nil {
				return fmt.Errorf("show the changes: %w", err)
			}
		}
	}
	return nil
}

// check writes what differs to stdout, a line each, unless that is for JSON.
func (c *cli) check(changes *scaffold.Changes, f *initFlags) error {
	differ := 0
	for _, g := range changes.Groups() {
		if g.Action == scaffold.Unchanged {
			continue
		}
		differ++
		what := "differs"
		switch g.Action {
		case scaffold.Create:
			what = "missing"
		case scaffold.Keep:
			what = "lacks lines"
		}
		if !f.json {
			if _, err := fmt.Fprintf(c.stdout, "%-12s%s\n", what, g.Path); err != nil {
				return err
			}
		}
	}
	if differ > 0 {
		return filesDiffer(differ)
	}
	return nil
}

// summary says in one line what happens to a group.
func summary(g scaffold.Group, force bool) string {
	action := string(g.Action)
	if g.Single() {
		if g.Action == scaffold.Overwrite && !force {
			action = "differs"
		}
		if g.Action == scaffold.Keep {
			return fmt.Sprintf("%-9s %s: it is yours, and not written to; it needs the lines above", action, g.Path)
		}
		return fmt.Sprintf("%-9s %s", action, g.Path)
	}
	files, size := g.Size()
	return fmt.Sprintf("%-9s %s (flysql's own source: %d files, %s)", action, g.Path, files, humanize.Bytes(uint64(size)))
}

// printDone says what was done with each file.
func (c *cli) printDone(changes *scaffold.Changes, written bool) {
	kept := ""
	for _, f := range changes.Kept() {
		kept += "add the lines shown above to " + f.Path + "; "
	}
	switch {
	case written:
		c.say("written to %s; %snext:", changes.Dir, kept)
	case kept != "":
		c.say("nothing to write; %snext:", kept)
	default:
		c.say("nothing to do: all files are as flysql init would write them; next:")
	}
}

func conflictText(files []string) string {
	const shown = 5
	text := strings.Join(files[:min(shown, len(files))], ", ")
	if more := len(files) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if len(files) == 1 {
		return text + " exists with other content"
	}
	return text + " exist with other content"
}

// The colours of a diff, by its lines' first characters.
var diffColors = []struct{ prefix, code string }{
	{"---", "1"}, {"+++", "1"}, {"@@", "36"}, {"-", "31"}, {"+", "32"},
}

// printDiff writes a diff. On a terminal it is coloured, and control characters
// that a file may hold are made visible instead of obeyed.
func (c *cli) printDiff(w io.Writer, diff string) error {
	if terminal(w) == nil {
		_, err := io.WriteString(w, diff)
		return err
	}
	colors := c.colors(w)
	var b strings.Builder
	for line := range strings.Lines(visible(diff)) {
		line = strings.TrimSuffix(line, "\n")
		code := ""
		for _, d := range diffColors {
			if strings.HasPrefix(line, d.prefix) {
				code = d.code
				break
			}
		}
		if colors && code != "" {
			line = "\x1b[" + code + "m" + line + "\x1b[0m"
		}
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// visible replaces control characters other than line ends and tabs.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			fmt.Fprintf(&b, "\\x%02x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
