package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/internal/testkit"
)

const (
	goBase  = "FROM golang:1.25-bookworm AS build"
	debBase = "FROM debian:bookworm-slim"
)

func TestBuildRecordsTheConfig(t *testing.T) {
	dir := contextDir(t, map[string]string{"Dockerfile": lines(
		"# syntax=docker/dockerfile:1",
		"ARG GO=1.25",
		"FROM --platform=linux/$TARGETARCH golang:${GO}-bookworm AS build",
		"ENV LEFT=behind",
		"FROM debian:bookworm-slim",
		"ARG GO",
		"ARG NAME=app COLOR=blue",
		"ARG UNSET",
		"ENV NAME=env APP=/$NAME COLOR=${COLOR:-red} GO=$GO NONE=${UNSET:-none}",
		"LABEL of=$APP",
		"WORKDIR /srv",
		"WORKDIR $NAME",
		"EXPOSE 8080 $GO/tcp",
		`ENTRYPOINT ["flysql-entrypoint"]`,
		`CMD ["$NAME", "-v"]`,
	)})
	img := build(t, dir, Options{Args: map[string]string{"COLOR": "green"}})
	want := Config{
		Entrypoint: []string{"flysql-entrypoint"},
		Cmd:        []string{"$NAME", "-v"}, // the exec form expands nothing
		// Within one line, variables have the values from before it.
		Env:        []string{"PATH=" + imagePath, "NAME=env", "APP=/app", "COLOR=green", "GO=1.25", "NONE=none"},
		WorkingDir: "/srv/env",
		Exposed:    []string{"1.25/tcp", "8080"}, // the parser sorts them
		Labels:     map[string]string{"of": "/app"},
	}
	if diff := cmp.Diff(want, img.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestShellFormIsGivenToTheShell(t *testing.T) {
	dir := contextDir(t, map[string]string{"Dockerfile": lines(debBase, "ENTRYPOINT exec app", "CMD serve --fast")})
	img := build(t, dir, Options{})
	want := Config{
		Entrypoint: []string{"/bin/sh", "-c", "exec app"},
		Cmd:        []string{"/bin/sh", "-c", "serve --fast"},
		Env:        []string{"PATH=" + imagePath},
		WorkingDir: "/",
	}
	if diff := cmp.Diff(want, img.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestCopy(t *testing.T) {
	files := map[string]string{
		"a.txt":      "a",
		"b.txt":      "b",
		"d/one":      "1",
		"d/sub/two":  "2",
		"d/none/":    "",
		".hidden":    "h",
		"own/a.txt":  "own a",
		"deep/x/y/z": "z",
	}
	tests := []struct {
		name  string
		lines []string
		want  map[string]string
	}{
		{"file to a name", []string{"COPY a.txt /x/y"}, map[string]string{"x/y": "a"}},
		{"file into a directory that is not there", []string{"COPY a.txt /x/"}, map[string]string{"x/a.txt": "a"}},
		{"file into a directory that is there", []string{"WORKDIR /x", "COPY a.txt /x"}, map[string]string{"x/a.txt": "a"}},
		{"file relative to WORKDIR", []string{"WORKDIR /w", "COPY a.txt b.txt ./"}, map[string]string{"w/a.txt": "a", "w/b.txt": "b"}},
		{"contents of a directory", []string{"COPY d /x"}, map[string]string{"x/one": "1", "x/sub/two": "2", "x/none/": ""}},
		{"pattern", []string{"COPY *.txt /x/"}, map[string]string{"x/a.txt": "a", "x/b.txt": "b"}},
		{"pattern that one name matches", []string{"COPY a*.txt /x"}, map[string]string{"x": "a"}},
		{"pattern that may match nothing", []string{"COPY a.txt nothing*.txt /x/"}, nil},
		{"a later copy wins", []string{"COPY a.txt /x/", "COPY own /x"}, map[string]string{"x/a.txt": "own a"}},
		{"source outside is inside", []string{"COPY ../../a.txt /x/"}, map[string]string{"x/a.txt": "a"}},
		{"deep source", []string{"COPY deep/x/y /x"}, map[string]string{"x/z": "z"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := mapsWith(files, "Dockerfile", lines(append([]string{debBase}, test.lines...)...))
			img, err := Build(testContext(t), contextDir(t, files), Options{})
			if test.want == nil {
				if err == nil {
					t.Fatal("built, although a source is missing")
				}
				if got, want := err.Error(), "not found in the build context"; !strings.Contains(got, want) {
					t.Errorf("error %q, want %q in it", got, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer img.Close()
			if diff := cmp.Diff(test.want, listing(t, img.stage.root)); diff != "" {
				t.Errorf("image (-want +got):\n%s", diff)
			}
		})
	}
}

func mapsWith(m map[string]string, key, value string) map[string]string {
	out := map[string]string{key: value}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func TestCopyFromStagesAndContexts(t *testing.T) {
	other := contextDir(t, map[string]string{"lib/l": "from elsewhere", "l.tmp": "ignored", ".dockerignore": "*.tmp\n"})
	dir := contextDir(t, map[string]string{
		"in": "in",
		"Dockerfile": lines(
			goBase,
			"WORKDIR /src",
			"COPY in .",
			"RUN cp in out && mkdir bin && printf '#!/bin/sh\\n' > bin/app && chmod 755 bin/app && ln -s app bin/link",
			"FROM build AS more",
			"RUN printf more > more",
			debBase,
			"COPY --from=build /src/bin /usr/local/bin/",
			"COPY --from=1 /src/more /src/out /x/",
			"COPY --from=elsewhere . /lib",
			"COPY --chmod=600 in /secret",
		),
	})
	img := build(t, dir, Options{Contexts: map[string]string{"elsewhere": other}})
	want := map[string]string{
		"usr/local/bin/app":  "#!/bin/sh\n",
		"usr/local/bin/link": "-> app",
		"x/more":             "more",
		"x/out":              "in",
		"lib/lib/l":          "from elsewhere",
		"lib/.dockerignore":  "*.tmp\n",
		"secret":             "in",
	}
	if diff := cmp.Diff(want, listing(t, img.stage.root)); diff != "" {
		t.Errorf("image (-want +got):\n%s", diff)
	}
	for name, want := range map[string]os.FileMode{"usr/local/bin/app": 0o755, "secret": 0o600} {
		info, err := os.Stat(filepath.Join(img.stage.root, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %v, want %v", name, got, want)
		}
	}
}

func TestDockerignore(t *testing.T) {
	files := map[string]string{
		"main.go":         "m",
		"app.db":          "d",
		"sub/app.db":      "d",
		"sub/keep.db":     "k",
		"sub/x.go":        "x",
		".git/HEAD":       "h",
		"data/old":        "o",
		"sub/data/new":    "n",
		".flysql/src/f":   "f",
		"Dockerfile":      lines(debBase, "COPY . /x"),
		".dockerignore":   lines("# databases", "**/*.db", "!sub/keep.db", ".git", "/data", "Dockerfile", ".dockerignore"),
		"other/.gitkeep":  "",
		"other/thing.txt": "t",
	}
	img := build(t, contextDir(t, files), Options{})
	want := map[string]string{
		"x/main.go":         "m",
		"x/sub/keep.db":     "k",
		"x/sub/x.go":        "x",
		"x/sub/data/new":    "n",
		"x/.flysql/src/f":   "f",
		"x/other/.gitkeep":  "",
		"x/other/thing.txt": "t",
	}
	if diff := cmp.Diff(want, listing(t, img.stage.root)); diff != "" {
		t.Errorf("image (-want +got):\n%s", diff)
	}
	files["Dockerfile"] = lines(debBase, "COPY app.db /x/")
	_, err := Build(testContext(t), contextDir(t, files), Options{})
	if err == nil || !strings.Contains(err.Error(), "left out by .dockerignore") {
		t.Errorf("COPY of an ignored file: error %v, want one that names .dockerignore", err)
	}
}

// Whatever is not understood is an error with its line, and nothing is left.
func TestRefused(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  string
	}{
		{"empty", nil, "Dockerfile: file with no instructions"},
		{"no stage", []string{"ARG X=1"}, "Dockerfile: no FROM line"},
		{"base image", []string{"FROM alpine:3"}, "Dockerfile:1: there is no stand-in for the base image \"alpine:3\""},
		{"debian release", []string{"FROM debian:buster"}, "Dockerfile:1: there is no stand-in for the base image \"debian:buster\""},
		{"platform", []string{"FROM --platform=linux/s390x debian:bookworm"}, "Dockerfile:1: --platform=linux/s390x"},
		{"unknown instruction", []string{debBase, "FROB x"}, "dockerfile parse error on line 2: unknown instruction: FROB"},
		{"ADD", []string{debBase, "ADD a /a"}, "Dockerfile:2: the instruction ADD is not supported"},
		{"USER", []string{debBase, "USER app"}, "Dockerfile:2: USER app is not supported"},
		{"VOLUME", []string{debBase, "VOLUME /data"}, "Dockerfile:2: the instruction VOLUME is not supported"},
		{"SHELL", []string{debBase, `SHELL ["bash", "-c"]`}, "Dockerfile:2: the instruction SHELL is not supported"},
		{"HEALTHCHECK", []string{debBase, "HEALTHCHECK CMD true"}, "Dockerfile:2: the instruction HEALTHCHECK is not supported"},
		{"ONBUILD", []string{debBase, "ONBUILD RUN true"}, "Dockerfile:2: the instruction ONBUILD is not supported"},
		{"STOPSIGNAL", []string{debBase, "STOPSIGNAL SIGINT"}, "Dockerfile:2: the instruction STOPSIGNAL is not supported"},
		{"COPY --chown", []string{debBase, "COPY --chown=app a /a"}, "Dockerfile:2: COPY --chown is not supported"},
		{"COPY --from", []string{debBase, "", "COPY --from=nginx a /a"}, "Dockerfile:3: COPY --from=nginx: no stage before"},
		{"COPY several to a file", []string{debBase, "COPY a Dockerfile /x"}, "must be a directory and end with /"},
		{"COPY here-document", []string{debBase, "COPY <<E /a", "x", "E"}, "Dockerfile:2: COPY with a here-document"},
		{"RUN here-document", []string{goBase, "RUN <<E", "x", "E", debBase}, "Dockerfile:2: RUN with a here-document"},
		{"RUN bind mount", []string{goBase, "RUN --mount=type=bind,target=/x ls", debBase}, "Dockerfile:2: RUN --mount=type=bind is not supported"},
		{"RUN network", []string{goBase, "RUN --network=none ls", debBase}, "Dockerfile:2: RUN --network is not supported"},
		{"absolute path", []string{goBase, "RUN go build -o /out/app .", debBase}, "Dockerfile:2: RUN go build -o /out/app .: it names /out/app,"},
		{"absolute path in a flag", []string{goBase, "RUN go build -o=/app", debBase}, "it names /app,"},
		{"failing command", []string{goBase, "WORKDIR /src", "RUN echo the reason && false", debBase}, "Dockerfile:3: RUN echo the reason && false: exit status 1\nthe reason"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			temp := t.TempDir()
			dir := contextDir(t, map[string]string{"a": "a", "Dockerfile": lines(test.lines...)})
			_, err := Build(testContext(t), dir, Options{TempDir: temp})
			if err == nil {
				t.Fatal("built")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q, want %q in it", err, test.want)
			}
			if left := listing(t, temp); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestNoDockerfile(t *testing.T) {
	if _, err := Build(testContext(t), t.TempDir(), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want one that says the Dockerfile is not there", err)
	}
}

func TestNotesSayWhatWasLeftOut(t *testing.T) {
	dir := contextDir(t, map[string]string{"Dockerfile": lines(
		goBase,
		"RUN --mount=type=cache,target=/root/.cache/go-build true",
		debBase,
		"RUN apt-get update \\",
		"    && useradd app",
		"ENV FLYSQL_USER=app",
	)})
	var skipped []Step
	img := build(t, dir, Options{Progress: func(s Step) {
		if s.Skipped != "" {
			skipped = append(skipped, s)
		}
	}})
	const why = "it changes the image's system, which a directory does not have"
	want := []Note{
		{Line: 4, What: "RUN apt-get update && useradd app", Why: why},
		{What: "FLYSQL_USER=app", Why: "outside a container the app runs as you"},
	}
	if diff := cmp.Diff(want, img.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Step{{Stage: "1", Line: 4, Text: "RUN apt-get update && useradd app", Skipped: why}}, skipped); diff != "" {
		t.Errorf("skipped steps (-want +got):\n%s", diff)
	}
}

func TestCancelEndsARunLine(t *testing.T) {
	bothWays(t, func(t *testing.T, way Way) {
		temp := t.TempDir()
		dir := contextDir(t, map[string]string{"Dockerfile": lines(goBase, "RUN trap '' INT; echo started; sleep 1000 & wait; wait", debBase)})
		ctx, cancel := context.WithCancel(testContext(t))
		defer cancel()
		_, err := Build(ctx, dir, Options{Way: way, TempDir: temp, Output: writerFunc(func(p []byte) { cancel() })})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want that it was cancelled", err)
		}
		if left := listing(t, temp); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

// bothWays runs a test in each way. Without root, chroot is skipped by name.
func bothWays(t *testing.T, test func(t *testing.T, way Way)) {
	t.Helper()
	for _, way := range []Way{Mapped, Chroot} {
		t.Run(way.String(), func(t *testing.T) {
			if way == Chroot {
				testkit.NeedRoot(t)
			}
			test(t, way)
		})
	}
}
