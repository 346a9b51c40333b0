package doctor

import (
	"regexp"
	"strings"
)

// shrinking are statements that make a database smaller. With auto_vacuum at
// INCREMENTAL, only incremental_vacuum does.
var shrinking = regexp.MustCompile(`(?i)(?:^|;)\s*(?:(VACUUM)\b(\s+INTO\b|\s+[\w"]+\s+INTO\b)?|(PRAGMA)\s+(?:[\w"]+\s*\.\s*)?(?:(incremental_vacuum)\b|(auto_vacuum)\s*[=(]\s*['"]?(?:0*1|FULL)\b))`)

// checkVacuum: FLY414.
func checkVacuum(c *checker) {
	if c.Facts == nil || !c.runsLiteFS() {
		return
	}
	for _, name := range c.Facts.Migrations {
		data, err := c.read(name)
		if err != nil {
			continue // that it cannot be read is for the tool to say
		}
		at, statement := shrinks(string(data))
		if statement == "" {
			continue
		}
		c.sources[name] = data
		line, col := lineAt(data, at)
		f := c.report(c.at(name, line, col, ""), "%s makes the database smaller: in WAL mode, LiteFS v0.5.14 panics at the end of a transaction that does so by more than about 1 MiB", statement).
			hint("take it out: SQLite uses the free pages again; where it must be, run it with journal_mode delete")
		if c.LiteFS != nil {
			f.also(c.inFile(&c.LiteFS.TextFile), "LiteFS")
		}
	}
}

// shrinks finds the first statement that makes a database smaller, and where it
// begins; empty where there is none.
func shrinks(script string) (at int, statement string) {
	script = plainSQL(script)
	for _, m := range shrinking.FindAllStringSubmatchIndex(script, -1) {
		switch {
		case m[4] >= 0: // INTO, which writes a copy
		case m[2] >= 0:
			return m[2], "VACUUM"
		case m[8] >= 0:
			return m[6], "PRAGMA incremental_vacuum"
		default:
			return m[6], "PRAGMA auto_vacuum = FULL"
		}
	}
	return 0, ""
}

// plainSQL is a script with spaces in place of its comments, and of the semicolons in
// its strings and quoted names: each byte stays where it is.
func plainSQL(script string) string {
	out := []byte(strings.Replace(script, "\xef\xbb\xbf", "   ", 1))
	for i := 0; i < len(script); {
		rest, end := script[i:], 1
		comment := true
		switch {
		case strings.HasPrefix(rest, "--"):
			end = through(rest, 2, "\n")
		case strings.HasPrefix(rest, "/*"):
			end = through(rest, 2, "*/")
		case strings.ContainsAny(rest[:1], "'\"`"):
			end, comment = through(rest, 1, rest[:1]), false
		default:
			i++
			continue
		}
		for j := i; j < i+end; j++ {
			if comment && out[j] != '\n' || out[j] == ';' {
				out[j] = ' '
			}
		}
		i += end
	}
	return string(out)
}

// through is the length of s up to the end of the first mark from an offset on; all
// of it where there is none.
func through(s string, from int, mark string) int {
	if i := strings.Index(s[from:], mark); i >= 0 {
		return from + i + len(mark)
	}
	return len(s)
}
