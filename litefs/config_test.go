package litefs

import (
	"strings"
	"testing"
	"time"
)

func TestConfigAddr(t *testing.T) {
	for _, tt := range []struct{ addr, want string }{
		{"", "http://localhost:20202"},
		{":20202", "http://localhost:20202"},
		{"0.0.0.0:20202", "http://localhost:20202"},
		{"[::]:20202", "http://localhost:20202"},
		{"127.0.0.1:1", "http://127.0.0.1:1"},
		{"http://node1.internal:20202", "http://node1.internal:20202"},
		{"http://[fdaa::3]:20202/", "http://[fdaa::3]:20202"},
	} {
		c := Config{Addr: tt.addr}
		if got, err := c.base(); err != nil || got.String() != tt.want {
			t.Errorf("%q: %v, %v, want %s", tt.addr, got, err, tt.want)
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%q: %v", tt.addr, err)
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config Config
		want   []string
	}{
		{"no port", Config{Addr: "localhost"}, []string{`Config.Addr "localhost" has no port`, "such as http://localhost:20202"}},
		{"port 0", Config{Addr: "localhost:0"}, []string{"between 1 and 65535"}},
		{"port too big", Config{Addr: "localhost:65536"}, []string{"between 1 and 65535"}},
		{"named port", Config{Addr: "localhost:http"}, []string{"between 1 and 65535"}},
		{"https", Config{Addr: "https://localhost:20202"}, []string{"is not http"}},
		{"path", Config{Addr: "http://localhost:20202/info"}, []string{"more in it"}},
		{"no host", Config{Addr: "http://:20202"}, []string{"has no host"}},
		{"password", Config{Addr: "http://me:sesame@localhost:20202"}, []string{`"...@localhost:20202"`}},
		{"control", Config{Addr: "local\x00host:1"}, []string{"no address"}},
		{"mount", Config{FUSEDir: "a\x00b"}, []string{"Config.FUSEDir"}},
		{"remote with mount", Config{Remote: true, FUSEDir: "/litefs"}, []string{"leave one of them out"}},
		{"all at once", Config{Addr: "x", FUSEDir: "\x00", CheckEvery: -1, RetryMax: -time.Second},
			[]string{"Config.Addr", "Config.FUSEDir", "Config.CheckEvery is -1ns", "Config.RetryMax is -1s"}},
	} {
		n, err := Open(tt.config)
		if err == nil {
			n.Close()
			t.Errorf("%s: opened", tt.name)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q lacks %q", tt.name, err, want)
			}
		}
		if strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: the password is told: %v", tt.name, err)
		}
	}
}
