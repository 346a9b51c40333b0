package doctor

import (
	"io/fs"
	"testing"

	"github.com/flysql/flysql/flyconf"
)

// appOf loads files of a repository, without what the code says.
func appOf(files map[string]string) *App {
	return load(func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}, nil)
}

func TestDatabasePath(t *testing.T) {
	const docker = "FROM debian:bookworm-slim\nWORKDIR /app\n"
	for _, test := range []struct {
		value, want string // empty: not known, or no SQLite file
		docker      string
	}{
		{value: "/data/app.db", want: "/data/app.db"},
		{value: "/data", want: "/data"},
		{value: " /data/app.db ", want: "/data/app.db"},
		{value: "/data//x/../app.db?mode=rw", want: "/data/app.db"},
		{value: "file:///data/app.db", want: "/data/app.db"},
		{value: "file:/data/app.db", want: "/data/app.db"},
		{value: "file:/data/my%20app.db", want: "/data/my app.db"},
		{value: "file://localhost/data/app.db", want: "/data/app.db"},
		{value: "sqlite3:/data/app.db", want: "/data/app.db"},
		{value: "sqlite:///data/app.db", want: "/data/app.db"},
		{value: "sqlite:////data/app.db", want: "/data/app.db"},
		{value: "sqlite:///data/app.db", docker: "FROM python:3.13\nWORKDIR /app\n", want: "/app/data/app.db"},
		{value: "sqlite:////data/app.db", docker: "FROM python:3.13\nWORKDIR /app\n", want: "/data/app.db"},
		{value: "sqlite+aiosqlite:////data/app.db", docker: "FROM python:3.13\n", want: "/data/app.db"},
		{value: "app.db", want: "/app/app.db"},
		{value: "file:data/app.db", want: "/app/data/app.db"},
		{value: "data/app.db", docker: "FROM scratch\n", want: "/data/app.db"},
		{value: "data/app.db", docker: "FROM example.com/own/base\n"},
		{value: "data/app.db", docker: "FROM debian\nWORKDIR $HOME\n"},
		{value: "app"},
		{value: ""},
		{value: "file:"},
		{value: "file:///"},
		{value: ":memory:"},
		{value: "file::memory:?cache=shared"},
		{value: "$DATA/app.db"},
		{value: "file://data/app.db"},
		{value: "file://data"},
		{value: "postgres://user:secret@host/app.db"},
		{value: "libsql://app.turso.io"},
		{value: "user:secret@tcp(host:3306)/app.db"},
		{value: "host=db user=x"},
	} {
		app := appOf(map[string]string{"Dockerfile": docker})
		if test.docker != "" {
			app = appOf(map[string]string{"Dockerfile": test.docker})
		}
		got, ok := app.databasePath(test.value, false)
		if test.value == "file:///" {
			if !ok || got != "/" {
				t.Errorf("%q: %q, %t", test.value, got, ok)
			}
			continue
		}
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%q (%q): %q, %t, want %q", test.value, test.docker, got, ok, test.want)
		}
	}
}

func TestFlagValue(t *testing.T) {
	for _, test := range []struct{ command, want string }{
		{"shop -db /data/a.db", "/data/a.db"},
		{"shop --db=/data/a.db -v", "/data/a.db"},
		{`litestream replicate -exec "shop -db /data/a.db"`, "/data/a.db"},
		{"shop -dbx /data/a.db", ""},
		{"shop db /data/a.db", ""},
		{"shop -db", ""},
	} {
		if got, _ := flagValue(commandOf(test.command).words, "db"); got != test.want {
			t.Errorf("%s: %q, want %q", test.command, got, test.want)
		}
	}
}

func TestBoot(t *testing.T) {
	for _, test := range []struct {
		docker  string
		flysql  bool
		litefs  bool
		shell   bool
		script  string
		comment string
	}{
		{docker: `ENTRYPOINT ["/usr/local/bin/flysql-entrypoint", "app"]`, flysql: true},
		{docker: `ENTRYPOINT ["tini", "-g", "--", "flysql-entrypoint"]`, flysql: true},
		{docker: `ENTRYPOINT ["tini", "litefs", "mount"]`, litefs: true},
		{docker: `ENTRYPOINT ["litefs", "run", "--", "app"]`},
		{docker: `ENTRYPOINT litefs mount`, litefs: true, shell: true},
		{docker: `ENTRYPOINT []`},
		{docker: "COPY start.sh /\n" + `ENTRYPOINT ["/start.sh"]`, script: "start.sh"},
		{docker: "COPY . /app\n" + `ENTRYPOINT ["sh", "-e", "/app/start.sh"]`, script: "start.sh"},
		{docker: "COPY *.sh /usr/local/bin/\n" + `ENTRYPOINT ["start.sh"]`, script: "start.sh"},
		{docker: "COPY start.sh /bin/entry\n" + `ENTRYPOINT ["entry"]`, script: "start.sh"},
		{docker: "WORKDIR /srv\nCOPY bin bin\n" + `ENTRYPOINT ["bin/run"]`, script: "bin/run"},
		{docker: "COPY . /app\n" + `ENTRYPOINT ["sh", "-c", "/app/start.sh"]`},
		{docker: "COPY . /app\n" + `ENTRYPOINT ["/app/run.py"]`},
		{docker: "COPY ../../etc/passwd /passwd\n" + `ENTRYPOINT ["/passwd"]`},
		{docker: "COPY --from=other start.sh /\n" + `ENTRYPOINT ["/start.sh"]`},
	} {
		app := appOf(map[string]string{
			"Dockerfile": "FROM debian\n" + test.docker + "\n",
			"start.sh":   "exec app\n", "bin/run": "#!/bin/bash\nexec app\n", "run.py": "#!/usr/bin/python3\n",
		})
		b := app.boot()
		script := ""
		if b.script != nil {
			script = b.script.Name
		}
		if b.flysql != test.flysql || b.litefs != test.litefs || b.shell != test.shell || script != test.script {
			t.Errorf("%s: flysql %t, litefs %t, shell %t, script %q", test.docker, b.flysql, b.litefs, b.shell, script)
		}
	}
}

// TestStagesThatCopyFromEachOther must end: each stage doubles the ways.
func TestStagesThatCopyFromEachOther(t *testing.T) {
	docker := "FROM debian AS s0\nCOPY . /\n"
	for i := 1; i < 60; i++ {
		from := "s" + itoa(i-1)
		docker += "FROM debian AS s" + itoa(i) + "\nCOPY --from=" + from + " / /\nCOPY --from=" + from + " /a /\nCOPY --from=" + from + " / /b\n"
	}
	app := appOf(map[string]string{"Dockerfile": docker + `ENTRYPOINT ["/missing.sh"]` + "\n"})
	if script := app.boot().script; script != nil {
		t.Errorf("found %s", script.Name)
	}
	l := &lander{finder: finder{app: app, stages: app.Docker.Stages(), images: map[int]*flyconf.Image{}, steps: 500}}
	if n := len(l.lands(app.Docker.Image, "app.db", 0)); n > 100 {
		t.Errorf("the file lands in %d places", n)
	}
}

func TestLastCommand(t *testing.T) {
	for _, test := range []struct {
		script, want string // empty: nothing to say
		line         int
	}{
		{script: "#!/bin/sh\n./server\n", want: "./server", line: 2},
		{script: "#!/bin/sh\nset -e\n./migrate && ./server # up\n", want: "./migrate && ./server # up", line: 3},
		{script: "#!/bin/sh\nexec ./server", want: ""},
		{script: "#!/bin/sh\n./migrate && exec ./server", want: ""},
		{script: "#!/bin/sh\n./server \\\n  --port 1 \\\n  --host 0\n\n# end\n", want: "./server --port 1 --host 0", line: 2},
		{script: "#!/bin/sh\nif true; then\n  ./server\nfi\n"},
		{script: "#!/bin/sh\n./server &\nwait\n"},
		{script: "#!/bin/sh\ntrap stop TERM\n./server\n"},
		{script: "#!/bin/sh\n./server > /var/log/x\n"},
		{script: "#!/bin/sh\nrun() { exec ./server; }\nrun\n"},
		{script: "#!/bin/sh\nexec ./server <<EOF\n./other\nEOF\n"},
		{script: "#!/bin/sh\n./server \\\n"},
		{script: "#!/bin/sh\nexit 0\n"},
		{script: "#!/bin/sh\nPORT=80\n"},
		{script: "#!/bin/sh\r\n\"$@\"\r\n", want: `"$@"`, line: 2},
		{script: ""},
		{script: "\x00\xff"},
	} {
		line, got := lastCommand([]byte(test.script))
		if test.script == "\x00\xff" {
			continue // it must only return
		}
		if got != test.want || line != test.line {
			t.Errorf("%q: line %d, %q, want %d, %q", test.script, line, got, test.line, test.want)
		}
	}
}

func TestGuarded(t *testing.T) {
	for script, want := range map[string]bool{
		"if [ -n \"$RELEASE_COMMAND\" ]; then exec \"$@\"; fi":   true,
		"[ \"$1\" = server ] && dbmate up":                       true,
		"case \"$1\" in":                                         true,
		"if [[ \"${@: -1:1}\" == server ]]; then":                true,
		"mountpoint -q /data || exit 1":                          true,
		"if [ -d /data/lost+found ]; then dbmate up; fi":         true,
		"[ \"$FLY_PROCESS_GROUP\" = app ] && dbmate up":          true,
		"dbmate up\nexec \"$@\"":                                 false,
		"# RELEASE_COMMAND is not looked at\ndbmate up\nexec $@": false,
		"if [ \"$DEBUG\" = 1 ]; then set -x; fi\ndbmate up":      false,
	} {
		if got := guarded([]byte(script)); got != want {
			t.Errorf("%s: %t, want %t", script, got, want)
		}
	}
}

func TestIgnored(t *testing.T) {
	for _, test := range []struct {
		patterns, name string
		want           bool
	}{
		{"*.db", "app.db", true},
		{"*.db", "data/app.db", false},
		{"**/*.db", "app.db", true},
		{"**/*.db", "a/b/app.db", true},
		{"**/*.db", "app.dbx", false},
		{"/app.db", "app.db", true},
		{"./app.db", "app.db", true},
		{"data", "data/app.db", true},
		{"data/", "data/app.db", true},
		{"data/*", "data/sub/app.db", true},
		{"data/**", "data/sub/app.db", true},
		{"dat?/app.db", "data/app.db", true},
		{"[a-c]pp.db", "app.db", true},
		{"[^a]pp.db", "app.db", false},
		{`\*.db`, "app.db", false},
		{`a\pp.db`, "app.db", true},
		{"# *.db", "app.db", false},
		{" *.db ", "app.db", true},
		{"*.db\r\n", "app.db", true},
		{"\ufeff*.db", "app.db", true},
		{"*\n!*.db", "app.db", false},
		{"!*.db\n*", "app.db", true},
		{"data\n!data/app.db", "data/app.db", false},
		{"*\n!data\n**/*.db", "data/app.db", true},
		{"a.b", "axb", false},
		{"(", "(", true},
		{"[", "[", false},
		{"", "app.db", false},
		{"!", "app.db", false},
		{".", "app.db", false},
		{"日本.db", "日本.db", true},
	} {
		patterns, ok := readIgnore([]byte(test.patterns))
		if !ok {
			t.Fatalf("%q is not judged", test.patterns)
		}
		if got := ignored(patterns, test.name); got != test.want {
			t.Errorf("%q, %s: %t, want %t", test.patterns, test.name, got, test.want)
		}
	}
}
