package entrypoint

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/replay"
)

// What is no token of ours makes nobody wait, and sends nothing elsewhere.
func (c *replayCases) tokens(t *testing.T) {
	_, token, release := c.stall(t) // a good one would wait
	defer release()
	before := [2]int{c.metric(t, `elsewhere_total{reason="behind"}`), c.metric(t, "gone_total")}
	for name, text := range map[string]string{
		"10 KB":      strings.Repeat("1", 10<<10),
		"10 KB more": token + strings.Repeat("1", 10<<10),
		"1e308":      "1e308",
		"far ahead":  "1|" + strings.Split(token, "|")[1] + "|1||ffffffffffffffff-0000000000000001=app.db|",
		"changed":    strings.Replace(token, "-", "-f", 1),
		"its mac":    token[:len(token)-2],
		"no text":    "\x7f|\xff\xfe",
		"separators": "1||||" + strings.Repeat("!", 500) + "|",
		"empty":      "",
	} {
		for _, header := range [][2]string{{"Cookie", replay.CookieName + "=" + text}, {replay.HeaderName, text}, {"Cookie", "a=b; ;;=" + text + "; " + replay.CookieName + "=" + text}} {
			for _, url := range []string{c.replica, c.primary} {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				a, err := c.raw(ctx, url, "GET /rows/1", header)
				cancel()
				if err != nil || a != http.StatusOK && !(name == "no text" && a == http.StatusBadRequest) {
					t.Errorf("%s as %s at %s: %d, %v", name, header[0], url, a, err)
				}
			}
		}
	}
	if after := [2]int{c.metric(t, `elsewhere_total{reason="behind"}`), c.metric(t, "gone_total")}; after != before || c.metric(t, "waiting") != 0 {
		t.Errorf("sent elsewhere and gone: %v before, %v after", before, after)
	}
}

// raw sends what http.Client would not, and returns the status.
func (c *replayCases) raw(ctx context.Context, url, request string, headers ...[2]string) (status int, err error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if at, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(at); err != nil {
			return 0, err
		}
	}
	text := request + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	for _, h := range headers {
		text += h[0] + ": " + h[1] + "\r\n"
	}
	if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// A client that has made up what Fly's proxy or another machine would say gets what it
// would get without.
func (c *replayCases) madeUp(t *testing.T) {
	for name, header := range map[string][]string{
		"source":          {"Fly-Replay-Src", "instance=a;region=ams;t=1;state=4.a"},
		"signed":          {"Fly-Replay-Src", "instance=a;state=4.a~AAAAAAAAAAAAAAAAAAAAAA"},
		"nonsense":        {"Fly-Replay-Src", ";;;=;state=" + strings.Repeat("9", 1000) + ";state"},
		"forwarded":       {"Flysql-Forwarded", "200.a"},
		"two of them":     {"Flysql-Forwarded", "", "Flysql-Forwarded", "4.b"},
		"failed":          {"Fly-Replay-Failed", "instance=a;reason=timeout;elapsed_ms=1e308"},
		"failed by Fly":   {"Fly-Request-Id", "01", "Fly-Replay-Failed", ""},
		"primary by name": {"Fly-Force-Instance-Id", "c", "Fly-Region", "x;y"},
	} {
		row := c.row()
		a := c.ask(t, "HTTP/1", "POST", c.replica+"/rows"+row, nil, header...)
		if n := c.count(t, row); a.text != "ok\n" || a.Header.Get("Fly-Replay") != "" || n != 1 {
			t.Errorf("%s: %d %q, %v; the row is there %d times", name, a.StatusCode, a.text, a.Header, n)
		}
	}
	// Nor does it reach another server than ours.
	for request, want := range map[string]int{
		"CONNECT flysql.invalid:443":         http.StatusNotFound,
		"DELETE http://flysql.invalid/rows/": http.StatusNotFound,
		"DELETE //flysql.invalid/rows/1":     http.StatusTemporaryRedirect, // to the path without
		"DELETE /../../rows%2f1?;=%zz":       http.StatusTemporaryRedirect,
		"OPTIONS *":                          http.StatusOK, // the server's own
	} {
		status, err := c.raw(t.Context(), c.replica, request, [2]string{"X-Forwarded-Host", "flysql.invalid"}, [2]string{"Connection", "Flysql-Forwarded, Cookie"})
		if err != nil || status != want {
			t.Errorf("%s: %d, %v, want %d", request, status, err, want)
		}
	}
	// By Fly's proxy it is counted as on its first way.
	a := c.ask(t, "HTTP/1", "POST", c.replica+"/rows"+c.row(), nil, "Fly-Request-Id", "01", "Fly-Replay-Src", "instance=a;state=4.a")
	if _, state := target(a.Header.Get("Fly-Replay")); !strings.HasPrefix(state, "1.") {
		t.Errorf("by Fly's proxy: %d, %q", a.StatusCode, a.Header.Get("Fly-Replay"))
	}
}
