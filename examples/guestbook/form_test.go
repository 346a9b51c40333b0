package main

import (
	"strings"
	"testing"
)

func TestNewForm(t *testing.T) {
	t.Parallel()
	const removed, invalid = "control character", "not valid text"
	tests := []struct {
		what, name, message             string
		wantName, wantMessage           string
		wantNameError, wantMessageError string // parts of the sentences, or none
	}{
		{"plain", "Ada", "Hello", "Ada", "Hello", "", ""},
		{"space around and within a name", "  Ada \t Lovelace\n", "Hello", "Ada Lovelace", "Hello", "", ""},
		{"line ends", "Ada", "\r\none\r\ntwo\rthree\n\n", "Ada", "one\ntwo\nthree", "", ""},
		{"longest once tidied", "Ada" + strings.Repeat(" ", 60) + "L", strings.Repeat("\n", 900) + "Hello" + strings.Repeat(" ", 900), "Ada L", "Hello", "", ""},
		{"tab in a message", "Ada", "a\tb", "Ada", "a\tb", "", ""},
		{"both empty", "", "", "", "", "write your name", "write your message"},
		{"only space", " \t\n", "\r\n \u00a0", "", "", "write your name", "write your message"},
		{"only marks that cannot be seen", "\u200b\u200d", "\u2060", "\u200b\u200d", "\u2060", "write your name", "write your message"},
		{"emoji", "🦊", "👩‍🚀", "🦊", "👩‍🚀", "", ""},
		{"longest", strings.Repeat("é", 60), strings.Repeat("🦊", 1000), strings.Repeat("é", 60), strings.Repeat("🦊", 1000), "", ""},
		{"one too long", strings.Repeat("é", 61), strings.Repeat("🦊", 1001), strings.Repeat("é", 61), strings.Repeat("🦊", 1001), "60 characters; this one has 61", "1000 characters; this one has 1001"},
		{"control characters", "A\x00da", "Hel\x1blo", "A da", "Hel lo", removed, removed},
		{"C1 control characters", "A\u0085da", "Hel\u009blo", "A da", "Hel lo", removed, removed},
		{"line end in a name", "Ada\r\nBob", "Hello", "Ada Bob", "Hello", removed, ""},
		{"only control characters", "\x01", "\x02", "", "", "write your name", "write your message"},
		{"invalid UTF-8", "Ad\xffa", "\xc3Hello", "Ada", "Hello", invalid, invalid},
		{"only invalid UTF-8", "\xff", "\xff\xfe", "", "", "write your name", "write your message"},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			f := newForm(tt.name, tt.message)
			if f.Name != tt.wantName || f.Message != tt.wantMessage {
				t.Errorf("newForm(%q, %q) = %q, %q; want %q, %q", tt.name, tt.message, f.Name, f.Message, tt.wantName, tt.wantMessage)
			}
			for _, e := range []struct{ field, got, want string }{{"name", f.NameError, tt.wantNameError}, {"message", f.MessageError, tt.wantMessageError}} {
				if (e.got == "") != (e.want == "") || !strings.Contains(e.got, e.want) {
					t.Errorf("%s error %q, want one with %q", e.field, e.got, e.want)
				}
			}
			if want := tt.wantNameError == "" && tt.wantMessageError == ""; f.valid() != want {
				t.Errorf("valid() = %v, want %v", f.valid(), want)
			}
		})
	}
}

// A form that is shown again is what it will be when it is sent again: nothing
// in it changes twice, and what was taken stays taken.
func FuzzNewForm(f *testing.F) {
	f.Add("Ada", "Hello")
	f.Add("A\x00\xff", "\r\n\u2028\ufeff")
	f.Fuzz(func(t *testing.T, name, message string) {
		once := newForm(name, message)
		again := newForm(once.Name, once.Message)
		if once.Name != again.Name || once.Message != again.Message {
			t.Errorf("a form shown and sent again changes: %+v, then %+v", once, again)
		}
		if once.valid() && !again.valid() {
			t.Errorf("%+v is valid, but not when sent again: %+v", once, again)
		}
	})
}
