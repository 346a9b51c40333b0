package load

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestParseWrite(t *testing.T) {
	v := values{n: 7, visitor: 2, region: "ams", run: "r1", random: 27}
	for _, tt := range []struct {
		text, body, contentType string
		want                    string // name, path, body, type; or an error
	}{
		{"POST /messages text=hello+{{n}}", "", "", "POST /messages|/messages|text=hello+7|application/x-www-form-urlencoded"},
		{"PUT /a?b={{visitor}}", "", "", "PUT /a|/a?b=3||"},
		{"DELETE /a/{{n}}", "", "", "DELETE /a/{{n}}|/a/7||"},
		{`POST /a {"a":{"n":{{n}}},"r":"{{ region }}"}`, "", "", `POST /a|/a|{"a":{"n":7},"r":"ams"}|application/json`},
		{"POST /a", "x={{run}}-{{random}}", "", "POST /a|/a|x=r1-bbaaaaaa|application/x-www-form-urlencoded"},
		{"POST /a own", "other", "", "POST /a|/a|own|text/plain; charset=utf-8"},
		{"POST /a a}}b", "", "text/x-own", "POST /a|/a|a}}b|text/x-own"},
		{"POST /a two words", "", "", "POST /a|/a|two words|text/plain; charset=utf-8"},
		{"", "", "", `column 1: "" is no method: give method, path and body, as in 'POST /messages text=hello'`},
		{"/a", "", "", `column 1: "/a" is no method: give method, path and body, as in 'POST /messages text=hello'`},
		{"post /a", "", "", `column 1: "post" is no method: give method, path and body, as in 'POST /messages text=hello'`},
		{"GET /a", "", "", "column 1: GET does not write: give POST, PUT, PATCH or DELETE, or the path by --read"},
		{"POST", "", "", "column 6: a path begins with /"},
		{"POST a", "", "", "column 6: a path begins with /"},
		{"POST /a#b", "", "", "column 8: '#' cannot be in a path: write %23"},
		{"POST /%zz", "", "", `column 6: the path cannot be read: invalid URL escape "%zz"`},
		{"POST /ä{{m}} b", "", "", "column 8: {{m}} is no value: {{n}}, {{visitor}}, {{region}}, {{run}}, {{random}} are"},
		{"POST /a text={{n}}&u={{", "", "", "column 22: {{ without }}"},
		{"POST /a", "x={{id}}", "", "the body: column 3: {{id}} is no value: {{n}}, {{visitor}}, {{region}}, {{run}}, {{random}} are"},
		{"POST /a {", "", "application/json", "the body is no JSON"},
		{"POST /a b", "", "text/pl\nain", "the content type has characters that none has"},
		{"POST /a " + strings.Repeat("x", mostBody+1), "", "", "a body of 1048577 bytes: at most 1048576"},
	} {
		r, err := ParseWrite(tt.text, tt.body, tt.contentType)
		got := fmt.Sprint(err)
		if err == nil {
			got = strings.Join([]string{r.Name, r.path.fill(&v), r.body.fill(&v), r.contentType}, "|")
		}
		if got != tt.want {
			t.Errorf("%.60q:\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

func TestParseRead(t *testing.T) {
	for text, want := range map[string]string{
		"/":             "GET /",
		"/a?token=x":    "GET /a",
		"/a/{{random}}": "GET /a/{{random}}",
		"":              "column 1: a path begins with /",
		"a":             "column 1: a path begins with /",
		"GET /a":        "column 1: give the path alone: /a",
		"POST /a":       "column 1: POST is no read: give it by --write",
		"/a b":          "column 3: ' ' cannot be in a path: write +",
		"/{{n":          "column 2: {{ without }}",
	} {
		r, err := ParseRead(text)
		if got := map[bool]string{true: r.Name, false: fmt.Sprint(err)}[err == nil]; got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestParseURL(t *testing.T) {
	for text, want := range map[string]string{
		"http://localhost:8080":              "http://localhost:8080",
		"https://user:secret@shop.fly.dev/a": "https://shop.fly.dev/a",
		"http://[::1]:80/":                   "http://[::1]:80/",
		"localhost:8080":                     `"localhost:8080" is no URL of an app: give it with its scheme, as in http://localhost:8080`,
		"shop.fly.dev":                       `"shop.fly.dev" is no URL of an app: give it with its scheme, as in http://localhost:8080`,
		"ftp://user:secret@a/":               `"ftp://user:xxxxx@a/" is no URL of an app: give it with its scheme, as in http://localhost:8080`,
		"http://":                            `"http:" is no URL of an app: give it with its scheme, as in http://localhost:8080`,
		"http://:80":                         `"http://:80" has no host`,
		"http://a?token=secret":              "http://a: a query belongs into a request, as in --read '/search?q=a'",
		"http://a:0":                         `"0" is no port`,
		"http://u:secret@a:b/":               `the URL cannot be read: invalid port ":b" after host`,
		"http://u:sec%zzret@a/":              `the URL cannot be read: invalid URL escape "%zz"`,
	} {
		u, err := ParseURL(text)
		got := fmt.Sprint(err)
		if err == nil {
			got = Shown(u)
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestLocal(t *testing.T) {
	for text, want := range map[string]bool{
		"http://localhost": true, "http://ams.localhost:8080": true, "http://LOCALHOST.:1": true, "http://127.0.0.1": true, "http://127.9.9.9": true, "http://[::1]": true, "http://[::ffff:127.0.0.1]": true,
		"http://localhost.example.com": false, "http://notlocalhost": false, "http://10.0.0.1": false, "http://0.0.0.0": false, "http://shop.fly.dev": false,
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := Local(u); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestParseNumbers(t *testing.T) {
	for text, want := range map[string]float64{"200": 200, "0.5": 0.5, "90/m": 1.5, "10/s": 10, "100000": 100_000, "1e3": 1000} {
		if got, err := ParseRate(text); err != nil || got != want {
			t.Errorf("rate %s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "100001", "NaN", "Inf", "1/h", "1/", "x", "1e400", "/s"} {
		if got, err := ParseRate(text); err == nil {
			t.Errorf("rate %q is %v", text, got)
		}
	}
	for text, want := range map[string]float64{"10%": 0.1, "0": 0, "100%": 1, "99.9 %": 0.999} {
		if got, err := ParseShare(text); err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("share %s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "%", "101%", "-1", "NaN", "ten", "10%%"} {
		if got, err := ParseShare(text); err == nil {
			t.Errorf("share %q is %v", text, got)
		}
	}
}

func TestParseHeaders(t *testing.T) {
	h, err := ParseHeaders([]string{"authorization: Bearer x", "X-A:1", "X-A:  2 "})
	if err != nil || h.Get("Authorization") != "Bearer x" || fmt.Sprint(h["X-A"]) != "[1 2]" {
		t.Errorf("%v, %v", h, err)
	}
	for line, want := range map[string]string{
		"secret":              "header 1 has no colon: give it as 'Name: value'",
		"X A: secret":         `"X A" is no name of a header`,
		"X-A: sec\nret":       "the value of header X-A cannot be one",
		"host: a":             "header Host cannot be set: give the host in the URL",
		"content-type: a":     "header Content-Type cannot be set: give --content-type",
		"Flysql-dev-region:a": "header Flysql-Dev-Region cannot be set: give --regions",
	} {
		if _, err := ParseHeaders([]string{line}); fmt.Sprint(err) != want {
			t.Errorf("%q: got %v, want %s", line, err, want)
		}
	}
}

// All that is wrong is told at once.
func TestValidate(t *testing.T) {
	good := Options{URL: "http://localhost", Rate: 1, For: time.Second, Reads: []Request{{}}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Rate, o.For = 0, 0 }, "rate 0: it is more than 0 and at most 100000 requests a second\nfor 0s: it is more than 0 and at most 24h0m0s"},
		{func(o *Options) { o.Rate = math.NaN() }, "rate NaN: it is more than 0 and at most 100000 requests a second"},
		{func(o *Options) { o.Writes = 1.5 }, "writes 150%: it is from 0% to 100%\nwrites 150%, and no request that writes: give one, as in --write 'POST /messages text=hello+{{n}}'"},
		{func(o *Options) { o.Writes = 0.1 }, "writes 10%, and no request that writes: give one, as in --write 'POST /messages text=hello+{{n}}'"},
		{func(o *Options) { o.Write = []Request{{}} }, "a request that writes is given, and its share is 0%: give --writes 10%"},
		{func(o *Options) { o.Reads = nil }, "no request that reads"},
		{func(o *Options) { o.Reads = make([]Request, 101) }, "101 different requests: at most 100"},
		{func(o *Options) { o.Visitors, o.Max = -1, 20_001 }, "visitors -1: from 1 to 100000\nmax 20001: from 1 to 20000"},
		{func(o *Options) { o.Timeout = time.Microsecond }, "timeout 1µs: from 1ms to 1h"},
		{func(o *Options) { o.WarmUp = -1 }, "warm-up -1ns: from 0s to 24h0m0s"},
		{func(o *Options) { o.Run = "a b" }, `run "a b": letters and digits only`},
		{func(o *Options) { o.Rate, o.For = 100_000, time.Minute }, "6000000 requests: at most 5000000 in one run, as each is remembered"},
		{func(o *Options) { o.Rate = 0.1 }, "not one request falls into 1s at 0.1 a second"},
		{func(o *Options) { o.Regions = []string{"ams", "xyz"} }, `region "xyz": Fly has none of that name; fly platform regions lists them`},
		{func(o *Options) { o.URL, o.Regions = "http://ams.localhost:8080", []string{"ord"} }, "the host ams.localhost says that all visitors are in ams: leave that out of the URL, or give no regions"},
	} {
		o := good
		tt.change(&o)
		if got := fmt.Sprint(o.Validate()); got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", got, tt.want)
		}
	}
}

// Whatever is given is an error, or a request that can be sent.
func FuzzParse(f *testing.F) {
	f.Add("POST /messages text=hello+{{n}}", "x={{run}}", "")
	f.Add(`PUT /a?b={{visitor}} {"a":{{n}}}`, "", "application/json")
	f.Add("POST /%2F//{{ random }}?{{n}}={{n}}#", "{{", "a/b")
	s, err := newSender(Options{URL: "http://localhost/base", Reads: []Request{{}}}.withDefaults())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, body, contentType string) {
		v := values{n: 1 << 60, visitor: 49, region: "ams", run: "abc", random: 1 << 63}
		for _, parse := range []func() (Request, error){
			func() (Request, error) { return ParseWrite(text, body, contentType) },
			func() (Request, error) { return ParseRead(text) },
		} {
			r, err := parse()
			if err != nil {
				if strings.ContainsAny(err.Error(), "\n\x1b") {
					t.Errorf("%q: %q", text, err)
				}
				continue
			}
			req, err := s.request(t.Context(), &r, &v)
			if err != nil {
				t.Fatalf("%q is taken, and cannot be sent: %v", text, err)
			}
			if !strings.HasPrefix(req.URL.Path, "/base/") || req.URL.Host != "localhost" || req.Header.Get("Fly-Prefer-Region") != "" {
				t.Errorf("%q is sent to %v", text, req.URL)
			}
			if err := req.Write(discard{}); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

var _ http.RoundTripper = (*flight)(nil)
