package flyconf

import (
	"slices"
)

// removed is what inline is asked for to take a key or an element out.
type removed struct{}

// inlineAt is the text of a value in which what steps lead to is want, or removed.
// have is what the value says.
func (e *tomlEdit) inlineAt(n *tomlNode, have any, steps []any, model modelSpot, want any) (string, error) {
	for len(steps) > 0 && steps[0] == (onlyTable{}) {
		steps, model = steps[1:], model.element()
	}
	if len(steps) == 0 {
		return e.valueText(n, have, want, model)
	}
	rest := steps[1:]
	switch s := steps[0].(type) {
	case int:
		next := model.element()
		if n.kind == tomlInline { // one table that is to be the first of a list
			text, err := newText(rest, want, next)
			return "[" + e.text(n.start, n.end) + ", " + text + "]", err
		}
		slots := slotsOf(len(n.list))
		switch {
		case s < len(n.list) && len(rest) == 0 && want == (removed{}):
			slots = slices.Delete(slots, s, s+1)
		case s < len(n.list):
			text, err := e.inlineAt(n.list[s], plainAt(have, steps[:1]), rest, next, want)
			if err != nil {
				return "", err
			}
			slots[s].text = text
		default:
			text, err := newText(rest, want, next)
			if err != nil {
				return "", err
			}
			slots = append(slots, tomlSlot{item: -1, text: text})
		}
		return e.compose(n, slots)
	case string:
		return e.inlineKey(n, n, have, steps, model, want)
	}
	return "", errTOMLByHand
}

// inlineKey is inlineAt for a key of an inline table n. at is the table in it that
// the steps begin from: n, or one that its dotted keys make.
func (e *tomlEdit) inlineKey(n, at *tomlNode, have any, steps []any, model modelSpot, want any) (string, error) {
	name, _ := steps[0].(string)
	next, _ := model.key(name)
	child, inner, rest := at.names[name], plainAt(have, steps[:1]), steps[1:]
	for len(rest) > 0 && child != nil && rest[0] == (onlyTable{}) {
		rest, next = rest[1:], next.element()
	}
	slots := slotsOf(len(n.lines))
	switch {
	case child == nil:
		text, err := newText(rest, want, next)
		if err != nil {
			return "", err
		}
		key := e.dottedPrefix(at) + quoteKey(name)
		slots = append(slots, tomlSlot{item: -1, text: e.keyText(key, text, n.lines)})
	case child.dotted && len(rest) > 0:
		if _, ok := rest[0].(string); !ok {
			return "", errTOMLByHand
		}
		return e.inlineKey(n, child, inner, rest, next, want)
	case child.dotted || want == (removed{}) && len(rest) == 0:
		gone := map[*tomlLine]bool{}
		for _, line := range child.allLines(nil) {
			gone[line] = true
		}
		slots = slices.DeleteFunc(slots, func(s tomlSlot) bool { return gone[n.lines[s.item]] })
		if want != (removed{}) {
			key := e.dottedPrefix(at) + quoteKey(name)
			slots = append(slots, tomlSlot{item: -1, text: e.keyText(key, rawText(want), n.lines)})
		}
	default:
		text, err := e.inlineAt(child, inner, rest, next, want)
		if err != nil {
			return "", err
		}
		i := slices.Index(n.lines, child.line)
		slots[i].text = e.text(child.line.start, child.start) + text + e.text(child.end, child.line.end)
	}
	return e.compose(n, slots)
}

// newText is the text of a new value that steps lead into.
func newText(steps []any, want any, model modelSpot) (string, error) {
	if want == (removed{}) {
		return "", errTOMLByHand
	}
	return rawText(plainWith(nil, steps, want)), nil
}

// valueText is the text of a value that is to be want. Of lists and tables, what
// is the same keeps its text.
func (e *tomlEdit) valueText(n *tomlNode, have, want any, model modelSpot) (string, error) {
	if samePlain(have, want) {
		return e.text(n.start, n.end), nil
	}
	switch want := want.(type) {
	case string:
		if n.kind == tomlScalar {
			return e.requote(n, want), nil
		}
	case []any:
		if n.kind == tomlArray {
			return e.listText(n, have.([]any), want, model)
		}
	case map[string]any:
		if n.kind == tomlInline {
			return e.tableText(n, have.(map[string]any), want, model)
		}
	}
	e.lost = append(e.lost, tomlSpan{n.start, n.end})
	return rawText(want), nil
}

// listText makes a list hold want.
func (e *tomlEdit) listText(n *tomlNode, have, want []any, model modelSpot) (string, error) {
	var slots []tomlSlot
	for _, pair := range align(have, want) {
		switch {
		case pair.new < 0:
		case pair.old < 0:
			slots = append(slots, tomlSlot{item: -1, text: rawText(want[pair.new])})
		default:
			text, err := e.valueText(n.list[pair.old], have[pair.old], want[pair.new], model.element())
			if err != nil {
				return "", err
			}
			slots = append(slots, tomlSlot{item: pair.old, text: text})
		}
	}
	return e.compose(n, slots)
}

// tableText makes an inline table hold want.
func (e *tomlEdit) tableText(n *tomlNode, have, want map[string]any, model modelSpot) (string, error) {
	slots := slotsOf(len(n.lines))
	gone := map[*tomlLine]bool{}
	var added []string
	for i, line := range n.lines {
		child := line.value
		for child.parent != n {
			child = child.parent
		}
		w, wanted := want[child.key]
		switch same := wanted && samePlain(have[child.key], w); {
		case same:
		case child.dotted || !wanted:
			if wanted && !slices.Contains(added, child.key) {
				added = append(added, child.key)
			}
			gone[line] = true
		default:
			next, _ := model.key(child.key)
			text, err := e.valueText(child, have[child.key], w, next)
			if err != nil {
				return "", err
			}
			slots[i].text = e.text(line.start, child.start) + text + e.text(child.end, line.end)
		}
	}
	slots = slices.DeleteFunc(slots, func(s tomlSlot) bool { return gone[n.lines[s.item]] })
	for _, name := range namesInOrder(want, model) {
		if _, there := n.names[name]; !there || slices.Contains(added, name) {
			slots = append(slots, tomlSlot{item: -1, text: e.keyText(quoteKey(name), rawText(want[name]), n.lines)})
		}
	}
	return e.compose(n, slots)
}
