package transfer

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// hashText is PostgreSQL's hashtextextended(text, seed) on a little-endian server: Bob
// Jenkins' lookup3 of 2006, which is in the public domain, with a seed. PostgreSQL keeps
// it as it is, for hash partitions depend on it.
func hashText[T string | []byte](k T, seed int64) int64 {
	a := 0x9e3779b9 + uint32(len(k)) + 3923095
	b, c := a, a
	if seed != 0 {
		a, b, c = mix(a+uint32(uint64(seed)>>32), b+uint32(seed), c)
	}
	for len(k) >= 12 {
		a, b, c = mix(a+word(k), b+word(k[4:]), c+word(k[8:]))
		k = k[12:]
	}
	var rest [12]byte
	copy(rest[:], k)
	a += binary.LittleEndian.Uint32(rest[:])
	b += binary.LittleEndian.Uint32(rest[4:])
	c += binary.LittleEndian.Uint32(rest[8:]) << 8 // its lowest byte is the length's
	b, c = last(a, b, c)
	return int64(uint64(b)<<32 | uint64(c))
}

func word[T string | []byte](k T) uint32 {
	_ = k[3]
	return uint32(k[0]) | uint32(k[1])<<8 | uint32(k[2])<<16 | uint32(k[3])<<24
}

func mix(a, b, c uint32) (uint32, uint32, uint32) {
	a = (a - c) ^ bits.RotateLeft32(c, 4)
	c += b
	b = (b - a) ^ bits.RotateLeft32(a, 6)
	a += c
	c = (c - b) ^ bits.RotateLeft32(b, 8)
	b += a
	a = (a - c) ^ bits.RotateLeft32(c, 16)
	c += b
	b = (b - a) ^ bits.RotateLeft32(a, 19)
	a += c
	c = (c - b) ^ bits.RotateLeft32(b, 4)
	b += a
	return a, b, c
}

func last(a, b, c uint32) (uint32, uint32) {
	c = (c ^ b) - bits.RotateLeft32(b, 14)
	a = (a ^ c) - bits.RotateLeft32(c, 11)
	b = (b ^ a) - bits.RotateLeft32(a, 25)
	c = (c ^ b) - bits.RotateLeft32(b, 16)
	a = (a ^ c) - bits.RotateLeft32(c, 4)
	b = (b ^ a) - bits.RotateLeft32(a, 14)
	c = (c ^ b) - bits.RotateLeft32(b, 24)
	return b, c
}

// sum adds hashes without overflow, in whatever order: a sum, for XOR would not see two
// rows that are the same.
type sum struct {
	high int64
	low  uint64
}

func (s *sum) add(h int64) {
	var carry uint64
	s.low, carry = bits.Add64(s.low, uint64(h), 0)
	s.high += h>>63 + int64(carry)
}

// String returns it as PostgreSQL prints a numeric.
func (s sum) String() string {
	n := new(big.Int).Lsh(big.NewInt(s.high), 64)
	return n.Add(n, new(big.Int).SetUint64(s.low)).String()
}
