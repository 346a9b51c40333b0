package litefs

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxLine is the longest event that is read. LiteFS's are some 250 bytes and the
// names in them.
const maxLine = 64 << 10

// eventKind is which event it is; the zero value is one that LiteFS has learned
// after this was written.
type eventKind uint8

const (
	eventOther eventKind = iota
	eventInit
	eventPrimary
	eventTx
)

// event is one line of GET /events.
type event struct {
	kind      eventKind
	isPrimary bool   // eventInit, eventPrimary
	hostname  string // "" on the primary, and where the primary is not known
	db        string // eventTx
	pos       Pos
	dropped   bool
}

// decoder reads events, which come from a process that may be in any state: it
// keeps at most one line of maxLine bytes, and never panics.
type decoder struct{ r *bufio.Reader }

func newDecoder(r io.Reader) *decoder { return &decoder{bufio.NewReaderSize(r, maxLine)} }

// next returns the next event. The error is io.EOF only at the end of a line.
func (d *decoder) next() (event, error) {
	for {
		line, err := d.r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return event{}, fmt.Errorf("read event: a line is longer than %d bytes", maxLine)
		case err == io.EOF && len(line) > 0:
			return event{}, fmt.Errorf("read event: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return event{}, err
		case strings.TrimSpace(string(line)) == "":
			continue
		}
		return parseEvent(line)
	}
}

func parseEvent(line []byte) (event, error) {
	var outer struct {
		Type string          `json:"type"`
		DB   string          `json:"db"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(line, &outer); err != nil {
		return event{}, fmt.Errorf("read event %s: %w", quote(string(line)), err)
	}
	var e event
	var err error
	switch outer.Type {
	case "init":
		e, err = parsePrimary(eventInit, outer.Data)
	case "primaryChange":
		e, err = parsePrimary(eventPrimary, outer.Data)
	case "tx":
		e, err = parseTx(outer.DB, outer.Data)
	}
	if err != nil {
		return event{}, fmt.Errorf("read event %s: %w", quote(string(line)), err)
	}
	return e, nil
}

func parsePrimary(kind eventKind, data []byte) (event, error) {
	// Without isPrimary nothing is said, and nothing must not mean "replica".
	var in struct {
		IsPrimary *bool  `json:"isPrimary"`
		Hostname  string `json:"hostname"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return event{}, err
	}
	if in.IsPrimary == nil {
		return event{}, errors.New("isPrimary is missing")
	}
	return event{kind: kind, isPrimary: *in.IsPrimary, hostname: in.Hostname}, checkHostname(in.Hostname)
}

func parseTx(db string, data []byte) (event, error) {
	var in struct {
		TXID     string  `json:"txID"`
		Checksum string  `json:"postApplyChecksum"`
		Commit   *uint32 `json:"commit"` // the database's size in pages
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return event{}, err
	}
	if err := checkName(db); err != nil {
		return event{}, err
	}
	pos, err := ParsePos(in.TXID + "/" + in.Checksum)
	if err != nil {
		return event{}, err
	}
	if pos.TXID == 0 {
		return event{}, errors.New("txID is 0")
	}
	return event{kind: eventTx, db: db, pos: pos, dropped: in.Commit != nil && *in.Commit == 0}, nil
}

// checkName refuses the name of a database that could not be a file of the mount:
// it is made a path.
func checkName(db string) error {
	switch {
	case db == "":
		return errors.New("the database has no name")
	case db == "." || db == ".." || len(db) > 255-len("-journal") || strings.ContainsAny(db, "/\x00"):
		return fmt.Errorf("%s is no name of a database in a LiteFS mount", quote(db))
	}
	return nil
}

// checkHostname refuses what could not be put in an HTTP header.
func checkHostname(s string) error {
	if len(s) > 255 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%s is no hostname: mend lease.hostname in litefs.yml", quote(s))
	}
	return nil
}
