package cluster

import (
	"strings"
	"testing"

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
	for range 2 * kept {
		_, _ = l.Write([]byte("more\n")) // it never fails
	}
	if len(l.last) != kept || l.last[0] != "more" {
		t.Errorf("%d lines kept", len(l.last))
	}
}
