package cluster

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/flyconf"
)

// A path of a machine's on Fly is that of this machine's; nothing else is touched.
func TestMoved(t *testing.T) {
	from, to := []string{"/litefs", "/data/"}, []string{"/dev/mnt", "/dev/volume"}
	for value, want := range map[string]string{
		"file:///litefs/app.db":            "file:///dev/mnt/app.db",
		"file:///data/app.db?mode=ro":      "file:///dev/volume/app.db?mode=ro",
		"sqlite:///data/app.db":            "sqlite:///dev/volume/app.db",
		"file:/data/app.db":                "file:/dev/volume/app.db",
		"/data":                            "/dev/volume",
		"/data/uploads":                    "/dev/volume/uploads",
		"/database/app.db":                 "/database/app.db",
		"https://example.com/data/app.db":  "https://example.com/data/app.db",
		"a word about /data/app.db":        "a word about /data/app.db",
		"postgres://u:p@host/data?x=/data": "postgres://u:p@host/data?x=/data",
		"":                                 "",
	} {
		if got := moved(value, from, to); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
	if got := moved("/x", []string{"/", ""}, []string{"/dev", "/dev"}); got != "/x" {
		t.Errorf("of the root: %q", got)
	}
}

func TestValidate(t *testing.T) {
	mounted := &flyconf.Config{App: "a", Mounts: []flyconf.Mount{{Source: "data", Destination: "/data"}}}
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{}, "no fly.toml"},
		{Options{Config: mounted}, "no region"},
		{Options{Config: mounted, Regions: []string{"ams"}}, "no command"},
		{Options{Config: mounted, Regions: []string{"ams", "ord"}, Command: []string{"x"}}, "2 machines without LiteFS have a database each"},
		{Options{Config: mounted, Regions: []string{"ams"}, PerRegion: -1, Command: []string{"x"}}, "-1 machines a region"},
		{Options{Config: mounted, Regions: []string{"ams"}, Command: []string{"x"}, LiteFS: "litefs.yml"}, "no primary_region"},
		{Options{Config: mounted, Regions: []string{"ams"}, Command: []string{"x"}, Consul: "localhost:8500"}, "http://host:port"},
	} {
		if err := tt.o.validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q in it", err, tt.want)
		}
	}
	if err := (&Options{Config: mounted, Regions: []string{"ams"}, Command: []string{"x"}}).validate(); err != nil {
		t.Error(err)
	}
}

// What a process prints is handed on line by line, the last of them kept.
func TestLines(t *testing.T) {
	var said []string
	var file strings.Builder
	l := &lines{each: &file, say: func(line string) { said = append(said, line) }}
	long := strings.Repeat("x", maxLine)
	for _, piece := range []string{"one\ntw", "o\n", "\n", long + "y\n"} {
		if n, err := l.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if got := strings.Join(said, "|"); got != "one|two||"+long+"|y" {
		t.Errorf("said %.40q", got)
	}
	full := &lines{each: writer(func([]byte) (int, error) { return 0, syscall.ENOSPC }), say: func(line string) { said = append(said, line) }}
	if n, err := full.Write([]byte("all the same\n")); n != 13 || err != nil || said[len(said)-1] != "all the same" {
		t.Errorf("on a full disk: %d, %v, %q", n, err, said)
	}
	for range 2 * kept {
		_, _ = l.Write([]byte("more\n")) // it never fails
	}
	if len(l.last) != kept || l.last[0] != "more" {
		t.Errorf("%d lines kept", len(l.last))
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// What is started again waits ever longer, and where it has served for a while as at first.
func TestRetry(t *testing.T) {
	m := &machine{err: errors.New("exit status 3")}
	pauses := func(policy string, most int) (all []time.Duration, err error) {
		for range 8 {
			pause, err := m.retry(policy, most)
			if err != nil {
				return all, err
			}
			all = append(all, pause)
		}
		return all, nil
	}
	if got, err := pauses("always", 1); fmt.Sprint(got) != "[1s 2s 4s 8s 16s 30s 30s 30s]" || err != nil {
		t.Errorf("always: %v, %v", got, err)
	}
	m.served = time.Now().Add(-2 * settled)
	if got, err := pauses("always", 1); fmt.Sprint(got) != "[1s 1s 1s 1s 1s 1s 1s 1s]" || err != nil {
		t.Errorf("of one that had served for long: %v, %v", got, err)
	}
	m.served, m.restarts = time.Now(), 0
	if got, err := pauses("on-failure", 3); fmt.Sprint(got) != "[1s 2s 4s]" || err == nil || err.Error() != "exit status 3\nit was started again 3 times, and is not any more ([[restart]] of fly.toml)" {
		t.Errorf("on-failure: %v, %v", got, err)
	}
}
