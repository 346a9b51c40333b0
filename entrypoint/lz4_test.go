package entrypoint

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"testing"
)

// frameOf wraps blocks in a frame as LiteFS's library writes it: independent blocks,
// a checksum at the end.
func frameOf(blocks ...[]byte) []byte {
	f := []byte{0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0xa7}
	for _, b := range blocks {
		f = append(binary.LittleEndian.AppendUint32(f, uint32(len(b))), b...)
	}
	return append(f, 0, 0, 0, 0, 1, 2, 3, 4)
}

func TestLZ4(t *testing.T) {
	long := append([]byte{0xf0, 255, 255, 10 - 5}, bytes.Repeat([]byte("z"), 15+255+255+5)...)
	tests := []struct {
		name, want string
		frame      []byte
		fails      bool
	}{
		{name: "nothing", frame: frameOf()},
		{name: "literals", frame: frameOf([]byte{0x30, 'a', 'b', 'c'}), want: "abc"},
		{name: "a copy that overlaps itself", frame: frameOf([]byte{0x25, 'a', 'b', 2, 0, 0x10, '.'}), want: "ababababab" + "a" + "."},
		{name: "two blocks", frame: frameOf([]byte{0x10, 'a'}, []byte{0x10, 'b'}), want: "ab"},
		{name: "a long run", frame: frameOf(long), want: string(bytes.Repeat([]byte("z"), 530))},
		{name: "a copy from before the start", frame: frameOf([]byte{0x10, 'a', 2, 0, 0x10, 'b'}), fails: true},
		{name: "more literals than there are", frame: frameOf([]byte{0x50, 'a'}), fails: true},
		{name: "cut off", frame: frameOf([]byte{0x30, 'a', 'b', 'c'})[:14], fails: true},
		{name: "another format", frame: []byte("PK\x03\x04aaaaaaaa"), fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := bufio.NewReader(bytes.NewReader(append(tt.frame, "after"...)))
			if tt.fails {
				r = bufio.NewReader(bytes.NewReader(tt.frame))
			}
			z, err := newLZ4(r)
			var got []byte
			if err == nil {
				got, err = io.ReadAll(z)
			}
			if (err != nil) != tt.fails || !tt.fails && string(got) != tt.want {
				t.Fatalf("%q, %v; want %q", got, err, tt.want)
			}
			if rest, _ := io.ReadAll(r); !tt.fails && string(rest) != "after" {
				t.Errorf("left after the frame: %q", rest)
			}
		})
	}
}

// Whatever a block holds, it ends, within the bounds.
func FuzzLZ4(f *testing.F) {
	f.Add([]byte{0x25, 'a', 'b', 2, 0, 0x10, '.'})
	f.Add([]byte{0xff, 255, 255})
	f.Fuzz(func(t *testing.T, block []byte) {
		if out, _ := unpackLZ4(nil, block); len(out) > lz4Block {
			t.Errorf("%d bytes", len(out))
		}
	})
}
