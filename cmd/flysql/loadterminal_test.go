//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// On a terminal it tells how far it is. Ctrl-C ends it, and what was measured until then is
// told and written.
func TestLoadInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, nil, nil, "load", loadedApp(t, 0, 0), "--rate", "50", "--for", "10h", "--max", "10", "--html", "report.html")
	s.expect("warm-up: ")
	s.expect("of 10h0m0s, ")
	s.expect("of 10h0m0s, ")
	s.press(ctrlC)
	s.expect(", ended") // the line may break there
	s.expect("success 100%: 200 OK ")
	s.expect("flysql: ended by interrupt")
	s.exits(130)
	if page, err := os.ReadFile(filepath.Join(dir, "report.html")); err != nil || !strings.Contains(string(page), "Ended before its time.") {
		t.Errorf("%v\n%s", err, page)
	}
}

// Rows of another machine's app are written when somebody says yes.
func TestLoadAsks(t *testing.T) {
	t.Parallel()
	args := []string{"load", "http://shop.invalid", "--timeout", "5s", "--warm-up", "0s", "--writes", "10%", "--write", "POST /a"}
	for _, tt := range []struct {
		answer, then string
		code         int
	}{
		{enter, "flysql: not confirmed; nothing was sent", 1},
		{"yes" + enter, "flysql: http://shop.invalid does not answer", 1},
		{ctrlC, "flysql: ended by interrupt; nothing was sent", 130},
	} {
		s := start(t, t.TempDir(), nil, nil, args...)
		s.expect("some 300 requests that write go to shop.invalid. Go on? [no]: ")
		s.press(tt.answer)
		s.expect(tt.then)
		s.exits(tt.code)
	}
}
