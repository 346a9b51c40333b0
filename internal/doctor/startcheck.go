package doctor

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

// plainCommand has nothing that a shell would change.
var plainCommand = regexp.MustCompile(`^[A-Za-z0-9_./:@%,+-][A-Za-z0-9_./:=@%,+-]*( +[A-Za-z0-9_./:=@%,+-]+)*$`)

// checkShellEntrypoint reports an ENTRYPOINT that a shell takes.
func checkShellEntrypoint(c *checker) {
	b := c.boot()
	if !b.shell {
		return
	}
	in := *b.command.in
	args := strings.TrimSpace(in.Args)
	plain, execs := strings.CutPrefix(args, "exec ")
	f := c.report(c.inDocker(in), "ENTRYPOINT %s is run as sh -c, which ignores CMD, [processes] and a release_command, and keeps signals from the app", args)
	lost := c.lostCommands(f)
	if execs && lost == 0 {
		f.Severity = Warning // it works as long as nothing is to be passed on
		f.Message = fmt.Sprintf("ENTRYPOINT %s is run as sh -c: a CMD, [processes] or a release_command would be ignored", args)
	}
	if plain = strings.TrimSpace(plain); !plainCommand.MatchString(plain) || in.Heredocs != nil {
		f.hint("write it as a JSON array, or put it into a script that ends in exec")
		return
	}
	exec := flyconf.ExecForm(strings.Fields(plain)...)
	f.hint("write ENTRYPOINT " + exec)
	if lost == 0 {
		// With a command behind it, the array would pass that on, which may not
		// be what the program takes.
		f.mend(func(files *Files) error { return replaceInstruction(files, in, "ENTRYPOINT "+exec) })
	}
}

// lostCommands shows what a shell as ENTRYPOINT ignores.
func (c *checker) lostCommands(f *Finding) int {
	n := 0
	if cmd := c.Docker.Image.Cmd; cmd != nil {
		f.also(c.inDocker(*cmd), "is ignored")
		n++
	}
	if c.Fly == nil {
		return n
	}
	for _, g := range c.groups() {
		if strings.HasPrefix(g.command.key, "processes.") {
			f.also(c.inCommand(g.command), "is ignored")
			n++
		}
	}
	if d := c.Fly.Deploy; d != nil && d.ReleaseCommand != "" {
		f.also(c.inFly("deploy.release_command"), "is ignored: the app is started instead")
		n++
	}
	return n
}

// replaceInstruction puts text in the place of an instruction of the file as it was
// read. Where it is gone, it was mended already.
func replaceInstruction(files *Files, in flyconf.Instruction, text string) error {
	d, err := files.Docker()
	if err != nil {
		return err
	}
	for _, now := range slices.Backward(d.Instructions()) {
		if now.Name == in.Name && now.Args == in.Args && slices.Equal(now.Exec, in.Exec) && slices.Equal(now.Flags, in.Flags) {
			return d.Replace(now, text)
		}
	}
	return nil
}

// checkLiteFSMount reports litefs mount with a command behind it.
func checkLiteFSMount(c *checker) {
	b := c.boot()
	if !b.litefs || b.shell || slices.Contains(b.words, "--") || b.command.in == nil {
		return
	}
	var first *command
	processes := false
	f := &Finding{}
	if cmd := c.Docker.Image.Cmd; cmd != nil {
		own := c.instructionCommand(cmd)
		first = &own
	}
	for _, g := range c.groups() {
		if strings.HasPrefix(g.command.key, "processes.") {
			if !processes {
				first = &g.command
			}
			processes = true
		}
	}
	if first == nil {
		return
	}
	f = c.report(c.inDocker(*b.command.in), "litefs mount takes no command, and does not start with %q behind it", first.text)
	f.also(c.inCommand(*first), "is put behind it")
	in := *b.command.in
	switch {
	case c.LiteFS == nil || len(c.LiteFS.Config.Exec) == 0:
		exec := flyconf.ExecForm(append(slices.Clone(in.Exec), "--")...)
		f.hint("write ENTRYPOINT " + exec + ", and LiteFS starts the command")
		f.mend(func(files *Files) error { return replaceInstruction(files, in, "ENTRYPOINT "+exec) })
	case !processes:
		cmd := *c.Docker.Image.Cmd
		f.also(c.inLiteFS("exec"), "LiteFS starts this")
		f.hint("remove CMD: LiteFS starts what exec in " + c.LiteFS.Name + " says")
		f.mend(func(files *Files) error { return removeInstruction(files, cmd) })
	default:
		f.also(c.inLiteFS("exec"), "LiteFS starts this")
		f.hint("remove exec from " + c.LiteFS.Name + ", and write ENTRYPOINT " + flyconf.ExecForm(append(slices.Clone(in.Exec), "--")...))
	}
}

func removeInstruction(files *Files, in flyconf.Instruction) error {
	d, err := files.Docker()
	if err != nil {
		return err
	}
	for _, now := range slices.Backward(d.Instructions()) {
		if now.Name == in.Name && now.Args == in.Args && slices.Equal(now.Exec, in.Exec) {
			return d.Remove(now)
		}
	}
	return nil
}

// checkScripts reports scripts that stay the app's parent.
func checkScripts(c *checker) {
	if c.Docker == nil {
		return
	}
	seen := map[string]bool{}
	look := func(script *TextFile, cmd command) {
		if script == nil || seen[script.Name] {
			return
		}
		seen[script.Name] = true
		line, text := lastCommand(script.Data)
		if line == 0 {
			return
		}
		f := c.report(c.at(script.Name, line, 1, ""), "the script ends in %q without exec: the shell gets the signals that are meant for the app", text)
		if at := c.inCommand(cmd); at.File != "" {
			f.also(at, "starts the script")
		}
		f.hint(fmt.Sprintf("put exec before %q", lastPart(text)))
	}
	b := c.boot()
	look(b.script, b.command)
	if b.script != nil || len(b.words) > 0 && !b.flysql {
		return // what is behind it is an argument
	}
	for _, g := range c.groups() {
		look(c.script(unwrapped(g.command.words)), g.command)
	}
}

var (
	execs       = regexp.MustCompile(`(^|[;&|{(\s])exec\s`)
	shellWord   = regexp.MustCompile(`^[^\s;&|<>()]+`)
	functionDef = regexp.MustCompile(`(?m)^\s*(?:function\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*(?:\(\s*\)|\{)`)
	heredocWord = regexp.MustCompile(`<<-?\s*["'\\]?([A-Za-z_][A-Za-z0-9_]*)`)
)

// lastCommand is what a script leaves running as its child; 0 where it ends in exec,
// or does something that is no plain command.
func lastCommand(data []byte) (line int, text string) {
	script := string(data)
	if strings.Contains(script, "trap ") {
		return 0, "" // it looks after signals itself
	}
	number, from := 0, 0
	end := ""
	var pending strings.Builder
	for l := range strings.Lines(script) {
		number++
		l = strings.TrimRight(l, "\r\n")
		trimmed := strings.TrimSpace(l)
		if end != "" {
			if trimmed == end {
				end = ""
			}
			continue
		}
		if pending.Len() == 0 {
			if trimmed == "" || strings.HasPrefix(trimmed, "#") {
				continue
			}
			from = number
		}
		part, continued := strings.CutSuffix(trimmed, `\`)
		pending.WriteString(part)
		if continued {
			continue
		}
		line, text = from, strings.TrimSpace(pending.String())
		pending.Reset()
		if m := heredocWord.FindStringSubmatch(text); m != nil {
			end = m[1]
		}
	}
	if end != "" || pending.Len() > 0 || !leavesChild(script, text) {
		return 0, ""
	}
	if len(text) > 100 {
		text = text[:100]
	}
	return line, strings.ToValidUTF8(text, "?")
}

// notCommands begin what is no program that stays.
var notCommands = []string{
	"exec", "fi", "esac", "done", "}", ")", ";;", "wait", "exit", "return", "set", "echo", "printf", "export", "true", ":", ".", "source", "cd",
	"if", "for", "while", "case", "until", "else", "elif", "then", "do", "{", "(", "local", "shift", "unset", "mkdir", "chown", "chmod", "rm", "cp",
}

// lastPart is the last of the commands of a line.
func lastPart(line string) string {
	for _, sep := range []string{"&&", ";"} {
		if i := strings.LastIndex(line, sep); i >= 0 {
			line = line[i+len(sep):]
		}
	}
	return strings.TrimSpace(line)
}

// leavesChild tells whether the last line of a script starts a program in the
// foreground.
func leavesChild(script, last string) bool {
	if strings.HasSuffix(last, "&") || strings.ContainsAny(last, "<>|`") || execs.MatchString(last) {
		return false
	}
	word := shellWord.FindString(lastPart(last))
	if word == "" || slices.Contains(notCommands, path.Base(word)) || strings.Contains(word, "=") || slices.Contains([]string{"exec", "wait", "exit"}, word) {
		return false
	}
	for _, m := range functionDef.FindAllStringSubmatch(script, -1) {
		if m[1] == word {
			return false // it may exec
		}
	}
	return true
}
