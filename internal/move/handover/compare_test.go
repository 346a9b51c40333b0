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

// Of what is at 1 GB, one page is SQLite's and LiteFS's own, and no more.
func TestComparerLockPage(t *testing.T) {
	file := bytes.Repeat([]byte("x"), 300)
	for _, tt := range []struct {
		size string // in the header
		page int64
	}{{"\x02\x00", 512}, {"\x10\x00", 4096}, {"\x00\x01", 64 << 10}} {
		copy(file[pageSizeAt:], tt.size)
		page, err := pageSize(bytes.NewReader(file))
		if err != nil || page != tt.page {
			t.Fatalf("page size %d, %v, want %d", page, err, tt.page)
		}
		sent := make([]byte, 2*page)
		for _, at := range []int64{0, page - 1, page} {
			clear(sent)
			sent[at] = 1
			c := &comparer{file: zeros{}, page: page, at: lockByte}
			if _, err := c.Write(sent); (err != nil) != (at == page) {
				t.Errorf("a page of %d bytes: byte %d of it: %v", page, at, err)
			}
		}
	}
}

// zeros is a file of nothing else.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }
