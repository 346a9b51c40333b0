package replay

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/engine"
)

// A write during which the engine loses its connection, as LiteFS cuts off who is too
// slow for its events, gives a token all the same.
func TestTokenWhileDisconnected(t *testing.T) {
	for name, wrap := range map[string]func(*fake) engine.Engine{
		"told":  func(f *fake) engine.Engine { return f },
		"asked": func(f *fake) engine.Engine { return knowing{f} },
	} {
		for _, db := range []string{"", "app.db"} {
			f := newFake(engine.RolePrimary, "m1", appAt(6, 6))
			rt := newRouter(t, Config{Engine: wrap(f), DB: db})
			text, _ := cookieOf(t, ask(rt.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				writes(f)(w, r)
				f.mu.Lock()
				defer f.mu.Unlock()
				f.st = engine.State{Err: errors.New("LiteFS has ended the event stream"), Changed: f.ch}
			})), "POST", "/", ""))
			tok, ok := rt.parseToken(text)
			if exact := strings.HasPrefix(tok.at, "0000000000000007-"); !ok || tok.cluster != clusterA || exact != (name == "asked") || (tok.nonce == 0) != exact {
				t.Errorf("%s, DB %q: %q", name, db, text)
			}
		}
	}
}

// knowing is an engine whose position can be read, whatever it has been told.
type knowing struct{ *fake }

func (knowing) ReadPosition(context.Context, string) (engine.Pos, error) {
	return engine.Pos{TXID: 7, PostApplyChecksum: 7}, nil
}

// A client's own cookie counts behind one of the same name that somebody else has set;
// how many are looked at is limited.
func TestTokenAmongOthers(t *testing.T) {
	rt := newRouter(t, Config{Engine: newFake(engine.RoleReplica, "m1", appAt(7, 7)), Key: []byte("0123456789abcdef"), ReadWait: time.Millisecond})
	ahead := rt.newToken(clusterA, 0, []engine.Database{appAt(8, 8)})
	for cookie, ran := range map[string]bool{
		"flysql=1e308; flysql=" + ahead:                              false,
		"flysql=" + ahead[:len(ahead)-1] + "; flysql=" + ahead:       false,
		"a=flysql=; flysql=; flysql=" + ahead:                        false,
		strings.Repeat("flysql=1|;", 100_000) + "flysql=" + ahead:    true,
		strings.Repeat("xflysql=1|; ", 10_000) + "flysql=" + ahead:   false,
		"flysql=" + ahead + "; flysql=" + strings.Repeat("1", 1<<20): false,
	} {
		res := ask(rt.Handler(hello), "GET", "/", "", "Cookie", cookie)
		if got := res.Header.Get("X-Ran") != ""; got != ran {
			t.Errorf("%.100q: ran %v, want %v", cookie, got, ran)
		}
	}
}
