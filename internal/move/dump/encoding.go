package dump

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
)

// encodings are those of PostgreSQL's names for client_encoding that are decoded as
// PostgreSQL does, without the separators that it overlooks. Where both know a character
// it is the same; what only PostgreSQL knows is refused. BIG5 is not among them: of its
// characters PostgreSQL reads others. So it does of A3A0 in GB18030, a private character.
var encodings = map[string]encoding.Encoding{
	"latin1": charmap.ISO8859_1, "latin2": iso(charmap.ISO8859_2), "latin3": iso(charmap.ISO8859_3), "latin4": iso(charmap.ISO8859_4), "latin5": charmap.ISO8859_9,
	"latin6": iso(charmap.ISO8859_10), "latin7": iso(charmap.ISO8859_13), "latin8": iso(charmap.ISO8859_14), "latin9": iso(charmap.ISO8859_15), "latin10": iso(charmap.ISO8859_16),
	"iso88591": charmap.ISO8859_1, "iso885915": iso(charmap.ISO8859_15),
	"iso88595": iso(charmap.ISO8859_5), "iso88596": iso(charmap.ISO8859_6), "iso88597": iso(charmap.ISO8859_7), "iso88598": iso(charmap.ISO8859_8),
	"win1250": charmap.Windows1250, "win1251": charmap.Windows1251, "win1252": charmap.Windows1252, "win1253": charmap.Windows1253, "win1254": charmap.Windows1254,
	"win1255": charmap.Windows1255, "win1256": charmap.Windows1256, "win1257": charmap.Windows1257, "win1258": charmap.Windows1258,
	"win866": charmap.CodePage866, "win874": charmap.Windows874, "koi8r": charmap.KOI8R, "koi8u": otherwise{charmap.KOI8U, map[rune]rune{'\u045e': '\u255d', '\u040e': '\u256c'}},
	"eucjp": otherwise{japanese.EUCJP, map[rune]rune{'\u00a6': '\uffe4'}}, "sjis": japanese.ShiftJIS, "euckr": korean.EUCKR, "uhc": korean.EUCKR,
	"euccn": otherwise{simplifiedchinese.GBK, map[rune]rune{'\u2014': '\u2015', '\u00b7': '\u30fb'}},
	"gbk":   simplifiedchinese.GBK, "gb18030": simplifiedchinese.GB18030,
}

// iso is one of ISO 8859 with the control characters that PostgreSQL lets be in it.
func iso(c *charmap.Charmap) encoding.Encoding { return controls{c} }

type controls struct{ *charmap.Charmap }

func (c controls) NewDecoder() *encoding.Decoder { return &encoding.Decoder{Transformer: c} }

func (c controls) Reset() {}

// Transform implements transform.Transformer.
func (c controls) Transform(dst, src []byte, _ bool) (to, from int, err error) {
	for ; from < len(src); from++ {
		r := c.DecodeByte(src[from])
		if r == utf8.RuneError && src[from] >= 0x80 && src[from] < 0xa0 {
			r = rune(src[from])
		}
		if to+utf8.RuneLen(r) > len(dst) {
			return to, from, transform.ErrShortDst
		}
		to += utf8.EncodeRune(dst[to:], r)
	}
	return to, from, nil
}

// otherwise is an encoding some of whose characters PostgreSQL takes for others.
type otherwise struct {
	encoding.Encoding
	instead map[rune]rune
}

func (o otherwise) NewDecoder() *encoding.Decoder {
	replace := runes.Map(func(r rune) rune {
		if other, ok := o.instead[r]; ok {
			return other
		}
		return r
	})
	return &encoding.Decoder{Transformer: transform.Chain(o.Encoding.NewDecoder(), replace)}
}

// foldEncoding is what names of encodings are compared by.
func foldEncoding(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// asIs reports whether text of an encoding is read as it is. In SQL_ASCII there may be
// anything: what is not UTF-8 is found value by value.
func asIs(name string) bool {
	switch foldEncoding(name) {
	case "utf8", "unicode", "sqlascii":
		return true
	}
	return false
}

var setEncoding = regexp.MustCompile(`(?m)^SET client_encoding = '([^'\n]{1,40})';\r?$`)

// declared returns the encoding that a dump's head names, or "".
func declared(head []byte) string {
	if m := setEncoding.FindSubmatch(head); m != nil {
		return string(m[1])
	}
	return ""
}

// decoded returns a reader of UTF-8.
func decoded(file, name string, r io.Reader) (io.Reader, error) {
	e := encodings[foldEncoding(name)]
	if e == nil {
		return nil, &Error{File: file, Reason: fmt.Sprintf("its encoding %q is not one that flysql reads", name), Hint: "dump again with pg_dump --encoding=UTF8"}
	}
	return &strict{r: e.NewDecoder().Reader(r), file: file, encoding: name, line: 1}, nil
}

// strict refuses the character that stands for bytes that an encoding does not have: it
// would be a loss that nobody sees.
type strict struct {
	r              io.Reader
	file, encoding string
	line           int
	tail           [2]byte // of the last read: the character may be cut
}

var replacement = []byte("\uFFFD")

func (s *strict) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	i := bytes.Index(p[:n], replacement)
	edge := append(s.tail[:], p[:min(n, 2)]...)
	if n > 0 && i < 0 && bytes.Contains(edge, replacement) {
		i = 0
	}
	if i >= 0 {
		line := s.line + bytes.Count(p[:i], []byte("\n"))
		return 0, &Error{File: s.file, Line: line, Reason: "bytes that are no character in " + s.encoding, Hint: "dump again with pg_dump --encoding=UTF8"}
	}
	s.line += bytes.Count(p[:n], []byte("\n"))
	edge = append(s.tail[:], p[max(0, n-2):n]...)
	copy(s.tail[:], edge[len(edge)-2:])
	return n, err
}
