package replay

import (
	"cmp"
	"net/http"
	"strings"
	"time"
)

// giveToken gives the client of a response that is about to go out what it needs to
// see its writes. Where the handler goes on, it may write yet.
func (x *exchange) giveToken(whole bool) {
	if x.due == dueKeep {
		return
	}
	late := !whole && !x.shared()
	wrote, known := x.wrote()
	if x.due == dueIfWritten && !late && known && !wrote {
		return
	}
	dbs, moved, sure := x.standing()
	if x.due == dueIfWritten && !late && !known && !moved {
		return
	}
	// An engine that has lost its connection meanwhile has forgotten it.
	cluster := cmp.Or(x.rt.engine.State().ClusterID, x.cluster)
	if cluster == "" || len(dbs) == 0 {
		if x.due == dueDrop {
			x.rt.setToken(x.w, x.r, "")
		}
		return
	}
	if late || !sure {
		x.nonce = x.rt.open.begin() // the primary tells at the next read
	}
	x.rt.setToken(x.w, x.r, x.rt.newToken(cluster, x.nonce, dbs))
}

// shared tells whether others may get this response from a cache: no token goes out
// with it before the handler has written anything.
func (x *exchange) shared() bool {
	cc := x.w.Header()["Cache-Control"]
	return len(cc) == 1 && (strings.Contains(cc[0], "public") || strings.Contains(cc[0], "immutable"))
}

// setToken sets a token, or with "" takes the client's away.
func (rt *Router) setToken(w http.ResponseWriter, r *http.Request, text string) {
	c := http.Cookie{Name: CookieName, Value: text, Path: "/", MaxAge: int(rt.cfg.TokenAge / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		// A laptop's browser would throw it away.
		Secure: rt.onFly || r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"}
	if text == "" {
		c.MaxAge = -1
	} else {
		w.Header().Set(HeaderName, text)
	}
	w.Header().Add("Set-Cookie", c.String())
}
