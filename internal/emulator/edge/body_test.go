package edge

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// pipeBody is a request's body of unknown length that comes as it is written.
func pipeBody() (*body, *io.PipeWriter) {
	pr, pw := io.Pipe()
	r := httptest.NewRequest("POST", "/", pr)
	r.ContentLength = -1
	return newBody(r), pw
}

// Who reads a body from its beginning gets it from its beginning, or an error: never
// what follows a part that is lost. Here the machine that gave the request on was still
// being sent the body, and takes it over the limit when the next one has begun.
func TestBodyIsWholeOrAnError(t *testing.T) {
	b, in := pipeBody()
	first, _ := b.open()
	buf := make([]byte, maxReplayed)
	go in.Write([]byte("begin"))
	if _, err := io.ReadFull(first, buf[:5]); err != nil {
		t.Fatal(err)
	}
	read := make(chan error)
	go func() {
		_, err := io.ReadFull(first, buf)
		read <- err
	}()
	if !b.again() {
		t.Fatal("5 bytes are too many to begin again")
	}
	second, _ := b.open()
	go func() {
		in.Write(make([]byte, maxReplayed))
		in.Write([]byte("end"))
		in.Close()
	}()
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	if b.again() {
		t.Error("more than the limit can be read again")
	}
	if got, err := io.ReadAll(second); !errors.Is(err, errLost) || len(got) > 0 {
		t.Errorf("%d bytes, and %v, without the beginning", len(got), err)
	}
	if got, err := io.ReadAll(first); string(got) != "end" || err != nil {
		t.Errorf("who has had the beginning gets %q, %v", got, err)
	}
}

// The trailer of each who reads the body is its own, and has its values at the end. By
// then net/http may have filled in the client's for whoever else was reading.
func TestBodyTrailer(t *testing.T) {
	pr, pw := io.Pipe()
	r := httptest.NewRequest("POST", "/", pr)
	r.ContentLength, r.Trailer = -1, http.Header{"X-Sum": nil}
	b := newBody(r)
	first, one := b.open()
	second, two := b.open()
	r.Trailer["X-Sum"] = []string{"42"} // as net/http does at the end
	if got := fmt.Sprint(one, two); got != "map[X-Sum:[]] map[X-Sum:[]]" {
		t.Errorf("before the end: %s", got)
	}
	pw.Close()
	for _, one := range []io.Reader{first, second} {
		if _, err := io.ReadAll(one); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(one, two); got != "map[X-Sum:[42]] map[X-Sum:[42]]" {
		t.Errorf("after the end: %s", got)
	}
}
