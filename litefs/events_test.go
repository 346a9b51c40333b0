package litefs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const initLine = `{"type":"init","data":{"isPrimary":false,"hostname":"node1"}}` + "\n"

func TestEvents(t *testing.T) {
	stream := initLine +
		`{"type":"tx","db":"app.db","data":{"txID":"0000000000000003","postApplyChecksum":"8f1c2d3e4f506172","pageSize":4096,"commit":2,"timestamp":"2026-01-02T03:04:05Z"}}` + "\n\n" +
		`{"type":"tx","db":"app.db","data":{"txID":"0000000000000004","postApplyChecksum":"8000000000000000","pageSize":4096,"commit":0}}` + "\r\n" +
		`{"type":"primaryChange","data":{"isPrimary":true}}` + "\n" +
		`{"type":"primaryChange","data":{"isPrimary":false}}` + "\n" +
		`{"type":"moon","db":7,"data":"full"}` + "\n"
	want := []event{
		{kind: eventInit, hostname: "node1"},
		{kind: eventTx, db: "app.db", pos: posAt(3, 0x8f1c2d3e4f506172)},
		{kind: eventTx, db: "app.db", pos: posAt(4, 1<<63), dropped: true},
		{kind: eventPrimary, isPrimary: true},
		{kind: eventPrimary},
	}
	// However the bytes come.
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(stream), "byte by byte": iotest.OneByteReader(strings.NewReader(stream))} {
		d := newDecoder(r)
		for i, want := range want {
			got, err := d.next()
			if err != nil || got != want {
				t.Errorf("%s: event %d: %+v, %v, want %+v", name, i, got, err, want)
			}
		}
		// A type of a later LiteFS is no error, whatever is in data; db is a name.
		if _, err := d.next(); err == nil {
			t.Errorf("%s: a number was taken as a name", name)
		}
		if _, err := d.next(); err != io.EOF {
			t.Errorf("%s: at the end: %v", name, err)
		}
	}
}

func TestEventsUnknown(t *testing.T) {
	d := newDecoder(strings.NewReader(`{"type":"moon","data":["full"]}` + "\n" + `{}` + "\n" + initLine))
	for i, want := range []eventKind{eventOther, eventOther, eventInit} {
		if got, err := d.next(); err != nil || got.kind != want {
			t.Errorf("event %d: %+v, %v, want kind %d", i, got, err, want)
		}
	}
}

func TestEventsRefuse(t *testing.T) {
	tx := func(db, txid, sum string) string {
		return fmt.Sprintf(`{"type":"tx","db":%q,"data":{"txID":%q,"postApplyChecksum":%q,"commit":1}}`+"\n", db, txid, sum)
	}
	const sum = "8000000000000000"
	for name, text := range map[string]string{
		"garbage":              "<html>404 not found</html>\n",
		"an array":             "[]\n",
		"binary":               "\x00\xff\xfe\n",
		"no isPrimary":         `{"type":"init","data":{}}` + "\n",
		"no data":              `{"type":"init"}` + "\n",
		"data is null":         `{"type":"init","data":null}` + "\n",
		"isPrimary is text":    `{"type":"init","data":{"isPrimary":"yes"}}` + "\n",
		"header in hostname":   `{"type":"init","data":{"isPrimary":false,"hostname":"a\r\nX: y"}}` + "\n",
		"long hostname":        `{"type":"init","data":{"isPrimary":false,"hostname":"` + strings.Repeat("a", 256) + `"}}` + "\n",
		"txID 0":               tx("app.db", "0000000000000000", sum),
		"txID too long":        tx("app.db", "10000000000000000", sum),
		"txID negative":        tx("app.db", "-000000000000001", sum),
		"checksum short":       tx("app.db", "0000000000000001", "8"),
		"txID a number":        `{"type":"tx","db":"app.db","data":{"txID":1e308,"postApplyChecksum":"` + sum + `"}}` + "\n",
		"commit too big":       `{"type":"tx","db":"app.db","data":{"txID":"0000000000000001","postApplyChecksum":"` + sum + `","commit":4294967296}}` + "\n",
		"commit negative":      `{"type":"tx","db":"app.db","data":{"txID":"0000000000000001","postApplyChecksum":"` + sum + `","commit":-1}}` + "\n",
		"no name":              tx("", "0000000000000001", sum),
		"path as name":         tx("../../etc/passwd", "0000000000000001", sum),
		"parent as name":       tx("..", "0000000000000001", sum),
		"long name":            tx(strings.Repeat("a", 250), "0000000000000001", sum),
		"half a line":          strings.TrimSuffix(initLine, "\n"),
		"a line without end":   strings.Repeat("x", maxLine+1),
		"a long line":          `{"type":"` + strings.Repeat("x", maxLine) + `"}` + "\n",
		"deep":                 strings.Repeat("[", maxLine-2) + "\n",
		"two objects in a row": `{"type":"moon"}{"type":"moon"}` + "\n",
	} {
		if e, err := newDecoder(strings.NewReader(text)).next(); err == nil || err == io.EOF {
			t.Errorf("%s: %+v, %v", name, e, err)
		} else if len(err.Error()) > 1500 || strings.ContainsAny(err.Error(), "\x00\n\r") {
			t.Errorf("%s: the error shows too much: %d bytes, %.100q", name, len(err.Error()), err)
		}
	}
}

// An endless line costs no more memory than the longest that is read.
func TestEventsBounded(t *testing.T) {
	read := 0
	endless := readerFunc(func(p []byte) (int, error) {
		read += len(p)
		return copy(p, bytes.Repeat([]byte("x"), len(p))), nil
	})
	if _, err := newDecoder(endless).next(); err == nil || read > maxLine {
		t.Errorf("%v after %d bytes", err, read)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// FuzzEvents reads anything: no panic, no endless loop, and no event that could do
// harm as a path or a header.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(initLine))
	f.Add([]byte(`{"type":"tx","db":"app.db","data":{"txID":"0000000000000003","postApplyChecksum":"8f1c2d3e4f506172","pageSize":4096,"commit":2}}` + "\n" + initLine + "\n\n{"))
	f.Add([]byte(`{"type":"primaryChange","data":{"isPrimary":true,"hostname":"a b"}}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newDecoder(bytes.NewReader(data))
		for range len(data) + 1 {
			e, err := d.next()
			if err != nil {
				if errors.Is(err, io.EOF) {
					return
				}
				continue
			}
			if e.kind == eventTx && (e.pos.TXID == 0 || checkName(e.db) != nil) || checkHostname(e.hostname) != nil {
				t.Fatalf("event %+v", e)
			}
		}
		if _, err := d.next(); err == nil {
			t.Fatalf("more events than bytes in %q", data)
		}
	})
}
