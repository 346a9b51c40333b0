package flyconf

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nth returns the n-th instruction of that name in the whole file, from 0.
func nth(t *testing.T, d *Dockerfile, name string, n int) Instruction {
	t.Helper()
	for _, in := range d.Instructions() {
		if in.Name == name {
			if n == 0 {
				return in
			}
			n--
		}
	}
	t.Fatalf("no such %s in\n%s", name, d.Bytes())
	return Instruction{}
}

func TestDockerfileEdit(t *testing.T) {
	litefs := func(t *testing.T, d *Dockerfile) error { return d.Set("ENTRYPOINT", ExecForm("litefs", "mount")) }
	tests := []struct {
		name, before, after string
		edit                func(t *testing.T, d *Dockerfile) error
	}{
		{"replaces", "FROM a\nENTRYPOINT x y # z\n# c\nCMD z\n", "FROM a\nENTRYPOINT [\"litefs\", \"mount\"]\n# c\nCMD z\n", litefs},
		{"says the same already", "FROM a\nEntrypoint  [ \"litefs\"\t, \\\n  # c\n \"mount\" ]\nCMD z\n", "FROM a\nEntrypoint  [ \"litefs\"\t, \\\n  # c\n \"mount\" ]\nCMD z\n", litefs},
		{"keeps case and indentation", "from a\n  entrypoint x", "from a\n  entrypoint [\"litefs\", \"mount\"]", litefs},
		{"moves the comments inside", "FROM a\nENTRYPOINT x \\\n  # c\n\n  # d\n  y\n\nCMD z\n", "FROM a\n# c\n# d\nENTRYPOINT [\"litefs\", \"mount\"]\n\nCMD z\n", litefs},
		{"the last one of the stage", "FROM a\nENTRYPOINT x\nFROM b\nENTRYPOINT x\nENTRYPOINT y\n", "FROM a\nENTRYPOINT x\nFROM b\nENTRYPOINT x\nENTRYPOINT [\"litefs\", \"mount\"]\n", litefs},
		{"adds before CMD and its comment", "FROM a AS x\nENTRYPOINT x\nFROM a\nRUN y\n\n# The app.\nCMD z\n", "FROM a AS x\nENTRYPOINT x\nFROM a\nRUN y\n\nENTRYPOINT [\"litefs\", \"mount\"]\n# The app.\nCMD z\n", litefs},
		{"adds at the end", "FROM a\nRUN y", "FROM a\nRUN y\nENTRYPOINT [\"litefs\", \"mount\"]", litefs},
		{"adds behind a CMD that is not at the end", "FROM a\nCMD z\nRUN y\n", "FROM a\nCMD z\nRUN y\nENTRYPOINT [\"litefs\", \"mount\"]\n", litefs},
		{"CRLF", "FROM a\r\nCMD z\r\n", "FROM a\r\nENTRYPOINT [\"litefs\", \"mount\"]\r\nCMD z\r\n", litefs},
		{"CRLF without the last", "FROM a\r\nRUN z", "FROM a\r\nRUN z\r\nENTRYPOINT [\"litefs\", \"mount\"]", litefs},
		{"byte order mark", "\ufeffFROM a\nCMD x\n", "\ufeffFROM a\nENTRYPOINT [\"litefs\", \"mount\"]\nCMD x\n", litefs},
		{"behind a heredoc", "FROM a\nCOPY <<E /x\nENTRYPOINT x\nE\n", "FROM a\nCOPY <<E /x\nENTRYPOINT x\nE\nENTRYPOINT [\"litefs\", \"mount\"]\n", litefs},
		{"CMD at the end", "FROM a\nENTRYPOINT x\n", "FROM a\nENTRYPOINT x\nCMD [\"y\"]\n",
			func(t *testing.T, d *Dockerfile) error { return d.Set("cmd", ExecForm("y")) }},
		{"USER before both", "FROM a\nRUN x\nENTRYPOINT x\nCMD y\n", "FROM a\nRUN x\nUSER app\nENTRYPOINT x\nCMD y\n",
			func(t *testing.T, d *Dockerfile) error { return d.Set("USER", "app") }},
		{"health check on lines", "FROM a\nHEALTHCHECK NONE\n", "FROM a\nHEALTHCHECK --interval=5s \\\n  CMD x\n",
			func(t *testing.T, d *Dockerfile) error { return d.Set("HEALTHCHECK", "--interval=5s \\\n  CMD x") }},
		{"insert before", "# syntax=x\n# c\nFROM a\n# d\nRUN y\n", "# syntax=x\n# c\nFROM a\nARG V\n# more\nRUN <<E\nz\nE\n# d\nRUN y\n",
			func(t *testing.T, d *Dockerfile) error {
				return d.InsertBefore(nth(t, d, "RUN", strings.Count(string(d.Bytes()), "RUN <<")), "ARG V\n# more\nRUN <<E\nz\nE\n")
			}},
		{"insert before the first", "# syntax=x\n# c\nFROM a\n", "# syntax=x\nARG V=1\n# c\nFROM a\n",
			func(t *testing.T, d *Dockerfile) error { return d.InsertBefore(nth(t, d, "FROM", 0), "ARG V=1") }},
		{"insert after", "FROM a\nRUN x \\\n y\n# c\nCMD z\n", "FROM a\nRUN x \\\n y\nRUN v\n\n# c\nCMD z\n",
			func(t *testing.T, d *Dockerfile) error { return d.InsertAfter(nth(t, d, "RUN", 0), "RUN v\n\n") }},
		{"insert after the last of a CRLF file", "FROM a\r\nRUN x", "FROM a\r\nRUN x\r\nRUN v \\\r\n w",
			func(t *testing.T, d *Dockerfile) error { return d.InsertAfter(nth(t, d, "RUN", 0), "RUN v \\\n w\n") }},
		{"replace by several", "FROM a\nRUN x\nCMD y\n", "FROM a\nRUN v\nRUN w\nCMD y\n",
			func(t *testing.T, d *Dockerfile) error {
				if strings.Contains(string(d.Bytes()), "RUN w") {
					return nil
				}
				return d.Replace(nth(t, d, "RUN", 0), "RUN v\nRUN w")
			}},
		{"remove", "FROM a\n# c\nRUN x \\\n  # d\n y\nCMD z\n", "FROM a\n# c\n# d\nCMD z\n",
			func(t *testing.T, d *Dockerfile) error {
				if in, ok := d.Final().Last("RUN"); ok {
					return d.Remove(in)
				}
				return nil
			}},
		{"remove a heredoc", "FROM a\nRUN <<E\n# x\nE\nCMD z\n", "FROM a\nCMD z\n",
			func(t *testing.T, d *Dockerfile) error {
				if in, ok := d.Final().Last("RUN"); ok {
					return d.Remove(in)
				}
				return nil
			}},
		{"add a stage", "# syntax=x\n\nARG V\n\n# The app.\nFROM a:$V\nCOPY --from=fs /l /l\n", "# syntax=x\n\nARG V\n\nFROM flyio/litefs:0.5 AS fs\n\n# The app.\nFROM a:$V\nCOPY --from=fs /l /l\n",
			func(t *testing.T, d *Dockerfile) error { return d.AddStage("FROM flyio/litefs:0.5 AS fs") }},
		{"the stage is there", "FROM a\nfrom b as FS\nRUN x\nFROM c\n", "FROM a\nfrom b as FS\nRUN x\nFROM c\n",
			func(t *testing.T, d *Dockerfile) error { return d.AddStage("FROM b as FS\nRUN  x\n") }},
		{"escape directive", "# escape=`\nFROM a\nENTRYPOINT x `\n y\n", "# escape=`\nFROM a\nENTRYPOINT [\"litefs\", \"mount\"]\n", litefs},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseDockerfile("Dockerfile", []byte(tt.before))
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range []string{"first", "second"} {
				if err := tt.edit(t, d); err != nil {
					t.Fatalf("%s edit: %v", run, err)
				}
				if diff := cmp.Diff(tt.after, string(d.Bytes())); diff != "" {
					t.Fatalf("%s edit (-want +got):\n%s", run, diff)
				}
			}
		})
	}
}

func TestDockerfileEditRefused(t *testing.T) {
	tests := []struct {
		name, text, want string
		edit             func(t *testing.T, d *Dockerfile) error
	}{
		{"not the only one", "FROM a\n", "set RUN in Dockerfile: a stage may have several: use Replace or Insert",
			func(t *testing.T, d *Dockerfile) error { return d.Set("RUN", "x") }},
		{"a second instruction smuggled in", "FROM a\nUSER x\n", "set USER in Dockerfile: the arguments hold another instruction, entrypoint: give those of one",
			func(t *testing.T, d *Dockerfile) error { return d.Set("USER", "app\nentrypoint sh") }},
		{"no instruction smuggled in", "FROM a\n# c\nUSER x\nRUN y\n", "set USER in Dockerfile: new text:2:1: rm: unknown instruction: if it belongs to the line above, that line lacks a \\ at its end",
			func(t *testing.T, d *Dockerfile) error { return d.Set("USER", "app\nrm -rf /") }},
		{"swallows the next line", "FROM a\nUSER x\nRUN y\n", "replace USER in Dockerfile: other instructions would not read as before: make this change by hand",
			func(t *testing.T, d *Dockerfile) error { return d.Set("USER", "app \\") }},
		{"nothing", "FROM a\n", "insert after FROM in Dockerfile: the new text holds no instruction",
			func(t *testing.T, d *Dockerfile) error { return d.InsertAfter(nth(t, d, "FROM", 0), "# c") }},
		{"before FROM", "FROM a\n", "insert before FROM in Dockerfile: the result would not be a valid Dockerfile (RUN: stands before the first FROM, where only ARG may: move it below): make this change by hand",
			func(t *testing.T, d *Dockerfile) error { return d.InsertBefore(nth(t, d, "FROM", 0), "RUN x") }},
		{"the only FROM", "FROM a\nRUN x\n", "remove FROM in Dockerfile: the result would not be a valid Dockerfile (RUN: stands before the first FROM, where only ARG may: move it below): make this change by hand",
			func(t *testing.T, d *Dockerfile) error { return d.Remove(nth(t, d, "FROM", 0)) }},
		{"a comment becomes a directive", "ARG V\n# escape=`\nFROM a\n", "remove ARG in Dockerfile: other instructions would not read as before: make this change by hand",
			func(t *testing.T, d *Dockerfile) error { return d.Remove(nth(t, d, "ARG", 0)) }},
		{"behind an open continuation", "FROM a\nRUN x \\\n", "insert after RUN in Dockerfile: other instructions would not read as before: make this change by hand",
			func(t *testing.T, d *Dockerfile) error { return d.InsertAfter(nth(t, d, "RUN", 0), "RUN y") }},
		{"a stage of that name", "FROM a AS fs\n", "Dockerfile:1:1: FROM: there is another stage named fs: rename or remove it",
			func(t *testing.T, d *Dockerfile) error { return d.AddStage("FROM b AS fs") }},
		{"a stage without name", "FROM a\n", "add stage to Dockerfile: it has no name by which others could use it: write FROM image AS name",
			func(t *testing.T, d *Dockerfile) error { return d.AddStage("FROM b") }},
		{"no stage", "FROM a\n", "add stage to Dockerfile: it begins with ARG: begin it with FROM image AS name",
			func(t *testing.T, d *Dockerfile) error { return d.AddStage("ARG V\nFROM b AS c") }},
		{"NUL", "FROM a\n", "set USER in Dockerfile: the new text holds a NUL byte: it is binary, or not saved as UTF-8",
			func(t *testing.T, d *Dockerfile) error { return d.Set("USER", "\x00") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseDockerfile("Dockerfile", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			err = tt.edit(t, d)
			if err == nil {
				t.Fatalf("made the edit:\n%s", d.Bytes())
			}
			if err.Error() != tt.want {
				t.Errorf("\n got %v\nwant %s", err, tt.want)
			}
			if string(d.Bytes()) != tt.text {
				t.Errorf("text changed to %q", d.Bytes())
			}
		})
	}
}

// TestDockerfileStale: an instruction from before an edit may stand elsewhere
// now, and one of another file may stand anywhere.
func TestDockerfileStale(t *testing.T) {
	parse := func() *Dockerfile {
		d, err := ParseDockerfile("Dockerfile", []byte("FROM a\nRUN x\nCMD y\n"))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := parse()
	run := nth(t, d, "RUN", 0)
	if err := d.Set("USER", "app"); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]Instruction{"stale": run, "foreign": nth(t, parse(), "RUN", 0), "zero": {}} {
		for verb, err := range map[string]error{
			"Remove":       d.Remove(in),
			"Replace":      d.Replace(in, "RUN z"),
			"InsertBefore": d.InsertBefore(in, "RUN z"),
			"InsertAfter":  d.InsertAfter(in, "RUN z"),
		} {
			if !errors.Is(err, errStale) {
				t.Errorf("%s of a %s instruction: %v, want %v", verb, name, err, errStale)
			}
		}
	}
}

func TestExecForm(t *testing.T) {
	for _, tt := range []struct {
		argv []string
		want string
	}{
		{nil, `[]`},
		{[]string{"a b", `c"d`, "<&>", "é\n"}, `["a b", "c\"d", "<&>", "é\n"]`},
	} {
		if got := ExecForm(tt.argv...); got != tt.want {
			t.Errorf("ExecForm(%q) = %s, want %s", tt.argv, got, tt.want)
		}
	}
}

// FuzzDockerfile makes edits of any text. What is read is not refused afterwards;
// an edit that is made leaves all other instructions and all comments, and made
// again changes no byte.
func FuzzDockerfile(f *testing.F) {
	for _, text := range []string{
		"# syntax=docker/dockerfile:1\n\nARG V=1\nFROM a:$V AS b\n# c\nRUN x \\\n  # d\n  && y\n\nFROM b\nCOPY --from=b <<E <<-\"F\" /x\n1\nE\n\tF\nENV A=1 B=\"$A c\"\nENTRYPOINT [\"x\", \\\n # e\n\"y\"]\nCMD z\n",
		"\ufeff# escape=`\r\nFROM a\r\nRUN x `\r\n\r\n  y\r\nONBUILD RUN <<E\r\nE\r\nCMD [\"a\"]",
		"FROM a\nENV A b c\nUSER ${U:-u}\nHEALTHCHECK --interval=1s CMD [\"x\"]\nRUN x \\",
		"FROM a\nRUN apk add a && apt-get install -y b; (dnf install c)\n",
	} {
		for edit := range byte(8) {
			f.Add([]byte(text), edit, edit)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, edit, at byte) {
		d, err := ParseDockerfile("Dockerfile", data)
		if err != nil {
			return
		}
		d.Final().Image(nil)
		before := d.Instructions()
		comments := d.comments
		in := before[int(at)%len(before)]
		again := in.index
		switch edit % 7 {
		case 0:
			err = d.Set("ENTRYPOINT", ExecForm("litefs", "mount"))
		case 1:
			err = d.Set("USER", "app")
		case 2:
			err = d.Replace(in, "RUN <<E\nx\nE")
		case 3:
			err = d.InsertBefore(in, "# new\nRUN n \\\n  m")
			again++
		case 4:
			err = d.InsertAfter(in, "RUN n")
		case 5:
			err = d.Remove(in)
		case 6:
			err = d.AddStage("FROM new AS new-stage\nRUN x")
		}
		if err != nil {
			if string(d.Bytes()) != string(data) {
				t.Fatalf("refused with %v, but changed\n%q\nto\n%q", err, data, d.Bytes())
			}
			return
		}
		if !dockerfileKeeps(comments, d.comments) {
			t.Fatalf("lost a comment of\n%q\nin\n%q", data, d.Bytes())
		}
		after := d.Instructions()
		if n := commonInstructions(before, after); n < len(before)-1 {
			t.Fatalf("%d of %d instructions of\n%q\nare left in\n%q", n, len(before), data, d.Bytes())
		}
		once := string(d.Bytes())
		switch edit % 7 {
		case 0:
			err = d.Set("ENTRYPOINT", ExecForm("litefs", "mount"))
		case 1:
			err = d.Set("USER", "app")
		case 2:
			err = d.Replace(after[again], "RUN <<E\nx\nE")
		case 3:
			if string(data) != once {
				err = d.InsertBefore(after[again], "# new\nRUN n \\\n  m")
			}
		case 4:
			err = d.InsertAfter(after[again], "RUN n")
		case 6:
			err = d.AddStage("FROM new AS new-stage\nRUN x")
		}
		if err != nil || string(d.Bytes()) != once {
			t.Fatalf("the same edit again (%v) changed\n%q\nto\n%q", err, once, d.Bytes())
		}
	})
}

// commonInstructions counts those at the start and the end that are the same.
func commonInstructions(a, b []Instruction) int {
	n := 0
	for n < len(a) && n < len(b) && sameInstruction(a[n], b[n]) {
		n++
	}
	m := 0
	for n+m < len(a) && n+m < len(b) && sameInstruction(a[len(a)-1-m], b[len(b)-1-m]) {
		m++
	}
	return n + m
}
