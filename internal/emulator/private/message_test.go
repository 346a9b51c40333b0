package private

import "testing"

// No message makes a server fail, or answer what was no query.
func FuzzResponse(f *testing.F) {
	f.Add([]byte("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x08internal\x00\x00\x1c\x00\x01"))
	f.Add([]byte("\x00\x01\x81\x00"))
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
		}
	})
}
