package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrinter(t *testing.T) {
	var out, errs strings.Builder
	p := newPrinter(&out, &errs, nil)
	ctx := t.Context()
	if err := p.step(ctx, "one", func(context.Context) (string, error) { return "done", nil }); err != nil {
		t.Error(err)
	}
	err := p.step(ctx, "two", func(context.Context) (string, error) {
		p.note("a note")
		return "done with a note", nil
	})
	if err != nil {
		t.Error(err)
	}
	boom := errors.New("boom")
	err = p.step(ctx, "three", func(context.Context) (string, error) { return "", boom })
	if !errors.Is(err, boom) || err.Error() != "three: boom" {
		t.Errorf("error %v, want boom with the step's name", err)
	}
	p.failure(err)
	p.ok("fine")
	each := &lines{each: p.aside}
	for _, s := range []string{"half a ", "line\nand ", "more\n", "not ended"} {
		if _, err := each.Write([]byte(s)); err != nil {
			t.Error(err)
		}
	}
	want := strings.Join([]string{
		"  one          done",
		"  two          ",
		"               a note",
		"               done with a note",
		"  three        ",
		"  ok    fine",
		"",
	}, "\n")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("stdout (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("\nFAILED  three: boom\n  | half a line\n  | and more\n", errs.String()); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
}

func TestStepIsNotBegunAfterASignal(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	var out strings.Builder
	err := newPrinter(&out, &out, nil).step(ctx, "one", func(context.Context) (string, error) {
		t.Error("begun")
		return "", nil
	})
	if !errors.Is(err, why) || out.String() != "" {
		t.Errorf("error %v and output %q, want the cause and none", err, out.String())
	}
}

func TestSummary(t *testing.T) {
	set := func(names ...string) map[string]bool {
		m := map[string]bool{}
		for _, n := range names {
			m[n] = true
		}
		return m
	}
	got := summary(set("main.go"), set("main.go", "fly.toml", ".flysql/src/a.go", ".flysql/src/b/c.go", "Dockerfile"))
	if want := ".flysql/ (2 files), Dockerfile, fly.toml"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A port that somebody has is not taken for a free one.
func TestFreePort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := l.Addr().(*net.TCPAddr).Port
	if port, err := freePort(taken); err != nil || port <= taken {
		t.Errorf("port %d, %v, want one after %d", port, err, taken)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if port, err := freePort(taken); err != nil || port != taken {
		t.Errorf("port %d, %v, want %d, which is free again", port, err, taken)
	}
}

// What machines print is shown where it tells of others, without paths.
func TestTold(t *testing.T) {
	for in, want := range map[string]string{
		"flysql node     ok            116.7ms  mount=/tmp/x role=replica primary=ams1": "flysql node     ok            116.7ms",
		"flysql guard    ok              9.8ms  db=/tmp/x":                              "",
		"flysql migrate  failed         76.0ms  exit=1":                                 "flysql migrate  failed         76.0ms",
		"level=INFO msg=started":                                                        "",
		"":                                                                              "",
	} {
		if got := told(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
