package handover

import (
	"bytes"
	"strings"
	"testing"
)

// What LiteFS sets to zero is no difference; all else is.
func TestComparer(t *testing.T) {
	file := bytes.Repeat([]byte("x"), 300)
	for _, tt := range []struct {
		name   string
		change func(b []byte) []byte
		want   string
	}{
		{"the same", func(b []byte) []byte { return b }, ""},
		{"the counters", func(b []byte) []byte { copy(b[24:], "\x00\x00\x00\x00"); copy(b[40:], "\x00\x00\x00\x00"); return b }, ""},
		{"before them", func(b []byte) []byte { b[23] = 0; return b }, "byte 23 differs"},
		{"between them", func(b []byte) []byte { b[28] = 0; return b }, "byte 28 differs"},
		{"behind them", func(b []byte) []byte { b[44] = 0; return b }, "byte 44 differs"},
		{"longer", func(b []byte) []byte { return append(b, 'x') }, "longer than the file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &comparer{file: bytes.NewReader(file)}
			sent := tt.change(bytes.Clone(file))
			_, err := c.Write(sent[:100])
			if err == nil {
				_, err = c.Write(sent[100:])
			}
			if got := err != nil; got != (tt.want != "") || got && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
