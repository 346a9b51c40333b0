package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// Build follows the Dockerfile in contextDir. Its errors begin with the
// Dockerfile's name and the line. Cancelling ctx ends a RUN line at once.
func Build(ctx context.Context, contextDir string, o Options) (_ *Image, err error) {
	if o.Dockerfile == "" {
		o.Dockerfile = "Dockerfile"
	}
	source, err := os.ReadFile(filepath.Join(contextDir, o.Dockerfile))
	if err != nil {
		return nil, fmt.Errorf("read the Dockerfile: %w", err)
	}
	parsed, err := parser.Parse(bytes.NewReader(source))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Dockerfile, err)
	}
	stages, globals, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Dockerfile, err)
	}
	if len(stages) == 0 {
		return nil, fmt.Errorf("%s: no FROM line, so there is nothing to build", o.Dockerfile)
	}
	files, err := buildContext(contextDir, o.Dockerfile)
	if err != nil {
		return nil, fmt.Errorf("read the build context: %w", err)
	}
	way, err := newBackend(o)
	if err != nil {
		return nil, err
	}
	b := &builder{Options: o, way: way, context: files, lex: shell.NewLex(parsed.EscapeToken)}
	defer func() {
		if err != nil {
			err = errors.Join(err, way.close())
		}
	}()
	if err := b.globalArgs(globals); err != nil {
		return nil, err
	}
	for n := range stages {
		if err := b.build(ctx, &stages[n], n, n == len(stages)-1); err != nil {
			return nil, err
		}
	}
	if err := way.seal(); err != nil {
		return nil, err
	}
	last := b.built[len(b.built)-1]
	if user := getEnv(last.Env, "FLYSQL_USER"); user != "" && o.Way == Mapped {
		b.notes = append(b.notes, Note{What: "FLYSQL_USER=" + user, Why: "outside a container the app runs as you"})
	}
	return &Image{Config: last.Config, Notes: b.notes, way: way, stage: last.stage, owner: true}, nil
}

// builder is one build under way.
type builder struct {
	Options
	way     backend
	context *tree
	lex     *shell.Lex
	globals []string // ARG lines before the first FROM
	built   []*builtStage
	notes   []Note
}

// builtStage is a stage and what its instructions have recorded so far.
type builtStage struct {
	Config
	name  string
	last  bool
	args  []string // "key=value" of ARG lines
	stage *stage
}

// at gives err the place it belongs to.
func (b *builder) at(line int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s:%d: %w", b.Dockerfile, line, err)
}

// automatic are the arguments that a build sets by itself, where a Dockerfile
// declares them.
var automatic = []string{"TARGETOS", "TARGETARCH", "TARGETPLATFORM", "BUILDOS", "BUILDARCH", "BUILDPLATFORM"}

func automaticArg(name string) (string, bool) {
	if !slices.Contains(automatic, name) {
		return "", false
	}
	switch {
	case strings.HasSuffix(name, "OS"):
		return "linux", true
	case strings.HasSuffix(name, "ARCH"):
		return hostArch, true
	}
	return "linux/" + hostArch, true
}

func (b *builder) globalArgs(commands []instructions.ArgCommand) error {
	for _, name := range automatic {
		v, _ := automaticArg(name)
		b.globals = append(b.globals, name+"="+v)
	}
	for n := range commands {
		c := &commands[n]
		line := lineOf(c.Location())
		if err := c.Expand(b.expander(b.globals)); err != nil {
			return b.at(line, err)
		}
		for _, a := range c.Args {
			if v, ok := b.argValue(a); ok {
				b.globals = setEnv(b.globals, a.Key+"="+v)
			}
		}
	}
	return nil
}

// argValue is the value of an ARG line: given to the build, or its default.
func (b *builder) argValue(a instructions.KeyValuePairOptional) (string, bool) {
	if v, ok := b.Args[a.Key]; ok {
		return v, true
	}
	if a.Value != nil {
		return *a.Value, true
	}
	return automaticArg(a.Key)
}

func (b *builder) expander(env []string) instructions.SingleWordExpander {
	return func(word string) (string, error) {
		out, _, err := b.lex.ProcessWord(word, shell.EnvsFromSlice(env))
		return out, err
	}
}

// build begins a stage with its FROM line and follows its instructions.
func (b *builder) build(ctx context.Context, s *instructions.Stage, number int, last bool) error {
	line := lineOf(s.Location)
	expand := b.expander(b.globals)
	base, err := expand(s.BaseName)
	if err != nil {
		return b.at(line, err)
	}
	platform, err := expand(s.Platform)
	if err != nil {
		return b.at(line, err)
	}
	if platform != "" && platform != "linux/"+hostArch {
		return b.at(line, fmt.Errorf("--platform=%s: only linux/%s can be built here", platform, hostArch))
	}
	st := &builtStage{name: s.Name, last: last}
	if st.name == "" {
		st.name = strconv.Itoa(number)
	}
	b.progress(st, line, s.SourceCode, "")
	if parent := b.find(base); parent != nil {
		st.Config = parent.clone()
		st.stage, err = b.way.from(parent.stage)
	} else if st.stage, err = b.way.base(ctx, base); err == nil {
		st.Config = Config{WorkingDir: "/", Env: []string{"PATH=" + imagePath}}
	}
	if err != nil {
		return b.at(line, err)
	}
	b.built = append(b.built, st)
	for _, c := range s.Commands {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.at(lineOf(c.Location()), b.follow(ctx, st, c)); err != nil {
			return err
		}
	}
	return nil
}

// find returns the stage of that name or number, or nil.
func (b *builder) find(name string) *builtStage {
	for n, st := range b.built {
		if strings.EqualFold(st.name, name) || strconv.Itoa(n) == name {
			return st
		}
	}
	return nil
}

// follow carries out one instruction. One that it does not know is an error.
func (b *builder) follow(ctx context.Context, st *builtStage, c instructions.Command) error {
	line, text := lineOf(c.Location()), fmt.Sprint(c)
	// ENV wins over ARG, wherever each stands.
	vars := mergeEnv(st.args, st.Env)
	if e, ok := c.(instructions.SupportsSingleWordExpansion); ok {
		if err := e.Expand(b.expander(vars)); err != nil {
			return err
		}
	}
	if run, ok := c.(*instructions.RunCommand); ok {
		return b.run(ctx, st, run, line, vars)
	}
	b.progress(st, line, text, "")
	switch c := c.(type) {
	case *instructions.ArgCommand:
		for _, a := range c.Args {
			v, ok := b.argValue(a)
			if !ok {
				// A global ARG is seen in a stage that declares it again.
				if v = getEnv(b.globals, a.Key); v == "" {
					continue
				}
			}
			st.args = setEnv(st.args, a.Key+"="+v)
		}
	case *instructions.EnvCommand:
		for _, kv := range c.Env {
			st.Env = setEnv(st.Env, kv.Key+"="+kv.Value)
		}
	case *instructions.WorkdirCommand:
		st.WorkingDir = st.abs(c.Path)
		return b.way.do(func() error { return mkdir(st.stage, st.WorkingDir) })
	case *instructions.CopyCommand:
		return b.copy(st, c)
	case *instructions.EntrypointCommand:
		st.Entrypoint = shellForm(c.ShellDependantCmdLine)
	case *instructions.CmdCommand:
		st.Cmd = shellForm(c.ShellDependantCmdLine)
	case *instructions.ExposeCommand:
		for _, p := range c.Ports {
			p, err := b.expander(vars)(p)
			if err != nil {
				return err
			}
			st.Exposed = append(st.Exposed, p)
		}
	case *instructions.LabelCommand:
		if st.Labels == nil {
			st.Labels = map[string]string{}
		}
		for _, kv := range c.Labels {
			st.Labels[kv.Key] = kv.Value
		}
	case *instructions.UserCommand:
		return fmt.Errorf("USER %s is not supported: flysql-entrypoint starts as root, to give the volume to FLYSQL_USER, and drops the privileges itself", c.User)
	default:
		return fmt.Errorf("the instruction %s is not supported here", strings.ToUpper(c.Name()))
	}
	return nil
}

// run carries out a RUN line, or notes why it was left out.
func (b *builder) run(ctx context.Context, st *builtStage, c *instructions.RunCommand, line int, vars []string) error {
	if len(c.Files) > 0 {
		return errors.New("RUN with a here-document is not supported here")
	}
	for _, flag := range c.FlagsUsed {
		if flag != "mount" {
			return fmt.Errorf("RUN --%s is not supported here", flag)
		}
	}
	for _, m := range instructions.GetMounts(c) {
		// A cache only saves time, and the host's own is used. The others
		// bring files that the command needs.
		if m.Type != instructions.MountTypeCache && m.Type != instructions.MountTypeTmpfs {
			return fmt.Errorf("RUN --mount=type=%s is not supported here", m.Type)
		}
	}
	tail := &tailWriter{limit: 4 << 10, next: b.Output}
	r := runLine{argv: c.CmdLine, sh: c.PrependShell, dir: st.WorkingDir, env: vars, last: st.last, out: tail}
	why := b.way.whyNotRun(r)
	b.progress(st, line, "RUN "+r.String(), why)
	if why != "" {
		b.notes = append(b.notes, Note{Line: line, What: "RUN " + oneLine(r.String()), Why: why})
		return nil
	}
	if err := b.way.run(ctx, st.stage, r); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("RUN %s: %w\n%s", oneLine(r.String()), err, tail)
	}
	return nil
}

func (b *builder) progress(st *builtStage, line int, text, skipped string) {
	if b.Progress != nil {
		b.Progress(Step{Stage: st.name, Line: line, Text: oneLine(text), Skipped: skipped})
	}
}

// abs resolves a path of the image against WORKDIR.
func (st *builtStage) abs(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(st.WorkingDir, p)
}

// shellForm is the argv of ENTRYPOINT or CMD: a line that is not in exec form
// is given to the shell.
func shellForm(c instructions.ShellDependantCmdLine) []string {
	if c.PrependShell {
		return append([]string{"/bin/sh", "-c"}, c.CmdLine...)
	}
	return c.CmdLine
}

func lineOf(r []parser.Range) int {
	if len(r) == 0 {
		return 0
	}
	return r[0].Start.Line
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
