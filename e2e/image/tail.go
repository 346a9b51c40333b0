package image

import "io"

// tailWriter keeps the end of what is written to it, for an error to show, and
// passes everything on.
type tailWriter struct {
	next  io.Writer // may be nil
	limit int
	kept  []byte
	cut   bool
}

func (t *tailWriter) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - t.limit; over > 0 {
		t.kept, t.cut = append(t.kept[:0], t.kept[over:]...), true
	}
	if t.next != nil {
		return t.next.Write(p)
	}
	return len(p), nil
}

func (t *tailWriter) String() string {
	if t.cut {
		return "..." + string(t.kept)
	}
	return string(t.kept)
}
