package flyapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
)

func TestFindToken(t *testing.T) {
	home := t.TempDir()
	config := filepath.Join(home, ".fly", "config.yml")
	elsewhere := filepath.Join(home, "elsewhere")
	for path, text := range map[string]string{
		config:                                      "access_token: fm2_ofhome,fm2_another\nlast_login: 2026-01-01\n",
		filepath.Join(elsewhere, "config.yml"):      "access_token: FlyV1 fm2_ofdir\n",
		filepath.Join(home, "bad", "config.yml"):    "access_token: fm2_ofbad\n\taccess_token: [fm2_ofbad\n",
		filepath.Join(home, "list", "config.yml"):   "access_token: [fm2_oflist]\n",
		filepath.Join(home, "empty", "config.yml"):  "wire_guard_state: {}\n",
		filepath.Join(home, "long", "config.yml"):   "access_token: fm2_oflong\n" + strings.Repeat("# \n", 1<<19),
		filepath.Join(home, "dir", "config.yml/x"):  "",
		filepath.Join(home, "commas", "config.yml"): "access_token: ' , ,'\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	none := flyapi.ErrNoToken.Error()
	tests := []struct {
		name, flag string
		env        map[string]string
		source     string // or what the error has in it
	}{
		{"flag", "fm2_x", map[string]string{"FLY_ACCESS_TOKEN": "fm2_y", "FLY_API_TOKEN": "fm2_z", "HOME": home}, "--access-token"},
		{"access", "", map[string]string{"FLY_ACCESS_TOKEN": "fm2_y", "FLY_API_TOKEN": "fm2_z", "HOME": home}, "FLY_ACCESS_TOKEN"},
		{"api", " ", map[string]string{"FLY_ACCESS_TOKEN": "Bearer ", "FLY_API_TOKEN": "fm2_z", "HOME": home}, "FLY_API_TOKEN"},
		{"home", "", map[string]string{"HOME": home}, config},
		{"windows", "", map[string]string{"USERPROFILE": home}, config},
		{"dir", "", map[string]string{"FLY_CONFIG_DIR": elsewhere, "HOME": home}, filepath.Join(elsewhere, "config.yml")},
		{"none", "", map[string]string{"HOME": elsewhere}, none},
		{"homeless", "", nil, none},
		{"empty", "", map[string]string{"FLY_CONFIG_DIR": filepath.Join(home, "empty")}, none},
		{"commas", "", map[string]string{"FLY_CONFIG_DIR": filepath.Join(home, "commas")}, none},
		{"bad", "", map[string]string{"FLY_CONFIG_DIR": filepath.Join(home, "bad")}, "it is not YAML: fly auth login"},
		{"list", "", map[string]string{"FLY_CONFIG_DIR": filepath.Join(home, "list")}, "it is not YAML: fly auth login"},
		{"long", "", map[string]string{"FLY_CONFIG_DIR": filepath.Join(home, "long")}, "no config file of flyctl"},
		{"isDir", "", map[string]string{"FLY_CONFIG_DIR": filepath.Join(home, "dir")}, "no config file of flyctl"},
	}
	for _, tt := range tests {
		token, err := flyapi.FindToken(tt.flag, func(name string) string { return tt.env[name] })
		if err != nil {
			if !strings.Contains(err.Error(), tt.source) || strings.Contains(err.Error(), "fm2_") || !token.Empty() {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.source)
			}
			if tt.source == none && !errors.Is(err, flyapi.ErrNoToken) {
				t.Errorf("%s: %v is not ErrNoToken", tt.name, err)
			}
			continue
		}
		if token.Source() != tt.source || token.Empty() {
			t.Errorf("%s: token of %q, want %q", tt.name, token.Source(), tt.source)
		}
	}
}

func TestFromEnv(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want string // the config, or what the error has in it
	}{
		{"all", map[string]string{"FLY_API_TOKEN": "fm2_z", "FLY_ORG": "acme", "FLY_FLAPS_BASE_URL": "http://localhost:1", "FLYSQL_FLY_SPEED": "2.5"},
			"token of FLY_API_TOKEN, acme, http://localhost:1, 2.5"},
		{"least", map[string]string{"FLY_API_TOKEN": "fm2_z"}, "token of FLY_API_TOKEN, , , 0"},
		{"none", nil, "no token"},
		{"word", map[string]string{"FLY_API_TOKEN": "fm2_z", "FLYSQL_FLY_SPEED": "fast"}, `FLYSQL_FLY_SPEED "fast"`},
		{"zero", map[string]string{"FLY_API_TOKEN": "fm2_z", "FLYSQL_FLY_SPEED": "0"}, `FLYSQL_FLY_SPEED "0"`},
		{"nan", map[string]string{"FLY_API_TOKEN": "fm2_z", "FLYSQL_FLY_SPEED": "NaN"}, `FLYSQL_FLY_SPEED "NaN"`},
		{"inf", map[string]string{"FLY_API_TOKEN": "fm2_z", "FLYSQL_FLY_SPEED": "Inf"}, `FLYSQL_FLY_SPEED "Inf"`},
	}
	for _, tt := range tests {
		c, err := flyapi.FromEnv("", func(name string) string { return tt.env[name] })
		got := fmt.Sprintf("%v, %s, %s, %v", c.Token, c.Org, c.BaseURL, c.Speed)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	for _, speed := range []float64{-1, 1e-9, 1e9} {
		if _, err := flyapi.New(flyapi.Config{Token: flyapi.NewToken("x", "fm2_a"), App: "shop", Speed: speed}); err == nil {
			t.Errorf("speed %v is taken", speed)
		}
	}
}

// TestTokenSent is what the API gets: macaroons in their own scheme, and no user's token
// beside them.
func TestTokenSent(t *testing.T) {
	for value, want := range map[string]string{
		"fm2_a,fm2_b":             "FlyV1 fm2_a,fm2_b",
		"FlyV1 fm2_a, fo1_user":   "FlyV1 fm2_a",
		"fo1_user":                "Bearer fo1_user",
		"Bearer abcdefgh\n":       "Bearer abcdefgh",
		"FlyV1 FlyV1 fm2_a,fm2_b": "FlyV1 fm2_a,fm2_b",
	} {
		var got string
		c, err := flyapi.NewOver(flyapi.Config{Token: flyapi.NewToken("x", value), App: "shop"}, roundTripper(func(req *http.Request) (*http.Response, error) {
			got = req.Header.Get("Authorization")
			if req.URL.String() != "https://api.machines.dev/v1/apps/shop/volumes" || req.Host != "api.machines.dev" {
				t.Errorf("sent to %s, host %s", req.URL, req.Host)
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: readCloser{strings.NewReader("[]")}, Request: req}, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Volumes(t.Context()); err != nil || got != want {
			t.Errorf("%q is sent as %q, want %q; error %v", value, got, want, err)
		}
	}
}

// secretParts are what must be in no output: the whole, and each part with and without
// its prefix, as it is and escaped.
func secretParts(token string) []string {
	var parts []string
	for part := range strings.SplitSeq(strings.TrimPrefix(token, "FlyV1 "), ",") {
		_, bare, _ := strings.Cut(part, "_")
		parts = append(parts, bare, url.QueryEscape(bare), url.PathEscape(bare), lowerHex(url.QueryEscape(bare)))
	}
	return append(parts, "secretONE", "secretTWO", "lJPEC", "lJPET")
}

// TestTokenInNoOutput makes every call with every fault while all is logged, to an API
// that says the token back in all the ways there are, and looks for it in what comes out.
func TestTokenInNoOutput(t *testing.T) {
	secrets := secretParts(fakefly.Token)
	var out bytes.Buffer
	sink := func(context string, v any) {
		data, err := json.Marshal(v)
		fmt.Fprintf(&out, "%s\n%v\n%+v\n%#v\n%q\n%s %v\n", context, v, v, v, v, data, err)
	}
	logger := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
	header := fakefly.Token
	echo := header + " " + url.QueryEscape(header) + " " + url.PathEscape(header) + " " + lowerHex(url.QueryEscape(header)) + " " + strings.Join(secrets[:8], " ") + " " + html.EscapeString(header) + " " + strings.ReplaceAll(header, "+", "&#43;") + " " + header[:30]
	faults := []fakefly.Fault{
		fakefly.BadGatewayAfterSuccess, fakefly.ServerError, fakefly.RateLimited, fakefly.Unauthorized, fakefly.Forbidden, fakefly.NotFound,
		fakefly.Drop, fakefly.DropAfterSuccess, fakefly.Garbage, fakefly.NoCapacity,
		fakefly.Answer(400, echo), fakefly.Answer(401, echo), fakefly.Answer(404, echo), fakefly.Answer(500, echo), fakefly.Answer(302, echo),
		fakefly.Page(502, echo), fakefly.Page(400, echo), fakefly.Page(200, echo),
	}
	n := 0
	for _, call := range everyCall() {
		for _, fault := range faults {
			fake := fakefly.Start(t)
			fake.AddApp("shop", "personal")
			on := someThings(fake)
			fake.Fail("*", fault.Always())
			cfg := config(fake)
			cfg.Logger = logger
			c := clientOf(t, cfg)
			err := call.make(t.Context(), c, on)
			if err == nil {
				continue
			}
			n++
			sink("error", err)
			var e *flyapi.Error
			if errors.As(err, &e) {
				sink("fields", *e)
			}
			fmt.Fprintln(&out, recovered(func() { panic(err) }), recovered(func() { panic(cfg) }), recovered(func() { panic(c) }))
			fake.Close()
		}
	}
	fake, c := start(t)
	cfg := config(fake)
	sink("config", cfg)
	sink("token", cfg.Token)
	sink("client", c)
	logger.Info("all", "token", cfg.Token, "config", cfg, "client", c)
	// A token where something else belongs.
	for _, wrong := range []flyapi.Config{
		{Token: cfg.Token, App: fakefly.Token}, {Token: cfg.Token, App: "shop", BaseURL: fakefly.Token},
		{Token: cfg.Token, App: "shop", BaseURL: "http://" + url.PathEscape(fakefly.Token) + "/"},
	} {
		_, err := flyapi.New(wrong)
		sink("wrong", err)
	}
	sink("id", c.DeleteVolume(t.Context(), fakefly.Token))
	if n < len(everyCall())*len(faults)*3/4 || !bytes.Contains(out.Bytes(), []byte(`"msg":"fly api"`)) {
		t.Errorf("only %d errors, or no log: this test sees too little", n)
	}
	if strings.Count(out.String(), "[token]") < 100 {
		t.Error("the token was said back to nobody: this test sees too little")
	}
	for _, secret := range secrets {
		if i := strings.Index(out.String(), secret); i >= 0 {
			t.Errorf("the token is in the output: %q", out.String()[max(0, i-200):min(out.Len(), i+100)])
		}
	}
}

func lowerHex(s string) string {
	return strings.NewReplacer("%2F", "%2f", "%2B", "%2b", "%3D", "%3d", "%2C", "%2c").Replace(s)
}

func recovered(do func()) (text string) {
	defer func() { text = fmt.Sprintf("%v %+v %#v", recover(), "", "") }()
	do()
	return ""
}

// TestSecretsValues: nobody asks for them.
func TestSecretsValues(t *testing.T) {
	fake, c := start(t)
	fake.AddSecret("shop", "DATABASE_URL", "postgres://u:hunter2@db")
	fake.AddSecret("shop", "A", "1")
	got, err := c.Secrets(t.Context())
	if err != nil || len(got) != 2 || got[1].Name != "DATABASE_URL" || got[1].Digest == "" {
		t.Errorf("secrets %v, %v", got, err)
	}
	if q := fake.Journal()[0].Query; q != "" {
		t.Errorf("asked with %q", q)
	}
}

// TestBaseURL says where a token may go.
func TestBaseURL(t *testing.T) {
	for base, ok := range map[string]bool{
		"":                               true,
		"https://api.machines.dev":       true,
		"https://proxy.example.com/fly/": true,
		"http://127.0.0.1:8080":          true,
		"http://[::1]:8080":              true,
		"http://localhost:1":             true,
		"http://_api.internal:4280":      true,
		"http://10.0.0.1":                true,
		"http://[fdaa::3]:4280":          true,
		"http://api.machines.dev":        false,
		"http://127.0.0.1.evil.com":      false,
		"http://internal":                false,
		"ftp://x":                        false,
		"api.machines.dev":               false,
		"//x":                            false,
		"http://":                        false,
		"https://x\n":                    false,
		"http://u:s3cret@example.com":    false,
		"ftp://u:s3cret@example.com":     false,
		"https://u:s3cret@x:port":        false,
	} {
		_, err := flyapi.New(flyapi.Config{Token: flyapi.NewToken("x", "fm2_a"), App: "shop", BaseURL: base})
		if (err == nil) != ok {
			t.Errorf("%q: %v", base, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the password is in %v", err)
		}
	}
	for _, app := range []string{"", "a/b", "a?b", "..", "a b", strings.Repeat("a", 64), "\x1b[2J"} {
		if _, err := flyapi.New(flyapi.Config{Token: flyapi.NewToken("x", "fm2_a"), App: app}); err == nil || !strings.Contains(err.Error(), "--app") {
			t.Errorf("app %q: %v", app, err)
		}
	}
	if _, err := flyapi.New(flyapi.Config{App: "shop"}); !errors.Is(err, flyapi.ErrNoToken) {
		t.Errorf("no token: %v", err)
	}
}

// TestBasePath keeps the path of the base URL, which fly-go drops.
func TestBasePath(t *testing.T) {
	fake, _ := start(t)
	cfg := config(fake)
	cfg.BaseURL = "https://proxy.example.com/fly/"
	c, err := flyapi.NewOver(cfg, roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.URL.String() != "https://proxy.example.com/fly/v1/apps/shop/machines" {
			t.Errorf("sent to %s", req.URL)
		}
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("[]")), Request: req}, nil
	}))
	if err == nil {
		_, err = c.Machines(t.Context())
	}
	if err != nil {
		t.Error(err)
	}
}
