package doctor

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// ignoreComment is a comment that says that a finding is meant to be so:
//
//	# flysql:ignore FLY112 the cache can be lost
//
// It is for the line that it ends or stands above. In the block of comments that a
// file begins with, set off by an empty line, it is for the whole file. Go files and
// go.mod write // for #, SQL files --.
type ignoreComment struct {
	file   string
	line   int
	first  int // the lines that it is for; 0: the whole file
	last   int
	ids    []string
	reason string
	used   map[string]bool
}

var (
	ignoreMark = regexp.MustCompile(`^\s*#?\s*flysql:ignore\b[ \t]*(.*)$`)
	ruleID     = regexp.MustCompile(`^FLY[0-9]+,?$`)
)

// commentMark begins a comment of a file; empty where it has none.
func commentMark(name string) string {
	switch path.Ext(name) {
	case ".json":
		return ""
	case ".go", ".mod":
		return "//"
	case ".sql":
		return "--"
	}
	return "#"
}

// wholeLines tells of a file whose comments are lines of their own: the Dockerfile
// and what Docker reads beside it take a # behind something for a part of it.
func (a *App) wholeLines(name string) bool {
	return a.Docker != nil && name == a.Docker.Name || a.Ignore != nil && name == a.Ignore.Name
}

// ignores reads the comments of a file.
func (a *App) ignores(name string) []*ignoreComment {
	mark := commentMark(name)
	if mark == "" {
		return nil
	}
	var out []*ignoreComment
	lines := strings.Split(string(a.sources[name]), "\n")
	head, below := headLines(lines, mark), belowComments(lines, mark)
	for i, line := range lines {
		m := ignoreIn(line, mark, a.wholeLines(name))
		if m == nil {
			continue
		}
		c := &ignoreComment{file: name, line: i + 1, first: i + 1, last: i + 1, used: map[string]bool{}}
		words := strings.Fields(m[1])
		for len(words) > 0 && ruleID.MatchString(words[0]) {
			c.ids = append(c.ids, strings.TrimSuffix(words[0], ","))
			words = words[1:]
		}
		c.reason = strings.Join(words, " ")
		switch whole := isComment(line, mark); {
		case whole && i < head:
			c.first, c.last = 0, len(lines)
		case whole:
			c.last = below[i]
		}
		out = append(out, c)
	}
	return out
}

// ignoreIn finds the comment in a line.
func ignoreIn(line, mark string, whole bool) []string {
	line = strings.TrimRight(line, "\r")
	for i := 0; ; i += len(mark) {
		next := strings.Index(line[i:], mark)
		if next < 0 {
			return nil
		}
		i += next
		if before := line[:i]; whole && strings.TrimSpace(before) != "" || before != "" && strings.TrimRight(before, " \t") == before {
			continue
		}
		if m := ignoreMark.FindStringSubmatch(line[i+len(mark):]); m != nil {
			return m
		}
	}
}

// headLines counts the lines of the comments that a file begins with, where an
// empty line sets them off.
func headLines(lines []string, mark string) int {
	for i, line := range lines {
		if strings.TrimSpace(line) == "" {
			return i
		}
		if !isComment(line, mark) {
			return 0
		}
	}
	return 0
}

// belowComments gives for each line the number of the first one from there on that is
// no comment, or of the last line.
func belowComments(lines []string, mark string) []int {
	out := make([]int, len(lines))
	for i := len(lines) - 1; i >= 0; i-- {
		out[i] = i + 1
		if i+1 < len(lines) && isComment(lines[i], mark) {
			out[i] = out[i+1]
		}
	}
	return out
}

func isComment(line, mark string) bool { return strings.HasPrefix(strings.TrimSpace(line), mark) }

// ignore takes out what comments ignore, and adds what is wrong with the comments.
func (c *checker) ignore(list []*Finding) (kept, ignored []*Finding) {
	var comments []*ignoreComment
	for _, name := range slices.Sorted(maps.Keys(c.sources)) {
		comments = append(comments, c.ignores(name)...)
	}
	for _, f := range list {
		if c.ignored(f, comments) {
			ignored = append(ignored, f)
		} else {
			kept = append(kept, f)
		}
	}
	c.findings = nil
	c.rule, _ = RuleByID("FLY006")
	for _, comment := range comments {
		c.checkIgnore(comment)
	}
	kept = append(kept, c.findings...)
	sortFindings(kept)
	return kept, ignored
}

func (c *checker) ignored(f *Finding, comments []*ignoreComment) bool {
	places := []Place{f.Place}
	for _, r := range f.Related {
		places = append(places, r.Place)
	}
	found := false
	for _, comment := range comments {
		if comment.reason == "" || !slices.Contains(comment.ids, f.Rule.ID) {
			continue
		}
		for _, p := range places {
			if p.File == comment.file && p.Line >= comment.first && p.Line <= comment.last {
				comment.used[f.Rule.ID] = true
				found = true
			}
		}
	}
	return found
}

// checkIgnore reports a comment that ignores nothing.
func (c *checker) checkIgnore(comment *ignoreComment) {
	at := c.at(comment.file, comment.line, 1, "")
	switch {
	case len(comment.ids) == 0:
		c.report(at, "the comment names no rule: write %s flysql:ignore FLY101 and why", commentMark(comment.file))
		return
	case comment.reason == "":
		c.report(at, "the comment gives no reason, and ignores nothing without one: write it behind %s", strings.Join(comment.ids, " "))
		return
	}
	for _, id := range comment.ids {
		rule, ok := RuleByID(id)
		if ok && rule.Remote && c.Remote == nil {
			continue // nobody has looked
		}
		if !ok {
			c.report(at, "there is no rule %s: flysql doctor --rules lists them", id)
		} else if !comment.used[id] {
			c.report(at, "nothing here breaks %s: remove it from the comment", id)
		}
	}
}
