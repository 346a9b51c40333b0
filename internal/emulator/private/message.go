package private

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
)

// What is used of DNS, RFC 1035.
const (
	typeA    = 1
	typeTXT  = 16
	typeAAAA = 28
	typeANY  = 255
	classIN  = 1

	rcodeNone     = 0
	rcodeFormat   = 1
	rcodeNoName   = 3
	rcodeNotImpl  = 4
	rcodeRefused  = 5
	headerSize    = 12
	flagResponse  = 1 << 15
	flagAuthority = 1 << 10
	flagTruncated = 1 << 9
	flagDesired   = 1 << 8 // recursion
	maxUDP        = 512
	// ttl is Fly's, in seconds.
	ttl = 5
)

// question is the one of a query.
type question struct {
	id    uint16
	flags uint16
	raw   []byte // as it stood there
	name  string // lower case, without the last dot
	kind  uint16
	class uint16
}

var errFormat = errors.New("no DNS query")

// parse reads a query. With an error the id and flags are set where they were there.
func parse(msg []byte) (q question, err error) {
	if len(msg) < headerSize {
		return q, errFormat
	}
	q.id, q.flags = binary.BigEndian.Uint16(msg), binary.BigEndian.Uint16(msg[2:])&^flagTruncated
	if q.flags&flagResponse != 0 || binary.BigEndian.Uint16(msg[4:]) != 1 {
		return q, errFormat
	}
	rest := msg[headerSize:]
	var labels []string
	for size := 0; ; {
		if len(rest) == 0 {
			return q, errFormat
		}
		n := int(rest[0])
		rest = rest[1:]
		if n == 0 {
			break
		}
		// A pointer has nothing to point to in a question.
		if size += n + 1; n > 63 || n > len(rest) || size > 254 {
			return q, errFormat
		}
		labels = append(labels, strings.ToLower(string(rest[:n])))
		rest = rest[n:]
	}
	if len(rest) < 4 {
		return q, errFormat
	}
	q.kind, q.class = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	q.raw = msg[headerSize : len(msg)-len(rest)+4]
	q.name = strings.Join(labels, ".")
	return q, nil
}

// response answers a message for a machine in a region; nil is no answer at all. most is
// how long it may be, 0 for as long as it is.
func (z *Zone) response(msg []byte, from string, most int) []byte {
	q, err := parse(msg)
	if err != nil {
		if len(msg) < headerSize || q.flags&flagResponse != 0 {
			return nil
		}
		return q.header(rcodeFormat, 0, nil)
	}
	switch {
	case q.flags>>11&15 != 0:
		return q.header(rcodeNotImpl, 0, nil)
	case q.class != classIN || !strings.HasSuffix(q.name, ".internal"):
		return q.header(rcodeRefused, 0, q.raw)
	}
	a := z.lookup(q.name, from)
	if !a.exists {
		return q.header(rcodeNoName, 0, q.raw)
	}
	out, count := q.raw, 0
	for _, addr := range a.addrs {
		if len(out) > maxText {
			break
		}
		kind := uint16(typeAAAA)
		if addr.Unmap().Is4() {
			kind = typeA
		}
		if q.kind == kind || q.kind == typeANY {
			out, count = record(out, kind, data(addr)), count+1
		}
	}
	if a.isText && (q.kind == typeTXT || q.kind == typeANY) {
		out, count = record(out, typeTXT, chunks(a.text)), count+1
	}
	if most > 0 && headerSize+len(out) > most {
		q.flags |= flagTruncated // it comes again by TCP
		return q.header(rcodeNone, 0, q.raw)
	}
	return q.header(rcodeNone, count, out)
}

// header puts a header before a question and its answers.
func (q *question) header(rcode uint16, answers int, rest []byte) []byte {
	questions := uint16(0)
	if len(rest) > 0 {
		questions = 1
	}
	out := make([]byte, headerSize, headerSize+len(rest))
	binary.BigEndian.PutUint16(out, q.id)
	binary.BigEndian.PutUint16(out[2:], flagResponse|q.flags&(15<<11|flagTruncated|flagDesired)|flagAuthority|rcode)
	binary.BigEndian.PutUint16(out[4:], questions)
	binary.BigEndian.PutUint16(out[6:], uint16(answers))
	return append(out, rest...)
}

// record adds an answer for the question's name.
func record(out []byte, kind uint16, data []byte) []byte {
	out = append(out[:len(out):len(out)], 0xc0, headerSize) // a pointer to the name
	out = binary.BigEndian.AppendUint16(out, kind)
	out = binary.BigEndian.AppendUint16(out, classIN)
	out = binary.BigEndian.AppendUint32(out, ttl)
	out = binary.BigEndian.AppendUint16(out, uint16(len(data)))
	return append(out, data...)
}

func data(a netip.Addr) []byte { return a.Unmap().AsSlice() }

// maxText keeps a message below what its length field can say. What is left out is longer
// than anybody's list of machines.
const maxText = 32 << 10

// chunks is a text as TXT has it, in strings of at most 255 bytes that belong together.
func chunks(text string) []byte {
	text = text[:min(len(text), maxText)]
	out := []byte{}
	for first := true; first || text != ""; first = false {
		n := min(len(text), 255)
		out = append(append(out, byte(n)), text[:n]...)
		text = text[n:]
	}
	return out
}
