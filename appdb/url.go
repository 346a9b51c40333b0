package appdb

import (
	"net/url"
	"path"
	"regexp"
	"strings"
)

// A URLError says why a database URL or path was refused, and what to write
// instead. [Path], [Open] and [Config.Open] return it for everything they can
// refuse by looking at the text alone.
//
// None of its fields holds a user name, a password or the value of an unknown
// parameter, so it can be logged.
type URLError struct {
	URL    string // what was given, shortened to what is safe to print; may be empty
	Reason string // why it was refused
	Fix    string // what to write instead; may be empty
}

// Error returns the URL, the reason and the fix on one line.
func (e *URLError) Error() string {
	var b strings.Builder
	b.WriteString("database URL")
	if e.URL != "" {
		b.WriteString(" " + e.URL)
	}
	b.WriteString(" refused: " + e.Reason)
	if e.Fix != "" {
		b.WriteString("; " + e.Fix)
	}
	return b.String()
}

// Path returns the file that urlOrPath names, without touching the file
// system. It accepts and refuses exactly what [Open] does, query parameters
// included; the error is a [*URLError].
//
// A path without a scheme is literal and comes back as it went in. A URL's
// path is percent-decoded; it is absolute for file:///data/app.db and
// file:/data/app.db, and relative for file:data/app.db. The schemes file:,
// sqlite: and sqlite3: mean the same.
func Path(urlOrPath string) (string, error) {
	t, err := parse(urlOrPath)
	if err != nil {
		return "", err
	}
	return t.path, nil
}

// schemeRE finds the scheme of a URL. A colon after the first slash belongs to
// a file name.
var schemeRE = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*):`)

// keywordRE finds the "host=... password=..." form that PostgreSQL's own
// clients take. It has no scheme, so it would otherwise pass for a file name.
var keywordRE = regexp.MustCompile(`(?i)(^|\s)(host|hostaddr|port|user|password|passfile|dbname|service|sslmode)\s*=`)

// mysqlRE finds Go's MySQL form, user:password@tcp(host:port)/name.
var mysqlRE = regexp.MustCompile(`@(tcp|tcp4|tcp6|unix)\(.*\)/`)

const exampleFix = "write the file's URL, for example file:///data/app.db"

// parse reads what a user wrote for a database.
func parse(s string) (*target, error) {
	if strings.TrimSpace(s) == "" {
		return nil, &URLError{Reason: "it is empty", Fix: exampleFix}
	}
	// The scheme comes first: until it is known to be one of ours, what was
	// given may hold a password, and no error may quote it.
	m := schemeRE.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil || !ours(m[1]) {
		switch {
		case mysqlRE.MatchString(s):
			return nil, &URLError{Reason: "this is a MySQL connection string, and appdb opens SQLite files", Fix: exampleFix}
		case m != nil:
			return nil, foreignScheme(m[1], s)
		case keywordRE.MatchString(s):
			return nil, postgresError("PostgreSQL connection string")
		}
	}
	shown := display(s)
	if s != strings.TrimSpace(s) {
		return nil, &URLError{URL: shown, Reason: "it begins or ends with white space", Fix: "remove it"}
	}
	if strings.ContainsFunc(s, isControl) {
		return nil, &URLError{URL: shown, Reason: "it contains a control character", Fix: "remove it"}
	}
	if m == nil {
		return parsePlain(s)
	}
	return parseURL(m[1], s[len(m[0]):], shown)
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// ours reports whether a scheme names an SQLite file.
func ours(scheme string) bool {
	switch strings.ToLower(scheme) {
	case "file", "sqlite", "sqlite3":
		return true
	}
	return false
}

// foreignScheme refuses a scheme that does not name an SQLite file. Nothing
// but the scheme is shown: what follows it may be a password.
func foreignScheme(scheme, s string) error {
	var what string
	switch strings.ToLower(scheme) {
	case "postgres", "postgresql", "pgx", "pgx5", "cockroach", "cockroachdb":
		return postgresError(scheme + ": URL")
	case "mysql", "mariadb":
		what = "a MySQL database"
	case "libsql", "turso", "ws", "wss":
		what = "a libSQL server"
	case "http", "https":
		what = "a web address"
	default:
		fix := "use file:, sqlite: or sqlite3:"
		if !strings.Contains(s, "://") {
			fix += "; for a file with a colon in its name write ./ before it"
		}
		return &URLError{URL: scheme + ":", Reason: "this scheme does not name an SQLite file", Fix: fix}
	}
	return &URLError{URL: scheme + ":", Reason: "this names " + what + ", and appdb opens SQLite files", Fix: exampleFix}
}

func postgresError(what string) error {
	return &URLError{
		Reason: "this is a " + what + ", and appdb opens SQLite files",
		Fix:    "bring the data into an SQLite file first; then " + exampleFix,
	}
}

// display returns s as far as it can be shown: a URL without its user
// information, query and fragment.
func display(s string) string {
	s = strings.TrimSpace(s)
	m := schemeRE.FindString(s)
	rest := s[len(m):]
	if m == "" {
		return quoteOdd(beforeOptions(s))
	}
	if hasUser(rest) {
		return m
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	return quoteOdd(m + rest)
}

// hasUser reports whether a URL has an authority and an @ anywhere after it.
// A password may itself contain "/", "?" and "#", so where it ends cannot be
// told.
func hasUser(rest string) bool {
	auth, ok := strings.CutPrefix(rest, "//")
	return ok && auth != "" && auth[0] != '/' && strings.Contains(auth, "@")
}

// quoteOdd quotes s where printing it bare would mislead.
func quoteOdd(s string) string {
	for _, r := range s {
		if isControl(r) || r == ' ' || r == '"' || r == '\ufffd' {
			return quote(s)
		}
	}
	return s
}

// parsePlain reads a path without a scheme. Every character in it is literal.
func parsePlain(s string) (*target, error) {
	if s == ":memory:" || strings.HasPrefix(s, ":memory:?") {
		return nil, memoryError(":memory:")
	}
	if file := beforeOptions(s); file != s {
		return nil, &URLError{
			URL:    quoteOdd(file),
			Reason: "it ends in driver options (?name=value), which a plain path does not have",
			Fix:    "write " + fileURL("file", file) + " with the options after it; if the ? belongs to the file's name, write it as %3F in such a URL",
		}
	}
	if strings.HasSuffix(s, "/") {
		return nil, directoryError(quoteOdd(s))
	}
	return newTarget(s), nil
}

// beforeOptions cuts "?_busy_timeout=5000" and the like off a plain path. Such
// a tail is what other drivers read as options; taken as part of the name it
// would open a new, empty database and lose the options as well. A question
// mark that begins no option is part of the name.
func beforeOptions(s string) string {
	file, tail, ok := strings.Cut(s, "?")
	if !ok {
		return s
	}
	for _, pair := range strings.Split(tail, "&") {
		key, _, hasValue := strings.Cut(pair, "=")
		if !hasValue {
			continue
		}
		switch key {
		case "mode", "cache", "vfs", "immutable", "nolock", "psow":
			return file
		}
		if strings.HasPrefix(key, "_") {
			return file
		}
	}
	return s
}

// parseURL reads what follows the colon of a file:, sqlite: or sqlite3: URL.
func parseURL(scheme, rest, shown string) (*target, error) {
	if hasUser(rest) {
		return nil, &URLError{URL: shown, Reason: "it has a user name and a host, and an SQLite file has neither", Fix: exampleFix}
	}
	if strings.Contains(rest, "#") {
		return nil, &URLError{URL: shown, Reason: "a # ends a URL, and what follows it would be lost", Fix: "write %23, or give the plain path"}
	}
	rest, query, _ := strings.Cut(rest, "?")

	escaped, err := urlPath(scheme, rest, shown)
	if err != nil {
		return nil, err
	}
	p, perr := url.PathUnescape(escaped)
	if perr != nil {
		return nil, &URLError{URL: shown, Reason: "it has a % that begins no escape", Fix: "write %25 for a percent sign, or give the plain path"}
	}
	switch {
	case p == "":
		return nil, &URLError{URL: shown, Reason: "it names no file", Fix: exampleFix}
	case strings.Trim(p, "/") == ":memory:":
		return nil, memoryError(shown)
	case strings.ContainsFunc(p, isControl):
		return nil, &URLError{URL: shown, Reason: "its path contains a control character", Fix: "remove it"}
	case strings.HasSuffix(p, "/"):
		return nil, directoryError(shown)
	case strings.HasPrefix(p, "/./"), strings.HasPrefix(p, "/../"):
		// Read to the letter this is a file in the root directory, which
		// nobody means who writes a dot there.
		return nil, &URLError{
			URL:    shown,
			Reason: "its path is absolute and begins with a dot",
			Fix:    "write " + fileURL(scheme, p[1:]) + " (relative to the working directory) or " + fileURL(scheme, path.Clean(p)) + " (absolute)",
		}
	}
	t := newTarget(p)
	if err := t.options(query, shown); err != nil {
		return nil, err
	}
	return t, nil
}

// urlPath takes the authority off and returns the path, still escaped.
func urlPath(scheme, rest, shown string) (string, error) {
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		host, _, _ := strings.Cut(after, "/")
		if host != "" && !strings.EqualFold(host, "localhost") {
			if host == ":memory:" {
				return "", memoryError(shown)
			}
			return "", twoSlashes(scheme, host, after, shown)
		}
		rest = after[len(host):]
	}
	// sqlite:////data/app.db has the fourth slash for "absolute".
	if strings.HasPrefix(rest, "//") {
		rest = "/" + strings.TrimLeft(rest, "/")
	}
	return rest, nil
}

// twoSlashes refuses scheme://host/path, naming both things that may be meant.
func twoSlashes(scheme, host, after, shown string) error {
	name := strings.TrimSuffix(after, "/")
	if name == "" {
		return &URLError{URL: shown, Reason: "it names no file", Fix: exampleFix}
	}
	return &URLError{
		URL:    shown,
		Reason: "after two slashes " + quote(host) + " is read as a host name, not as part of the path",
		Fix:    "write " + scheme + "://" + path.Clean("/"+name) + " (absolute) or " + scheme + ":" + path.Clean(name) + " (relative to the working directory)",
	}
}

func memoryError(shown string) error {
	return &URLError{
		URL:    shown,
		Reason: "an in-memory database lasts no longer than one connection, and appdb uses several",
		Fix:    "name a file; in tests use appdbtest.New, which gives each test a file of its own",
	}
}

func directoryError(shown string) error {
	return &URLError{URL: shown, Reason: "it ends in a slash, which names a directory", Fix: "add the file's name, for example app.db"}
}

// fileURL writes file as a URL of the given scheme.
func fileURL(scheme, file string) string {
	// EscapedPath leaves a colon, and escapes what would end the path.
	esc := (&url.URL{Path: file}).EscapedPath()
	if strings.HasPrefix(file, "/") {
		return scheme + "://" + esc
	}
	return scheme + ":" + esc
}
