package convert

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// moment is a date and time of day as written, and the offset that it was written with.
type moment struct {
	year               int64 // 0 is 1 BC
	month, day         int64
	hour, minute, secs int64
	micros             int64
	offset             int64 // seconds east of UTC
	hasTime, hasOffset bool
}

const (
	perDay    = 86_400
	perSecond = 1_000_000
)

// Date keeps PostgreSQL's text of a date, Timestamp of a timestamp without time zone.
// For the years 1 to 9999 it sorts as the times do, and SQLite's functions read it.
func Date(policy Special) *Conversion { return dateText("date", policy) }

// Timestamp is like Date.
func Timestamp(policy Special) *Conversion { return dateText("timestamp", policy) }

func dateText(typ string, policy Special) *Conversion {
	return &Conversion{Name: typ + " text", Kind: Text, Lossy: policy == ToNull,
		To: func(src, _ []byte) (Value, error) {
			m, odd, err := parseMoment(typ, src)
			switch {
			case err != nil:
				return Value{}, err
			case odd != "":
				return special(typ, odd, policy, text(src))
			case m.hasTime != (typ != "date") || m.hasOffset:
				return Value{}, misfit(typ, "not as datestyle ISO prints it")
			}
			return text(src), nil
		},
		Back: backText}
}

// TimestampAppDB is a timestamp as package appdb stores a time.Time: in UTC, with its
// offset, a fraction only where there is one. zoned is a timestamp with time zone.
func TimestampAppDB(zoned bool, policy Special) *Conversion {
	return timestampUTC(zoned, false, "appdb", policy)
}

// TimestampTZ is a timestamp with time zone in UTC, six digits after the point, and its
// offset: "2026-01-02 03:04:05.678000+00:00".
func TimestampTZ(policy Special) *Conversion { return timestampUTC(true, true, "text", policy) }

func timestampUTC(zoned, fixed bool, form string, policy Special) *Conversion {
	typ := timestampName(zoned)
	return &Conversion{Name: typ + " " + form, Kind: Text, Lossy: policy == ToNull,
		To: func(src, buf []byte) (Value, error) {
			m, odd, err := parseMoment(typ, src)
			switch {
			case err != nil:
				return Value{}, err
			case strings.HasSuffix(odd, "infinity"):
				return special(typ, odd, policy, text(src))
			case !m.hasTime || m.hasOffset != zoned:
				return Value{}, misfit(typ, "not as datestyle ISO prints it")
			}
			if m.offset == 0 && odd != "" {
				return special(typ, odd, policy, text(src))
			}
			if m.year > lastYear {
				return Value{}, misfit(typ, tooFar)
			}
			if m = fromMicros(m.sinceEpoch()); m.year < 1 || m.year > 9999 { // perhaps by its offset only
				return special(typ, "a year that is not of four digits", policy, text(m.appendPG(nil, zoned)))
			}
			return text(append(m.append(buf[:0], fixed), "+00:00"...)), nil
		},
		Back: func(v Value) (string, error) {
			if v.Kind != Text {
				return "", errKind(v, Text)
			}
			m, odd, err := parseMoment(typ, v.Bytes)
			if odd != "" || err != nil {
				return string(v.Bytes), err
			}
			return string(m.appendPG(nil, zoned)), nil
		}}
}

func timestampName(zoned bool) string {
	if zoned {
		return "timestamptz"
	}
	return "timestamp"
}

// TimestampMicros is the number of microseconds since 1970 in UTC. Keep stores the
// infinities as the largest and smallest integer, which sorts them rightly.
func TimestampMicros(zoned bool, policy Special) *Conversion {
	typ := timestampName(zoned)
	return &Conversion{Name: typ + " micros", Kind: Integer, Lossy: policy == ToNull,
		To: func(src, _ []byte) (Value, error) {
			m, odd, err := parseMoment(typ, src)
			switch {
			case err != nil:
				return Value{}, err
			case odd == "infinity":
				return special(typ, odd, policy, Value{Kind: Integer, Int: math.MaxInt64})
			case odd == "-infinity":
				return special(typ, odd, policy, Value{Kind: Integer, Int: math.MinInt64})
			case !m.hasTime || m.hasOffset != zoned:
				return Value{}, misfit(typ, "not as datestyle ISO prints it")
			case m.year > lastYear:
				return Value{}, &Misfit{Type: typ, Reason: tooFar, Hint: `form = "text" with special = "keep" takes it`}
			}
			return Value{Kind: Integer, Int: m.sinceEpoch()}, nil
		},
		Back: func(v Value) (string, error) {
			switch {
			case v.Kind != Integer:
				return "", errKind(v, Integer)
			case v.Int == math.MaxInt64:
				return "infinity", nil
			case v.Int == math.MinInt64:
				return "-infinity", nil
			}
			m := fromMicros(v.Int)
			return string(m.appendPG(nil, zoned)), nil
		}}
}

// Time keeps PostgreSQL's text of a time of day, with its zone where zoned. 24:00 is
// special: SQLite's functions do not read it.
func Time(zoned bool, policy Special) *Conversion {
	typ := "time"
	if zoned {
		typ = "timetz"
	}
	return &Conversion{Name: typ + " text", Kind: Text, Lossy: policy == ToNull,
		To: func(src, _ []byte) (Value, error) {
			var m moment
			rest, ok := m.parseTime(src)
			if rest, ok = m.parseOffset(rest, ok); !ok || len(rest) > 0 || m.hasOffset != zoned {
				return Value{}, misfit(typ, "not a time of day")
			}
			if m.hour == 24 {
				return special(typ, "24:00", policy, text(src))
			}
			return text(src), nil
		},
		Back: backText}
}

// parseMoment reads what datestyle ISO prints. odd says what is special about it, or "":
// it is read all the same, but for the infinities.
func parseMoment(typ string, s []byte) (m moment, odd string, err error) {
	if string(s) == "infinity" || string(s) == "-infinity" {
		return m, string(s), nil
	}
	const bad = "not as datestyle ISO prints it"
	n := digits(s, 7, 10)
	if n < 4 || !m.parseDate(s, n) {
		return m, "", misfit(typ, bad)
	}
	s = s[n+6:]
	ok := true
	if len(s) > 0 && s[0] == ' ' && !bytes.Equal(s, []byte(" BC")) {
		s, ok = m.parseTime(s[1:])
		m.hasTime = true
		s, ok = m.parseOffset(s, ok)
	}
	if bytes.Equal(s, []byte(" BC")) {
		m.year, s = 1-m.year, nil
		odd = "a year before Christ"
	} else if n > 4 {
		odd = "a year of more than four digits"
	}
	if !ok || len(s) > 0 || m.hour > 23 {
		return m, "", misfit(typ, bad)
	}
	return m, odd, nil
}

func (m *moment) parseDate(s []byte, n int) bool {
	if len(s) < n+6 || s[n] != '-' || s[n+3] != '-' {
		return false
	}
	var a, b, c bool
	m.year, a = decimalInt(s[:n])
	m.month, b = decimalInt(s[n+1 : n+3])
	m.day, c = decimalInt(s[n+4 : n+6])
	return a && b && c && m.year > 0 && m.month >= 1 && m.month <= 12 && m.day >= 1 && m.day <= 31
}

func decimalInt(s []byte) (n int64, ok bool) {
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(s) > 0
}

// parseTime reads hh:mm:ss and a fraction, and returns what follows.
func (m *moment) parseTime(s []byte) (rest []byte, ok bool) {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return s, false
	}
	var a, b, c bool
	m.hour, a = decimalInt(s[:2])
	m.minute, b = decimalInt(s[3:5])
	m.secs, c = decimalInt(s[6:8])
	if !a || !b || !c || m.hour > 24 || m.minute > 59 || m.secs > 59 {
		return s, false
	}
	s = s[8:]
	if len(s) > 0 && s[0] == '.' {
		n := digits(s[1:], 7, 10)
		if n < 1 || n > 6 {
			return s, false
		}
		m.micros, _ = decimalInt(s[1 : 1+n])
		for range 6 - n {
			m.micros *= 10
		}
		s = s[1+n:]
	}
	return s, true
}

// parseOffset reads +hh, +hh:mm or +hh:mm:ss where there is one.
func (m *moment) parseOffset(s []byte, ok bool) ([]byte, bool) {
	if !ok || len(s) == 0 || s[0] != '+' && s[0] != '-' {
		return s, ok
	}
	sign, unit := int64(1), int64(3600)
	if s[0] == '-' {
		sign = -1
	}
	for m.hasOffset = true; unit > 0; unit /= 60 {
		if len(s) < 3 || unit < 3600 && s[0] != ':' {
			break
		}
		n, ok := decimalInt(s[1:3])
		if !ok || n > 59 {
			return s, false
		}
		m.offset += sign * unit * n
		s = s[3:]
	}
	return s, unit < 3600
}

// lastYear is the last one whose microseconds since 1970 fit into 64 bits. PostgreSQL,
// which counts from 2000, has thirty more.
const (
	lastYear = 294_246
	tooFar   = "a year after 294246"
)

// sinceEpoch is the number of microseconds since 1970 in UTC, up to lastYear.
func (m *moment) sinceEpoch() int64 {
	return ((daysFromCivil(m.year, m.month, m.day)*perDay+m.hour*3600+m.minute*60+m.secs-m.offset)*perSecond + m.micros)
}

func fromMicros(us int64) moment {
	days, rest := floorDiv(us, perDay*perSecond)
	m := moment{hasTime: true}
	m.year, m.month, m.day = civilFromDays(days)
	secs := rest / perSecond
	m.micros, m.hour, m.minute, m.secs = rest%perSecond, secs/3600, secs/60%60, secs%60
	return m
}

func floorDiv(a, b int64) (q, r int64) {
	q, r = a/b, a%b
	if r < 0 {
		q, r = q-1, r+b
	}
	return q, r
}

// daysFromCivil counts the days from 1970-01-01 in the Gregorian calendar, which goes
// back before its time; year 0 is 1 BC.
func daysFromCivil(y, m, d int64) int64 {
	if m <= 2 { // the year begins in March, so that the leap day is its last
		y, m = y-1, m+12
	}
	era, yoe := floorDiv(y, 400)
	doy := (153*(m-3)+2)/5 + d - 1
	return era*146_097 + yoe*365 + yoe/4 - yoe/100 + doy - 719_468
}

func civilFromDays(days int64) (y, m, d int64) {
	era, doe := floorDiv(days+719_468, 146_097)
	yoe := (doe - doe/1460 + doe/36_524 - doe/146_096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	y, m, d = yoe+era*400, mp+3, doy-(153*mp+2)/5+1
	if m > 12 {
		y, m = y+1, m-12
	}
	return y, m, d
}

// append writes date and time, the fraction with six digits or as many as it needs.
func (m *moment) append(dst []byte, fixed bool) []byte {
	dst = pad(dst, m.year, 4)
	for _, p := range []struct {
		sep byte
		n   int64
	}{{'-', m.month}, {'-', m.day}, {' ', m.hour}, {':', m.minute}, {':', m.secs}} {
		dst = pad(append(dst, p.sep), p.n, 2)
	}
	if m.micros == 0 && !fixed {
		return dst
	}
	dst = pad(append(dst, '.'), m.micros, 6)
	if !fixed {
		dst = bytes.TrimRight(dst, "0")
	}
	return dst
}

// appendPG writes a timestamp in UTC as PostgreSQL prints it.
func (m *moment) appendPG(dst []byte, zoned bool) []byte {
	n, bc := *m, m.year < 1
	if bc {
		n.year = 1 - n.year
	}
	dst = n.append(dst, false)
	if zoned {
		dst = append(dst, "+00"...)
	}
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

func pad(dst []byte, n int64, width int) []byte {
	for limit := int64(math.Pow10(width - 1)); limit > n && limit > 1; limit /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, n, 10)
}
