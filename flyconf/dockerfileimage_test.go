package flyconf

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sayImage writes an image as lines; what is not known has a ? behind it.
func sayImage(img *Image) string {
	var b strings.Builder
	value := func(s Setting) string {
		if !s.Known {
			return s.Value + "?"
		}
		return s.Value
	}
	all := func(name string, list []Setting) {
		if len(list) == 0 {
			return
		}
		b.WriteString(name)
		for _, s := range list {
			b.WriteString(" " + value(s))
		}
		b.WriteByte('\n')
	}
	one := func(name string, s *Setting) {
		if s != nil {
			all(name, []Setting{*s})
		}
	}
	command := func(name string, in *Instruction) {
		switch {
		case in == nil:
		case in.Exec != nil:
			fmt.Fprintf(&b, "%s exec %q\n", name, in.Exec)
		default:
			fmt.Fprintf(&b, "%s shell %s\n", name, in.Args)
		}
	}
	all("base", []Setting{img.Base})
	command("entrypoint", img.Entrypoint)
	command("cmd", img.Cmd)
	one("user", img.User)
	one("workdir", img.WorkDir)
	one("stopsignal", img.StopSignal)
	for _, e := range img.Env {
		fmt.Fprintf(&b, "env %s=%s\n", e.Name, value(e))
	}
	all("ports", img.Ports)
	all("volumes", img.Volumes)
	for _, c := range img.Copies {
		from := c.From
		if from != "" {
			from += ": "
		}
		var sources []string
		for _, s := range c.Sources {
			sources = append(sources, value(s))
		}
		fmt.Fprintf(&b, "copy %s%s > %s\n", from, strings.Join(sources, ", "), value(c.Destination))
	}
	all("packages", img.Packages)
	return b.String()
}

func TestImage(t *testing.T) {
	tests := []struct {
		name, text, want string
	}{
		{"base only", "FROM a\n", "base a\n"},
		{"everything", `
ARG VERSION=12
FROM debian:${VERSION}-slim
ARG PORT=8080
ENV DIR=/data NAME="the app" PATH=$PATH:/app
ENV DATABASE_URL file://${DIR}/app.db  x
WORKDIR /app
WORKDIR bin
USER ${USER:-app}
EXPOSE $PORT 53/udp
VOLUME ["$DIR", "/b c"]
VOLUME /d /e
COPY --from=build a b ./
ADD <<E x.txt $DIR/
hello
E
STOPSIGNAL SIGINT
ENTRYPOINT exec litefs mount
CMD ["app"]
`, `base debian:12-slim
entrypoint shell exec litefs mount
cmd exec ["app"]
user app
workdir /app/bin
stopsignal SIGINT
env DIR=/data
env NAME=the app
env PATH=$PATH:/app?
env DATABASE_URL=file:///data/app.db  x
ports 8080 53/udp
volumes /data /b c /d /e
copy build: a, b > /app/bin/
copy x.txt > /data/
`},
		{"the last counts", "FROM a\nUSER x\nCMD a\nENTRYPOINT [\"b\"]\nUSER y\nCMD c\n", "base a\nentrypoint exec [\"b\"]\ncmd shell c\nuser y\n"},
		{"CMD before ENTRYPOINT", "FROM a\nCMD c\nENTRYPOINT [\"b\"]\n", "base a\nentrypoint exec [\"b\"]\ncmd shell c\n"},
		{"inherited from a stage", "FROM a AS Base\nENV A=1\nUSER u\nCMD c\nENTRYPOINT [\"b\"]\nFROM x AS y\nUSER z\nFROM base\nENV B=$A\n",
			"base a\nentrypoint exec [\"b\"]\ncmd shell c\nuser u\nenv A=1\nenv B=1\n"},
		{"ENTRYPOINT resets an inherited CMD", "FROM a AS base\nCMD c\nFROM base\nENTRYPOINT [\"b\"]\n", "base a\nentrypoint exec [\"b\"]\n"},
		{"a stage after the one it names", "FROM b\nFROM a AS b\n", "base a\n"},
		{"a stage of its own name", "FROM b AS b\nUSER u\n", "base b\nuser u\n"},
		{"global ARG repeated", "ARG A=1\nFROM a\nARG A\nENV B=$A C=$D\n", "base a\nenv B=1\nenv C=$D?\n"},
		{"global ARG not repeated", "ARG A=1\nFROM a\nENV B=$A\n", "base a\nenv B=$A?\n"},
		{"ARG without value", "ARG A\nFROM a:${A}\nFROM a:${A:-x}\n", "base a:x\n"},
		{"unknown base", "ARG A\nFROM a:${A}\n", "base a:${A}?\n"},
		{"ENV wins over ARG", "FROM a\nENV A=1\nARG A=2\nENV B=$A\n", "base a\nenv A=1\nenv B=1\n"},
		{"unknown ENV hides ARG", "FROM a\nARG A=2\nENV A=$X\nENV B=$A\n", "base a\nenv A=$X?\nenv B=$A?\n"},
		{"one ENV does not see itself", "FROM a\nENV A=1\nENV A=2 B=$A\n", "base a\nenv A=2\nenv B=1\n"},
		{"substitutions", "FROM a\nENV A=1 E=\nENV B=${A:-2} C=${A:+3} D=${X+4} F=${E:-5} G=${E-6} H=${X:-\"7 8\"}\n",
			"base a\nenv A=1\nenv E=\nenv B=1\nenv C=3\nenv D=\nenv F=5\nenv G=\nenv H=7 8\n"},
		{"patterns", "FROM a\nENV A=1\nENV B=${A#1} C=${A/1/2}\n", "base a\nenv A=1\nenv B=${A#1}?\nenv C=${A/1/2}?\n"},
		{"bad substitution", "FROM a\nENV B=${} C=\"x\n", "base a\nenv B=${}?\nenv C=\"x?\n"},
		{"quotes and escapes", "FROM a\nENV A='$X' B=\"a\\\"b\" C=a\\ b D=\\$X\n", "base a\nenv A=$X\nenv B=a\"b\nenv C=a b\nenv D=$X\n"},
		{"escape directive", "# escape=`\nFROM a\nENV A=C:\\x B=a` b\n", "base a\nenv A=C:\\x\nenv B=a b\n"},
		{"relative without WORKDIR", "FROM a\nWORKDIR x\nCOPY a .\n", "base a\nworkdir x?\ncopy a > x/?\n"},
		{"ONBUILD is not this image's", "FROM a\nONBUILD USER x\nONBUILD EXPOSE 1\n", "base a\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseDockerfile("Dockerfile", []byte(strings.TrimPrefix(tt.text, "\n")))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, sayImage(d.Final().Image(nil))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestImageBuildArgs(t *testing.T) {
	d, err := ParseDockerfile("Dockerfile", []byte("ARG A=1\nFROM a:$A\nARG A\nARG B=$A\nENV C=$A$B\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := sayImage(d.Final().Image(map[string]string{"A": "9"}))
	if want := "base a:9\nenv C=99\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDockerfileCommands(t *testing.T) {
	d, err := ParseDockerfile("Dockerfile", []byte("FROM a AS b\nENTRYPOINT [\"litefs\", \"mount\"]\nFROM b\nCMD x y\n"))
	if err != nil {
		t.Fatal(err)
	}
	if in, ok := d.Entrypoint(); !ok || !slices.Equal(in.Exec, []string{"litefs", "mount"}) || in.Line != 2 {
		t.Errorf("entrypoint %+v, %t", in, ok)
	}
	if in, ok := d.Cmd(); !ok || in.Exec != nil || in.Args != "x y" {
		t.Errorf("cmd %+v, %t", in, ok)
	}
}

func TestPackages(t *testing.T) {
	tests := []struct{ run, want string }{
		{"apt-get update && apt-get install -y --no-install-recommends ca-certificates fuse3 && rm -rf /x", "ca-certificates fuse3"},
		{"apt-get -y install \\\n  # why\n  fuse3=3.14-1 libc6:amd64 \\\n  sqlite3/bookworm", "fuse3 libc6 sqlite3"},
		{"apk add --no-cache -t .deps -X http://x/y bash fuse3@edge 'sqlite>3.4' # more", "bash fuse3 sqlite"},
		{"DEBIAN_FRONTEND=noninteractive sudo /usr/bin/apt install a; dnf install -y b | tee; yum install c", "a b c"},
		{"apt-get install -o Dpkg::Use-Pty=0 a > /dev/null 2>&1", "a"},
		{"apt-get install a $MORE ./b.deb /tmp/c.deb https://x/d.deb", "a"},
		{"if true; then (apk add a); fi", "a"},
		{"apt-get remove a; apk del b; apt-get update; echo apk add c; apk", ""},
		{"[\"apt-get\", \"install\", \"-y\", \"a\"]", "a"},
		{"[\"/bin/sh\", \"-c\", \"apk add a && apk add b\"]", "a b"},
		{"<<EOF\nset -e\napt-get install \\\n  a b\n# apk add c\nEOF", "a b"},
		{"bash <<EOF\napk add a\nEOF", "a"},
		{"cat <<EOF > /readme\napk add a\nEOF", ""},
		{"sh -c 'apk add a'", ""},
	}
	for _, tt := range tests {
		d, err := ParseDockerfile("Dockerfile", []byte("FROM a\nRUN "+tt.run+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range d.Final().Image(nil).Packages {
			got = append(got, p.Value)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s\n got %v\nwant %s", tt.run, got, tt.want)
		}
	}
}
