package entrypoint

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFromEnv(t *testing.T) {
	tests := []struct {
		name string
		args []string
		env  []string
		want func(Invocation) bool
	}{
		{"the command begins at the first word", []string{"app", "--db", "x"}, nil, func(i Invocation) bool {
			return slices.Equal(i.Command, []string{"app", "--db", "x"}) && i.DB == ""
		}},
		{"or after --", []string{"--db", "x", "--", "--app"}, nil, func(i Invocation) bool { return slices.Equal(i.Command, []string{"--app"}) && i.DB == "x" }},
		{"DATABASE_URL", nil, []string{"DATABASE_URL=file:///data/a.db"}, func(i Invocation) bool { return i.DB == "file:///data/a.db" }},
		{"FLYSQL_DB goes before it", nil, []string{"DATABASE_URL=a", "FLYSQL_DB=b"}, func(i Invocation) bool { return i.DB == "b" }},
		{"a flag goes before a variable", []string{"--db=c"}, []string{"DATABASE_URL=a", "FLYSQL_DB=b"}, func(i Invocation) bool { return i.DB == "c" }},
		{"words of a command", nil, []string{"FLYSQL_MIGRATE=bin/rails 'db:migrate now' \"$X\""}, func(i Invocation) bool {
			return slices.Equal(i.MigrateCommand, []string{"bin/rails", "db:migrate now", "$X"})
		}},
		{"snapshots 0 means none", nil, []string{"FLYSQL_SNAPSHOTS=0"}, func(i Invocation) bool { return i.Snapshots < 0 }},
		{"megabytes", []string{"--min-free", "2"}, nil, func(i Invocation) bool { return i.MinFree == 2<<20 }},
		{"durations", []string{"--grace=10s"}, []string{"FLYSQL_LOCK_TIMEOUT=1m"}, func(i Invocation) bool { return i.Grace == 10*time.Second && i.LockTimeout == time.Minute }},
		{"booleans", []string{"--supervise"}, []string{"FLYSQL_SKIP=1"}, func(i Invocation) bool { return i.Supervise && i.Skip }},
		{"booleans off", []string{"--supervise=false"}, []string{"FLYSQL_SUPERVISE=1", "FLYSQL_SKIP=0"}, func(i Invocation) bool { return !i.Supervise && !i.Skip }},
		{"help", []string{"--help"}, nil, func(i Invocation) bool { return i.Help }},
		{"a flag goes before a variable that is wrong", []string{"--grace=3s"}, []string{"FLYSQL_GRACE=bad"}, func(i Invocation) bool { return i.Grace == 3*time.Second }},
		{"peers", []string{"--litefs-peers=a:1, http://b:2/"}, nil, func(i Invocation) bool {
			return i.Validate() != nil && slices.Equal(i.withDefaults().Peers, []string{"a:1", "b:2"})
		}},
		{"no hand-over", nil, []string{"FLYSQL_HANDOFF=0"}, func(i Invocation) bool { return i.Handoff < 0 }},
		{"a hand-over", nil, []string{"FLYSQL_HANDOFF=3s", "FLYSQL_MIGRATE_FROM=any", "FLYSQL_STRICT_MIGRATIONS=1"}, func(i Invocation) bool {
			return i.Handoff == 3*time.Second && i.MigrateFrom == FromAny && i.StrictMigrations
		}},
		{"no candidate", nil, []string{"FLYSQL_LITEFS_CANDIDATE=off"}, func(i Invocation) bool { return i.NeverPrimary }},
		{"as litefs.yml says", []string{"--litefs-candidate=on"}, []string{"FLYSQL_LITEFS_CANDIDATE=off"}, func(i Invocation) bool { return !i.NeverPrimary }},
		{"status", []string{"--status", "--json"}, nil, func(i Invocation) bool { return i.Status && i.JSON && len(i.Command) == 0 }},
		{"the last of a variable", nil, []string{"FLYSQL_DB=a", "FLYSQL_DB=b"}, func(i Invocation) bool { return i.DB == "b" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inv, err := FromEnv(tt.args, tt.env)
			if err != nil || !tt.want(inv) {
				t.Errorf("%+v, error %v", inv, err)
			}
		})
	}
}

func TestFromEnvStatus(t *testing.T) {
	for _, args := range [][]string{{"--json", "app"}, {"--status", "app"}} {
		if _, err := FromEnv(args, nil); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

// Everything that is wrong is told at once, and names the variable.
func TestFromEnvErrors(t *testing.T) {
	_, err := FromEnv([]string{"--no-such-flag"}, []string{
		"FLYSQL_SNAPSHOTS=many", "FLYSQL_MIN_FREE=-1", "FLYSQL_GRACE=5", "FLYSQL_LOG=xml", "FLYSQL_SKIP=maybe", "FLYSQL_MIGRATE='open", "FLYSQL_LITEFS_CANDIDATE=maybe",
	})
	if err == nil {
		t.Fatal("no error")
	}
	contains(t, err.Error(), `FLYSQL_SNAPSHOTS="many"`, `FLYSQL_MIN_FREE="-1"`, `FLYSQL_GRACE="5"`, `FLYSQL_LOG="xml"`, `FLYSQL_SKIP="maybe"`, `FLYSQL_LITEFS_CANDIDATE="maybe"`, "FLYSQL_MIGRATE: Unterminated", "no-such-flag")
}

// Usage names every variable that is read, and every one it names is read.
func TestUsageIsComplete(t *testing.T) {
	named := regexp.MustCompile(`FLYSQL_[A-Z_]+`).FindAllString(Usage, -1)
	slices.Sort(named)
	if read := Variables(); !slices.Equal(named, read) {
		t.Errorf("usage names %v, read are %v", named, read)
	}
}

// A URL's password is in no message and no log.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://app:s3cr3t@host/db", "mysql://app:s3cr3t@host/db", "libsql://x?authToken=s3cr3t", "file://s3cr3t:s3cr3t@data/app.db"} {
		r := entry{db: url, app: []string{"true"}}.run(t).expect(t, 78)
		if strings.Contains(r.stderr, "s3cr3t") {
			t.Errorf("%s\n%s", url, r.stderr)
		}
	}
	for _, e := range []entry{
		{env: []string{"FLYSQL_MIGRATE=atlas --url 'libsql://x?authToken=s3cr3t"}},
		{flags: []string{"--migrate", "atlas --url libsql://x?authToken=s3cr3t'"}},
		{env: []string{"FLYSQL_MIGRATE=no-such-tool --token s3cr3t"}},
		{env: []string{"FLYSQL_MIGRATE=false s3cr3t"}},
	} {
		e.db, e.app = filepath.Join(t.TempDir(), "app.db"), []string{"true"}
		if r := e.run(t); r.code == 0 || strings.Contains(r.stderr, "s3cr3t") {
			t.Errorf("code %d\n%s", r.code, r.stderr)
		}
	}
}
