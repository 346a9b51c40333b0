package pgfunc

import (
	"database/sql/driver"
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// lower and upper map each character by itself, so that ß stays.
func lower(s string) string { return strings.Map(unicode.ToLower, s) }
func upper(s string) string { return strings.Map(unicode.ToUpper, s) }

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 32
		}
		return r
	}, s)
}

// like is LIKE, of both sides as fold makes them.
func like(fold func(string) string) func([]driver.Value) (driver.Value, error) {
	return func(args []driver.Value) (driver.Value, error) {
		pattern, err := parseLike([]rune(fold(str(args[1]))), []rune(str(args[2])))
		if err != nil {
			return nil, err
		}
		return truth(pattern.match([]rune(fold(str(args[0]))))), nil
	}
}

func truth(b bool) driver.Value {
	if b {
		return int64(1)
	}
	return int64(0)
}

// likePattern is a pattern of LIKE's: characters, anyOne and anyMany.
type likePattern []rune

const (
	anyOne  = -1
	anyMany = -2
)

func parseLike(s, escape []rune) (likePattern, error) {
	if len(escape) > 1 {
		return nil, errors.New("ESCAPE is longer than a character")
	}
	var p likePattern
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case len(escape) == 1 && c == escape[0]:
			if i++; i == len(s) {
				return nil, errors.New("the pattern ends in its escape character")
			}
			p = append(p, s[i])
		case c == '%':
			p = append(p, anyMany)
		case c == '_':
			p = append(p, anyOne)
		default:
			p = append(p, c)
		}
	}
	return p, nil
}

// match goes back to the last % only, so that its time is the product of the lengths at
// most.
func (p likePattern) match(s []rune) bool {
	i, j, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case j < len(p) && p[j] == anyMany:
			star, mark = j, i
			j++
		case j < len(p) && (p[j] == anyOne || p[j] == s[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == anyMany {
		j++
	}
	return j == len(p)
}

// compiled keeps the regular expressions of a schema, which are few; others are
// compiled each time.
var compiled struct {
	sync.RWMutex
	byText map[string]*regexp.Regexp
}

const maxCompiled = 256

func match(args []driver.Value) (driver.Value, error) {
	pattern := str(args[1])
	compiled.RLock()
	re := compiled.byText[pattern]
	compiled.RUnlock()
	if re == nil {
		var err error
		if re, err = regexp.Compile(pattern); err != nil {
			return nil, errors.New("not a regular expression")
		}
		compiled.Lock()
		if compiled.byText == nil {
			compiled.byText = map[string]*regexp.Regexp{}
		}
		if len(compiled.byText) < maxCompiled {
			compiled.byText[pattern] = re
		}
		compiled.Unlock()
	}
	return truth(re.MatchString(str(args[0]))), nil
}

// dateAdd is a date some days later. PostgreSQL's dates go on before the year 1 and
// after 9999, where as text they would not compare: that is an error.
func dateAdd(args []driver.Value) (driver.Value, error) {
	d, err := time.Parse(time.DateOnly, str(args[0]))
	days, ok := args[1].(int64)
	if err != nil || !ok || days > 1<<31 || days < -1<<31 {
		return nil, errors.New("not a date and a number of days")
	}
	if d = time.Unix(d.Unix()+days*86_400, 0).UTC(); d.Year() < 1 || d.Year() > 9999 {
		return nil, errors.New("the date is outside the years 1 to 9999")
	}
	return d.Format(time.DateOnly), nil
}

func rint(f float64) (driver.Value, error) { return math.RoundToEven(f), nil }

// floatText prints a double as PostgreSQL does.
func floatText(f float64) string {
	s := strconv.FormatFloat(f, 'e', -1, 64)
	_, exp, _ := strings.Cut(s, "e")
	if e, err := strconv.Atoi(exp); err == nil && e >= -4 && e < 15 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return s
}
