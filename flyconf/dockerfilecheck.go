package flyconf

import (
	"fmt"
	"slices"
	"strings"
)

var dockerfileInstructions = []string{
	"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
	"ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}

// checkDockerfile reports what BuildKit refuses in instructions that were read.
func checkDockerfile(d *Dockerfile, p *problems) {
	if len(d.instructions) == 0 {
		if len(p.list) == 0 {
			p.list = append(p.list, &Problem{File: d.name, Message: "holds no instruction: a Dockerfile begins with FROM"})
		}
		return
	}
	staged := false
	for _, in := range d.instructions {
		staged = staged || in.Name == "FROM"
		checkInstruction(p, in)
		if !staged && in.Name != "ARG" && slices.Contains(dockerfileInstructions, in.Name) {
			dockerfileProblem(p, in, "stands before the first FROM, where only ARG may: move it below")
		}
	}
	if !staged && len(p.list) == 0 {
		p.list = append(p.list, &Problem{File: d.name, Message: "has no FROM: name the image to build on"})
	}
}

func checkInstruction(p *problems, in Instruction) {
	if why := in.refused(); why != "" {
		dockerfileProblem(p, in, "%s", why)
	}
}

// refused says why BuildKit refuses the instruction, or "".
func (in Instruction) refused() string {
	if !slices.Contains(dockerfileInstructions, in.Name) {
		if near := Nearest(in.Name, dockerfileInstructions); near != "" {
			return fmt.Sprintf("unknown instruction; did you mean %s?", near)
		}
		return "unknown instruction: if it belongs to the line above, that line lacks a \\ at its end"
	}
	words := in.Words()
	switch in.Name {
	case "FROM":
		if len(words) != 1 && !(len(words) == 3 && strings.EqualFold(words[1], "AS")) {
			return "write FROM image, or FROM image AS name"
		}
	case "COPY", "ADD":
		if len(words) < 2 {
			return "needs a source and a destination"
		}
		if _, ok := heredocOf(words[len(words)-1]); ok {
			return "a heredoc cannot be the destination"
		}
	case "ENV", "LABEL":
		if _, err := dockerfilePairs(in.Args, in.escape); err != nil {
			return err.Error()
		}
	case "ONBUILD":
		return in.refusedTrigger()
	case "CMD", "ENTRYPOINT", "RUN":
		// BuildKit takes them without arguments.
	default:
		if len(words) == 0 && len(in.Heredocs) == 0 {
			return "has no arguments"
		}
	}
	return ""
}

func (in Instruction) refusedTrigger() string {
	switch {
	case in.Args == "":
		return "has no arguments"
	case in.Trigger == nil:
		return "ONBUILD ONBUILD is not allowed"
	case in.Trigger.Name == "FROM", in.Trigger.Name == "MAINTAINER":
		return fmt.Sprintf("ONBUILD %s is not allowed", in.Trigger.Name)
	}
	t := *in.Trigger
	t.Heredocs, t.escape = in.Heredocs, in.escape
	return t.refused()
}
