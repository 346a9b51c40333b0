package flyapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/superfly/fly-go/flaps"
)

// PublicURL is where Fly's API is.
const PublicURL = "https://api.machines.dev"

// Config says which app is spoken of, where, and with what token.
type Config struct {
	// Token is needed: see FindToken.
	Token Token

	// App is the app's name: needed.
	App string

	// Org is the organization whose apps are looked through for a name like App, where
	// there is no such app. The default is "personal".
	Org string

	// BaseURL is where the API is; the default is PublicURL. Commands take it from
	// FLY_FLAPS_BASE_URL, as flyctl does. It must be https, or lead to this machine or into
	// Fly's private network, since the token goes there.
	BaseURL string

	// UserAgent is sent with each request. The default is "flysql".
	UserAgent string

	// Logger is told of each request at debug level: its call, path, status and time.
	// Bodies and headers are not logged. nil discards.
	Logger *slog.Logger

	// Speed is how many times faster than Fly's published limits requests may be sent. The
	// default is 1. Fly raises an organization's limits on request; tests have no limits.
	Speed float64
}

// FromEnv is what the flag --access-token and the environment say of a Config: the token as
// FindToken finds it, FLY_FLAPS_BASE_URL, FLY_ORG, and FLYSQL_FLY_SPEED for Speed.
func FromEnv(accessToken string, getenv func(string) string) (Config, error) {
	token, err := FindToken(accessToken, getenv)
	if err != nil {
		return Config{}, err
	}
	c := Config{Token: token, Org: getenv("FLY_ORG"), BaseURL: getenv("FLY_FLAPS_BASE_URL")}
	if s := getenv("FLYSQL_FLY_SPEED"); s != "" {
		c.Speed, err = strconv.ParseFloat(s, 64)
		if err != nil || !validSpeed(c.Speed) {
			return Config{}, fmt.Errorf("FLYSQL_FLY_SPEED %q: how many times Fly's own rate, such as 2", newRedactor(token).foreign(s))
		}
	}
	return c, nil
}

// validSpeed leaves out what would wait for ever, or is no number.
func validSpeed(s float64) bool { return s >= 0.01 && s <= 1e6 }

// Client is one app on Fly. All methods may be called at once. What each call fails with
// is an *Error.
type Client struct {
	app     string
	org     string
	token   Token
	flaps   *flaps.Client
	limiter *limiter
	redact  redactor
	log     *slog.Logger

	mu    sync.Mutex
	calls map[string]int
}

// name is what goes into a path: app names, and ids of machines and volumes.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// New makes a client. Nothing is sent.
func New(c Config) (*Client, error) {
	return newClient(c, http.DefaultTransport.(*http.Transport).Clone())
}

func newClient(c Config, base http.RoundTripper) (*Client, error) {
	if c.Token.Empty() {
		return nil, ErrNoToken
	}
	client := &Client{app: c.App, org: orElse(c.Org, "personal"), token: c.Token, redact: newRedactor(c.Token), log: c.Logger, calls: map[string]int{}}
	if !name.MatchString(c.App) {
		return nil, fmt.Errorf("app name %q: it is letters, digits and dashes: set app in fly.toml, or give --app", client.redact.foreign(c.App))
	}
	to, err := baseURL(orElse(c.BaseURL, PublicURL))
	if err != nil {
		return nil, errors.New(client.redact.text(err.Error()))
	}
	if c.Speed == 0 {
		c.Speed = 1
	}
	if !validSpeed(c.Speed) {
		return nil, fmt.Errorf("speed %v: how many times Fly's own rate, from 0.01", c.Speed)
	}
	client.limiter = newLimiter(c.Speed)
	if client.log == nil {
		client.log = slog.New(slog.DiscardHandler)
	}
	// fly-go is given no token and no logger: its own log shows bodies.
	client.flaps, err = flaps.NewWithOptions(context.Background(), flaps.NewClientOpts{
		UserAgent: orElse(c.UserAgent, "flysql"),
		Transport: &transport{client: client, base: base, to: to},
	})
	if err != nil {
		return nil, errors.New(client.redact.text(err.Error()))
	}
	return client, nil
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// baseURL reads where the API is, and refuses to send a token over an open line.
func baseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		shown := fmt.Sprintf(" %q", s)
		if strings.Contains(s, "@") {
			shown = "" // it may have a password
		}
		return nil, fmt.Errorf("FLY_FLAPS_BASE_URL%s is no URL: it is like %s", shown, PublicURL)
	}
	if u.Scheme == "http" && !private(u.Hostname()) {
		return nil, fmt.Errorf("FLY_FLAPS_BASE_URL is http://%s, which would show the token to everyone on the way: use https", u.Host)
	}
	return u, nil
}

// private tells whether a host is this machine or in Fly's private network.
func private(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".internal") || strings.HasSuffix(host, ".flycast") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLoopback() || ip.IsPrivate())
}

// String is the app's name, so that no way of printing a client shows more.
func (c *Client) String() string { return "Fly app " + c.app }

// GoString is for %#v.
func (c *Client) GoString() string { return c.String() }

// AppName is the name of the app that is spoken of.
func (c *Client) AppName() string { return c.app }

// Calls says how many requests were sent, by the name of the method that sent them. What
// is tried again counts again.
func (c *Client) Calls() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.calls)
}

func (c *Client) count(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[name]++
}

// call is one request to be made.
type call struct {
	name   string        // as Calls counts it
	object string        // the id of the machine or volume
	ofApp  bool          // it is of the app itself, and has no object
	doing  string        // for errors: create volume data in ams
	read   bool          // it changes nothing, so it may be sent twice
	waits  time.Duration // how long the API itself waits before it answers
}

type callKey struct{}

// run makes a call, and returns an *Error or nil.
func (c *Client) run(ctx context.Context, call *call, send func(ctx context.Context) error) error {
	if !call.ofApp && !name.MatchString(call.object) {
		return &Error{Call: call.name, Doing: call.name, Message: fmt.Sprintf("%q is no id of a machine or volume", c.redact.foreign(call.object)), kinds: []error{ErrNotFound}}
	}
	err := careful(func() error { return send(context.WithValue(ctx, callKey{}, call)) })
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		// An answer that fly-go could not read: of a write it is not known what it said.
		e = &Error{Call: call.name, Doing: call.doing, Message: "what answers is not Fly's API: " + c.redact.foreign(err.Error()), kinds: call.failed()}
		e.Hint = c.hint(call, e)
	}
	// A write may have named something else that is not there.
	if call.ofApp && e.is(ErrNotFound) && (call.read || strings.Contains(strings.ToLower(e.Message), "app")) {
		e.Message, e.Hint = "there is no app "+c.app+" that this token may see", c.nearestApp(ctx)
	}
	return e
}

// careful turns a panic into an error: fly-go has one for a null in a list of machines, or
// of their checks.
func careful(do func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("null where there should be a machine")
		}
	}()
	return do()
}

// get is run for a call with an answer.
func get[T any](ctx context.Context, c *Client, call *call, send func(ctx context.Context) (T, error)) (T, error) {
	var out T
	err := c.run(ctx, call, func(ctx context.Context) (err error) {
		out, err = send(ctx)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return out, nil
}

// one is get for an answer that must be of something: where has says that it is of
// nothing, what sent it was not the API, and of a write it is not known what was done.
func one[T any](ctx context.Context, c *Client, call *call, has func(*T) bool, send func(ctx context.Context) (*T, error)) (*T, error) {
	out, err := get(ctx, c, call, send)
	if err == nil && (out == nil || !has(out)) {
		e := &Error{Call: call.name, Doing: call.doing, Message: "what answers is not Fly's API: the answer is empty", kinds: call.failed()}
		e.Hint = c.hint(call, e)
		return nil, e
	}
	return out, err
}
