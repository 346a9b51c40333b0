package convert

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Int is an integer type whose values lie between lowest and highest.
func Int(typ string, lowest, highest int64) *Conversion {
	return &Conversion{Name: typ, Kind: Integer,
		To: func(src, _ []byte) (Value, error) {
			n, err := strconv.ParseInt(string(src), 10, 64)
			if err != nil || n < lowest || n > highest {
				return Value{}, misfit(typ, "not an integer between "+strconv.FormatInt(lowest, 10)+" and "+strconv.FormatInt(highest, 10))
			}
			return Value{Kind: Integer, Int: n}, nil
		},
		Back: backInt}
}

func backInt(v Value) (string, error) {
	if v.Kind != Integer {
		return "", errKind(v, Integer)
	}
	return strconv.FormatInt(v.Int, 10), nil
}

// Bool is 0 or 1.
func Bool() *Conversion {
	return &Conversion{Name: "boolean", Kind: Integer,
		To: func(src, _ []byte) (Value, error) {
			switch string(src) {
			case "t", "true":
				return Value{Kind: Integer, Int: 1}, nil
			case "f", "false":
				return Value{Kind: Integer}, nil
			}
			return Value{}, misfit("boolean", "neither t nor f")
		},
		Back: func(v Value) (string, error) {
			if v.Kind != Integer || v.Int&^1 != 0 {
				return "", errKind(v, Integer)
			}
			return "ft"[v.Int : v.Int+1], nil
		}}
}

// Float is float4 or float8, by bits, as the number that it is. SQLite has no NaN:
// Keep stores it as text, as it does the infinities, which sort after it otherwise.
func Float(bits int, policy Special) *Conversion {
	typ := "float" + strconv.Itoa(bits/8)
	return &Conversion{Name: typ + " real", Kind: Real, Lossy: policy == ToNull,
		To: func(src, _ []byte) (Value, error) {
			if c := src[max(len(src)-1, 0):]; len(c) == 1 && (c[0] < '0' || c[0] > '9') && isSpecialNumber(src) {
				return special(typ, string(src), policy, text(src))
			}
			f, err := strconv.ParseFloat(string(src), bits)
			if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
				return Value{}, misfit(typ, "not a number")
			}
			if f == 0 {
				f = 0 // SQLite stores -0 so, too
			}
			return Value{Kind: Real, Real: f}, nil
		},
		Back: func(v Value) (string, error) {
			if v.Kind == Text {
				return string(v.Bytes), nil
			}
			if v.Kind != Real {
				return "", errKind(v, Real)
			}
			return FormatFloat(v.Real, bits), nil
		}}
}

func isSpecialNumber(s []byte) bool {
	switch string(s) {
	case "NaN", "Infinity", "-Infinity":
		return true
	}
	return false
}

// FormatFloat prints a float4 or float8 as PostgreSQL does.
func FormatFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	precision := -1
	scientific := strconv.FormatFloat(f, 'e', precision, bits)
	if halfway(f, scientific, bits) {
		precision = 1
		if point := strings.Index(scientific, "."); point >= 0 {
			precision = strings.Index(scientific, "e") - point
		}
		scientific = strconv.FormatFloat(f, 'e', precision, bits)
	}
	_, exp, _ := strings.Cut(scientific, "e")
	most := 15 // digits that are printed without an exponent
	if bits == 32 {
		most = 6
	}
	if e, err := strconv.Atoi(exp); err == nil && e >= -4 && e < most {
		return strconv.FormatFloat(f, 'f', -1, bits)
	}
	return scientific
}

// halfway reports whether s, the shortest text that is read as f, lies in the middle
// between f and another number. Go takes that, since it is read as the even one of
// the two; PostgreSQL does not, and prints a digit more. It happens to large integers.
func halfway(f float64, s string, bits int) bool {
	next := math.Nextafter
	if bits == 32 {
		next = func(x, to float64) float64 { return float64(math.Nextafter32(float32(x), float32(to))) }
	}
	if a := math.Abs(f); a < 1<<24 || a > 1e25 || bits == 64 && a < 1<<53 {
		return false
	}
	r, ok := new(big.Rat).SetString(s)
	for _, to := range []float64{math.Inf(1), math.Inf(-1)} {
		sum := new(big.Rat).SetFloat64(next(f, to))
		sum.Add(sum, new(big.Rat).SetFloat64(f))
		ok = ok && r.Cmp(sum.Quo(sum, big.NewRat(2, 1))) != 0
	}
	return !ok
}

// decimal reports whether s is a decimal number without an exponent, and the digits
// after its point.
func decimal(s []byte) (fraction int, ok bool) {
	s = bytes.TrimPrefix(s, []byte("-"))
	point := -1
	for i, c := range s {
		if c == '.' && point < 0 {
			point = i
		} else if c < '0' || c > '9' {
			return 0, false
		}
	}
	if point < 0 {
		return 0, len(s) > 0
	}
	return len(s) - point - 1, point > 0 && point < len(s)-1
}

// NumericText keeps a numeric's digits, all of them, as text.
func NumericText(policy Special) *Conversion {
	return &Conversion{Name: "numeric text", Kind: Text, Lossy: policy == ToNull,
		To: func(src, _ []byte) (Value, error) {
			if _, ok := decimal(src); ok {
				return text(src), nil
			}
			if isSpecialNumber(src) {
				return special("numeric", string(src), policy, text(src))
			}
			return Value{}, misfit("numeric", "not a decimal number")
		},
		Back: backText}
}

// NumericScaled is a numeric(p,scale) times 10^scale, an integer.
func NumericScaled(scale int, policy Special) *Conversion {
	return &Conversion{Name: "numeric scaled", Kind: Integer, Lossy: policy == ToNull,
		To: func(src, _ []byte) (Value, error) {
			if isSpecialNumber(src) && policy == ToNull {
				return Value{}, nil
			}
			return scaled("numeric", src, scale)
		},
		Back: func(v Value) (string, error) {
			if v.Kind != Integer {
				return "", errKind(v, Integer)
			}
			return Unscale(v.Int, scale), nil
		}}
}

func scaled(typ string, src []byte, scale int) (Value, error) {
	fraction, ok := decimal(src)
	if !ok || fraction > scale {
		return Value{}, &Misfit{Type: typ, Reason: "not a number with " + strconv.Itoa(scale) + " digits after the point", Hint: `form = "text" keeps any`}
	}
	digits := strings.Replace(string(src), ".", "", 1) + strings.Repeat("0", scale-fraction)
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return Value{}, &Misfit{Type: typ, Reason: "more than 18 digits", Hint: `form = "text" keeps any`}
	}
	return Value{Kind: Integer, Int: n}, nil
}

// Unscale prints n / 10^scale, with scale digits after the point.
func Unscale(n int64, scale int) string {
	s, sign := strconv.FormatInt(n, 10), ""
	if n < 0 {
		s, sign = s[1:], "-"
	}
	if scale <= 0 {
		return sign + s
	}
	if len(s) <= scale {
		s = strings.Repeat("0", scale-len(s)+1) + s
	}
	return sign + s[:len(s)-scale] + "." + s[len(s)-scale:]
}

// NumericReal is the double that lies nearest to a numeric.
func NumericReal(policy Special) *Conversion {
	return &Conversion{Name: "numeric real", Kind: Real, Lossy: true,
		To: func(src, _ []byte) (Value, error) {
			if isSpecialNumber(src) {
				return special("numeric", string(src), policy, text(src))
			}
			f, err := strconv.ParseFloat(string(src), 64)
			if _, ok := decimal(src); !ok || err != nil {
				return Value{}, misfit("numeric", "too large for a REAL")
			}
			return Value{Kind: Real, Real: f}, nil
		},
		Back: func(v Value) (string, error) {
			if v.Kind != Real {
				return backText(v)
			}
			return strconv.FormatFloat(v.Real, 'f', -1, 64), nil
		}}
}

// MoneyText is money as a decimal number, MoneyScaled as its hundredths.
func MoneyText() *Conversion {
	return &Conversion{Name: "money text", Kind: Text,
		To: func(src, buf []byte) (Value, error) {
			n, err := plainMoney(src, buf)
			return text(n), err
		},
		Back: func(v Value) (string, error) {
			s, err := backText(v)
			return printMoney(s), err
		}}
}

// MoneyScaled is money in hundredths.
func MoneyScaled() *Conversion {
	return &Conversion{Name: "money scaled", Kind: Integer,
		To: func(src, buf []byte) (Value, error) {
			n, err := plainMoney(src, buf)
			if err != nil {
				return Value{}, err
			}
			return scaled("money", n, 2)
		},
		Back: func(v Value) (string, error) {
			if v.Kind != Integer {
				return "", errKind(v, Integer)
			}
			return printMoney(Unscale(v.Int, 2)), nil
		}}
}

// plainMoney takes the dollar and the commas from $1,234.56.
func plainMoney(src, buf []byte) ([]byte, error) {
	buf = buf[:0]
	for _, c := range src {
		if c != '$' && c != ',' {
			buf = append(buf, c)
		}
	}
	if fraction, ok := decimal(buf); !ok || fraction != 2 {
		return nil, &Misfit{Type: "money", Reason: "not as lc_monetary C prints it", Hint: "cast the column to numeric in PostgreSQL first"}
	}
	return buf, nil
}

func printMoney(s string) string {
	sign, s := s[:len(s)-len(strings.TrimPrefix(s, "-"))], strings.TrimPrefix(s, "-")
	whole, cents, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + "$" + whole + "." + cents
}

// Bytea is a bytea's bytes, whichever bytea_output its text is of.
func Bytea() *Conversion {
	return &Conversion{Name: "bytea", Kind: Blob,
		To: func(src, buf []byte) (Value, error) {
			b, err := bytea(src, buf[:0])
			return Value{Kind: Blob, Bytes: b}, err
		},
		Back: func(v Value) (string, error) {
			if v.Kind != Blob {
				return "", errKind(v, Blob)
			}
			return printBytea(v.Bytes), nil
		}}
}

// printBytea makes one text, however long, and nothing else of its size.
func printBytea(b []byte) string {
	var s strings.Builder
	s.Grow(2 + 2*len(b))
	s.WriteString(`\x`)
	for chunk := range slices.Chunk(b, 512) {
		var digits [1024]byte
		s.Write(digits[:hex.Encode(digits[:], chunk)])
	}
	return s.String()
}

func bytea(src, buf []byte) ([]byte, error) {
	if digits, ok := bytes.CutPrefix(src, []byte(`\x`)); ok {
		b, err := hex.AppendDecode(buf, digits)
		if err != nil {
			return nil, misfit("bytea", "not hexadecimal")
		}
		return nonNil(b), nil
	}
	for i := 0; i < len(src); i++ {
		c := src[i]
		if c == '\\' {
			rest := src[i+1:]
			switch {
			case len(rest) > 0 && rest[0] == '\\':
				i++
			case digits(rest, 3, 8) == 3 && rest[0] <= '3':
				c = number(rest[:3], 8)
				i += 3
			default:
				return nil, misfit("bytea", "a backslash that neither an octal number nor another one follows")
			}
		}
		buf = append(buf, c)
	}
	return nonNil(buf), nil
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// UUIDText is a uuid in lower case.
func UUIDText() *Conversion {
	return &Conversion{Name: "uuid text", Kind: Text,
		To: func(src, buf []byte) (Value, error) {
			b, err := uuid(src)
			if err != nil {
				return Value{}, err
			}
			return text(appendUUID(buf[:0], b)), nil
		},
		Back: backText}
}

// UUIDBlob is the 16 bytes of a uuid.
func UUIDBlob() *Conversion {
	return &Conversion{Name: "uuid blob", Kind: Blob,
		To: func(src, buf []byte) (Value, error) {
			b, err := uuid(src)
			return Value{Kind: Blob, Bytes: append(buf[:0], b[:]...)}, err
		},
		Back: func(v Value) (string, error) {
			if v.Kind != Blob || len(v.Bytes) != 16 {
				return "", errKind(v, Blob)
			}
			return string(appendUUID(nil, [16]byte(v.Bytes))), nil
		}}
}

// uuid reads the form that PostgreSQL prints, in either case.
func uuid(s []byte) (b [16]byte, err error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return b, misfit("uuid", "not 32 hexadecimal digits with four hyphens")
	}
	n := 0
	for i := 0; i < 36; i++ {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			continue
		}
		d := digit(s[i])
		if d == 16 {
			return b, misfit("uuid", "a digit is not hexadecimal")
		}
		b[n/2] = b[n/2]<<4 | byte(d)
		n++
	}
	return b, nil
}

func appendUUID(dst []byte, b [16]byte) []byte {
	for i, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}
