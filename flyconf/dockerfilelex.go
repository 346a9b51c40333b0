package flyconf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// maxDockerfileLine is BuildKit's own limit, in bytes.
const maxDockerfileLine = 64<<10 - 1

var (
	dockerfileDirectiveLine = regexp.MustCompile(`^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$`)
	dockerfileHeredocWord   = regexp.MustCompile(`^\d*<<(-?)\s*([^<]*)$`)
)

// dockerfileLexer cuts a Dockerfile into comments and instructions.
type dockerfileLexer struct {
	file     *Dockerfile
	problems *problems
	fragment bool // instructions to insert: a comment is never a directive

	next int // byte at which the next line begins
	line int // number of the current line
}

// dockerfileLine is one line of the file.
type dockerfileLine struct {
	text       string // without the line's end
	raw        string // with it
	start, end int
}

func newDockerfileLexer(d *Dockerfile) *dockerfileLexer {
	return &dockerfileLexer{file: d, problems: &problems{src: source{file: d.name}}}
}

func (l *dockerfileLexer) run() {
	data := l.file.data
	l.next = len(data) - len(bytes.TrimPrefix(data, byteOrderMark))
	directives := !l.fragment
	for {
		line, ok := l.read()
		if !ok {
			return
		}
		if directives && l.directive(line) {
			continue
		}
		directives = false
		switch text := strings.TrimLeftFunc(line.text, unicode.IsSpace); {
		case text == "":
		case text[0] == '#':
			l.comment(line, false)
		default:
			if !l.instruction(line) {
				return
			}
		}
	}
}

// read returns the next line, and false at the end of the file or at a line that
// BuildKit would not read.
func (l *dockerfileLexer) read() (dockerfileLine, bool) {
	data := l.file.data
	if l.next >= len(data) {
		return dockerfileLine{}, false
	}
	end := len(data)
	if i := bytes.IndexByte(data[l.next:], '\n'); i >= 0 {
		end = l.next + i + 1
	}
	raw := string(data[l.next:end])
	line := dockerfileLine{text: strings.TrimRight(raw, "\r\n"), raw: raw, start: l.next, end: end}
	l.line++
	if len(strings.TrimSuffix(raw, "\n")) > maxDockerfileLine {
		l.bad(l.line, "line is longer than %d bytes, the most that Docker reads", maxDockerfileLine)
		l.next = len(data)
		return dockerfileLine{}, false
	}
	l.next = end
	return line, true
}

func (l *dockerfileLexer) bad(line int, format string, a ...any) {
	l.problems.list = append(l.problems.list, &Problem{
		File: l.file.name, Line: line, Col: 1, Message: fmt.Sprintf(format, a...),
	})
}

// directive takes a line such as "# escape=`", of which only those before the
// first other line count. Any other name makes it a comment.
func (l *dockerfileLexer) directive(line dockerfileLine) bool {
	m := dockerfileDirectiveLine.FindStringSubmatch(strings.TrimLeftFunc(line.text, unicode.IsSpace))
	if m == nil {
		return false
	}
	name, value := strings.ToLower(m[1]), m[2]
	if name != "syntax" && name != "escape" && name != "check" {
		return false
	}
	for _, d := range l.file.directives {
		if d.name == name {
			l.bad(l.line, "the directive %s is given twice: keep one", name)
			return true
		}
	}
	if name == "escape" {
		if value != "`" && value != `\` {
			l.bad(l.line, "the directive escape is %q: it is ` or \\", value)
			return true
		}
		l.file.escape = value[0]
	}
	l.file.directives = append(l.file.directives, dockerfileDirective{name, value})
	return true
}

func (l *dockerfileLexer) comment(line dockerfileLine, inside bool) {
	l.file.comments = append(l.file.comments, dockerfileComment{
		text:  strings.TrimLeftFunc(line.text, unicode.IsSpace),
		start: line.start, end: line.end, inside: inside,
	})
}

// instruction reads one instruction with its continued lines and its heredocs.
// It returns false where the rest of the file cannot be read.
func (l *dockerfileLexer) instruction(line dockerfileLine) bool {
	first := l.line
	text := strings.TrimLeftFunc(line.text, unicode.IsSpace)
	col := len(line.text) - len(text) + 1
	joined, more := l.continued(text)
	var b strings.Builder
	b.WriteString(joined)
	end := line.end
	for more {
		next, ok := l.read()
		if !ok {
			break
		}
		end = next.end
		switch trimmed := strings.TrimLeftFunc(next.text, unicode.IsSpace); {
		case trimmed == "": // Docker warns of it, and goes on
		case trimmed[0] == '#':
			l.comment(next, true)
		default:
			joined, more = l.continued(next.text)
			b.WriteString(joined)
		}
	}
	in, err := parseInstruction(b.String(), l.file.escape)
	in.Line, in.col, in.start = first, col, line.start
	if err != nil {
		dockerfileProblem(l.problems, in, "%v", err)
	}
	if in.takesHeredocs() {
		in.Heredocs = heredocsOf(b.String())
		for i := range in.Heredocs {
			ok := l.heredoc(&in.Heredocs[i], &end)
			if !ok {
				dockerfileProblem(l.problems, in, "the heredoc <<%[1]s does not end: a line that is only %[1]s is missing", in.Heredocs[i].Name)
				return false
			}
		}
	}
	in.end, in.EndLine = end, l.line
	in.index = len(l.file.instructions)
	in.revision, in.escape = l.file.revision, l.file.escape
	l.file.instructions = append(l.file.instructions, in)
	return true
}

// continued takes the escape character off a line that goes on below. Two of
// them are an escaped one, which does not continue the line.
func (l *dockerfileLexer) continued(line string) (string, bool) {
	t := strings.TrimRight(line, " \t")
	n := len(t)
	if n == 0 || t[n-1] != l.file.escape || n > 1 && t[n-2] == l.file.escape {
		return line, false
	}
	return t[:n-1], true
}

func (l *dockerfileLexer) heredoc(h *Heredoc, end *int) bool {
	var b strings.Builder
	for {
		line, ok := l.read()
		if !ok {
			return false
		}
		*end = line.end
		text := line.text
		if h.Chomp {
			text = strings.TrimLeft(text, "\t")
		}
		if text == h.Name {
			h.Content = b.String()
			return true
		}
		b.WriteString(line.raw)
	}
}

// parseInstruction reads a joined line. The instruction is of use even with an
// error.
func parseInstruction(line string, escape byte) (Instruction, error) {
	line = strings.TrimSpace(line)
	word, rest := line, ""
	if i := strings.IndexAny(line, dockerfileBlanks); i >= 0 {
		word, rest = line[:i], strings.TrimLeft(line[i:], dockerfileBlanks)
	}
	in := Instruction{Name: strings.ToUpper(word), keyword: word}
	in.Flags, in.Args = dockerfileFlags(rest, escape)
	var err error
	switch in.Name {
	case "CMD", "ENTRYPOINT", "RUN", "SHELL", "VOLUME", "ADD", "COPY":
		in.Exec, err = dockerfileExec(in.Args)
	case "HEALTHCHECK":
		if i := strings.IndexFunc(in.Args, unicode.IsSpace); i >= 0 {
			in.Exec, err = dockerfileExec(in.Args[i:])
		}
	case "ONBUILD":
		if in.Args != "" && !strings.EqualFold(dockerfileFields(in.Args)[0], "ONBUILD") {
			var t Instruction
			t, err = parseInstruction(in.Args, escape)
			in.Trigger = &t
		}
	}
	return in, err
}

// dockerfileExec reads the JSON form. What is no JSON array is the shell form,
// even where it begins with a bracket.
func dockerfileExec(args string) ([]string, error) {
	args = strings.TrimLeftFunc(args, unicode.IsSpace)
	if !strings.HasPrefix(args, "[") {
		return nil, nil
	}
	var list []any
	if json.Unmarshal([]byte(args), &list) != nil {
		return nil, nil
	}
	out := make([]string, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("the JSON array holds something that is not a string: put every element in double quotes")
		}
		out = append(out, s)
	}
	return out, nil
}

// takesHeredocs reports whether << begins a heredoc in the instruction.
func (in Instruction) takesHeredocs() bool {
	if in.Trigger != nil {
		in = *in.Trigger
	}
	switch in.Name {
	case "ADD", "COPY", "RUN":
		return in.Exec == nil
	}
	return false
}

// heredocsOf finds the heredocs that a line announces. A line whose quotes do not
// close has none: BuildKit leaves it to the shell.
func heredocsOf(line string) []Heredoc {
	if !strings.Contains(line, "<<") {
		return nil
	}
	var out []Heredoc
	words, _ := dockerfileShellWords(line)
	for _, word := range words {
		if h, ok := heredocOf(word); ok {
			out = append(out, h)
		}
	}
	return out
}

// heredocOf reads <<NAME. Quotes around the name, or a part of it, are not part
// of the name.
func heredocOf(word string) (Heredoc, bool) {
	m := dockerfileHeredocWord.FindStringSubmatch(word)
	if m == nil {
		return Heredoc{}, false
	}
	name, err := dockerfileExpand(m[2], '\\', nil)
	if err != nil || strings.TrimSpace(name) == "" {
		return Heredoc{}, false
	}
	quotes := func(s string) int { return strings.Count(s, "'") + strings.Count(s, `"`) }
	return Heredoc{Name: name, Chomp: m[1] == "-", Expand: quotes(name) == quotes(m[2])}, true
}
