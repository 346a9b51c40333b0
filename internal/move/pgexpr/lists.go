package pgexpr

import "strings"

// in is x op one of list, or, not, x op all of it with the operator turned round.
func (t *translator) in(at int, x value, list []node, op string, not bool) value {
	if len(list) == 0 {
		refuse(at, "an empty list")
	}
	join := " OR "
	if not {
		op, join = "<>", " AND "
	}
	var parts []string
	for _, e := range list {
		parts = append(parts, t.compare(op, x, t.expr(e), e.at()).sql)
	}
	return truth(t.grown("(" + strings.Join(parts, join) + ")"))
}

// any is x op ANY (ARRAY[...]), or ALL.
func (t *translator) any(n *anyNode) value {
	elems := t.elements(n.array)
	if len(elems) == 0 {
		return truth(map[bool]string{false: "0", true: "1"}[n.all])
	}
	x := t.expr(n.x)
	join := " OR "
	if n.all {
		join = " AND "
	}
	var parts []string
	for _, e := range elems {
		parts = append(parts, t.operate(n.op, x, e, n.at()).sql)
	}
	return truth(t.grown("(" + strings.Join(parts, join) + ")"))
}

// elements are the values of an array that is written out.
func (t *translator) elements(n node) []value {
	switch n := n.(type) {
	case *arrayNode:
		var out []value
		for _, e := range n.elems {
			out = append(out, t.expr(e))
		}
		return out
	case *castNode:
		if !n.to.array {
			break
		}
		elem := n.to
		elem.array = false
		if c, ok := n.x.(*constNode); ok && c.kind == tokString {
			return t.arrayConstant(c, elem)
		}
		var out []value
		for _, v := range t.elements(n.x) {
			out = append(out, t.castTo(v, elem, n.at()))
		}
		return out
	}
	refuse(n.at(), "an array that is not written out, ARRAY[...], is not translated")
	return nil
}

// arrayConstant reads '{a,b}'::text[], without quotes or nesting in it.
func (t *translator) arrayConstant(c *constNode, elem typeName) []value {
	inner := strings.TrimSuffix(strings.TrimPrefix(c.text, "{"), "}")
	if len(inner) != len(c.text)-2 || strings.ContainsAny(inner, `{}"\ `) {
		refuse(c.at(), "this array is not read: write ARRAY[...]")
	}
	var out []value
	for _, s := range strings.Split(inner, ",") {
		if inner == "" {
			break
		}
		v := value{typ: Unknown, lit: true, text: s, null: strings.EqualFold(s, "null")}
		out = append(out, t.castTo(v, elem, c.at()))
	}
	return out
}

func (t *translator) caseOf(n *caseNode) value {
	var conditions []string
	results := make([]value, 0, len(n.whens)+1)
	for _, w := range n.whens {
		if n.operand != nil {
			conditions = append(conditions, t.compare("=", t.expr(n.operand), t.expr(w[0]), w[0].at()).sql)
		} else {
			conditions = append(conditions, t.boolean(w[0]).sql)
		}
		results = append(results, t.expr(w[1]))
	}
	if n.els != nil {
		results = append(results, t.expr(n.els))
	}
	results = t.unify(results, n.at())
	var b strings.Builder
	b.WriteString("(CASE")
	for i, c := range conditions {
		b.WriteString(" WHEN " + c + " THEN " + results[i].sql)
	}
	if n.els != nil {
		b.WriteString(" ELSE " + results[len(results)-1].sql)
	}
	b.WriteString(" END)")
	out := results[0]
	out.sql = t.grown(b.String())
	return out
}
