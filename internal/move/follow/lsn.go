package follow

import "fmt"

// LSN is a position in PostgreSQL's WAL.
type LSN uint64

// String returns the position as PostgreSQL prints it: 16/B374D848.
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }

// ParseLSN reads what PostgreSQL prints.
func ParseLSN(s string) (LSN, error) {
	var high, low uint32
	var rest string
	if n, _ := fmt.Sscanf(s, "%X/%X%s", &high, &low, &rest); n != 2 {
		return 0, fmt.Errorf("%q is no position in PostgreSQL's WAL", s)
	}
	return LSN(high)<<32 | LSN(low), nil
}
