package flyapi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/superfly/fly-go/tokens"
	"gopkg.in/yaml.v3"
)

// Token is a token for Fly's API, and where it was found. It prints as its source: no
// way to print, log or marshal it shows the token. The zero value is no token.
type Token struct {
	source string
	// A function, since whatever prints values by reflection shows a string that a field
	// holds, and of a function only that there is one.
	reveal func() string
}

// NewToken takes a token as Fly writes it: with a scheme before it or not, one or several
// with commas between. The source is what errors call it.
func NewToken(source, value string) Token {
	value = tokens.StripAuthorizationScheme(strings.TrimSpace(value))
	if strings.Trim(value, ", \t\r\n") == "" || strings.EqualFold(value, "Bearer") || strings.EqualFold(value, "FlyV1") {
		return Token{source: source}
	}
	return Token{source: source, reveal: func() string { return value }}
}

// Source says where the token was found: a flag, a variable or a file. Never the token.
func (t Token) Source() string { return t.source }

// Empty tells whether there is no token.
func (t Token) Empty() bool { return t.reveal == nil }

func (t Token) String() string {
	if t.Empty() {
		return "no token"
	}
	return "token of " + t.source
}

// GoString is for %#v.
func (t Token) GoString() string { return fmt.Sprintf("flyapi.Token(%q)", t.String()) }

// MarshalText is for JSON and logs.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// header is the Authorization that the API takes.
func (t Token) header() string { return tokens.Parse(t.reveal()).FlapsHeader() }

// FindToken looks where flyctl looks: the flag, FLY_ACCESS_TOKEN, FLY_API_TOKEN, then
// flyctl's own config file (in FLY_CONFIG_DIR, else ~/.fly). The first that holds a token
// is taken; where none does, the error is ErrNoToken.
func FindToken(flag string, getenv func(string) string) (Token, error) {
	if t := NewToken("--access-token", flag); !t.Empty() {
		return t, nil
	}
	for _, name := range []string{"FLY_ACCESS_TOKEN", "FLY_API_TOKEN"} {
		if t := NewToken(name, getenv(name)); !t.Empty() {
			return t, nil
		}
	}
	file := configFile(getenv)
	if file == "" {
		return Token{}, ErrNoToken
	}
	t, err := tokenOfFile(file)
	if err != nil {
		return Token{}, err
	}
	if t.Empty() {
		return Token{}, ErrNoToken
	}
	return t, nil
}

func configFile(getenv func(string) string) string {
	if dir := getenv("FLY_CONFIG_DIR"); dir != "" {
		return filepath.Join(dir, "config.yml")
	}
	home := getenv("HOME")
	if home == "" {
		home = getenv("USERPROFILE")
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".fly", "config.yml")
}

// configMost is the most that flyctl's config file may hold: it is a few lines.
const configMost = 1 << 20

func tokenOfFile(file string) (Token, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Token{}, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > configMost) {
		err = errors.New("this is no config file of flyctl")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return Token{}, fmt.Errorf("read flyctl's config %s: %w: set FLY_API_TOKEN instead", file, err)
	}
	var config struct {
		AccessToken string `yaml:"access_token"`
	}
	if yaml.Unmarshal(data, &config) != nil {
		// The parser's own words may quote the file, and so the token.
		return Token{}, fmt.Errorf("read flyctl's config %s: it is not YAML: fly auth login writes it anew, or set FLY_API_TOKEN", file)
	}
	return NewToken(file, config.AccessToken), nil
}
