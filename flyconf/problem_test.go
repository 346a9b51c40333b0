package flyconf

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("x", 80) + "HERE" + strings.Repeat("y", 80)
	tests := []struct {
		name string
		text string
		p    Problem
		want string
	}{
		{"a column", "a\nb = c\n", Problem{Line: 2, Col: 5}, "2 | b = c\n  |     ^\n"},
		{"no column", "a\n", Problem{Line: 1}, "1 | a\n  | ^\n"},
		{"no line", "a\n", Problem{}, ""},
		{"below the text", "a\n", Problem{Line: 9, Col: 1}, ""},
		{"the end of the text", "a\n", Problem{Line: 2, Col: 1}, "2 |\n  | ^\n"},
		{"right of the line", "abc\n", Problem{Line: 1, Col: 99}, "1 | abc\n  |    ^\n"},
		{"tabs and CRLF", "\tx = é!\r\n", Problem{Line: 1, Col: 8}, "1 |     x = é!\n  |          ^\n"},
		{"escape sequences", "x\x1b[31m\xff\n", Problem{Line: 1, Col: 1}, "1 | x?[31m?\n  | ^\n"},
		{"two digits", strings.Repeat("\n", 9) + "a", Problem{Line: 10, Col: 1}, "10 | a\n   | ^\n"},
		{"a secret", "[env]\n  TOKEN = 'hunter2'\n", Problem{Line: 2, Col: 3, Key: "env.TOKEN"}, "2 |   TOKEN = ...\n  |   ^\n"},
		{"a secret beside it", "env = {A = 'hunter2', B = 1}\n", Problem{Line: 1, Col: 24, Key: "env.B"}, "1 | env = ...\n  |      ^\n"},
		{"a secret in a URL", "  url: http://hunter2@$X\n", Problem{Line: 1, Col: 23, Key: "lease.consul.url"}, "1 |   url: ...\n  |       ^\n"},
		{"a long line", long, Problem{Line: 1, Col: 81},
			"1 | ..." + strings.Repeat("x", 50) + "HERE" + strings.Repeat("y", 46) + "...\n  |    " + strings.Repeat(" ", 50) + "^\n"},
	}
	for _, tt := range tests {
		if got := tt.p.Excerpt([]byte(tt.text)); got != tt.want {
			t.Errorf("%s:\ngot\n%swant\n%s", tt.name, got, tt.want)
		}
	}
}

func TestProblemsOf(t *testing.T) {
	a, b := &Problem{Message: "a"}, &Problem{Message: "b"}
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 0},
		{a, 1},
		{fmt.Errorf("read: %w", a), 1},
		{errors.Join(a, fmt.Errorf("x: %w", errors.Join(b, errors.New("y")))), 2},
	} {
		if got := Problems(tt.err); len(got) != tt.want {
			t.Errorf("Problems(%v) = %v, want %d", tt.err, got, tt.want)
		}
	}
}

// TestSeverity: warnings are no errors of Parse and Validate, and are in Problems.
func TestSeverity(t *testing.T) {
	c, err := Parse("fly.toml", []byte("app = 'a'\nap = 'b'\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	list := c.Problems()
	if len(list) != 1 || list[0].Severity != SeverityWarning || list[0].Severity.String() != "warning" || list[0].Key != "ap" {
		t.Errorf("problems %v, want one warning about ap", list)
	}
	text, err := Render(c, nil)
	if err != nil || string(text) != "app = \"a\"\nap = \"b\"\n" {
		t.Errorf("rendered %q, %v; want the unknown key kept", text, err)
	}
}
