package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/flysql/flysql/entrypoint"
	"github.com/flysql/flysql/internal/nodestatus"
)

func TestHelpAndVersion(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, nil, nil, &out, &errs); code != 0 || out.String() != entrypoint.Usage || errs.Len() > 0 {
		t.Errorf("--help: code %d, stdout %q, stderr %q", code, out.String(), errs.String())
	}
	out.Reset()
	if code := run(t.Context(), []string{"--version"}, nil, nil, &out, &errs); code != 0 || !strings.HasPrefix(out.String(), "flysql-entrypoint ") {
		t.Errorf("--version: code %d, stdout %q", code, out.String())
	}
}

// What is wrong with the settings is told a line each, on stderr alone.
func TestRefusedSettings(t *testing.T) {
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"app"}, []string{"FLYSQL_SNAPSHOTS=x", "FLYSQL_GRACE=y"}, nil, &out, &errs)
	if lines := strings.Count(errs.String(), "\n"); code != 78 || lines != 2 || out.Len() > 0 {
		t.Errorf("code %d, stderr:\n%s", code, errs.String())
	}
}

// A look at a machine, as lines and as JSON; one that cannot be had is exit 1.
func TestStatus(t *testing.T) {
	dir := t.TempDir()
	look := func(want int, args ...string) (string, string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), append(args, "--status", "--litefs=off"), []string{"PATH=/usr/bin:/bin"}, nil, &out, &errs); code != want {
			t.Errorf("%q: code %d, stderr %q", args, code, errs.String())
		}
		return out.String(), errs.String()
	}
	text, _ := look(0, "--db", filepath.Join(dir, "app.db"))
	for _, want := range []string{"mode       volume\n", "ready      no: there is no database yet at ", "migrations none\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	line, _ := look(0, "--json", "--db", filepath.Join(dir, "app.db"))
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil || got["mode"] != "volume" || got["litefs"] != nil || got["version"] == "" {
		t.Errorf("%v in %q", err, line)
	}
	if out, errs := look(1); out != "" || !strings.Contains(errs, "no database") {
		t.Errorf("stdout %q, stderr %q", out, errs)
	}
}

func TestStatusText(t *testing.T) {
	size, wal, lag := int64(24<<20), int64(0), int64(12)
	got := statusText(entrypoint.Status{Version: "v1", Mode: "litefs", Ready: true,
		LiteFS:     &nodestatus.Node{Answers: true, Role: "replica", Hostname: "b", Primary: "a", Candidate: true, ClusterID: "LFSC1", LagMS: &lag, Lease: nodestatus.Lease{Type: "consul", Holder: "a"}, Watchdog: "ok"},
		Databases:  []nodestatus.Database{{Name: "app.db", Position: "1/2", Size: &size, WAL: &wal}, {Name: "b.db"}},
		Volume:     nodestatus.Disk{Path: "/data", Size: 1 << 30, Free: 1 << 29},
		Migrations: nodestatus.Migrations{Tool: "goose", Applied: 1, Pending: []string{"2.sql"}, Dirty: true}})
	want := `version    v1
mode       litefs
ready      yes
role       replica, a candidate
primary    a
lease      a
lag        12ms
cluster    LFSC1
watchdog   ok
database   app.db  24.0MB  wal 0.0MB  at 1/2
database   b.db  ?  wal ?
volume     /data  512.0MB free of 1024.0MB
migrations goose  1 applied, 1 pending, dirty: 2.sql
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The forms of the log. A command that does not exist ends the boot at its first
// step, so one line comes out.
func TestLogForms(t *testing.T) {
	env := []string{"PATH=/usr/bin:/bin", "DATABASE_URL=" + filepath.Join(t.TempDir(), "app.db")}
	boot := func(format string) string {
		var errs bytes.Buffer
		if code := run(t.Context(), []string{"no-such-command"}, append(env, "FLYSQL_LOG="+format), nil, &bytes.Buffer{}, &errs); code != 127 {
			t.Errorf("%q: code %d", format, code)
		}
		return errs.String()
	}
	var record map[string]any
	if err := json.Unmarshal([]byte(boot("json")), &record); err != nil || record["msg"] != "mode" || record["outcome"] != "failed" || record["exit"] != 127.0 {
		t.Errorf("json: %v, %v", record, err)
	}
	for _, format := range []string{"", "logfmt"} { // not a terminal: logfmt by itself
		if got := boot(format); !strings.Contains(got, " level=ERROR msg=mode outcome=failed ms=") {
			t.Errorf("%q: %s", format, got)
		}
	}
	text := boot("text")
	if lines := strings.Split(text, "\n"); !strings.HasPrefix(text, "flysql mode     failed ") || !strings.HasPrefix(lines[1], "       err: no-such-command: not found") {
		t.Errorf("text:\n%s", text)
	}
	if strings.Contains(text, "\x1b[") {
		t.Errorf("colours outside a terminal: %q", text)
	}
}

// On a terminal the log is text, in colour unless NO_COLOR has a value.
func TestLogOnTerminal(t *testing.T) {
	for _, tt := range []struct {
		env   []string
		color bool
	}{{nil, true}, {[]string{"NO_COLOR="}, true}, {[]string{"NO_COLOR=1"}, false}, {[]string{"NO_COLOR=0"}, false}} {
		master, terminal, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		newLogger(terminal, "", tt.env).Warn("own", "outcome", "ok", "ms", 1.25, "user", "a b", "warning", "look here")
		buf := make([]byte, 4096)
		n, err := master.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got := string(buf[:n])
		if strings.Contains(got, "\x1b[33m") != tt.color || !strings.Contains(got, "own") || strings.Contains(got, "level=") {
			t.Errorf("%v: %q", tt.env, got)
		}
		terminal.Close()
		master.Close()
	}
}

func TestTextHandler(t *testing.T) {
	var out bytes.Buffer
	logger := newLogger(&out, "text", os.Environ()).With("machine", "m1")
	logger.Info("guard", slog.String("outcome", "ok"), slog.Float64("ms", 0.26), slog.String("mount", "/my volume"))
	logger.Debug("hidden")
	want := "flysql guard    ok              0.3ms  machine=m1 mount=\"/my volume\"\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}
