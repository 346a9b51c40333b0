package entrypoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// answering listens, and answers whoever asks with the bytes.
func answering(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 1024))
			conn.Write([]byte(answer))
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return l.Addr().String()
}

// Whatever answers in LiteFS's place is taken for no answer, and ends.
func TestInfo(t *testing.T) {
	good := "HTTP/1.0 200 OK\r\nLitefs-Id: 0A\r\n\r\n" + `{"isPrimary":false,"candidate":true,"primary":{"hostname":"b"}}`
	for _, tt := range []struct{ name, answer, want string }{
		{"good", good, "false true b 0A"},
		{"a primary", "HTTP/1.1 200 OK\r\n\r\n{\"isPrimary\":true}", "true false  "},
		{"nothing", "", "EOF"},
		{"not HTTP", "SSH-2.0-x\r\n", "is no answer of HTTP"},
		{"an error", "HTTP/1.0 500 oops\r\n\r\n{}", "status 500"},
		{"not JSON", "HTTP/1.0 200 OK\r\n\r\n<html>", "GET /info"},
		{"a header without an end", "HTTP/1.0 200 OK\r\nA: " + strings.Repeat("x", 100<<10), "EOF"},
		{"a body without an end", "HTTP/1.0 200 OK\r\n\r\n" + strings.Repeat(" ", 100<<10), "GET /info"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &node{api: answering(t, tt.answer)}
			info, err := n.info(t.Context())
			got := fmt.Sprint(info.IsPrimary, " ", info.Candidate, " ", info.Primary.Hostname, " ", info.id)
			if err != nil {
				got = err.Error()
			}
			if err == nil && got != tt.want || err != nil && !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	if _, err := (&node{api: "127.0.0.1:1"}).info(t.Context()); err == nil {
		t.Error("nobody answered")
	}
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]string{
		":20202": "127.0.0.1:20202", "0.0.0.0:1": "127.0.0.1:1", "[::]:1": "127.0.0.1:1",
		"10.0.0.1:1": "10.0.0.1:1", "localhost:1": "localhost:1", "[::1]:1": "[::1]:1",
	} {
		if got := loopback(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

// A token is in no log, wherever LiteFS's output is cut.
func TestRedactor(t *testing.T) {
	secrets := map[string]string{}
	addSecretURL(secrets, "https://:s3cret-token@consul.example/app")
	addSecretURL(secrets, "http://127.0.0.1:8500") // has none
	var out bytes.Buffer
	r := newRedactor(&out, secrets)
	text := "initializing consul: url=https://:s3cret-token@consul.example/app\ntoken s3cret-token\nno end"
	for _, c := range []byte(text) {
		if n, err := r.Write([]byte{c}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	r.flush()
	want := "initializing consul: url=https://:xxxxx@consul.example/app\ntoken xxxxx\nno end"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	if _, err := r.Write(bytes.Repeat([]byte("x"), 2*maxLine)); err != nil || out.Len() != 2*maxLine {
		t.Errorf("a line without an end: %d bytes came, %v", out.Len(), err)
	}
	broken := newRedactor(failing{}, nil)
	if n, err := broken.Write([]byte("x\n")); n != 2 || err != nil {
		t.Errorf("a log that cannot be written: %d, %v", n, err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestParsePosition(t *testing.T) {
	p, err := parsePosition("00000000000000a1/8000000000000000\n")
	if err != nil || p != (position{0xa1, 1 << 63}) || p.String() != "00000000000000a1/8000000000000000" {
		t.Errorf("%v, %v", p, err)
	}
	for _, bad := range []string{"", "/", "1/2", "00000000000000a1", "00000000000000g1/8000000000000000", strings.Repeat("0", 100)} {
		if _, err := parsePosition(bad); err == nil {
			t.Errorf("%q was understood", bad)
		}
	}
}

// ltxFile is the head of a transaction file.
func ltxFile(tx, before, run uint64) []byte {
	b := make([]byte, 100)
	copy(b, "LTX1")
	for at, v := range map[int]uint64{16: tx, 24: tx, 40: before, 72: run} {
		binary.BigEndian.PutUint64(b[at:], v)
	}
	return b
}

// Only an unbroken row of transactions that one run of LiteFS made shows that
// nobody else has written.
func TestOnlyBy(t *testing.T) {
	data := t.TempDir()
	dir := filepath.Join(data, "dbs", "app.db", "ltx")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name uint64, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%016x-%016x.ltx", name, name)), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const run, other = 0xabc, 0xdef
	write(4, ltxFile(4, 33, run))
	write(5, ltxFile(5, 44, run))
	write(6, ltxFile(6, 55, other))
	write(8, ltxFile(9, 77, run))
	write(9, []byte("LTX1"))
	write(10, []byte(strings.Repeat("x", 100)))
	tests := []struct {
		name     string
		run      string
		from, to position
		want     string
	}{
		{"ours", "0000000000000ABC", position{3, 33}, position{5, 55}, ""},
		{"none", "0000000000000ABC", position{3, 33}, position{3, 33}, ""},
		{"another lineage", "0000000000000ABC", position{3, 34}, position{5, 55}, "does not follow from"},
		{"the same number, another content", "0000000000000ABC", position{3, 33}, position{3, 34}, "does not follow from"},
		{"backwards", "0000000000000ABC", position{5, 55}, position{3, 33}, "does not follow from"},
		{"another's", "0000000000000ABC", position{5, 55}, position{6, 66}, "made by another node"},
		{"one is gone", "0000000000000ABC", position{6, 66}, position{7, 77}, "no longer has transaction"},
		{"a wrong name", "0000000000000ABC", position{7, 77}, position{8, 88}, "other transactions than its name says"},
		{"cut short", "0000000000000ABC", position{8, 88}, position{9, 99}, "EOF"},
		{"no LTX", "0000000000000ABC", position{9, 99}, position{10, 1}, "is no transaction file"},
		{"too many", "0000000000000ABC", position{1, 1}, position{1 << 40, 1}, "transactions since"},
		{"an unknown run", "", position{3, 33}, position{5, 55}, "not known which run"},
	}
	for _, tt := range tests {
		err := (&node{data: data}).onlyBy(tt.run, "app.db", tt.from, tt.to)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
