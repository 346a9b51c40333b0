package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/e2e/guestbook"
)

// Where machines in several regions cannot be run, one is, and the reason is told;
// but not to who asked for several.
func TestChoose(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "missing") // nothing can be tried there
	for _, tt := range []struct {
		asked, want mode
		why, fails  bool
	}{
		{auto, volume, true, false},
		{volume, volume, false, false},
		{regions, regions, false, true},
	} {
		d := &demo{mode: tt.asked, dir: nowhere}
		why, err := d.choose()
		if d.mode != tt.want || (why != "") != tt.why || (err != nil) != tt.fails || strings.Contains(why, "\n") {
			t.Errorf("%s: mode %s, why %q, error %v", tt.asked, d.mode, why, err)
		}
	}
}

// The check must notice what it is there for.
func TestKept(t *testing.T) {
	w := &writer{last: time.Now()}
	w.note("one", nil)
	w.note("refused", bytes.ErrTooLarge)
	w.note("two", nil)
	rows := func(bodies ...string) (all []guestbook.Message) {
		for _, b := range bodies {
			all = append(all, guestbook.Message{Body: b})
		}
		return all
	}
	for _, tt := range []struct {
		name, want string // in the error; empty: all is kept
		rows       []guestbook.Message
	}{
		{"all", "", rows("before", "one", "two")},
		{"one that was refused and kept", "", rows("one", "refused", "two")},
		{"lost", "1 of 2 acknowledged messages are lost", rows("one")},
		{"twice", `"one" is there 2 times`, rows("one", "two", "one")},
	} {
		err := w.kept(tt.rows)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	if w.refused != 1 {
		t.Errorf("%d refused, want 1", w.refused)
	}
}

func TestHasColumn(t *testing.T) {
	file := database(t)
	if err := hasColumn(t.Context(), file, "messages", "body"); err != nil {
		t.Error(err)
	}
	if err := hasColumn(t.Context(), file, "messages", "mood"); err == nil {
		t.Error("a column that is missing is not missed")
	}
}

// A machine's log is kept whole, and only the boot is printed.
func TestMachineLog(t *testing.T) {
	var out, stderr bytes.Buffer
	file := filepath.Join(t.TempDir(), "log")
	l, err := newMachineLog(newPrinter(&out, &stderr, nil), "ams1", file)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"level=INFO noise\nfly", "sql node ok\n", strings.Repeat("more\n", 20)} {
		if _, err := l.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String()+stderr.String(), "  | ams1 | flysql node ok\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if n := strings.Count(l.tail(), "\n") + 1; n != tailLines {
		t.Errorf("the tail has %d lines, want %d", n, tailLines)
	}
}
