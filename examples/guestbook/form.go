package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lengths are in characters (Unicode code points). The tables hold the same
// limits as CHECK constraints.
const (
	maxName    = 60
	maxMessage = 1000
)

// form is what a guest has written, with a sentence for each field that
// cannot be taken as it is. It is shown again, as written, with them.
type form struct {
	Name, Message           string
	NameError, MessageError string
}

// newForm tidies the two fields and checks them.
func newForm(name, message string) form {
	var f form
	oneLine := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	f.Name, f.NameError = check("name", name, maxName, "\t", oneLine)
	// Browsers send line ends as CR LF, whatever the reader's system.
	message = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(message)
	f.Message, f.MessageError = check("message", message, maxMessage, "\n\t", strings.TrimSpace)
	return f
}

func (f form) valid() bool { return f.NameError == "" && f.MessageError == "" }

// check tidies a field and says what is wrong with it, or "". Characters that
// a guest could not see to correct are taken out, and that is said too:
// invalid UTF-8, and control characters but for those in allowed.
func check(field, s string, most int, allowed string, tidyUp func(string) string) (tidy, problem string) {
	control := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune(allowed, r) }
	tidy = tidyUp(strings.Map(func(r rune) rune {
		if control(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "")))
	n := utf8.RuneCountInString(tidy)
	switch {
	case !strings.ContainsFunc(tidy, visible):
		problem = fmt.Sprintf("Please write your %s.", field)
	case n > most:
		problem = fmt.Sprintf("Please keep your %s to %d characters; this one has %d.", field, most, n)
	case !utf8.ValidString(s):
		problem = fmt.Sprintf("Part of your %s was not valid text (UTF-8) and has been taken out. Please read it again.", field)
	case strings.ContainsFunc(strings.TrimSpace(s), control):
		problem = fmt.Sprintf("Your %s had a control character in it, which has been taken out. Please read it again.", field)
	}
	return tidy, problem
}

// visible tells letters, digits, punctuation and symbols from space and from
// characters that leave no mark, such as U+200B.
func visible(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
}
