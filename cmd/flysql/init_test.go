package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// module makes a repository from a txtar archive and works in it.
func module(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	if err := txtar.Write(txtar.Parse([]byte(archive)), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// output runs the command in this process, without a terminal.
func output(ctx context.Context, env []string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(ctx, args, env, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestInitJSON(t *testing.T) {
	dir := module(t, "-- go.mod --\nmodule github.com/flysql/flysql\ngo 1.25\n-- cmd/flysql-entrypoint/main.go --\npackage main\n-- app/main.go --\npackage main\n-- Dockerfile --\n# Written by flysql init\nFROM scratch\n")
	t.Chdir(dir)
	code, stdout, stderr := output(t.Context(), nil, "init", "--main", "app", "--app", "shop", "--json", "--dry-run")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	for _, f := range got["files"].([]any) {
		f := f.(map[string]any)
		if diff, ok := f["diff"].(string); !ok || !strings.Contains(diff, "+++ b/"+f["path"].(string)+"\n") {
			t.Errorf("%v has no diff of it: %q", f["path"], diff)
		}
		if n, ok := f["bytes"].(float64); !ok || n < 300 {
			t.Errorf("%v has %v bytes", f["path"], n)
		}
		delete(f, "diff")
		delete(f, "bytes")
	}
	file := func(path, action string) any {
		return map[string]any{"path": path, "action": action, "files": 1.0}
	}
	want := map[string]any{
		"dir": dir, "app": "shop", "region": "iad", "db": "/data/shop.db", "size_gb": 1.0,
		"mode": "volume", "mode_before": "", "regions": []any{}, "workers": []any{}, "proxy_port": 0.0, "main": "./app", "command": "", "port": 8080.0, "migrations": "",
		"files": []any{file("fly.toml", "create"), file("Dockerfile", "conflict"), file(".dockerignore", "create")},
		"notes": []any{
			"the code does not mention DATABASE_URL: have the app open the database that it names (/data/shop.db), for what it writes elsewhere is lost with the machine",
			"the code does not say which port the app listens on: 8080 is assumed, and set as PORT; --port changes it",
		},
		"written": false,
		"next":    []any{"fly apps create shop", "fly deploy --ha=false", "fly logs"},
		"steps": []any{
			map[string]any{"command": "fly apps create shop", "why": "once; if the name is taken: flysql init --app OTHER --force"},
			map[string]any{"command": "fly deploy --ha=false", "why": "one machine; the first deploy makes its volume"},
			map[string]any{"command": "fly logs", "why": "the boot, step by step"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRepositoryIsInitialised: the fly.toml, Dockerfile and .dockerignore at the
// root of this repository are what init writes for the example app.
func TestRepositoryIsInitialised(t *testing.T) {
	t.Chdir("../..")
	code, stdout, stderr := output(t.Context(), nil, "init", "--main", "./examples/guestbook", "--app", "flysql-guestbook", "--region", "ord", "--dry-run", "--force")
	if code != 0 || stdout != "" {
		t.Errorf("exit code %d; if the difference is meant, run at the root of the repository\n"+
			"  go run ./cmd/flysql init --main ./examples/guestbook --app flysql-guestbook --region ord --yes --force\n%s%s", code, stdout, stderr)
	}
}

func TestInitCancelled(t *testing.T) {
	dir := module(t, "-- go.mod --\nmodule m\n-- main.go --\npackage main\n")
	t.Chdir(dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&signalError{syscall.SIGINT})
	code, stdout, stderr := output(ctx, nil, "init", "--yes")
	if code != 130 || stdout != "" {
		t.Errorf("exit code %d, want 130; stdout %q\n%s", code, stdout, stderr)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v: %v", entries, err)
	}
}

// TestStdoutErrors: data that could not be written is a failure.
func TestStdoutErrors(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	dir := module(t, "-- go.mod --\nmodule m\n-- main.go --\npackage main\n")
	t.Chdir(dir)
	for _, args := range [][]string{{"version"}, {"init", "--dry-run"}, {"init", "--dry-run", "--json"}, {"init", "--yes"}} {
		var stderr bytes.Buffer
		if code := run(t.Context(), args, nil, strings.NewReader(""), full, &stderr); code != 1 {
			t.Errorf("%v: exit code %d, want 1\n%s", args, code, stderr.String())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "fly.toml")); err != nil {
		t.Errorf("the last one wrote the files before it failed, but: %v", err)
	}
}

func TestVersions(t *testing.T) {
	ours := func(version, sum string) debug.Module {
		return debug.Module{Path: modulePath, Version: version, Sum: sum}
	}
	replaced := ours("v0.1.0", "h1:x")
	replaced.Replace = &debug.Module{Path: "../flysql"}
	published := ours("v0.1.0", "h1:x")
	settings := func(kv ...string) (list []debug.BuildSetting) {
		for i := 0; i < len(kv); i += 2 {
			list = append(list, debug.BuildSetting{Key: kv[i], Value: kv[i+1]})
		}
		return list
	}
	other := debug.Module{Path: "example.com/app", Version: "(devel)"}
	tests := []struct {
		name          string
		info          *debug.BuildInfo
		wantPublished string
		wantText      string
	}{
		{"no information", nil, "", "(built from a checkout)"},
		{"go install", &debug.BuildInfo{Main: published}, "v0.1.0", "v0.1.0"},
		{"a tool of another module", &debug.BuildInfo{Main: other, Deps: []*debug.Module{&published}}, "v0.1.0", "v0.1.0"},
		{"replaced by a directory", &debug.BuildInfo{Main: other, Deps: []*debug.Module{&replaced}}, "", "(built from a checkout)"},
		{"a clone at a tag", &debug.BuildInfo{Main: ours("v0.1.0", ""), Settings: settings("vcs.revision", "0123456789abcdef")}, "", "(built from a checkout at 0123456789ab)"},
		{"a clone with changes", &debug.BuildInfo{Main: ours("(devel)", ""), Settings: settings("vcs.revision", "0123456789abcdef", "vcs.modified", "true")}, "", "(built from a checkout at 0123456789ab, modified)"},
		{"a clone without git", &debug.BuildInfo{Main: ours("(devel)", "")}, "", "(built from a checkout)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := publishedVersion(tt.info); got != tt.wantPublished {
				t.Errorf("published version %q, want %q", got, tt.wantPublished)
			}
			if got := versionText(tt.info); got != tt.wantText {
				t.Errorf("version %q, want %q", got, tt.wantText)
			}
		})
	}
}

func TestVisible(t *testing.T) {
	if got, want := visible("a\tb\n\x1b[31mred\x07\u202e é"), "a\tb\n\\x1b[31mred\\x07\\x202e é"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
