package pgfunc

import (
	"database/sql/driver"
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// number is a numeric: digits / 10^scale, or a special one.
type number struct {
	special string // "NaN", "Infinity", or ""
	neg     bool
	digits  *big.Int // without a sign
	scale   int
}

// maxDigits bounds what is computed with; PostgreSQL's own numerics are within it.
const maxDigits = 150_000

var errNumber = errors.New("not a decimal number")

func parseNumber(v driver.Value) (number, error) {
	s := str(v)
	switch s {
	case "NaN", "Infinity":
		return number{special: s}, nil
	case "-Infinity":
		return number{special: "Infinity", neg: true}, nil
	}
	var n number
	if s, n.neg = strings.CutPrefix(s, "-"); len(s) > maxDigits {
		return n, errors.New("more digits than a numeric has")
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if whole == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return n, errNumber
	}
	n.scale = len(fraction)
	n.digits, _ = new(big.Int).SetString(whole+fraction, 10)
	return n.plain(), nil
}

// plain has no negative zero.
func (n number) plain() number {
	n.neg = n.neg && n.digits.Sign() != 0
	return n
}

func (n number) String() string {
	sign := ""
	if n.neg {
		sign = "-"
	}
	if n.special != "" {
		return sign + n.special
	}
	s := n.digits.String()
	if n.scale == 0 {
		return sign + s
	}
	if len(s) <= n.scale {
		s = strings.Repeat("0", n.scale-len(s)+1) + s
	}
	return sign + s[:len(s)-n.scale] + "." + s[len(s)-n.scale:]
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// signed is the number times 10^scale, of a scale that is not below its own.
func (n number) signed(scale int) *big.Int {
	d := new(big.Int).Mul(n.digits, pow10(scale-n.scale))
	if n.neg {
		d.Neg(d)
	}
	return d
}

func fromSigned(d *big.Int, scale int) number {
	return number{neg: d.Sign() < 0, digits: new(big.Int).Abs(d), scale: scale}
}

func unary(f func(number) (number, error)) func([]driver.Value) (driver.Value, error) {
	return func(args []driver.Value) (driver.Value, error) {
		a, err := parseNumber(args[0])
		if err != nil {
			return nil, err
		}
		if a, err = f(a); err != nil {
			return nil, err
		}
		return a.String(), nil
	}
}

func binary(f func(a, b number) (number, error)) func([]driver.Value) (driver.Value, error) {
	return func(args []driver.Value) (driver.Value, error) {
		a, err := parseNumber(args[0])
		b, err2 := parseNumber(args[1])
		if err := errors.Join(err, err2); err != nil {
			return nil, err
		}
		n, err := f(a, b)
		if errors.Is(err, errDivision) {
			return nil, nil // as SQLite's own / and %: an AND before it may have ruled it out
		}
		if err != nil {
			return nil, err
		}
		return n.String(), nil
	}
}

// digits is a function of a number and of how many digits after the point are kept.
func digits(f func(a number, scale int) number) func([]driver.Value) (driver.Value, error) {
	return func(args []driver.Value) (driver.Value, error) {
		a, err := parseNumber(args[0])
		n, ok := args[1].(int64)
		if err != nil || !ok {
			return nil, errors.Join(err, errNumber)
		}
		if a.special != "" {
			return a.String(), nil
		}
		return f(a, int(max(-2000, min(n, 2000)))).String(), nil // PostgreSQL's bounds
	}
}

func neg(a number) (number, error) {
	if a.special == "NaN" {
		return a, nil
	}
	a.neg = !a.neg
	if a.special == "" {
		a = a.plain()
	}
	return a, nil
}

func sign(a number) (number, error) {
	if a.special == "NaN" {
		return a, nil
	}
	n := number{neg: a.neg, digits: big.NewInt(1)}
	if a.special == "" && a.digits.Sign() == 0 {
		n.digits = new(big.Int)
	}
	return n, nil
}

// rank orders special numbers and all others: -Infinity, numbers, Infinity, NaN.
func (n number) rank() int {
	switch {
	case n.special == "NaN":
		return 2
	case n.special == "":
		return 0
	case n.neg:
		return -1
	}
	return 1
}

func compare(args []driver.Value) (driver.Value, error) {
	a, err := parseNumber(args[0])
	b, err2 := parseNumber(args[1])
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	if a.special != "" || b.special != "" {
		return int64(big.NewInt(int64(a.rank())).Cmp(big.NewInt(int64(b.rank())))), nil
	}
	scale := max(a.scale, b.scale)
	return int64(a.signed(scale).Cmp(b.signed(scale))), nil
}

func nan() number { return number{special: "NaN"} }

func add(a, b number) (number, error) {
	switch {
	case a.special == "NaN" || b.special == "NaN" || a.special != "" && b.special != "" && a.neg != b.neg:
		return nan(), nil
	case a.special != "":
		return a, nil
	case b.special != "":
		return b, nil
	}
	scale := max(a.scale, b.scale)
	return fromSigned(new(big.Int).Add(a.signed(scale), b.signed(scale)), scale), nil
}

func sub(a, b number) (number, error) {
	b, err := neg(b)
	if err != nil {
		return b, err
	}
	return add(a, b)
}

func mul(a, b number) (number, error) {
	zero := a.special == "" && a.digits.Sign() == 0 || b.special == "" && b.digits.Sign() == 0
	switch {
	case a.special == "NaN" || b.special == "NaN", (a.special != "" || b.special != "") && zero:
		return nan(), nil
	case a.special != "" || b.special != "":
		return number{special: "Infinity", neg: a.neg != b.neg}, nil
	}
	n := number{neg: a.neg != b.neg, digits: new(big.Int).Mul(a.digits, b.digits), scale: a.scale + b.scale}
	return n.plain(), nil
}

var errDivision = errors.New("division by zero")

// div rounds to as many digits as PostgreSQL's select_div_scale gives: 16 significant
// ones at least, counted in its groups of four.
func div(a, b number) (number, error) {
	switch {
	case a.special == "NaN" || b.special == "NaN", a.special != "" && b.special != "":
		return nan(), nil
	case b.special != "":
		return number{digits: new(big.Int)}, nil
	case b.digits.Sign() == 0:
		return nan(), errDivision
	case a.special != "":
		return number{special: "Infinity", neg: a.neg != b.neg}, nil
	}
	w1, f1 := a.group()
	w2, f2 := b.group()
	weight := w1 - w2
	if f1 <= f2 {
		weight--
	}
	scale := min(max(16-4*weight, a.scale, b.scale, 0), 1000)
	up := new(big.Int).Mul(a.digits, pow10(scale+b.scale))
	down := new(big.Int).Mul(b.digits, pow10(a.scale))
	return number{neg: a.neg != b.neg, digits: halfUp(up, down), scale: scale}.plain(), nil
}

// group is the first group of four digits that is not zero: its weight, in powers of
// 10000, and its value; 0 and 0 of zero.
func (n number) group() (weight, first int) {
	if n.digits.Sign() == 0 {
		return 0, 0
	}
	s := n.digits.String()
	before := len(s) - n.scale // digits before the point; negative where zeros follow it
	weight = (before - 1) / 4
	if before < 1 {
		weight = -((-before)/4 + 1)
	}
	length := before - 4*weight // of the first group, as far as it is not zeros
	if length > len(s) {
		s += strings.Repeat("0", length-len(s))
	}
	first, _ = strconv.Atoi(s[:length])
	return weight, first
}

// halfUp is up / down, halves away from zero; neither is negative.
func halfUp(up, down *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(up, down, new(big.Int))
	if r.Lsh(r, 1).Cmp(down) >= 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

func mod(a, b number) (number, error) {
	switch {
	case a.special == "NaN" || b.special == "NaN":
		return nan(), nil
	case b.special == "" && b.digits.Sign() == 0:
		return nan(), errDivision
	case a.special != "":
		return nan(), nil
	case b.special != "":
		return a, nil
	}
	scale := max(a.scale, b.scale)
	return fromSigned(new(big.Int).Rem(a.signed(scale), b.signed(scale)), scale), nil
}

func round(a number, scale int) number {
	if scale >= a.scale {
		return number{neg: a.neg, digits: new(big.Int).Mul(a.digits, pow10(scale-a.scale)), scale: scale}
	}
	return cut(a, scale, halfUp(a.digits, pow10(a.scale-scale)))
}

func trunc(a number, scale int) number {
	if scale >= a.scale {
		return round(a, scale)
	}
	return cut(a, scale, new(big.Int).Quo(a.digits, pow10(a.scale-scale)))
}

// cut has digits of a scale, which is 0 where it is negative.
func cut(a number, scale int, digits *big.Int) number {
	if scale < 0 {
		digits.Mul(digits, pow10(-scale))
		scale = 0
	}
	return number{neg: a.neg, digits: digits, scale: scale}.plain()
}

func ceil(a number) (number, error)  { return toward(a, false), nil }
func floor(a number) (number, error) { return toward(a, true), nil }

// toward is the next integer, below where down.
func toward(a number, down bool) number {
	if a.special != "" {
		return a
	}
	n := trunc(a, 0)
	if a.neg == down && n.signed(max(a.scale, n.scale)).Cmp(a.signed(max(a.scale, n.scale))) != 0 {
		n.digits.Add(n.digits, big.NewInt(1))
		n.neg = a.neg
	}
	return n
}

func toInt(args []driver.Value) (driver.Value, error) {
	a, err := parseNumber(args[0])
	if err != nil || a.special != "" {
		return nil, errors.Join(err, errNumber)
	}
	n := round(a, 0).signed(0)
	if !n.IsInt64() {
		return nil, errors.New("out of range")
	}
	return n.Int64(), nil
}

func toFloat(args []driver.Value) (driver.Value, error) {
	a, err := parseNumber(args[0])
	if err != nil || a.special != "" {
		return nil, errors.Join(err, errNumber)
	}
	f, err := strconv.ParseFloat(a.String(), 64)
	if err != nil {
		return nil, errors.New("out of range")
	}
	return f, nil
}

func unscale(args []driver.Value) (driver.Value, error) {
	n, ok := args[0].(int64)
	scale, ok2 := args[1].(int64)
	if !ok || !ok2 || scale < 0 || scale > 18 {
		return nil, errNumber
	}
	return fromSigned(big.NewInt(n), int(scale)).String(), nil
}
