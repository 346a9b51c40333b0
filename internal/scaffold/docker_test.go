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
		{"CMD", "FROM a\nCMD x\n", "FROM x AS flysql\n\nFROM a\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n", Addition{}},
		{"ENTRYPOINT and CMD", "FROM a\n\nENTRYPOINT [\"e\"]\nCMD [\"x\"]\n", "FROM x AS flysql\n\nFROM a\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\", \"e\"]\nCMD [\"x\"]\n", Addition{}},
		{"ENTRYPOINT in a shell", "FROM a\n\nENTRYPOINT e $X\nCMD [\"ignored\"]\n", "FROM x AS flysql\n\nFROM a\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD e $X\n", Addition{}},
		{"a command given", "FROM a\n\nENTRYPOINT [\"e\"]\nCMD x\n", "FROM x AS flysql\n\nFROM a\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD [\"y\"]\n", Addition{Command: []string{"y"}}},
		{"nothing to run", "FROM a\n", "FROM x AS flysql\n\nFROM a\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD [\"y\"]\n", Addition{Default: []string{"y"}}},
		{"directives, ARG and comments stay in front", "# syntax=docker/dockerfile:1\n# check=skip=all\nARG V=1\n# base\nFROM a:$V\n\n# run\nCMD x\n",
			"# syntax=docker/dockerfile:1\n# check=skip=all\nARG V=1\nFROM x AS flysql\n\n# base\nFROM a:$V\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\n# run\nCMD x\n", Addition{}},
		{"the last stage of several", "FROM a AS flysql\nENTRYPOINT [\"no\"]\nUSER no\nFROM b\n\nCMD x\n",
			"FROM a AS flysql\nENTRYPOINT [\"no\"]\nUSER no\nFROM x AS flysql2\n\nFROM b\n\n" + strings.Replace(copied, "=flysql", "=flysql2", 1) + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n", Addition{}},
		{"USER", "FROM a\nUSER node:node\n\nCMD x\n", "FROM x AS flysql\n\nFROM a\nUSER node:node\n\n" + copied + root + "ENV FLYSQL_DB=/d FLYSQL_USER=node\nENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n", Addition{DB: "/d"}},
		{"USER behind CMD", "FROM a\nCMD x\nUSER 1000:1001\n", "FROM x AS flysql\n\nFROM a\nCMD x\nUSER 1000:1001\n\n" + copied + root + "ENV FLYSQL_USER=1000:1001\nENTRYPOINT [\"flysql-entrypoint\"]\n", Addition{}},
		{"USER root", "FROM a\nUSER root\n\nCMD x\n", "FROM x AS flysql\n\nFROM a\nUSER root\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n", Addition{}},
		{"continued lines and heredocs", "FROM a\nRUN x \\\n # c\n\n CMD no\nRUN <<EOF\nCMD no\nEOF\nRUN echo $((1<<n))\n\ncmd \\\n x\n",
			"FROM x AS flysql\n\nFROM a\nRUN x \\\n # c\n\n CMD no\nRUN <<EOF\nCMD no\nEOF\nRUN echo $((1<<n))\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\ncmd \\\n x\n", Addition{}},
		{"another escape", "# escape=`\nFROM a\nRUN x `\n CMD no\n\nCMD x\n", "# escape=`\nFROM x AS flysql\n\nFROM a\nRUN x `\n CMD no\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n", Addition{}},
		{"no line end at the end", "FROM a\n\nENTRYPOINT [\"e\"]", "FROM x AS flysql\n\nFROM a\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\", \"e\"]", Addition{}},
		{"what the stage is built on", "ARG B=a\nFROM ${B} AS base\nUSER app\nENTRYPOINT [\"e\"]\nCMD [\"x\"]\nFROM base\nCOPY . .\n",
			"ARG B=a\nFROM ${B} AS base\nUSER app\nENTRYPOINT [\"e\"]\nCMD [\"x\"]\nFROM x AS flysql\n\nFROM base\nCOPY . .\n\n" + copied + root + "ENV FLYSQL_USER=app\nENTRYPOINT [\"flysql-entrypoint\", \"e\"]\nCMD [\"x\"]\n", Addition{}},
		{"ONBUILD is a later build's", "FROM a\nONBUILD ENTRYPOINT [\"no\"]\n\nCMD x\n", "FROM x AS flysql\n\nFROM a\nONBUILD ENTRYPOINT [\"no\"]\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n", Addition{}},
		{"migrations, packages and files", "FROM alpine\n\nCMD x\n",
			"FROM x AS flysql\n\nFROM alpine\n\n" + copied + "COPY sql/ /flysql/migrations\nCOPY litefs.yml /etc/litefs.yml\nRUN apk add --no-cache fuse3\nENV FLYSQL_MIGRATIONS=/flysql/migrations\nENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n",
			Addition{Migrations: "sql/", Copy: []string{"COPY litefs.yml /etc/litefs.yml"}, Packages: []string{"fuse3"}}},
		{"packages that are there", "FROM debian\nRUN apt-get install -y fuse3\n\nCMD x\n", "FROM x AS flysql\n\nFROM debian\nRUN apt-get install -y fuse3\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n", Addition{Packages: []string{"fuse3"}}},
		{"the database moved", "FROM a\nENV X=1 \\\n    FLYSQL_DB=/data/a.db\nENTRYPOINT [\"flysql-entrypoint\"]\n", "FROM a\nENV X=1 \\\n    FLYSQL_DB=/litefs/a.db\nENTRYPOINT [\"flysql-entrypoint\"]\n", Addition{DB: "/litefs/a.db"}},
		{"DATABASE_URL has the database, and FLYSQL_DB another", "FROM a\nENV FLYSQL_DB=/litefs/a.db\nENTRYPOINT [\"flysql-entrypoint\"]\n", "FROM a\nENV FLYSQL_DB=/data/a.db\nENTRYPOINT [\"flysql-entrypoint\"]\n", Addition{Database: "/data/a.db"}},
		{"fly.toml has the database", "FROM a\nENTRYPOINT [\"flysql-entrypoint\"]\n", "FROM a\nENTRYPOINT [\"flysql-entrypoint\"]\n", Addition{DB: "/d", Set: map[string]string{"FLYSQL_DB": "/d"}}},
		{"LiteFS goes", "FROM a\nCOPY --from=flyio/litefs:0.5.11 /usr/local/bin/litefs /usr/local/bin/\nCOPY litefs.yml /etc/litefs.yml\nENTRYPOINT [\"flysql-entrypoint\"]\n", "FROM a\nENTRYPOINT [\"flysql-entrypoint\"]\n", Addition{Gone: []string{litefsBinary, litefsConfig}}},
		{"LiteFS goes from an image that does not boot by flysql-entrypoint yet", "FROM a\nCOPY --from=flyio/litefs:0.5 /usr/local/bin/litefs /usr/local/bin/litefs\nADD litefs.yml /etc/litefs.yml\n\nCMD x\n", "FROM x AS flysql\n\nFROM a\n\n" + copied + "ENTRYPOINT [\"flysql-entrypoint\"]\nCMD x\n", Addition{Gone: []string{litefsBinary, litefsConfig}}},
		{"LiteFS in another version stays", "FROM a\nCOPY --from=flyio/litefs:0.5.11 /usr/local/bin/litefs /usr/local/bin/\nENTRYPOINT [\"flysql-entrypoint\"]\n", "FROM a\nCOPY --from=flyio/litefs:0.5.11 /usr/local/bin/litefs /usr/local/bin/\nENTRYPOINT [\"flysql-entrypoint\"]\n",
			Addition{Copy: []string{"COPY --from=flyio/litefs:0.5.14 /usr/local/bin/litefs /usr/local/bin/litefs"}}},
		{"LiteFS comes", "FROM a\n\nUSER app\nENTRYPOINT [\"flysql-entrypoint\"]\n", "FROM a\n\nUSER app\n\nCOPY litefs.yml /etc/litefs.yml\n# flysql-entrypoint and LiteFS start as root; the app runs as FLYSQL_USER.\nUSER root\nENV FLYSQL_USER=app\nENTRYPOINT [\"flysql-entrypoint\"]\n",
			Addition{Copy: []string{"COPY litefs.yml /etc/litefs.yml"}}},
		{"other migrations", "FROM a\nCOPY old /app/migrations\nENV FLYSQL_MIGRATIONS=/app/migrations\nENTRYPOINT [\"flysql-entrypoint\"]\n", "FROM a\nCOPY sql/ /app/migrations\nENV FLYSQL_MIGRATIONS=/app/migrations\nENTRYPOINT [\"flysql-entrypoint\"]\n", Addition{Migrations: "sql/"}},
		{"another command", "FROM a\nENTRYPOINT [\"flysql-entrypoint\"]\nCMD [\"x\"]\n", "FROM a\nENTRYPOINT [\"flysql-entrypoint\"]\nCMD [\"y\"]\n", Addition{Command: []string{"y"}}},
		{"all there", "FROM a\nENTRYPOINT [\"/usr/local/bin/flysql-entrypoint\"]\n", "FROM a\nENTRYPOINT [\"/usr/local/bin/flysql-entrypoint\"]\n", Addition{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.add.Name, tt.add.Stage = "Dockerfile", []string{"FROM x AS " + stageName}
			got := added(t, &tt.add, tt.in)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if again := added(t, &tt.add, got); again != got {
				t.Errorf("a second time:\n%s", again)
			}
			crlf := added(t, &tt.add, strings.ReplaceAll(tt.in, "\n", "\r\n"))
			if tt.in != got && strings.Count(crlf, "\n") != strings.Count(crlf, "\r\n") {
				t.Errorf("with CRLF, line ends are mixed: %q", crlf)
			}
		})
	}
}

// added is the file with the addition.
func added(t *testing.T, e Editor, in string) string {
	t.Helper()
	out, err := e.to([]byte(in))
	if err != nil {
		t.Fatalf("%q: %v", in, err)
	}
	return string(out)
}

func TestAdditionRefused(t *testing.T) {
	tests := []struct {
		name, in, want string
		add            Addition
	}{
		{"no FROM", "RUN x\n", "Dockerfile:", Addition{}},
		{"an instruction that is none", "FROM a\nRUNN x\n", "Dockerfile:2:1: ", Addition{}},
		{"all problems, each with its line", "FROM a\nRUNN x\nCOPY y\n", "3 | COPY y\n  | ^", Addition{}},
		{"a heredoc without an end", "FROM a\nRUN <<EOF\nx\n", "Dockerfile:2:", Addition{}},
		{"nothing to install with", "FROM scratch\nCMD [\"x\"]\n", "Dockerfile:1:1: FROM: scratch cannot have fuse3", Addition{Packages: []string{"fuse3"}}},
		{"init's own, undone", "# Written by flysql init; yours to edit.\nFROM a\n", "is no longer as flysql init wrote it", Addition{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.add.Name = "Dockerfile"
			out, err := tt.add.to([]byte(tt.in))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v; want the error %s", out, err, tt.want)
			}
		})
	}
}

func TestAdditionToDockerignore(t *testing.T) {
	add := IgnoreAddition{Patterns: []string{"**/*.db", "!.flysql/src"}}
	got := added(t, &add, "x\n**/*.db\ny")
	if want := "x\n**/*.db\ny\n\n# A local database must never reach an image, nor what flysql keeps beside it.\n!.flysql/src\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if again := added(t, &add, got); again != got {
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
	volume := Addition{Stage: []string{"FROM x AS " + stageName}, DB: "/d", Default: []string{"y"}, Migrations: "sql/", Gone: []string{litefsBinary, litefsConfig}}
	litefs := volume
	litefs.DB, litefs.Gone = "/l", nil
	litefs.Packages = litefsPackages
	litefs.Copy = []string{"COPY --from=" + LiteFSImage + " " + litefsBinary + " " + litefsBinary, "COPY litefs.yml " + litefsConfig}
	f.Fuzz(func(t *testing.T, in string) {
		for _, add := range []Addition{volume, litefs} {
			first, err := add.to([]byte(in))
			if err != nil {
				continue
			}
			again, err := add.to(first)
			if err != nil || string(again) != string(first) {
				t.Errorf("%q\nonce:  %q\ntwice: %q, %v", in, first, again, err)
			}
		}
	})
}
