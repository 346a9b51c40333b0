package flyconf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ExecForm writes the JSON form of a command: ["litefs", "mount"].
func ExecForm(argv ...string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, arg := range argv {
		if i > 0 {
			b.WriteString(", ")
		}
		var s bytes.Buffer
		e := json.NewEncoder(&s)
		e.SetEscapeHTML(false)
		_ = e.Encode(arg) // a string always encodes
		b.WriteString(strings.TrimSpace(s.String()))
	}
	b.WriteByte(']')
	return b.String()
}

// dockerfileOnce are the instructions of which a stage has one that counts.
var dockerfileOnce = []string{"ENTRYPOINT", "CMD", "USER", "STOPSIGNAL", "HEALTHCHECK"}

// Set gives the final stage an ENTRYPOINT, CMD, USER, STOPSIGNAL or HEALTHCHECK
// with these arguments, as they stand in a Dockerfile: ExecForm("litefs",
// "mount"). It replaces the last one of the stage, all of its lines, or adds
// one: CMD at the end, ENTRYPOINT before CMD, the others before both. Comments
// between the lines that go are put above the new ones.
//
// Like every edit, it leaves the rest of the file as it is, byte for byte,
// changes nothing where the file says the same already, and is refused with an
// error, and not made, where the result would not read as it should.
func (d *Dockerfile) Set(name, args string) error {
	name = strings.ToUpper(name)
	if !slices.Contains(dockerfileOnce, name) {
		return fmt.Errorf("set %s in %s: a stage may have several: use Replace or Insert", name, d.name)
	}
	final := d.Final()
	fragment, err := d.fragment("set "+name, final.Instructions[0], name+" "+args)
	if err != nil {
		return err
	}
	if len(fragment) != 1 {
		return fmt.Errorf("set %s in %s: the arguments hold another instruction, %s: give those of one", name, d.name, fragment[1].keyword)
	}
	if in, ok := final.Last(name); ok {
		return d.Replace(in, in.keyword+" "+args)
	}
	at := len(final.Instructions)
	for at > 1 && dockerfileFollows(final.Instructions[at-1].Name, name) {
		at--
	}
	last := final.Instructions[at-1]
	if at < len(final.Instructions) {
		return d.InsertBefore(final.Instructions[at], name+" "+args)
	}
	return d.InsertAfter(last, name+" "+args)
}

// dockerfileFollows reports whether an instruction at the end of a stage stands
// below a new one of that name.
func dockerfileFollows(name, added string) bool {
	switch added {
	case "CMD":
		return false
	case "ENTRYPOINT":
		return name == "CMD"
	}
	return name == "CMD" || name == "ENTRYPOINT"
}

// Replace puts text, one instruction or several, in the place of an instruction.
func (d *Dockerfile) Replace(in Instruction, text string) error {
	fragment, err := d.fragment("replace "+in.keyword, in, text)
	if err != nil {
		return err
	}
	if sameInstructions(fragment, d.instructions[in.index:in.index+1]) {
		return nil
	}
	indent := d.data[in.start : in.start+in.col-1]
	return d.splice(dockerfileEdit{
		verb: "replace " + in.keyword, start: in.start, end: in.end,
		text:  d.commentsIn(in) + string(indent) + text,
		index: in.index, remove: 1, insert: fragment,
	})
}

// InsertBefore puts text, one instruction or several, above an instruction and
// the comments that stand directly above it. It changes nothing where these very
// instructions stand there already.
func (d *Dockerfile) InsertBefore(in Instruction, text string) error {
	verb := "insert before " + in.keyword
	fragment, err := d.fragment(verb, in, text)
	if err != nil {
		return err
	}
	from := in.index - len(fragment)
	if from >= 0 && sameInstructions(fragment, d.instructions[from:in.index]) {
		return nil
	}
	at := d.aboveComments(in)
	return d.splice(dockerfileEdit{verb: verb, start: at, end: at, text: text, index: in.index, insert: fragment})
}

// InsertAfter puts text, one instruction or several, below an instruction. It
// changes nothing where these very instructions stand there already.
func (d *Dockerfile) InsertAfter(in Instruction, text string) error {
	verb := "insert after " + in.keyword
	fragment, err := d.fragment(verb, in, text)
	if err != nil {
		return err
	}
	next := in.index + 1
	to := next + len(fragment)
	if to <= len(d.instructions) && sameInstructions(fragment, d.instructions[next:to]) {
		return nil
	}
	return d.splice(dockerfileEdit{verb: verb, start: in.end, end: in.end, text: text, index: next, insert: fragment})
}

// Remove takes an instruction out, all of its lines. Comments above it and
// between its lines stay.
func (d *Dockerfile) Remove(in Instruction) error {
	if in.revision != d.revision {
		return errStale
	}
	return d.splice(dockerfileEdit{
		verb: "remove " + in.keyword, start: in.start, end: in.end,
		text: d.commentsIn(in), index: in.index, remove: 1,
	})
}

// AddStage puts a stage, FROM image AS name and what follows it, before the first
// stage, below the ARGs that all stages share. It changes nothing where the file
// has that stage, and is refused where it has another of that name.
func (d *Dockerfile) AddStage(text string) error {
	first := d.instructions[d.firstFrom()]
	fragment, err := d.fragment("add stage", first, text)
	if err != nil {
		return err
	}
	if fragment[0].Name != "FROM" {
		return fmt.Errorf("add stage to %s: it begins with %s: begin it with FROM image AS name", d.name, fragment[0].keyword)
	}
	_, name := fragment[0].from()
	if name == "" {
		return fmt.Errorf("add stage to %s: it has no name by which others could use it: write FROM image AS name", d.name)
	}
	for _, s := range d.Stages() {
		if !strings.EqualFold(s.Name, name) {
			continue
		}
		if sameInstructions(fragment, s.Instructions) {
			return nil
		}
		return &Problem{
			File: d.name, Line: s.Instructions[0].Line, Col: s.Instructions[0].col, Key: "FROM",
			Message: fmt.Sprintf("there is another stage named %s: rename or remove it", name),
		}
	}
	at := d.aboveComments(first)
	text = strings.TrimRight(text, "\r\n") + "\n\n"
	return d.splice(dockerfileEdit{verb: "add stage", start: at, end: at, text: text, index: first.index, insert: fragment})
}

// fragment parses the text of an edit at an instruction.
func (d *Dockerfile) fragment(verb string, in Instruction, text string) ([]Instruction, error) {
	if in.revision != d.revision {
		return nil, errStale
	}
	if err := checkSourceText("", []byte(text)); err != nil {
		return nil, fmt.Errorf("%s in %s: the new text %w", verb, d.name, err)
	}
	part := &Dockerfile{name: "new text", data: []byte(text), escape: d.escape}
	l := newDockerfileLexer(part)
	l.fragment = true
	l.run()
	for _, in := range part.instructions {
		checkInstruction(l.problems, in)
	}
	if len(part.instructions) == 0 && len(l.problems.list) == 0 {
		return nil, fmt.Errorf("%s in %s: the new text holds no instruction", verb, d.name)
	}
	if err := l.problems.err(); err != nil {
		return nil, fmt.Errorf("%s in %s: %w", verb, d.name, err)
	}
	return part.instructions, nil
}

// commentsIn returns the comments between the lines of an instruction.
func (d *Dockerfile) commentsIn(in Instruction) string {
	var b strings.Builder
	for _, c := range d.comments {
		if c.inside && c.start >= in.start && c.end <= in.end {
			b.WriteString(c.text + "\n")
		}
	}
	return b.String()
}

// aboveComments is the start of the comments that belong to an instruction: those
// with no empty line between.
func (d *Dockerfile) aboveComments(in Instruction) int {
	at := in.start
	for _, c := range slices.Backward(d.comments) {
		if !c.inside && c.end == at {
			at = c.start
		}
	}
	return at
}

// dockerfileEdit is one change of the text, and what the instructions are to be
// after it.
type dockerfileEdit struct {
	verb       string
	start, end int
	text       string

	index, remove int // of the instructions, how many go
	insert        []Instruction
}

// splice makes an edit, if the result reads as it should.
func (d *Dockerfile) splice(e dockerfileEdit) error {
	refuse := func(why string) error {
		return fmt.Errorf("%s in %s: %s: make this change by hand", e.verb, d.name, why)
	}
	eol := d.lineEnd()
	text := e.text
	if text != "" {
		text = strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n") + strings.Repeat("\n", max(1, dockerfileTrailing(text)))
		text = strings.ReplaceAll(text, "\n", eol)
	}
	head, tail := d.data[:e.start], d.data[e.end:]
	if len(head) > 0 && text != "" && !bytes.HasSuffix(head, []byte("\n")) && !bytes.Equal(head, byteOrderMark) {
		text = eol + strings.TrimSuffix(text, eol)
	} else if len(tail) == 0 && e.end > e.start && !bytes.HasSuffix(d.data, []byte("\n")) {
		text = strings.TrimSuffix(text, eol)
	}
	changed, err := ParseDockerfile(d.name, slices.Concat(head, []byte(text), tail))
	if err != nil {
		return refuse("the result would not be a valid Dockerfile (" + dockerfileFirstProblem(err) + ")")
	}
	want := slices.Concat(d.instructions[:e.index], e.insert, d.instructions[e.index+e.remove:])
	if !sameInstructions(want, changed.instructions) || !slices.Equal(d.directives, changed.directives) {
		return refuse("other instructions would not read as before")
	}
	if !dockerfileKeeps(d.comments, changed.comments) {
		return refuse("a comment would be lost")
	}
	*d = *changed
	return nil
}

// lineEnd is the file's own, by its first line.
func (d *Dockerfile) lineEnd() string {
	if i := bytes.IndexByte(d.data, '\n'); i > 0 && d.data[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// dockerfileTrailing counts the line ends at the end of a text.
func dockerfileTrailing(s string) int {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return len(s) - len(strings.TrimRight(s, "\n"))
}

// dockerfileFirstProblem is the first of joined problems, without its place,
// which is one in a text that nobody sees.
func dockerfileFirstProblem(err error) string {
	var p *Problem
	if errors.As(err, &p) {
		return strings.TrimPrefix(p.Key+": "+p.Message, ": ")
	}
	s, _, _ := strings.Cut(err.Error(), "\n")
	return s
}

// sameInstructions compares what two texts say, wherever they stand.
func sameInstructions(a, b []Instruction) bool {
	return slices.EqualFunc(a, b, sameInstruction)
}

func sameInstruction(a, b Instruction) bool {
	if a.Name != b.Name || !slices.Equal(a.Flags, b.Flags) || len(a.Heredocs) != len(b.Heredocs) {
		return false
	}
	for i := range a.Heredocs {
		x, y := a.Heredocs[i], b.Heredocs[i]
		x.Content = strings.ReplaceAll(x.Content, "\r\n", "\n")
		y.Content = strings.ReplaceAll(y.Content, "\r\n", "\n")
		if x != y {
			return false
		}
	}
	if a.Exec != nil && b.Exec != nil && a.Name != "HEALTHCHECK" {
		return slices.Equal(a.Exec, b.Exec)
	}
	return (a.Exec == nil) == (b.Exec == nil) && a.Args == b.Args
}

// dockerfileKeeps reports whether every comment of before is one of after, as
// often.
func dockerfileKeeps(before, after []dockerfileComment) bool {
	count := map[string]int{}
	for _, c := range after {
		count[c.text]++
	}
	for _, c := range before {
		if count[c.text]--; count[c.text] < 0 {
			return false
		}
	}
	return true
}
