package replay

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/engine"
)

// Whatever a client sends for a token, and for what machines tell each other, it gets an
// answer: a read is answered here or sent to the primary, and on the primary it is
// answered. With a key nothing that it makes up has any effect.
func FuzzRequest(f *testing.F) {
	key := []byte("0123456789abcdef")
	replica := newFake(engine.RoleReplica, "m1", appAt(7, 7))
	primary := newFake(engine.RolePrimary, "m2", appAt(7, 7))
	primary.commits.Count()
	open := newRouter(f, Config{Engine: replica, ReadWait: time.Nanosecond, WriteWait: time.Nanosecond})
	keyed := newRouter(f, Config{Engine: replica, ReadWait: time.Nanosecond, Key: key})
	atPrimary := newRouter(f, Config{Engine: primary})
	ahead := []engine.Database{appAt(8, 8)}
	f.Add("flysql="+open.newToken(clusterA, 0, ahead), "", "instance=a;state=1.m2", "1.m2", "")
	f.Add("a=b; flysql=\""+open.newToken(clusterB, 9, ahead)+"\"", open.newToken(clusterA, 5, ahead), "state=4.m2~x", "255.a", "instance=b;reason=timeout")
	f.Add("flysql=1e308; flysql=", "1|"+clusterA+"|ffffffffffffffff|0|ffffffffffffffff-ffffffffffffffff=app.db|", ";;==", "", "x")
	f.Add("flysql="+strings.Repeat("1|", 5000), strings.Repeat("!", 10<<10), strings.Repeat("state=1.a;", 1000), "999999999999999999999.a", "")
	f.Fuzz(func(t *testing.T, cookie, header, src, forwarded, failed string) {
		send := func(rt *Router) *http.Response {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header["Fly-Request-Id"] = []string{"01"}
			for name, value := range map[string]string{"Cookie": cookie, HeaderName: header, headerSource: src, headerForwarded: forwarded, headerFailed: failed} {
				if value != "" {
					r.Header[name] = []string{value}
				}
			}
			w := httptest.NewRecorder()
			rt.Handler(hello).ServeHTTP(w, r)
			return w.Result()
		}
		for name, tt := range map[string]struct {
			rt   *Router
			sent bool // may it go elsewhere
		}{"open": {open, failed == "" && forwarded == ""}, "keyed": {keyed, false}, "primary": {atPrimary, false}} {
			if name == "open" && !tt.sent {
				continue // it would be forwarded
			}
			res := send(tt.rt)
			ran, sent := res.Header.Get("X-Ran") != "", res.Header.Get("Fly-Replay") != ""
			if tt.sent && res.StatusCode == http.StatusServiceUnavailable {
				continue // it says that it has been everywhere
			}
			if ran == sent || sent && !tt.sent || ran && res.StatusCode != http.StatusOK {
				t.Errorf("%s: %d, ran here %v, sent on %v", name, res.StatusCode, ran, sent)
			}
			for _, c := range res.Cookies() {
				if err := c.Valid(); err != nil {
					t.Errorf("%s: %v: %v", name, c, err)
				}
			}
		}
	})
}
