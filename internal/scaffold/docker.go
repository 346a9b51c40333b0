package scaffold

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// writtenMark is in the first lines of the Dockerfile and .dockerignore that init
// writes. A file without it is the user's.
const writtenMark = "Written by flysql init"

// Docker is what the repository's own Dockerfile says about its last stage, which
// is the image.
type Docker struct {
	Written bool   // by flysql init
	Ready   bool   // flysql-entrypoint starts the app already
	Command string // what is run, as the file has it; empty where it has neither ENTRYPOINT nor CMD
	User    string // of the last USER; empty for root and where there is none
	Port    int    // the one that is exposed; 0 for none or several
	Place   string // where the port is, "Dockerfile:12"
}

// dockerText is a Dockerfile by lines, with the instructions that they hold. It is
// only as much of a reader as adding to the last stage needs.
type dockerText struct {
	lines        []string // with their ends
	instructions []dockerInstruction
	last         int // index of the last FROM; -1 where there is none
}

// dockerInstruction stands on lines[start:end].
type dockerInstruction struct {
	name       string // upper case
	args       string // continued lines joined
	start, end int
}

var (
	dockerDirective = regexp.MustCompile(`^#\s*[A-Za-z]+\s*=\s*(\S+)`)
	dockerHeredoc   = regexp.MustCompile(`<<(-?)["']?([A-Za-z0-9_.]+)["']?`)
)

// directives counts the lines at a Dockerfile's top that are parser directives,
// before which nothing may be put.
func directives(lines []string) (n int, escape string) {
	escape = `\`
	for _, line := range lines {
		m := dockerDirective.FindStringSubmatch(line)
		if m == nil {
			break
		}
		if strings.HasPrefix(strings.ToLower(strings.TrimLeft(line, "# \t")), "escape") && m[1] == "`" {
			escape = "`"
		}
		n++
	}
	return n, escape
}

func readDockerText(data []byte) dockerText {
	d := dockerText{lines: strings.SplitAfter(string(data), "\n"), last: -1}
	if n := len(d.lines); d.lines[n-1] == "" {
		d.lines = d.lines[:n-1]
	}
	_, escape := directives(d.lines)
	for i := 0; i < len(d.lines); {
		line := strings.TrimSpace(d.lines[i])
		if line == "" || line[0] == '#' {
			i++
			continue
		}
		in := dockerInstruction{start: i}
		var text strings.Builder
		for ; i < len(d.lines); i++ {
			line := strings.TrimSpace(d.lines[i])
			if i > in.start && (line == "" || line[0] == '#') {
				continue // neither ends a continued instruction
			}
			part, continued := strings.CutSuffix(line, escape)
			text.WriteString(part + " ")
			if !continued {
				i++
				break
			}
		}
		name, args, _ := strings.Cut(strings.TrimSpace(text.String()), " ")
		in.name, in.args = strings.ToUpper(name), strings.TrimSpace(args)
		if in.name == "RUN" || in.name == "COPY" || in.name == "ADD" {
			for _, m := range dockerHeredoc.FindAllStringSubmatch(in.args, -1) {
				i = afterHeredoc(d.lines, i, m[2], m[1] == "-")
			}
		}
		in.end = i
		if in.name == "FROM" {
			d.last = len(d.instructions)
		}
		d.instructions = append(d.instructions, in)
	}
	return d
}

// afterHeredoc is the line behind a heredoc's end. One that does not end is no
// heredoc but a shift or a string of the shell's.
func afterHeredoc(lines []string, from int, word string, tabs bool) int {
	for i := from; i < len(lines); i++ {
		line := strings.TrimRight(lines[i], "\r\n")
		if tabs {
			line = strings.TrimLeft(line, "\t")
		}
		if line == word {
			return i + 1
		}
	}
	return from
}

// find returns the last instruction of a name in the last stage, or nil.
func (d dockerText) find(name string) *dockerInstruction {
	for i := len(d.instructions) - 1; i > d.last; i-- {
		if d.instructions[i].name == name {
			return &d.instructions[i]
		}
	}
	return nil
}

// words reads the exec form. ok is false for the shell form, and for none at all.
func (in *dockerInstruction) words() (words []string, ok bool) {
	if in == nil || json.Unmarshal([]byte(in.args), &words) != nil || len(words) == 0 {
		return nil, false
	}
	return words, true
}

// ready tells whether the image starts by flysql-entrypoint.
func (d dockerText) ready() bool {
	words, ok := d.find("ENTRYPOINT").words()
	return ok && path.Base(words[0]) == "flysql-entrypoint"
}

// user is what FLYSQL_USER is to be, for an image with a USER line: it takes a
// name, or numbers.
func (d dockerText) user() string {
	in := d.find("USER")
	if in == nil {
		return ""
	}
	name, group, _ := strings.Cut(in.args, ":")
	if name == "root" || name == "0" || strings.ContainsAny(in.args, " \t\"'") {
		return ""
	}
	if group != "" && (number(name) && number(group) || strings.Contains(in.args, "$")) {
		return in.args
	}
	return name
}

func number(s string) bool {
	_, err := strconv.ParseUint(s, 10, 31)
	return err == nil
}

// readDocker looks at the Dockerfile, if there is one.
func readDocker(root *os.Root) (*Docker, error) {
	data, err := readSmall(root, "Dockerfile")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, errTooLarge), errors.Is(err, errBinary):
		return nil, fmt.Errorf("the Dockerfile %w", err)
	case err != nil:
		return nil, fmt.Errorf("read the Dockerfile: %w", err)
	}
	text := readDockerText(data)
	if text.last < 0 {
		return nil, errors.New("the Dockerfile has no FROM line: mend it first")
	}
	d := &Docker{Written: byInit(data), Ready: text.ready(), User: text.user()}
	var command []string
	for _, name := range []string{"ENTRYPOINT", "CMD"} {
		in := text.find(name)
		if words, ok := in.words(); ok {
			command = append(command, strings.Join(words, " "))
		} else if in != nil {
			command = append(command, in.args)
			break // a shell takes no arguments
		}
	}
	d.Command = strings.Join(command, " ")
	if in := text.find("EXPOSE"); in != nil {
		port, protocol, _ := strings.Cut(in.args, "/")
		if n, err := strconv.Atoi(port); err == nil && n > 0 && n <= 65535 && (protocol == "" || protocol == "tcp") {
			d.Port, d.Place = n, fmt.Sprintf("Dockerfile:%d", in.start+1)
		}
	}
	return d, nil
}

// byInit tells whether init wrote a Dockerfile or .dockerignore.
func byInit(data []byte) bool {
	head := string(data[:min(len(data), 400)])
	return strings.Contains(head, writtenMark)
}

// Addition is what init would add to a file that it did not write. The file stays
// the user's: the addition is shown, and made only when that is asked for.
type Addition struct {
	// For a Dockerfile:
	Stage   []string // lines of a stage that builds flysql-entrypoint
	Copy    []string // COPY lines of the last stage
	Env     []string // its variables, NAME=VALUE
	Command []string // what it runs; nil: what it has
	Default []string // what it runs where it has nothing
	// For a .dockerignore:
	Ignore []string // patterns

	// Always: even when asked to overwrite, add instead.
	Always bool
}

// to returns the file with the addition. Where all is there, that is the file. It
// is nil where there is nothing to add to.
func (a *Addition) to(data []byte) []byte {
	if len(a.Ignore) > 0 {
		return a.toIgnore(data)
	}
	return a.toDockerfile(data)
}

func (a *Addition) toIgnore(data []byte) []byte {
	have := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		have[strings.TrimSpace(line)] = true
	}
	var missing []string
	for _, pattern := range a.Ignore {
		if !have[pattern] {
			missing = append(missing, pattern)
		}
	}
	if len(missing) == 0 {
		return data
	}
	end := lineEnd(string(data))
	text := string(data)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += end
	}
	text += end + "# A local database must never reach an image, nor what flysql keeps beside it." + end
	for _, pattern := range missing {
		text += pattern + end
	}
	return []byte(text)
}

// toDockerfile puts the stage before the last one, and the rest where the last
// stage says what to run. All other lines stay as they are.
func (a *Addition) toDockerfile(data []byte) []byte {
	d := readDockerText(data)
	if d.last < 0 {
		return nil
	}
	if d.ready() {
		return data
	}
	end := lineEnd(string(data))
	before := map[int][]string{} // lines to put before one
	gone := map[int]bool{}
	replace := func(in *dockerInstruction, lines ...string) {
		for i := in.start; i < in.end; i++ {
			gone[i] = true
		}
		before[in.start] = append(before[in.start], lines...)
	}

	stage := d.aboveComments(d.instructions[d.last].start)
	name := d.stageName("flysql")
	for _, line := range a.Stage {
		before[stage] = append(before[stage], strings.ReplaceAll(line, stageName, name))
	}

	entrypoint, cmd := d.find("ENTRYPOINT"), d.find("CMD")
	at := len(d.lines)
	for _, in := range []*dockerInstruction{entrypoint, cmd} {
		if in != nil {
			at = min(at, d.aboveComments(in.start))
		}
	}
	if user := d.find("USER"); user != nil && user.start > at {
		at = len(d.lines)
	}
	if at == len(d.lines) || at > 0 && strings.TrimSpace(d.lines[at-1]) != "" {
		before[at] = append(before[at], "")
	}
	before[at] = append(before[at],
		"# flysql-entrypoint boots the app: it checks the volume, runs the migrations, then",
		"# becomes the app.",
		"COPY --from="+name+" /flysql/bin/flysql-entrypoint /usr/local/bin/")
	before[at] = append(before[at], a.Copy...)
	env := slices.Clone(a.Env)
	if user := d.user(); user != "" {
		before[at] = append(before[at],
			"# It starts as root, gives the volume's files to FLYSQL_USER, and runs the app as",
			"# that user.",
			"USER root")
		env = append(env, "FLYSQL_USER="+user)
	}
	if len(env) > 0 {
		before[at] = append(before[at], "ENV "+strings.Join(env, " "))
	}

	words, exec := entrypoint.words()
	first := execForm([]string{"flysql-entrypoint"})
	switch {
	case a.Command != nil:
		d.set(entrypoint, replace, before, at, "ENTRYPOINT "+first)
		d.set(cmd, replace, before, at, "CMD "+execForm(a.Command))
	case exec:
		replace(entrypoint, "ENTRYPOINT "+execForm(append([]string{"flysql-entrypoint"}, words...)))
	case entrypoint != nil: // in a shell, which takes no CMD
		replace(entrypoint, "ENTRYPOINT "+first, "CMD "+entrypoint.args)
		if cmd != nil {
			replace(cmd)
		}
	default:
		before[at] = append(before[at], "ENTRYPOINT "+first)
		if cmd == nil && a.Default != nil {
			before[at] = append(before[at], "CMD "+execForm(a.Default))
		}
	}
	if stage < len(d.lines) && len(a.Stage) > 0 {
		before[stage] = append(before[stage], "")
	}

	var b strings.Builder
	for i := range len(d.lines) + 1 {
		if i == len(d.lines) && len(before[i]) > 0 && b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
			b.WriteString(end)
		}
		for _, line := range before[i] {
			b.WriteString(line + end)
		}
		if i < len(d.lines) && !gone[i] {
			b.WriteString(d.lines[i])
		}
	}
	return []byte(b.String())
}

// set replaces an instruction, or puts it before line at where there is none.
func (d dockerText) set(in *dockerInstruction, replace func(*dockerInstruction, ...string), before map[int][]string, at int, line string) {
	if in != nil {
		replace(in, line)
		return
	}
	before[at] = append(before[at], line)
}

// aboveComments is the first of the comment lines right above a line, but for
// parser directives.
func (d dockerText) aboveComments(line int) int {
	top, _ := directives(d.lines)
	for line > top && strings.HasPrefix(strings.TrimSpace(d.lines[line-1]), "#") {
		line--
	}
	return line
}

// stageName stands for the name of the stage in Addition.Stage.
const stageName = "{stage}"

// stageName finds a name that no stage of the file has.
func (d dockerText) stageName(want string) string {
	taken := map[string]bool{}
	for _, in := range d.instructions {
		words := strings.Fields(strings.ToLower(in.args))
		if i := slices.Index(words, "as"); in.name == "FROM" && i >= 0 && i+1 < len(words) {
			taken[words[i+1]] = true
		}
	}
	name := want
	for n := 2; taken[name]; n++ {
		name = want + strconv.Itoa(n)
	}
	return name
}

// lineEnd is how the text ends its lines.
func lineEnd(text string) string {
	if i := strings.IndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}
