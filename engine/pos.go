package engine

import (
	"fmt"
	"strconv"
)

// Pos is how far a database has come. Its zero value is the position of a database
// that has had no transaction.
type Pos struct {
	// TXID is the number of the last transaction, from 1. It is used again after a
	// failover that lost transactions, so alone it identifies nothing.
	TXID uint64
	// PostApplyChecksum is the checksum of the whole database after it; 0 means
	// that it is not known, and then only TXIDs are compared.
	PostApplyChecksum uint64
}

// posLen is the length of a Pos as text.
const posLen = 16 + 1 + 16

// String is the form that LiteFS uses in its -pos files: 16 hexadecimal digits, a
// slash, and 16 more.
func (p Pos) String() string { return fmt.Sprintf("%016x/%016x", p.TXID, p.PostApplyChecksum) }

// IsZero tells whether p is the zero Pos.
func (p Pos) IsZero() bool { return p == Pos{} }

// ParsePos reads what [Pos.String] writes. It takes nothing shorter, longer or
// surrounded by space, so that a position from a cookie means one thing.
func ParsePos(s string) (Pos, error) {
	if len(s) != posLen || s[16] != '/' {
		return Pos{}, posError(s)
	}
	txid, err := strconv.ParseUint(s[:16], 16, 64)
	if err != nil {
		return Pos{}, posError(s)
	}
	sum, err := strconv.ParseUint(s[17:], 16, 64)
	if err != nil {
		return Pos{}, posError(s)
	}
	return Pos{txid, sum}, nil
}

func posError(s string) error {
	return fmt.Errorf("parse position %.50q: it must be 16 hexadecimal digits, a slash and 16 more", s)
}

// MarshalText makes a Pos a string in JSON.
func (p Pos) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is [ParsePos].
func (p *Pos) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePos(string(text))
	return err
}
