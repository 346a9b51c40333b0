package litefs

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

// same tells whether p and q, of one TXID, can be the same state of the database.
func (p Pos) same(q Pos) bool {
	return p.PostApplyChecksum == q.PostApplyChecksum || p.PostApplyChecksum == 0 || q.PostApplyChecksum == 0
}

// ParsePos reads what [Pos.String] writes. It takes nothing shorter, longer or
// surrounded by space, so that a position from a cookie means one thing.
func ParsePos(s string) (Pos, error) {
	if len(s) != posLen || s[16] != '/' {
		return Pos{}, posError(s)
	}
	txid, err := parseHex(s[:16])
	if err != nil {
		return Pos{}, posError(s)
	}
	sum, err := parseHex(s[17:])
	if err != nil {
		return Pos{}, posError(s)
	}
	return Pos{txid, sum}, nil
}

func posError(s string) error {
	return fmt.Errorf("parse position %s: it must be 16 hexadecimal digits, a slash and 16 more", quote(s))
}

// parseHex reads the 16 digits that LiteFS writes for TXIDs, checksums and nodes.
func parseHex(s string) (uint64, error) {
	if len(s) != 16 {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseUint(s, 16, 64)
}

// MarshalText makes a Pos a string in JSON.
func (p Pos) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is [ParsePos].
func (p *Pos) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePos(string(text))
	return err
}
