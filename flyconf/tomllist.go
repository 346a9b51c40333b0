package flyconf

import (
	"bytes"
	"errors"
	"strings"
)

// tomlSlot is an item of a new list or inline table: one that was there, whose
// text may be another, or a new one. Without text, it keeps its own.
type tomlSlot struct {
	item int // -1 is new
	text string
}

func slotsOf(n int) []tomlSlot {
	slots := make([]tomlSlot, n)
	for i := range slots {
		slots[i].item = i
	}
	return slots
}

// tomlItem is an item between brackets, and what is around it.
type tomlItem struct {
	lead  tomlSpan // before it, from the one before
	text  tomlSpan
	gap   tomlSpan // between it and its comma
	comma bool
	tail  tomlSpan // a comment behind the comma, on its line
}

// items takes a list or inline table apart, up to what is before its bracket.
func (e *tomlEdit) items(n *tomlNode) ([]tomlItem, tomlSpan) {
	var spans []tomlSpan
	if n.kind == tomlInline {
		for _, line := range n.lines {
			spans = append(spans, tomlSpan{line.start, line.end})
		}
	} else {
		for _, child := range n.list {
			spans = append(spans, tomlSpan{child.start, child.end})
		}
	}
	items := make([]tomlItem, len(spans))
	pos := n.start + 1
	for i, span := range spans {
		limit := n.end - 1
		if i+1 < len(spans) {
			limit = spans[i+1].start
		}
		item := tomlItem{lead: tomlSpan{pos, span.start}, text: span, gap: tomlSpan{span.end, span.end}}
		pos = span.end
		if comma := e.comma(pos, limit); comma >= 0 {
			item.gap.end, item.comma, pos = comma, true, comma+1
		}
		item.tail = tomlSpan{pos, pos}
		line := e.buf[pos:limit]
		if end := bytes.IndexByte(line, '\n'); end >= 0 && len(bytes.TrimSpace(line[:end])) > 0 {
			item.tail.end = pos + len(bytes.TrimRight(line[:end], " \t\r"))
		}
		pos = item.tail.end
		items[i] = item
	}
	return items, tomlSpan{pos, n.end - 1}
}

// comma finds a comma that is in no comment.
func (e *tomlEdit) comma(from, to int) int {
	for i := from; i < to; i++ {
		switch e.buf[i] {
		case ',':
			return i
		case '#':
			i = e.lineEnd(i) - 1
		}
	}
	return -1
}

func (e *tomlEdit) text(start, end int) string { return string(e.buf[start:end]) }

func (e *tomlEdit) spanText(s tomlSpan) string { return e.text(s.start, s.end) }

// compose writes a list or inline table anew from slots. Items that are in none
// are left out; comments above them stay.
func (e *tomlEdit) compose(n *tomlNode, slots []tomlSlot) (string, error) {
	items, end := e.items(n)
	w := &tomlComposer{edit: e, items: items}
	w.put(e.text(n.start, n.start+1))
	kept := make([]int, len(slots)) // the first old item from a slot on
	for i, upto := len(slots)-1, len(items); i >= 0; i-- {
		if slots[i].item >= 0 {
			upto = slots[i].item
		}
		kept[i] = upto
	}
	trailing := len(items) > 0 && items[len(items)-1].comma
	for i, slot := range slots {
		w.removeTo(kept[i])
		comma := trailing || i+1 < len(slots)
		if slot.item < 0 {
			w.lead(newLead(e, items))
			w.item(tomlItem{}, slot.text, comma)
			continue
		}
		item := items[slot.item]
		w.next++
		w.lead(e.spanText(item.lead))
		if slot.text == "" {
			slot.text = e.spanText(item.text)
		}
		w.item(item, slot.text, comma)
	}
	w.removeTo(len(items))
	w.put(e.spanText(end))
	w.put(e.text(n.end-1, n.end))
	if len(w.out) > maxFileBytes {
		return "", errors.New("the new value is larger than 1 MB")
	}
	return string(w.out), nil
}

// newLead is what stands before a new item.
func newLead(e *tomlEdit, items []tomlItem) string {
	if len(items) == 0 {
		return ""
	}
	lead := e.spanText(items[len(items)-1].lead)
	if i := strings.LastIndexByte(lead, '\n'); i >= 0 {
		return e.eol + lead[i+1:]
	}
	if len(items) == 1 {
		return " "
	}
	return lead
}

// tomlComposer writes what is between brackets.
type tomlComposer struct {
	edit    *tomlEdit
	items   []tomlItem
	next    int // the old item that has not been written or left out
	written int // items
	out     []byte
	comment bool    // out ends in a comment, which needs a line break
	carried *string // the space before the first item on a line, which was left out
}

func (w *tomlComposer) put(s string) {
	if s == "" {
		return
	}
	if w.comment && !strings.HasPrefix(strings.TrimLeft(s, " \t\r"), "\n") {
		w.out = append(w.out, w.edit.eol...)
	}
	w.out = append(w.out, s...)
	w.comment = false
}

// lead puts the space before an item. It begins where the item began that was
// first on the line and is no more.
func (w *tomlComposer) lead(s string) {
	if !strings.Contains(s, "\n") {
		switch {
		case w.carried != nil:
			s = *w.carried
		case w.written == 0 && w.next == 0 && len(w.items) == 0:
			s = ""
		}
	}
	w.carried = nil
	w.put(s)
}

func (w *tomlComposer) item(item tomlItem, text string, comma bool) {
	w.put(text)
	w.put(w.edit.spanText(item.gap))
	if comma {
		w.put(",")
	}
	w.put(w.edit.spanText(item.tail))
	w.comment = item.tail.end > item.tail.start
	w.written++
}

// removeTo leaves items out, and keeps the comments above them.
func (w *tomlComposer) removeTo(next int) {
	for ; w.next < next; w.next++ {
		item := w.items[w.next]
		w.edit.lost = append(w.edit.lost, tomlSpan{item.text.start, item.tail.end})
		lead := w.edit.spanText(item.lead)
		i := strings.LastIndexByte(lead, '\n')
		if i < 0 {
			if w.written == 0 && w.carried == nil {
				w.carried = &lead
			}
			continue
		}
		space := w.edit.eol + lead[i+1:]
		w.carried = &space
		if kept := strings.TrimSuffix(lead[:i], "\r"); strings.Contains(kept, "#") {
			w.put(kept)
			w.comment = true
		}
	}
}
