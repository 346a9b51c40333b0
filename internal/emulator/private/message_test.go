package private

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// query is a message that asks for a name, with what a resolver adds to say how large an
// answer it takes.
func query(name string, kind uint16) []byte {
	msg := []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01")
	for label := range strings.SplitSeq(name, ".") {
		msg = append(append(msg, byte(len(label))), label...)
	}
	msg = binary.BigEndian.AppendUint16(append(msg, 0), kind)
	msg = binary.BigEndian.AppendUint16(msg, classIN)
	return append(msg, "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00"...)
}

// A name that is there has no answer of a kind that it does not have; one that is not
// there is said not to be, whatever it is asked for. A resolver remembers the difference.
func TestNoAnswerAndNoName(t *testing.T) {
	z := &Zone{}
	six, four := netip.MustParseAddr("fdaa::1"), netip.MustParseAddr("127.0.0.2")
	z.Set([]Machine{
		{ID: "a1", App: "six", Region: "ams", Address: six, Started: true}, {ID: "s1", App: "six", Region: "syd", Address: six},
		{ID: "a2", App: "four", Region: "ams", Address: four, Started: true},
	})
	const a, txt, aaaa, mx, any = typeA, typeTXT, typeAAAA, 15, typeANY
	for _, tt := range []struct {
		name string
		kind uint16
		want string
	}{
		{"six.internal", aaaa, "rcode 0, 1 answers"},
		{"SIX.Internal", aaaa, "rcode 0, 1 answers"},
		{"six.internal", a, "rcode 0, 0 answers"},
		{"six.internal", txt, "rcode 0, 0 answers"},
		{"six.internal", mx, "rcode 0, 0 answers"},
		{"six.internal", any, "rcode 0, 1 answers"},
		{"four.internal", a, "rcode 0, 1 answers"},
		{"four.internal", aaaa, "rcode 0, 0 answers"},
		{"syd.six.internal", aaaa, "rcode 0, 0 answers"}, // it is stopped
		{"s1.vm.six.internal", aaaa, "rcode 0, 0 answers"},
		{"vms.six.internal", txt, "rcode 0, 1 answers"},
		{"vms.six.internal", aaaa, "rcode 0, 0 answers"},
		{"_instances.internal", txt, "rcode 0, 1 answers"},
		{"_instances.internal", aaaa, "rcode 0, 0 answers"},
		{"seven.internal", aaaa, "rcode 3, 0 answers"},
		{"seven.internal", txt, "rcode 3, 0 answers"},
		{"vms.seven.internal", txt, "rcode 3, 0 answers"},
		{"nrt.six.internal", aaaa, "rcode 3, 0 answers"},
		{"a2.vm.six.internal", aaaa, "rcode 3, 0 answers"}, // another app's
		{"internal.six.internal", aaaa, "rcode 3, 0 answers"},
		{"six.internal.example", aaaa, "rcode 5, 0 answers"},
		{"notinternal", aaaa, "rcode 5, 0 answers"},
	} {
		out := z.response(query(tt.name, tt.kind), "ams", maxUDP)
		got := fmt.Sprintf("rcode %d, %d answers", out[3]&15, binary.BigEndian.Uint16(out[6:]))
		if got != tt.want || out[2]&0x84 != 0x84 {
			t.Errorf("%s, kind %d: %s, want %s (%x)", tt.name, tt.kind, got, tt.want, out)
		}
	}
}

// No message makes a server fail, or answer what was no query.
func FuzzResponse(f *testing.F) {
	f.Add([]byte("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x08internal\x00\x00\x1c\x00\x01"))
	f.Add([]byte("\x00\x01\x81\x00"))
	f.Add([]byte("\x00\x01\x03\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x08internal\x00\x00\x1c\x00\x01"))
	z := &Zone{}
	z.Set([]Machine{{ID: "1", App: "a", Region: "ams", Started: true}})
	f.Fuzz(func(t *testing.T, msg []byte) {
		out := z.response(msg, "ams", maxUDP)
		switch {
		case out == nil:
		case len(out) < headerSize || len(out) > maxUDP || out[0] != msg[0] || out[1] != msg[1] || out[2]&0x80 == 0:
			t.Errorf("%x: %x", msg, out)
		case msg[2]&0x80 != 0:
			t.Errorf("%x is a response, and is answered", msg)
		case out[2]&0x02 != 0:
			t.Errorf("%x: a short answer is truncated", msg)
		}
	})
}

// Who connects and says nothing, or half of it, is not waited for.
func TestIdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		start := time.Now()
		go func() {
			defer far.Close()
			(&Zone{}).connection("ams", far)
		}()
		if _, err := near.Write([]byte{0, 30, 1}); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(near); err != nil || len(got) > 0 || time.Since(start) != patience {
			t.Errorf("%q, %v after %v, want an end after %v", got, err, time.Since(start), patience)
		}
	})
}
