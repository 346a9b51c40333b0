package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/dump"
	"github.com/flysql/flysql/internal/move/transfer"
)

// importSource is what SOURCE of a command line names.
type importSource struct {
	address string // of a live PostgreSQL; "" of a dump
	file    string // of a dump; "-" is standard input
	from    string // the variable that has named it; "" of an argument
	shown   string // for people: without a password
}

// importVariables name a PostgreSQL where no argument does. A password in one of them is
// not in the list of processes.
var importVariables = []string{"FLYSQL_IMPORT_URL", "DATABASE_URL"}

// findImportSource reads SOURCE, or what stands in for it.
func (c *cli) findImportSource(arg string) (*importSource, error) {
	if arg != "" {
		return readImportSource(arg, "")
	}
	for _, name := range importVariables {
		value := c.getenv(name)
		if value == "" || name == "DATABASE_URL" && !isPostgresURL(value) { // which may name a SQLite file
			continue
		}
		s, err := readImportSource(value, name)
		if err == nil {
			c.say("source: %s, by %s", s.shown, name)
		}
		return s, err
	}
	return nil, usagef("from where? Give SOURCE, a postgres:// URL or a dump, or set %s", importVariables[0])
}

func isPostgresURL(s string) bool {
	return strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://")
}

// keyValues is in libpq's other form: host=db dbname=shop.
var keyValues = regexp.MustCompile(`(?:^|\s)(?:host|hostaddr|port|user|password|dbname|service|sslmode)\s*=`)

// readImportSource tells an address from a file. A file is one even where its name has
// an = in it.
func readImportSource(arg, from string) (*importSource, error) {
	switch {
	case arg == "-":
		return &importSource{file: arg, from: from, shown: "standard input"}, nil
	case isPostgresURL(arg):
	case strings.Contains(arg, "://"):
		scheme, _, _ := strings.Cut(arg, "://")
		return nil, usagef("SOURCE begins with %q: give a postgres:// URL, or a file that pg_dump has written", scheme+"://")
	case keyValues.MatchString(arg):
		if _, err := os.Lstat(arg); err == nil {
			return &importSource{file: arg, from: from, shown: arg}, nil
		}
	default:
		return &importSource{file: arg, from: from, shown: arg}, nil
	}
	shown, err := readAddress(arg)
	if err != nil {
		return nil, &usageError{err}
	}
	return &importSource{address: arg, from: from, shown: shown}, nil
}

// readAddress checks the address of a PostgreSQL, and returns it for people. No error has
// a piece of it that may be a password: a special character in one that is not encoded
// moves its rest to other places of a URL.
func readAddress(address string) (shown string, err error) {
	form := errors.New("SOURCE cannot be read as an address of PostgreSQL: write postgres://user:password@host:5432/database, with special characters of the password encoded (@ is %40, : %3A, / %2F, # %23, ? %3F, % %25), or keep it in PGPASSWORD or ~/.pgpass")
	if isPostgresURL(address) {
		u, err := url.Parse(address)
		if err != nil || strings.Contains(u.EscapedPath()+u.Fragment, "@") || strings.Contains(u.RawQuery, "@") && u.User == nil {
			return "", form
		}
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		// What stands behind the last ` is about a parameter.
		text := err.Error()
		if i := strings.LastIndex(text, "`: "); i >= 0 && isPostgresURL(address) && !strings.Contains(text[i:], "://") {
			return "", fmt.Errorf("SOURCE cannot be read as an address of PostgreSQL: %s", text[i+len("`: "):])
		}
		return "", form
	}
	host := config.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if strings.HasPrefix(host, "/") { // the directory of a socket
		host = url.PathEscape(host)
	}
	return fmt.Sprintf("postgres://%s@%s:%d/%s", url.User(config.User), host, config.Port, config.Database), nil
}

// live reports whether it is a PostgreSQL that runs.
func (s *importSource) live() bool { return s.address != "" }

// argument is what a command that is shown to people has in SOURCE's place.
func (s *importSource) argument() string {
	if s.from != "" {
		return `"$` + s.from + `"`
	}
	return s.shown
}

// open begins to read the source. database chooses one of a dump with several.
func (s *importSource) open(ctx context.Context, c *cli, database string) (move.Source, error) {
	if database != "" && s.live() {
		return nil, usagef("--database chooses from a dump of pg_dumpall: the address of a live PostgreSQL has the database in it")
	}
	o := dump.Options{Database: database, TempDir: c.getenv("TMPDIR")}
	switch {
	case s.live():
		live, err := transfer.Open(ctx, s.address)
		if err != nil {
			return nil, connectHint(err)
		}
		c.tellFound(ctx, s.address)
		return live, nil
	case s.file == "-":
		if terminal(c.stdin) != nil {
			return nil, usagef("SOURCE is standard input, and that is a terminal: pipe a dump into it, as in pg_dump shop | flysql import - app.db --yes")
		}
		return opened(dump.Read(ctx, "standard input", c.stdin, o))
	}
	return opened(dump.Open(ctx, s.file, o))
}

// opened keeps a nil *dump.Dump from being a Source that is not nil.
func opened(d *dump.Dump, err error) (move.Source, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}

// connectHint adds what a person can do about a PostgreSQL that does not let them in.
func connectHint(err error) error {
	text := err.Error()
	for _, h := range []struct{ part, hint string }{
		{"password authentication failed", "the password is wrong, or the user's name: both are in SOURCE, else in PGPASSWORD and ~/.pgpass"},
		{"no password supplied", "it asks for a password: give it in SOURCE, in PGPASSWORD or in ~/.pgpass"},
		{"connection refused", "no PostgreSQL listens there: for one on Fly, run fly proxy 5432 -a APP first, and connect to localhost"},
		{"no such host", "there is no host of that name: names in .internal and .flycast are known inside Fly and over its WireGuard; fly proxy 5432 -a APP makes it localhost"},
		{"hostname resolving error", "there is no host of that name: names in .internal and .flycast are known inside Fly and over its WireGuard; fly proxy 5432 -a APP makes it localhost"},
		{"does not exist (SQLSTATE 3D000)", "psql --list shows the server's databases"},
		{"server refused TLS connection", "add ?sslmode=disable to SOURCE where the network is private, as fly proxy's is"},
	} {
		if strings.Contains(text, h.part) {
			return fmt.Errorf("%w\n%s", err, h.hint)
		}
	}
	return err
}
