package flyconf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// say writes what an instruction says, one line each.
func say(list []Instruction) string {
	var b strings.Builder
	for _, in := range list {
		fmt.Fprintf(&b, "%d-%d %s", in.Line, in.EndLine, in.Name)
		for _, f := range in.Flags {
			fmt.Fprintf(&b, " {%s}", f)
		}
		if in.Exec != nil {
			fmt.Fprintf(&b, " %q", in.Exec)
		} else {
			fmt.Fprintf(&b, " %s", in.Args)
		}
		for _, h := range in.Heredocs {
			fmt.Fprintf(&b, " <<%s %q chomp=%t expand=%t", h.Name, h.Content, h.Chomp, h.Expand)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestParseDockerfile(t *testing.T) {
	tests := []struct {
		name, text, want string
	}{
		{"one line", "FROM a", "1-1 FROM a\n"},
		{"any case", "from a\nRun x\n", "1-1 FROM a\n2-2 RUN x\n"},
		{"comments and empty lines", "# c\n\n  # d\nFROM a\n\n# e\nRUN x # not a comment\n", "4-4 FROM a\n7-7 RUN x # not a comment\n"},
		{"indented", "\tFROM  a\n   RUN \t x  y  \n", "1-1 FROM a\n2-2 RUN x  y\n"},
		{"continued", "FROM a\nRUN x \\\n  && y\nCMD z\n", "1-1 FROM a\n2-3 RUN x   && y\n4-4 CMD z\n"},
		{"blanks behind the continuation", "FROM a\nRUN x \\ \t\ny\n", "1-1 FROM a\n2-3 RUN x y\n"},
		{"comments and empty lines inside", "FROM a\nRUN x \\\n# why\n\n  # and\n  y\nCMD z\n", "1-1 FROM a\n2-6 RUN x   y\n7-7 CMD z\n"},
		{"escaped escape at the end", "FROM a\nRUN x \\\\\nCMD z\n", "1-1 FROM a\n2-2 RUN x \\\\\n3-3 CMD z\n"},
		{"continued into the end", "FROM a\nRUN x \\\n", "1-1 FROM a\n2-2 RUN x\n"},
		{"continued name", "FROM a\nRU\\\nN x\n", "1-1 FROM a\n2-3 RUN x\n"},
		{"escape directive", "# escape=`\nFROM a\nRUN dir C:\\\nRUN x `\n y\n", "2-2 FROM a\n3-3 RUN dir C:\\\n4-5 RUN x  y\n"},
		{"directives", "#syntax = docker/dockerfile:1\n# ESCAPE=`\n# check=skip=all\nFROM a `\n AS b\n", "4-5 FROM a  AS b\n"},
		{"directive behind a comment", "# c\n# escape=`\nFROM a\nRUN x \\\ny\n", "3-3 FROM a\n4-5 RUN x y\n"},
		{"directive behind an empty line", "\n# escape=`\nFROM a\nRUN x \\\ny\n", "3-3 FROM a\n4-5 RUN x y\n"},
		{"directive behind an unknown one", "# mode=x\n# escape=`\nFROM a\nRUN x \\\ny\n", "3-3 FROM a\n4-5 RUN x y\n"},
		{"CRLF", "FROM a\r\nRUN x \\\r\n y\r\nCMD [\"z\"]\r\n", "1-1 FROM a\n2-3 RUN x  y\n4-4 CMD [\"z\"]\n"},
		{"byte order mark", "\ufeffFROM a\nCMD x\n", "1-1 FROM a\n2-2 CMD x\n"},
		{"byte order mark and directive", "\ufeff# escape=`\nFROM a\nRUN x `\ny\n", "2-2 FROM a\n3-4 RUN x y\n"},
		{"exec form", "FROM a\nENTRYPOINT [ \"litefs\",\t\"mount\" ]\n", "1-1 FROM a\n2-2 ENTRYPOINT [\"litefs\" \"mount\"]\n"},
		{"exec form on lines", "FROM a\nCMD [ \\\n  \"a b\", \\\n  # c\n  \"\\u00e9\" ]\n", "1-1 FROM a\n2-5 CMD [\"a b\" \"é\"]\n"},
		{"empty exec form", "FROM a\nENTRYPOINT []\n", "1-1 FROM a\n2-2 ENTRYPOINT []\n"},
		{"broken exec form is a shell's", "FROM a\nCMD ['a', 'b']\nCMD [\"a\",]\nCMD [\"a\"] x\n", "1-1 FROM a\n2-2 CMD ['a', 'b']\n3-3 CMD [\"a\",]\n4-4 CMD [\"a\"] x\n"},
		{"health check", "FROM a\nHEALTHCHECK --interval=5s CMD [\"x\", \"y\"]\nHEALTHCHECK NONE\n", "1-1 FROM a\n2-2 HEALTHCHECK {--interval=5s} [\"x\" \"y\"]\n3-3 HEALTHCHECK NONE\n"},
		{"flags", "FROM --platform=linux/amd64 a AS b\nCOPY --from=b --chown=\"1 2\" /x /y\nRUN --mount=type=cache,target=/c go build -- --x\n",
			"1-1 FROM {--platform=linux/amd64} a AS b\n2-2 COPY {--from=b} {--chown=1 2} /x /y\n3-3 RUN {--mount=type=cache,target=/c} go build -- --x\n"},
		{"end of flags", "FROM a\nRUN --network=none -- --x\n", "1-1 FROM a\n2-2 RUN {--network=none} --x\n"},
		{"ARG first", "ARG V=1\nARG W\nFROM a:$V\n", "1-1 ARG V=1\n2-2 ARG W\n3-3 FROM a:$V\n"},
		{"stages", "FROM a AS b\nRUN x\nFROM b\nCOPY --from=b /x /\n", "1-1 FROM a AS b\n2-2 RUN x\n3-3 FROM b\n4-4 COPY {--from=b} /x /\n"},
		{"onbuild", "FROM a\nONBUILD COPY . /x\nONBUILD RUN <<E\nx\nE\n", "1-1 FROM a\n2-2 ONBUILD COPY . /x\n3-5 ONBUILD RUN <<E <<E \"x\\n\" chomp=false expand=true\n"},
		{"heredoc", "FROM a\nRUN <<EOF\nFROM b\n# c\nx \\\nEOF\nCMD z\n", "1-1 FROM a\n2-6 RUN <<EOF <<EOF \"FROM b\\n# c\\nx \\\\\\n\" chomp=false expand=true\n7-7 CMD z\n"},
		{"heredoc with tabs", "FROM a\nRUN <<-EOF\n\tx\n\tEOF\n", "1-1 FROM a\n2-4 RUN <<-EOF <<EOF \"\\tx\\n\" chomp=true expand=true\n"},
		{"heredoc that is not chomped", "FROM a\nRUN <<EOF\n\tEOF\nEOF\n", "1-1 FROM a\n2-4 RUN <<EOF <<EOF \"\\tEOF\\n\" chomp=false expand=true\n"},
		{"quoted heredoc", "FROM a\nCOPY <<\"E O\" <<'F' /x/\n$A\nE O\nF\n", "1-1 FROM a\n2-5 COPY <<\"E O\" <<'F' /x/ <<E O \"$A\\n\" chomp=false expand=false <<F \"\" chomp=false expand=false\n"},
		{"heredoc in a command", "FROM a\nRUN cat <<A 3<<B > /x && y\n1\nA\n2\nB\nCMD z\n", "1-1 FROM a\n2-6 RUN cat <<A 3<<B > /x && y <<A \"1\\n\" chomp=false expand=true <<B \"2\\n\" chomp=false expand=true\n7-7 CMD z\n"},
		{"heredoc on a continued line", "FROM a\nRUN cat \\\n # c\n <<EOF\nx\nEOF\n", "1-1 FROM a\n2-6 RUN cat  <<EOF <<EOF \"x\\n\" chomp=false expand=true\n"},
		{"heredoc with CRLF", "FROM a\r\nRUN <<EOF\r\nx\r\nEOF\r\nCMD z\r\n", "1-1 FROM a\n2-4 RUN <<EOF <<EOF \"x\\r\\n\" chomp=false expand=true\n5-5 CMD z\n"},
		{"no heredocs", "FROM a\nRUN [\"x\", \"<<EOF\"]\nRUN echo '<<EOF' <<<x\nENV A=<<EOF\nRUN echo \"<<EOF\n", "1-1 FROM a\n2-2 RUN [\"x\" \"<<EOF\"]\n3-3 RUN echo '<<EOF' <<<x\n4-4 ENV A=<<EOF\n5-5 RUN echo \"<<EOF\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseDockerfile("Dockerfile", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, say(d.Instructions())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if string(d.Bytes()) != tt.text {
				t.Errorf("text changed to %q", d.Bytes())
			}
		})
	}
}

func TestParseDockerfileProblems(t *testing.T) {
	long := "RUN " + strings.Repeat("x", maxDockerfileLine)
	tests := []struct {
		name, text, want string
	}{
		{"empty", "", "Dockerfile: holds no instruction: a Dockerfile begins with FROM"},
		{"comments only", "# c\n\n", "Dockerfile: holds no instruction: a Dockerfile begins with FROM"},
		{"no FROM", "ARG A\n", "Dockerfile: has no FROM: name the image to build on"},
		{"before FROM", "ARG A\n  RUN x\nFROM a\n", "Dockerfile:2:3: RUN: stands before the first FROM, where only ARG may: move it below"},
		{"FROM without image", "FROM\n", "Dockerfile:1:1: FROM: write FROM image, or FROM image AS name"},
		{"FROM with more", "FROM a as\n", "Dockerfile:1:1: FROM: write FROM image, or FROM image AS name"},
		{"typing error", "FROM a\nentrypiont [\"x\"]\n", "Dockerfile:2:1: entrypiont: unknown instruction; did you mean ENTRYPOINT?"},
		{"lost continuation", "FROM a\nRUN x\n  && y\n", "Dockerfile:3:3: &&: unknown instruction: if it belongs to the line above, that line lacks a \\ at its end"},
		{"all of them", "FROM a\nEXPOSE\nCOPY x\nWORKDIR\n", "Dockerfile:2:1: EXPOSE: has no arguments\nDockerfile:3:1: COPY: needs a source and a destination\nDockerfile:4:1: WORKDIR: has no arguments"},
		{"array with a number", "FROM a\nCMD [\"x\", 1]\n", "Dockerfile:2:1: CMD: the JSON array holds something that is not a string: put every element in double quotes"},
		{"ENV without value", "FROM a\nENV A\n", "Dockerfile:2:1: ENV: A has no value: write A=value"},
		{"ENV with a space", "FROM a\nENV A=b c\n", "Dockerfile:2:1: ENV: \"c\" is not name=value: put a value with spaces in quotes"},
		{"ENV without name", "FROM a\nENV =b\n", "Dockerfile:2:1: ENV: \"=b\" has no name before the ="},
		{"unterminated heredoc", "FROM a\nRUN <<EOF\nx\n EOF\n", "Dockerfile:2:1: RUN: the heredoc <<EOF does not end: a line that is only EOF is missing"},
		{"heredoc as destination", "FROM a\nCOPY x <<EOF\nEOF\n", "Dockerfile:2:1: COPY: a heredoc cannot be the destination"},
		{"ONBUILD FROM", "FROM a\nONBUILD FROM b\n", "Dockerfile:2:1: ONBUILD: ONBUILD FROM is not allowed"},
		{"ONBUILD ONBUILD", "FROM a\nONBUILD ONBUILD RUN x\n", "Dockerfile:2:1: ONBUILD: ONBUILD ONBUILD is not allowed"},
		{"ONBUILD nothing", "FROM a\nONBUILD\n", "Dockerfile:2:1: ONBUILD: has no arguments"},
		{"directive twice", "# escape=`\n# escape=`\nFROM a\n", "Dockerfile:2:1: the directive escape is given twice: keep one"},
		{"escape", "# escape=^\nFROM a\n", "Dockerfile:1:1: the directive escape is \"^\": it is ` or \\"},
		{"NUL", "FROM a\nRUN \x00\n", "Dockerfile:2:5: holds a NUL byte: it is binary, or not saved as UTF-8"},
		{"long line", "FROM a\n" + long, "Dockerfile:2:1: line is longer than 65535 bytes, the most that Docker reads"},
		{"large", "FROM a\n" + strings.Repeat("#\n", maxSourceBytes/2), "Dockerfile: is larger than 1 MB (1048583 bytes): is it the right file?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseDockerfile("Dockerfile", []byte(tt.text))
			if err == nil {
				t.Fatalf("no error, but %q", say(d.Instructions()))
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDockerfileHostile: none of these may panic, or take long; that they are
// read or refused does not matter.
func TestDockerfileHostile(t *testing.T) {
	repeat := func(s string) string { return strings.Repeat(s, maxSourceBytes/len(s)-100) }
	tests := map[string]string{
		"stages":            "FROM a AS b\n" + repeat("FROM b AS b\n"),
		"growing variable":  "FROM a\nENV A=aaaaaaaaaa\n" + repeat("ENV A=$A$A\n"),
		"many variables":    "FROM a\nENV A=" + strings.Repeat("a", 60000) + "\n" + repeat("ENV B=$A\n"),
		"many names":        "FROM a\n" + manyNames(60000),
		"nested variables":  "FROM a\nENV A=" + strings.Repeat("${A:-", 10000) + strings.Repeat("}", 10000) + "\n",
		"nested, continued": "FROM a\nENV A=" + strings.Repeat("${A:-\\\n", 100000) + "\n",
		"heredocs":          "FROM a\nRUN " + strings.Repeat("<<A ", 15000) + "\n" + strings.Repeat("A\n", 15000),
		"open heredocs":     "FROM a\n" + repeat("RUN <<A\n"),
		"onbuild":           "FROM a\n" + repeat("ONBUILD RUN <<A\nA\n"),
		"continued":         "FROM a\nRUN " + repeat("\\\n"),
		"unknown":           "FROM a\n" + repeat("x\n"),
		"one long word":     "FROM a\n" + strings.Repeat("x\\\n", 300000),
		"open JSON":         "FROM a\nCMD " + strings.Repeat("[", 60000) + "\n",
		"quotes":            "FROM a\nENV A=" + strings.Repeat(`"'`, 30000) + "\n",
		"packages":          "FROM a\n" + repeat("RUN apk add a b\n"),
		"not UTF-8":         "FROM \xff\nENV \xfe=\xfd$\xfc\nRUN <<\xfb\n\xfb\n",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := ParseDockerfile("Dockerfile", []byte(text))
			if err != nil {
				return
			}
			img := d.Final().Image(nil)
			size := 0
			for _, e := range img.Env {
				size += len(e.Value)
			}
			if size > maxImageBytes+2*maxSourceBytes {
				t.Errorf("variables grew to %d bytes", size)
			}
		})
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "ENV A%d=$A%d\n", i, i-1)
	}
	return b.String()
}

func TestDockerfileStages(t *testing.T) {
	d, err := ParseDockerfile("Dockerfile", []byte("ARG V=1\nFROM a:$V as Build\nCMD x\nCMD y\nFROM scratch\nUSER u\n"))
	if err != nil {
		t.Fatal(err)
	}
	stages := d.Stages()
	if len(stages) != 2 || stages[0].Name != "Build" || stages[0].Base != "a:$V" || stages[1].Name != "" || stages[1].Base != "scratch" {
		t.Errorf("stages %+v", stages)
	}
	if in, ok := stages[0].Last("cmd"); !ok || in.Args != "y" || in.Line != 4 {
		t.Errorf("Last(cmd) = %+v, %t", in, ok)
	}
	if in, ok := d.Final().Last("CMD"); ok {
		t.Errorf("the final stage has %+v", in)
	}
	if args := d.GlobalArgs(); len(args) != 1 || args[0].Args != "V=1" {
		t.Errorf("global args %+v", args)
	}
}

func TestDockerfileSyntax(t *testing.T) {
	for text, want := range map[string]string{
		"# syntax=docker/dockerfile:1\nFROM a": "docker/dockerfile:1",
		"FROM a\n# syntax=x":                   "",
	} {
		d, err := ParseDockerfile("Dockerfile", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Syntax(); got != want {
			t.Errorf("%q: syntax %q, want %q", text, got, want)
		}
	}
}
