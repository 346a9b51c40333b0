package transfer

import (
	"bytes"
	"cmp"
	"math"

	"github.com/flysql/flysql/internal/move/convert"
)

// compareValues is SQLite's order of two values by a collation of its own.
func compareValues(a, b convert.Value, collation string) int {
	if order := cmp.Compare(class(a), class(b)); order != 0 {
		return order
	}
	switch a.Kind {
	case convert.Null:
		return 0
	case convert.Integer, convert.Real:
		return compareNumbers(a, b)
	case convert.Text:
		switch collation {
		case "NOCASE":
			return compareFolded(a.Bytes, b.Bytes)
		case "RTRIM":
			return bytes.Compare(bytes.TrimRight(a.Bytes, " "), bytes.TrimRight(b.Bytes, " "))
		}
	}
	return bytes.Compare(a.Bytes, b.Bytes)
}

// class is the place of a kind in the order: integers stand among reals.
func class(v convert.Value) convert.Kind {
	if v.Kind == convert.Real {
		return convert.Integer
	}
	return v.Kind
}

func compareNumbers(a, b convert.Value) int {
	switch {
	case a.Kind == b.Kind && a.Kind == convert.Integer:
		return cmp.Compare(a.Int, b.Int)
	case a.Kind == b.Kind:
		return cmp.Compare(a.Real, b.Real)
	case a.Kind == convert.Integer:
		return compareMixed(a.Int, b.Real)
	}
	return -compareMixed(b.Int, a.Real)
}

func compareMixed(i int64, r float64) int {
	switch {
	case r < math.MinInt64:
		return 1
	case r >= -math.MinInt64:
		return -1
	}
	if order := cmp.Compare(i, int64(r)); order != 0 {
		return order
	}
	return cmp.Compare(float64(int64(r)), r) // a fraction decides
}

func compareFolded(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if order := cmp.Compare(lower(a[i]), lower(b[i])); order != 0 {
			return order
		}
	}
	return cmp.Compare(len(a), len(b))
}

// lower folds as NOCASE does.
func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
