package flyapi

import (
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// redactor takes a token out of texts that others wrote: an API that answers with what it
// was sent, a proxy that puts a header into its error page.
type redactor struct{ secrets []string }

// secretLeast is the length from which a part of a token is secret by itself.
const secretLeast = 6

func newRedactor(t Token) redactor {
	if t.Empty() {
		return redactor{}
	}
	whole := t.reveal()
	parts := []string{whole}
	for part := range strings.SplitSeq(whole, ",") {
		part = strings.TrimSpace(part)
		parts = append(parts, part)
		// Without the prefix that tells what kind of token it is.
		if _, rest, ok := strings.Cut(part, "_"); ok {
			parts = append(parts, rest)
		}
	}
	var secrets []string
	for _, p := range parts {
		if len(p) >= secretLeast {
			query, path := url.QueryEscape(p), url.PathEscape(p)
			secrets = append(secrets, p, query, path, lowerEscapes(query), lowerEscapes(path), html.EscapeString(p), strings.ReplaceAll(p, "+", "&#43;"))
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // the whole before its parts
	return redactor{slices.Compact(secrets)}
}

// lowerEscapes writes %2F as %2f, as some do.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			b[i+1], b[i+2] = lower(b[i+1]), lower(b[i+2])
			i += 2
		}
	}
	return string(b)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'F' {
		return c - 'A' + 'a'
	}
	return c
}

// looksLikeToken finds tokens that are not the client's own, or only a part of it: by the
// prefixes that Fly gives them.
var looksLikeToken = regexp.MustCompile(`\b(?:fm1r|fm1a|fm2|fo1)_[^\s",]+`)

func (r redactor) text(s string) string {
	for _, secret := range r.secrets {
		s = strings.ReplaceAll(s, secret, "[token]")
	}
	return looksLikeToken.ReplaceAllString(s, "[token]")
}

// foreign makes a text that the other side wrote fit for an error: without the token, on
// one line, bounded, and harmless to a terminal.
func (r redactor) foreign(s string) string {
	const most = 300
	s = strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return ' '
		}
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, r.text(s))
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "..."
	}
	return s
}
