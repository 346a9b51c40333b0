package entrypoint

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// lz4 reads one frame of LZ4, in which LiteFS keeps pages, and stops at its end:
// https://github.com/lz4/lz4/blob/v1.10.0/doc/lz4_Frame_format.md
//
// Its checksums are not looked at: what is read is checked against LiteFS's own.
type lz4 struct {
	r         *bufio.Reader
	blockSums bool
	endSum    bool
	in, out   []byte
	left      []byte // of out
	ended     bool
}

var errLZ4 = errors.New("it is no frame of LZ4 as LiteFS writes it")

// lz4Block is the most that a block may hold of what LiteFS writes, and of what is
// taken from anybody else.
const lz4Block = 4 << 20

func newLZ4(r *bufio.Reader) (*lz4, error) {
	head := make([]byte, 7)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	flags := head[4]
	const version, independent, blockSums, size, endSum, dictionary = 0xc0, 0x20, 0x10, 0x08, 0x04, 0x01
	if binary.LittleEndian.Uint32(head) != 0x184D2204 || flags&version != 0x40 || flags&independent == 0 || flags&dictionary != 0 {
		return nil, errLZ4
	}
	if flags&size != 0 {
		if _, err := r.Discard(8); err != nil {
			return nil, err
		}
	}
	return &lz4{r: r, blockSums: flags&blockSums != 0, endSum: flags&endSum != 0}, nil
}

func (z *lz4) Read(p []byte) (int, error) {
	for len(z.left) == 0 {
		if z.ended {
			return 0, io.EOF
		}
		if err := z.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.left)
	z.left = z.left[n:]
	return n, nil
}

func (z *lz4) next() error {
	var word [4]byte
	if _, err := io.ReadFull(z.r, word[:]); err != nil {
		return err
	}
	size := binary.LittleEndian.Uint32(word[:])
	if size == 0 {
		z.ended = true
		if z.endSum {
			_, err := z.r.Discard(4)
			return err
		}
		return nil
	}
	const plain = 1 << 31
	n := size &^ plain
	if n > lz4Block {
		return errLZ4
	}
	if cap(z.in) < int(n) {
		z.in = make([]byte, n)
	}
	z.in = z.in[:n]
	if _, err := io.ReadFull(z.r, z.in); err != nil {
		return err
	}
	if z.blockSums {
		if _, err := z.r.Discard(4); err != nil {
			return err
		}
	}
	if size&plain != 0 {
		z.left = z.in
		return nil
	}
	var err error
	z.out, err = unpackLZ4(z.out[:0], z.in)
	z.left = z.out
	return err
}

// unpackLZ4 appends what a block holds: literals, and copies of what came before,
// in turns.
func unpackLZ4(out, in []byte) ([]byte, error) {
	length := func(n int) (int, bool) { // 15 says that more follows
		if n != 15 {
			return n, true
		}
		for len(in) > 0 && n <= lz4Block {
			b := in[0]
			in = in[1:]
			if n += int(b); b != 255 {
				return n, true
			}
		}
		return 0, false
	}
	for len(in) > 0 {
		token := in[0]
		in = in[1:]
		n, ok := length(int(token >> 4))
		if !ok || n > len(in) || len(out)+n > lz4Block {
			return out, errLZ4
		}
		out, in = append(out, in[:n]...), in[n:]
		if len(in) == 0 { // the last one has literals only
			return out, nil
		}
		if len(in) < 2 {
			return out, errLZ4
		}
		back := int(binary.LittleEndian.Uint16(in))
		in = in[2:]
		n, ok = length(int(token & 15))
		n += 4
		if !ok || back == 0 || back > len(out) || len(out)+n > lz4Block {
			return out, errLZ4
		}
		for range n { // it may overlap itself
			out = append(out, out[len(out)-back])
		}
	}
	return out, nil
}
