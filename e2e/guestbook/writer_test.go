package guestbook

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// What a check is there for must be noticed.
func TestKept(t *testing.T) {
	w := &Writer{last: time.Now()}
	w.note("one", nil)
	w.note("refused", bytes.ErrTooLarge)
	w.note("two", nil)
	rows := func(bodies ...string) (all []Message) {
		for _, b := range bodies {
			all = append(all, Message{Body: b})
		}
		return all
	}
	for _, tt := range []struct {
		name, want string // in the error; empty: all is kept
		rows       []Message
	}{
		{"all", "", rows("before", "one", "two")},
		{"one that was refused and kept", "", rows("one", "refused", "two")},
		{"lost", "1 of 2 acknowledged messages are lost", rows("one")},
		{"twice", `"one" is there 2 times`, rows("one", "two", "one")},
	} {
		err := w.Kept(tt.rows)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	if w.Refused != 1 {
		t.Errorf("%d refused, want 1", w.Refused)
	}
}
