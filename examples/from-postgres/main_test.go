package main

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/appdb/appdbtest"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// migratedFile returns the path of a database with all migrations applied.
func migratedFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "magazine.db")
	if _, err := appdbtest.New(t, migrations).Writer().ExecContext(t.Context(), `VACUUM INTO ?`, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	migrated := migratedFile(t)
	busy, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	_, busyPort, _ := net.SplitHostPort(busy.Addr().String())

	tests := []struct {
		what string
		args []string
		env  []string
		code int
		want []string
	}{
		{"argument", []string{"serve"}, nil, 2, []string{`unexpected argument "serve"`, "Usage:"}},
		{"both wrong", nil, []string{"PORT", "http"}, 2, []string{"DATABASE_URL is not set", `PORT="http" is not a port`}},
		{"port in use", nil, []string{"DATABASE_URL", migrated, "PORT", busyPort}, 1, []string{"address already in use", "set PORT"}},
		{"not migrated", nil, []string{"DATABASE_URL", filepath.Join(t.TempDir(), "empty.db"), "PORT", "0"}, 1,
			[]string{"no such table", "\n  flysql-entrypoint --migrations ./migrations -- from-postgres\n"}},
		{"still PostgreSQL's", nil, []string{"DATABASE_URL", "postgres://ada:hunter2@db/magazine", "PORT", "0"}, 1, []string{"postgres"}},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), tt.args, env(tt.env...), &stdout, &stderr); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("stderr has no %q:\n%s", want, &stderr)
				}
			}
			if strings.Contains(stderr.String(), "hunter2") || stdout.Len() > 0 {
				t.Errorf("stdout %q, stderr %q", &stdout, &stderr)
			}
		})
	}
}

// stopAfter cancels once the app has said where it listens.
type stopAfter struct {
	bytes.Buffer
	cancel func()
}

func (s *stopAfter) Write(p []byte) (int, error) {
	defer s.cancel()
	return s.Buffer.Write(p)
}

func TestRunStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	stdout := stopAfter{cancel: cancel}
	var stderr bytes.Buffer
	code := run(ctx, nil, env("DATABASE_URL", migratedFile(t), "PORT", "0"), &stdout, &stderr)
	if code != 0 || !strings.HasPrefix(stdout.String(), "from-postgres: listening on http://localhost:") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout.String(), &stderr)
	}
}
