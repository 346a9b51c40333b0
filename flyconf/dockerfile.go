package flyconf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxSourceBytes bounds the files of this package that people write by hand. The
// largest of them in the wild are a hundredth of it.
const maxSourceBytes = 1 << 20

var byteOrderMark = []byte("\xef\xbb\xbf")

// Dockerfile is one Dockerfile: what it says, and its text, which edits change
// only where they must. It is made by ParseDockerfile, and is not safe for edits
// by several goroutines.
type Dockerfile struct {
	name         string
	data         []byte
	escape       byte // what continues a line: \ or `
	directives   []dockerfileDirective
	comments     []dockerfileComment
	instructions []Instruction
	revision     *int // tells texts apart: every edit makes a new one
}

// Instruction is one instruction of a Dockerfile. It describes the text that it
// was read from: after an edit, take it from this Dockerfile again.
type Instruction struct {
	Name  string   // in capitals: "RUN"
	Flags []string // "--from=build", without quotes and escapes

	// Args is what follows the flags, on one line: continued lines are joined,
	// and comments between them left out. The text of heredocs is not in it.
	Args string

	// Exec is the JSON form, ["litefs", "mount"], of the instructions that have
	// one (CMD, ENTRYPOINT, RUN, SHELL, VOLUME, ADD, COPY, and HEALTHCHECK's
	// CMD); nil where it is not used.
	Exec []string

	Heredocs []Heredoc    // in the order of their text
	Trigger  *Instruction // what ONBUILD defers to a later build; nil elsewhere

	// Line and EndLine are the first and the last line, from 1. The last line of
	// an instruction with heredocs is that of the last terminator.
	Line, EndLine int

	revision   *int
	index      int // in Dockerfile.instructions
	start, end int // bytes of its lines, with the last line's end
	col        int
	keyword    string // Name as it is written
	escape     byte
}

// Heredoc is a text that stands below its instruction: <<EOF.
type Heredoc struct {
	Name    string // what ends it: "EOF"
	Content string // the lines as they stand, without the terminator
	Chomp   bool   // <<-EOF: leading tabs are dropped
	Expand  bool   // false for <<"EOF": variables are left alone
}

// Stage is one FROM and what follows it.
type Stage struct {
	Name         string        // AS name; "" where it has none
	Base         string        // as it is written: "debian:bookworm-slim", "${BASE}", or an earlier stage's name
	Instructions []Instruction // FROM is the first

	file  *Dockerfile
	index int
}

type dockerfileDirective struct{ name, value string }

type dockerfileComment struct {
	text       string // from #, without the line's end
	start, end int    // bytes of its line
	inside     bool   // between the lines of an instruction
}

// ParseDockerfile reads a Dockerfile; name is what errors call the file. It
// reports every problem that it finds, joined, each a *Problem with its place:
// what BuildKit, the builder behind docker and fly deploy, would refuse before it
// runs anything. Flags and values are not judged.
//
// It reads what BuildKit reads: the directives escape, syntax and check, lines
// continued across comments and empty lines, heredocs, JSON and shell forms,
// instructions in any case, CRLF line ends and a byte order mark.
func ParseDockerfile(name string, data []byte) (*Dockerfile, error) {
	d := &Dockerfile{name: name, data: bytes.Clone(data), escape: '\\', revision: new(int)}
	if err := checkSourceText(name, data); err != nil {
		return nil, err
	}
	l := newDockerfileLexer(d)
	l.run()
	checkDockerfile(d, l.problems)
	if err := l.problems.err(); err != nil {
		return nil, err
	}
	return d, nil
}

// checkSourceText refuses what no reader of this package should be given.
func checkSourceText(name string, data []byte) error {
	switch i := bytes.IndexByte(data, 0); {
	case len(data) > maxSourceBytes:
		return &Problem{File: name, Message: fmt.Sprintf("is larger than 1 MB (%d bytes): is it the right file?", len(data))}
	case i >= 0:
		line := bytes.Count(data[:i], []byte("\n")) + 1
		col := i - bytes.LastIndexByte(data[:i], '\n')
		return &Problem{File: name, Line: line, Col: col, Message: "holds a NUL byte: it is binary, or not saved as UTF-8"}
	}
	return nil
}

// Bytes returns the text.
func (d *Dockerfile) Bytes() []byte { return bytes.Clone(d.data) }

// Instructions returns every instruction, in the order of the file.
func (d *Dockerfile) Instructions() []Instruction { return slices.Clone(d.instructions) }

// Syntax is the image of the directive "# syntax=", or "".
func (d *Dockerfile) Syntax() string {
	for _, v := range d.directives {
		if v.name == "syntax" {
			return v.value
		}
	}
	return ""
}

// GlobalArgs returns the ARG instructions before the first FROM. Their names are
// known to FROM, and to a stage that repeats them.
func (d *Dockerfile) GlobalArgs() []Instruction {
	return slices.Clone(d.instructions[:d.firstFrom()])
}

func (d *Dockerfile) firstFrom() int {
	return slices.IndexFunc(d.instructions, func(in Instruction) bool { return in.Name == "FROM" })
}

// Stages returns the stages, in the order of the file.
func (d *Dockerfile) Stages() []Stage {
	var out []Stage
	for i, in := range d.instructions {
		if in.Name == "FROM" {
			s := Stage{file: d, index: len(out), Instructions: d.instructions[i : i+1 : i+1]}
			s.Base, s.Name = in.from()
			out = append(out, s)
		} else if n := len(out); n > 0 {
			out[n-1].Instructions = append(out[n-1].Instructions, in)
		}
	}
	return out
}

// Final returns the last stage, the one that a build makes unless it is told
// another.
func (d *Dockerfile) Final() Stage {
	stages := d.Stages()
	return stages[len(stages)-1]
}

// Entrypoint returns the ENTRYPOINT of the final stage, or of the stage of this
// file that it is built on.
func (d *Dockerfile) Entrypoint() (Instruction, bool) {
	return instructionOf(d.Final().Image(nil).Entrypoint)
}

// Cmd returns the CMD of the final stage, as Entrypoint does. A stage that sets
// ENTRYPOINT loses the CMD of the stage it is built on.
func (d *Dockerfile) Cmd() (Instruction, bool) { return instructionOf(d.Final().Image(nil).Cmd) }

func instructionOf(in *Instruction) (Instruction, bool) {
	if in == nil {
		return Instruction{}, false
	}
	return *in, true
}

// Last returns the last instruction of that name in the stage; of ENTRYPOINT,
// CMD, USER and some others it is the only one that counts.
func (s Stage) Last(name string) (Instruction, bool) {
	for _, in := range slices.Backward(s.Instructions) {
		if strings.EqualFold(in.Name, name) {
			return in, true
		}
	}
	return Instruction{}, false
}

// from returns the base and the name of a FROM that was checked.
func (in Instruction) from() (base, name string) {
	words := in.Words()
	if len(words) == 3 {
		return words[0], words[2]
	}
	return words[0], ""
}

// Flag returns the value of a flag, "build" for Flag("from") of --from=build; a
// flag without a value has "". Of a flag that is given twice it returns the last.
func (in Instruction) Flag(name string) (string, bool) {
	for _, f := range slices.Backward(in.Flags) {
		key, value, _ := strings.Cut(strings.TrimPrefix(f, "--"), "=")
		if key == name {
			return value, true
		}
	}
	return "", false
}

// Words returns the arguments, split at white space, or the elements of the JSON
// form. Quotes are left as they stand.
func (in Instruction) Words() []string {
	if in.Exec != nil {
		return slices.Clone(in.Exec)
	}
	return dockerfileFields(in.Args)
}

// dockerfileProblem is a problem of one instruction.
func dockerfileProblem(p *problems, in Instruction, format string, a ...any) {
	p.list = append(p.list, &Problem{
		File: p.src.file, Line: in.Line, Col: in.col,
		Key: in.keyword, Message: fmt.Sprintf(format, a...),
	})
}

// errStale is what an edit says of an Instruction from before another edit, or from
// another file.
var errStale = errors.New("this instruction is not of this text, which may have been edited since: take it from this Dockerfile again")
