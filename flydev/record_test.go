package flydev

import (
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/dev"
)

// However much machines print, what is remembered is bounded: in lines, and in each.
func TestRecordIsBounded(t *testing.T) {
	r := newRecord()
	long := strings.Repeat("ä", maxLine)
	for range 3 * maxEntries {
		r.add(dev.Event{Type: dev.TypeLog, Log: &dev.Log{Machine: "ord1", Line: long}})
	}
	if n := len(r.entries); n > 2*maxEntries {
		t.Errorf("%d entries", n)
	}
	if line := r.entries[0].line; len(line) > maxLine+len("…") || !strings.HasPrefix(line, "ord1 | ä") || !strings.HasSuffix(line, "ä…") {
		t.Errorf("a line of %d bytes: %.20s", len(line), line)
	}
	if r.place() != 3*maxEntries {
		t.Errorf("the place is %d", r.place())
	}
}
