package scaffold

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAdditionToDockerfile(t *testing.T) {
	const boots = "# flysql-entrypoint boots the app: it checks the volume, runs the migrations, then\n# becomes the app.\n"
	const copied = boots + "COPY --from=flysql /flysql/bin/flysql-entrypoint /usr/local/bin/\n"
	const root = "# It starts as root, gives the volume's files to FLYSQL_USER, and runs the app as\n# that user.\nUSER root\n"
	tests := []struct {
		name, in, want string
		add            Addition
	}{
		{"CMD", "FROM a\nCMD x\n", "STAGE\n\nFROM a\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n", Addition{}},
		{"ENTRYPOINT and CMD", "FROM a\n\nENTRYPOINT [\"e\"]\nCMD [\"x\"]\n", "STAGE\n\nFROM a\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\", \"e\"]\nCMD [\"x\"]\n", Addition{}},
		{"ENTRYPOINT in a shell", "FROM a\n\nENTRYPOINT e $X\nCMD [\"ignored\"]\n", "STAGE\n\nFROM a\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD e $X\n", Addition{}},
		{"a command given", "FROM a\n\nENTRYPOINT [\"e\"]\nCMD x\n", "STAGE\n\nFROM a\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD [\"y\"]\n", Addition{Command: []string{"y"}}},
		{"nothing to run", "FROM a\n", "STAGE\n\nFROM a\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD [\"y\"]\n", Addition{Default: []string{"y"}}},
		{"directives, ARG and comments stay in front", "# syntax=docker/dockerfile:1\n# check=skip=all\nARG V=1\n# base\nFROM a:$V\n\n# run\nCMD x\n",
			"# syntax=docker/dockerfile:1\n# check=skip=all\nARG V=1\nSTAGE\n\n# base\nFROM a:$V\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\n# run\nCMD x\n", Addition{}},
		{"the last stage of several", "FROM a AS flysql\nENTRYPOINT [\"no\"]\nUSER no\nFROM b\n\nCMD x\n",
			"FROM a AS flysql\nENTRYPOINT [\"no\"]\nUSER no\nSTAGE\n\nFROM b\n\n" + strings.Replace(copied, "=flysql", "=flysql2", 1) + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n", Addition{}},
		{"USER", "FROM a\nUSER node:node\n\nCMD x\n", "STAGE\n\nFROM a\nUSER node:node\n\n" + copied + root + "ENV A=b FLYSQL_USER=node\nENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n", Addition{Env: []string{"A=b"}}},
		{"USER behind CMD", "FROM a\nCMD x\nUSER 1000:1001\n", "STAGE\n\nFROM a\nCMD x\nUSER 1000:1001\n\n" + copied + root + "ENV FLYSQL_USER=1000:1001\nENTRYPOINT [\"flysql-entrypoint\"]\n", Addition{}},
		{"USER root", "FROM a\nUSER root\n\nCMD x\n", "STAGE\n\nFROM a\nUSER root\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n", Addition{}},
		{"continued lines and heredocs", "FROM a\nRUN x \\\n # c\n\n CMD no\nRUN <<EOF\nCMD no\nEOF\nRUN echo $((1<<n))\n\ncmd \\\n x\n",
			"STAGE\n\nFROM a\nRUN x \\\n # c\n\n CMD no\nRUN <<EOF\nCMD no\nEOF\nRUN echo $((1<<n))\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\ncmd \\\n x\n", Addition{}},
		{"another escape", "# escape=`\nFROM a\nRUN x `\n CMD no\n\nCMD x\n", "# escape=`\nSTAGE\n\nFROM a\nRUN x `\n CMD no\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n", Addition{}},
		{"no line end at the end", "FROM a\n\nENTRYPOINT [\"e\"]", "STAGE\n\nFROM a\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\", \"e\"]\n", Addition{}},
		{"all there", "FROM a\nENTRYPOINT [\"/usr/local/bin/flysql-entrypoint\"]\n", "FROM a\nENTRYPOINT [\"/usr/local/bin/flysql-entrypoint\"]\n", Addition{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.add.Stage = []string{"STAGE"}
			got := string(tt.add.to([]byte(tt.in)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if again := string(tt.add.to([]byte(got))); again != got {
				t.Errorf("a second time:\n%s", again)
			}
			crlf := string(tt.add.to([]byte(strings.ReplaceAll(tt.in, "\n", "\r\n"))))
			if tt.in != got && strings.Count(crlf, "\n") != strings.Count(crlf, "\r\n") {
				t.Errorf("with CRLF, line ends are mixed: %q", crlf)
			}
		})
	}
	if got := (&Addition{}).to([]byte("RUN x\n")); got != nil {
		t.Errorf("without FROM: %q", got)
	}
}

func TestAdditionToDockerignore(t *testing.T) {
	add := Addition{Ignore: []string{"**/*.db", "!.flysql/src"}}
	got := string(add.to([]byte("x\n**/*.db\ny")))
	if want := "x\n**/*.db\ny\n\n# A local database must never reach an image, nor what flysql keeps beside it.\n!.flysql/src\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if again := string(add.to([]byte(got))); again != got {
		t.Errorf("a second time: %q", again)
	}
	file, err := dockerignore()
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range neededIgnores {
		if !strings.Contains(string(file.Content), "\n"+pattern+"\n") {
			t.Errorf("%s is not in the .dockerignore that init writes", pattern)
		}
	}
}

// FuzzAddition: whatever the Dockerfile holds, nothing panics, and a second addition
// changes nothing.
func FuzzAddition(f *testing.F) {
	for _, s := range []string{"FROM a\nCMD x", "# escape=`\nFROM a\nENTRYPOINT [\"a\"]`\n", "FROM a\nRUN <<A <<-B\nA\n\tB\nUSER x\n", "\r\nFROM\r\n", "FROM a\nCMD \\"} {
		f.Add(s)
	}
	add := Addition{Stage: []string{"FROM x AS " + stageName}, Env: []string{"A=b"}, Default: []string{"y"}}
	f.Fuzz(func(t *testing.T, in string) {
		first := add.to([]byte(in))
		if first == nil {
			return
		}
		if again := add.to(first); string(again) != string(first) {
			t.Errorf("%q\nonce:  %q\ntwice: %q", in, first, again)
		}
	})
}
