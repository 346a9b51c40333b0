package replay

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/flysql/flysql/engine"
)

// Where a token is.
const (
	CookieName = "flysql"       // of a browser's
	HeaderName = "Flysql-Token" // of request and response, for clients without cookies
)

const (
	// maxToken is more than eight databases with long names need. What is longer is
	// nobody's.
	maxToken = 1024
	// maxDatabases is how many a token is about.
	maxDatabases = 8
)

// A token is how far the databases had come when a client's request was done:
//
//	1|<cluster>|<time>|<nonce>|<txid>-<checksum>=<database>!...|<mac>
//
// with the numbers in hexadecimal digits. The time is when the primary gave it, in
// milliseconds since 1970. A nonce means that the request was still running then, so
// that it may write more. The mac is there where there is a key.
type token struct {
	text    string // all of it
	cluster string
	given   string // the time, as in the text
	nonce   uint64
	at      string // the positions, as in the text
}

// tokenOf is the token that a request has. found is false for what is none, also when
// a key says that it is made up.
func (rt *Router) tokenOf(r *http.Request) (t token, found bool) {
	if h := r.Header[HeaderName]; len(h) > 0 {
		if t, found = rt.parseToken(h[0]); found {
			return t, true
		}
	}
	for _, line := range r.Header["Cookie"] {
		// One that is made up, for a domain above perhaps, must not hide the client's own.
		for range maxCookies {
			var text string
			if text, line, found = cookie(line); !found {
				break
			}
			if t, found = rt.parseToken(text); found {
				return t, true
			}
		}
	}
	return token{}, false
}

// maxCookies is how many of one header are looked at.
const maxCookies = 4

// cookie finds the token in a Cookie header, and what comes after it.
func cookie(line string) (text, rest string, found bool) {
	for {
		i := strings.Index(line, CookieName+"=")
		if i < 0 {
			return "", "", false
		}
		first := i == 0 || line[i-1] == ' ' || line[i-1] == ';'
		line = line[i+len(CookieName)+1:]
		if !first {
			continue
		}
		text, rest, _ = strings.Cut(line, ";")
		return strings.Trim(text, ` "`), rest, true
	}
}

// parseToken allocates nothing where there is no key.
func (rt *Router) parseToken(text string) (t token, ok bool) {
	if len(text) > maxToken {
		return token{}, false
	}
	t.text = text
	rest, ok := strings.CutPrefix(text, "1|")
	if !ok {
		return token{}, false
	}
	var nonce string
	if t.cluster, rest, ok = strings.Cut(rest, "|"); !ok {
		return token{}, false
	}
	if t.given, rest, ok = strings.Cut(rest, "|"); !ok {
		return token{}, false
	}
	if nonce, rest, ok = strings.Cut(rest, "|"); !ok {
		return token{}, false
	}
	if nonce != "" {
		n, err := strconv.ParseUint(nonce, 16, 64)
		if err != nil {
			return token{}, false
		}
		t.nonce = n
	}
	var mac string
	if t.at, mac, ok = strings.Cut(rest, "|"); !ok {
		return token{}, false
	}
	if rt.cfg.Key != nil && !rt.signed(text[:len(text)-len(mac)], mac) {
		return token{}, false
	}
	n := 0
	for rest := t.at; rest != ""; n++ {
		if _, _, rest, ok = nextPosition(rest); !ok || n == maxDatabases {
			return token{}, false
		}
	}
	return t, true
}

// posLen is the length of a position in a token.
const posLen = 16 + 1 + 16

// nextPosition takes the first position off.
func nextPosition(s string) (db string, pos engine.Pos, rest string, ok bool) {
	item, rest, _ := strings.Cut(s, "!")
	if len(item) < posLen+2 || item[16] != '-' || item[posLen] != '=' {
		return "", pos, "", false
	}
	if pos.TXID, ok = hex(item[:16]); !ok {
		return "", pos, "", false
	}
	if pos.PostApplyChecksum, ok = hex(item[17:posLen]); !ok {
		return "", pos, "", false
	}
	return item[posLen+1:], pos, rest, true
}

// hex reads up to 16 digits.
func hex(s string) (n uint64, ok bool) {
	for i := range len(s) {
		d := hexDigits[s[i]]
		if d == 0 {
			return 0, false
		}
		n = n<<4 | uint64(d-1)
	}
	return n, true
}

// hexDigits has each digit's value and one; 0 for what is none.
var hexDigits = func() (d [256]byte) {
	for i, c := range "0123456789abcdef" {
		d[c] = byte(i + 1)
	}
	copy(d['A':'G'], d['a':'g'])
	return d
}()

// newToken says that the databases stand there. What a cookie cannot hold of a name is
// left out with its position: of such a database nobody waits.
func (rt *Router) newToken(cluster string, nonce uint64, dbs []engine.Database) string {
	b := make([]byte, 0, 256)
	b = append(append(append(b, "1|"...), cluster...), '|')
	b = append(strconv.AppendInt(b, rt.cfg.now().UnixMilli(), 16), '|')
	if nonce != 0 {
		b = strconv.AppendUint(b, nonce, 16)
	}
	b = append(b, '|')
	n := 0
	for _, db := range dbs {
		if rt.cfg.DB != "" && db.Name != rt.cfg.DB || !plainName(db.Name) || len(b)+posLen+len(db.Name) > maxToken-100 {
			continue
		}
		if n++; n > maxDatabases {
			break
		}
		if n > 1 {
			b = append(b, '!')
		}
		b = fmt.Appendf(b, "%016x-%016x=%s", db.Pos.TXID, db.Pos.PostApplyChecksum, db.Name)
	}
	b = append(b, '|')
	if rt.cfg.Key != nil {
		b = append(b, rt.mac(string(b))...)
	}
	return string(b)
}

// plainName tells whether a name can be in a cookie.
func plainName(s string) bool {
	if s == "" || len(s) > 200 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`",;\|=!`, c) >= 0 {
			return false
		}
	}
	return true
}

func (rt *Router) mac(text string) string {
	m := hmac.New(sha256.New, rt.cfg.Key)
	m.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}

func (rt *Router) signed(text, mac string) bool {
	return subtle.ConstantTimeCompare([]byte(rt.mac(text)), []byte(mac)) == 1
}

// settle is what the primary makes of a client's token. It never waits: where the
// primary stands is the truth.
func (x *exchange) settle(t token, st *engine.State) {
	switch {
	case st.ClusterID == "":
		return
	case t.cluster != st.ClusterID:
		x.due = dueDrop
		return
	}
	for rest := t.at; rest != ""; {
		db, pos, more, _ := nextPosition(rest)
		rest = more
		at, ok := st.Position(db)
		if !ok || pos.TXID > at.TXID || pos.TXID == at.TXID && !same(pos, at) {
			// A tail that was lost, or nonsense; unless the primary is just about to
			// hear of its own transaction.
			if now, err := x.rt.position(x.r.Context(), db); err == nil && now.TXID >= pos.TXID && (now.TXID > pos.TXID || same(now, pos)) {
				continue
			}
			if ok && t.givenSince(st) {
				x.supersede()
				return
			}
			x.due = dueFresh
			return
		}
	}
	if t.nonce != 0 && !x.rt.open.running(t.nonce) {
		x.due = dueFresh // the request has ended, so all that it wrote is here
	}
}

// givenSince tells whether a token was given after this machine has become the primary.
// If it tells of what this machine lacks then, another one is the primary meanwhile, and
// this one, which stood still perhaps, has yet to hear of it. Otherwise a tail was lost.
// That compares the clocks of two machines; where they differ by more than a failover
// takes, a lost tail is taken for the other.
func (t *token) givenSince(st *engine.State) bool {
	ms, err := strconv.ParseInt(t.given, 16, 64)
	return err == nil && !st.Since.IsZero() && ms > st.Since.UnixMilli()
}

// supersede is for a machine that takes itself for the primary, where the client has a
// token of another one. What it says is old, and the client must not forget what it has
// seen.
func (x *exchange) supersede() {
	x.due = dueKeep
	x.w.Header().Set(StaleHeader, "superseded")
	x.rt.metrics.stale.Add(1)
}

func same(p, q engine.Pos) bool {
	return p.PostApplyChecksum == q.PostApplyChecksum || p.PostApplyChecksum == 0 || q.PostApplyChecksum == 0
}

// position is where a database stands at this moment, not where the engine has last
// heard of it.
func (rt *Router) position(ctx context.Context, db string) (engine.Pos, error) {
	if rt.exact != nil {
		return rt.exact.ReadPosition(ctx, db)
	}
	st := rt.engine.State()
	if at, ok := st.Position(db); ok {
		return at, nil
	}
	return engine.Pos{}, fmt.Errorf("the engine has no database %q", db)
}

// wrote tells whether anything may have been written since the request began, in so
// far as that is known without looking at the database.
func (x *exchange) wrote() (wrote, known bool) {
	if x.witness != nil && x.witness.committed.Load() {
		return true, true
	}
	if c := x.rt.commits; c != nil {
		if n, counted := c.Load(); counted {
			return n != x.commits, true
		}
	}
	return false, false
}

// standing is where the databases stand now, and whether that is another place than
// at the beginning. It is not sure where the engine could not be asked: they may have
// come further.
func (x *exchange) standing() (dbs []engine.Database, moved, sure bool) {
	st := x.rt.engine.State()
	if st.ClusterID == "" && x.cluster != "" { // it has lost its connection, and all that it knew
		if x.rt.exact == nil {
			return x.before, true, false
		}
		st.Databases = x.before
	}
	if x.rt.exact == nil {
		return st.Databases, !samePositions(st.Databases, x.before), true
	}
	all := st.Databases
	if name := x.rt.cfg.DB; name != "" {
		at, _ := st.Position(name) // which may have no event yet, of a new database
		all = []engine.Database{{Name: name, Pos: at}}
	}
	dbs, sure = make([]engine.Database, 0, len(all)), true
	for _, db := range all {
		at, err := x.rt.exact.ReadPosition(x.r.Context(), db.Name)
		if err == nil {
			db.Pos = at
		}
		sure = sure && err == nil
		dbs = append(dbs, db)
		if was := find(x.before, db.Name); was != db.Pos {
			moved = true
		}
	}
	return dbs, moved, sure
}

func samePositions(a, b []engine.Database) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func find(dbs []engine.Database, name string) engine.Pos {
	for _, db := range dbs {
		if db.Name == name {
			return db.Pos
		}
	}
	return engine.Pos{}
}

// openRequests are those whose response has gone out, and whose handler has not
// returned.
type openRequests struct {
	mu sync.Mutex
	m  map[uint64]struct{}
}

func (o *openRequests) begin() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.m == nil {
		o.m = map[uint64]struct{}{}
	}
	nonce := 1 + rand.Uint64N(1<<63)
	o.m[nonce] = struct{}{}
	return nonce
}

func (o *openRequests) done(nonce uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.m, nonce)
}

func (o *openRequests) running(nonce uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.m[nonce]
	return ok
}
