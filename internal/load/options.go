package load

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/flysql/flysql/internal/globe"
)

// Options are what is sent, and where. URL, Rate, For and a request must be given.
type Options struct {
	URL    string  // scheme and host; a path is put before that of each request
	Rate   float64 // requests a second
	For    time.Duration
	Writes float64 // the share of Write among all, from 0 to 1
	Reads  []Request
	Write  []Request
	Header http.Header // of every request

	Regions  []string      // the visitors are in them in turn; nil does not say where they are
	Visitors int           // each with cookies of its own; 0 is 50
	Max      int           // requests under way at a time; 0 is 1000
	Timeout  time.Duration // for a request; 0 is 10 s
	WarmUp   time.Duration // of the same, before, which does not count
	Seed     uint64
	Run      string // what {{run}} stands for: letters and digits

	grace time.Duration // of tests, which send all on a busy machine too; 0 is as users have it
}

// What is more is a slip of the finger, or does not fit into memory.
const (
	mostRate     = 100_000
	mostRequests = 5_000_000
	mostFor      = 24 * time.Hour
	mostVisitors = 100_000
	mostMax      = 20_000
	mostKinds    = 100
)

func (o Options) withDefaults() Options {
	o.Visitors = cmp.Or(o.Visitors, 50)
	o.Max = cmp.Or(o.Max, 1000)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	return o
}

// Validate joins all that is wrong.
func (o Options) Validate() error {
	o = o.withDefaults()
	var errs []error
	wrong := func(is bool, format string, a ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, a...))
		}
	}
	at, err := ParseURL(o.URL)
	if err != nil {
		errs = append(errs, err)
	}
	wrong(!(o.Rate > 0 && o.Rate <= mostRate), "rate %v: it is more than 0 and at most %d requests a second", o.Rate, mostRate)
	wrong(o.For <= 0 || o.For > mostFor, "for %v: it is more than 0 and at most %v", o.For, mostFor)
	wrong(!(o.Writes >= 0 && o.Writes <= 1), "writes %v%%: it is from 0%% to 100%%", o.Writes*100)
	wrong(o.Writes > 0 && len(o.Write) == 0, "writes %v%%, and no request that writes: give one, as in --write 'POST /messages text=hello+{{n}}'", o.Writes*100)
	wrong(o.Writes == 0 && len(o.Write) > 0, "a request that writes is given, and its share is 0%%: give --writes 10%%")
	wrong(o.Writes < 1 && len(o.Reads) == 0, "no request that reads")
	wrong(len(o.Reads)+len(o.Write) > mostKinds, "%d different requests: at most %d", len(o.Reads)+len(o.Write), mostKinds)
	wrong(o.Visitors < 0 || o.Visitors > mostVisitors, "visitors %d: from 1 to %d", o.Visitors, mostVisitors)
	wrong(o.Max < 0 || o.Max > mostMax, "max %d: from 1 to %d", o.Max, mostMax)
	wrong(o.Timeout < time.Millisecond || o.Timeout > time.Hour, "timeout %v: from 1ms to 1h", o.Timeout)
	wrong(o.WarmUp < 0 || o.WarmUp > mostFor, "warm-up %v: from 0s to %v", o.WarmUp, mostFor)
	wrong(strings.Trim(o.Run, letters) != "", "run %q: letters and digits only", o.Run)
	if len(errs) == 0 {
		n := o.Rate * (o.For + o.WarmUp).Seconds()
		wrong(n > mostRequests, "%.0f requests: at most %d in one run, as each is remembered", n, mostRequests)
		wrong(count(o.Rate, o.For) == 0, "not one request falls into %v at %v a second", o.For, o.Rate)
	}
	errs = append(errs, o.regionProblems(at)...)
	return errors.Join(errs...)
}

func (o Options) regionProblems(at *url.URL) (errs []error) {
	for _, r := range o.Regions {
		if !globe.Known(r) {
			errs = append(errs, fmt.Errorf("region %q: Fly has none of that name; fly platform regions lists them", r))
		}
	}
	if at != nil && len(o.Regions) > 0 {
		if label, _, ok := strings.Cut(at.Hostname(), "."); ok && isLocal(at.Hostname()) && globe.Known(label) {
			errs = append(errs, fmt.Errorf("the host %s says that all visitors are in %s: leave that out of the URL, or give no regions", at.Hostname(), label))
		}
	}
	return errs
}

// letters are what values of templates are made of: they stand for themselves in a path,
// a form and JSON.
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// count is how many requests are due in a time.
func count(rate float64, d time.Duration) int { return int(math.Round(rate * d.Seconds())) }

// ParseURL reads where an app is.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err // without the URL, which may have a password in it
		}
		return nil, fmt.Errorf("the URL cannot be read: %w", err)
	}
	switch shown := u.Redacted(); {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("%q is no URL of an app: give it with its scheme, as in http://localhost:8080", shown)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%q has no host", shown)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return nil, fmt.Errorf("%s: a query belongs into a request, as in --read '/search?q=a'", (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("%q is no port", port)
		}
	}
	return u, nil
}

// Shown is a URL as it may be shown, without a user and a password.
func Shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// Local tells whether a URL is of this machine.
func Local(u *url.URL) bool { return isLocal(u.Hostname()) }

// isLocal: names under localhost never leave a machine (RFC 6761, 6.3).
func isLocal(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// ParseRate reads "200", "200/s" or "90/m".
func ParseRate(text string) (float64, error) {
	number, unit, has := strings.Cut(text, "/")
	if !has {
		unit = "s"
	}
	n, err := strconv.ParseFloat(number, 64)
	per, known := map[string]float64{"s": 1, "m": 60}[unit]
	if err != nil || !known || !(n > 0 && n/per <= mostRate) {
		return 0, fmt.Errorf("%q is no rate: give requests a second, more than 0 and at most %d, as in 200, or 90/m", text, mostRate)
	}
	return n / per, nil
}

// ParseShare reads "10%", or "10", as 0.1.
func ParseShare(text string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	if err != nil || !(n >= 0 && n <= 100) {
		return 0, fmt.Errorf("%q is no share: give it from 0%% to 100%%", text)
	}
	return n / 100, nil
}

// notOurs are headers that a request has by itself, or that say what Options say.
var notOurs = map[string]string{
	"Host":               "give the host in the URL",
	"Content-Length":     "it follows from the body",
	"Transfer-Encoding":  "it follows from the body",
	"Connection":         "connections are kept",
	"Upgrade":            "a WebSocket is no request",
	"Content-Type":       "give --content-type",
	regionHeader:         "give --regions",
	"Fly-Prefer-Region":  "give --regions",
	"X-Vegeta-Seq":       "it is not sent",
	"Proxy-Connection":   "connections are kept",
	"Trailer":            "no trailer is sent",
	"Te":                 "no trailer is read",
	"Proxy-Authenticate": "it is of a response",
}

// ParseHeaders reads lines "Name: value". An error names the header, and not its value.
func ParseHeaders(lines []string) (http.Header, error) {
	h := http.Header{}
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch canonical := http.CanonicalHeaderKey(name); {
		case !ok:
			return nil, fmt.Errorf("header %d has no colon: give it as 'Name: value'", i+1)
		case !httpguts.ValidHeaderFieldName(name):
			return nil, fmt.Errorf("%q is no name of a header", name)
		case notOurs[canonical] != "":
			return nil, fmt.Errorf("header %s cannot be set: %s", canonical, notOurs[canonical])
		case !httpguts.ValidHeaderFieldValue(value):
			return nil, fmt.Errorf("the value of header %s cannot be one", canonical)
		default:
			h.Add(canonical, value)
		}
	}
	return h, nil
}
