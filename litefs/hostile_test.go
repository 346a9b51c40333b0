package litefs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// serve answers in LiteFS's place as LiteFS never does.
func serve(t *testing.T, handlers map[string]http.HandlerFunc) Config {
	t.Helper()
	mux := http.NewServeMux()
	for path, h := range handlers {
		mux.HandleFunc(path, h)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return Config{Addr: s.URL, FUSEDir: t.TempDir(), CheckEvery: 10 * time.Millisecond, RetryMax: 10 * time.Millisecond}
}

// text answers with it, and ends; open leaves the connection open.
func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s) }
}

func open(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, s)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

func endless(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		io.WriteString(w, strings.Repeat("x", 1<<10))
	}
}

const (
	goodInit = `{"type":"init","data":{"isPrimary":true}}` + "\n"
	goodInfo = `{"isPrimary":true,"candidate":true,"primary":{"hostname":"a"}}`
)

// Whatever answers, the node says what is wrong, is not deceived, and can be closed.
func TestNoLiteFS(t *testing.T) {
	elsewhere := httptest.NewServer(open(goodInit))
	defer elsewhere.Close()
	defer elsewhere.CloseClientConnections()
	for _, tt := range []struct {
		name         string
		events, info http.HandlerFunc
		want         string // in Err
	}{
		{"no such page", http.NotFound, text(goodInfo), "404"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, text(goodInfo), "302"},
		{"long error", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); endless(w, r) }, text(goodInfo), "500"},
		{"web page", text("<html>\n"), text(goodInfo), "<html>"},
		{"nothing", text(""), text(goodInfo), "ended the event stream"},
		{"half an event", text(`{"type":"init","da`), text(goodInfo), "ended the event stream"},
		{"endless line", endless, text(goodInfo), "longer than"},
		{"no init", open(`{"type":"primaryChange","data":{"isPrimary":true}}` + "\n"), text(goodInfo), "does not begin with init"},
		{"no info", open(goodInit), http.NotFound, "404"},
		{"info is a web page", open(goodInit), text("<html>"), "is that LiteFS?"},
		{"info is endless", open(goodInit), endless, "is that LiteFS?"},
		{"info with a bad hostname", open(goodInit), text(`{"isPrimary":true,"primary":{"hostname":"a\r\nb"}}`), "no hostname"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			level(t)
			n := follow(t, serve(t, map[string]http.HandlerFunc{"/events": tt.events, "/info": tt.info}))
			testkit.Poll(t, tt.want, func() bool {
				st := n.State()
				if st.Role != RoleUnknown {
					t.Fatalf("deceived: %+v", st)
				}
				if len(st.Err.Error()) > 2000 || strings.ContainsAny(st.Err.Error(), "\r\n") {
					t.Fatalf("the error shows too much: %d bytes", len(st.Err.Error()))
				}
				return strings.Contains(st.Err.Error(), tt.want)
			})
		})
	}
}

// After a good beginning.
func TestNoLiteFSLater(t *testing.T) {
	for _, tt := range []struct{ name, events, info, want string }{
		{"garbage", goodInit + "garbage\n", goodInfo, "garbage"},
		{"path as name", goodInit + `{"type":"tx","db":"../a","data":{"txID":"0000000000000001","postApplyChecksum":"8000000000000000","commit":1}}` + "\n", goodInfo, "no name of a database"},
		{"info says another role", goodInit, `{"isPrimary":false,"primary":{"hostname":"b"}}`, "another role"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			level(t)
			n := follow(t, serve(t, map[string]http.HandlerFunc{"/events": open(tt.events), "/info": text(tt.info)}))
			await(t, n, tt.want, func(st State) bool {
				return st.Role == RoleUnknown && strings.Contains(fmt.Sprint(st.Err), tt.want)
			})
		})
	}
}

// A LiteFS that never answers, though it accepts: told within the limit.
func TestNoAnswer(t *testing.T) {
	level(t)
	n := follow(t, serve(t, map[string]http.HandlerFunc{"/events": open("")}))
	await(t, n, "does not answer", func(st State) bool { return strings.Contains(st.Err.Error(), "does not answer within 5s") })
}

// More databases than can be followed end the connection, not the program.
func TestTooManyDatabases(t *testing.T) {
	many := make([]Database, maxDatabases)
	for i := range many {
		many[i] = dbAt(fmt.Sprintf("%08d", i), 1, 1)
	}
	n := quiet(RolePrimary, many...)
	s := session{Node: n}
	if err := s.apply(t.Context(), event{kind: eventTx, db: many[7].Name, pos: posAt(2, 2)}); err != nil {
		t.Error(err)
	}
	if err := s.apply(t.Context(), event{kind: eventTx, db: "one more", pos: posAt(1, 1)}); !errors.Is(err, errTooMany) {
		t.Errorf("one more: %v", err)
	}
}

// What stands in the mount in LiteFS's place.
func TestNoMount(t *testing.T) {
	for _, tt := range []struct{ name, lag, pos, want string }{
		{"lag is no number", "soon\n", "", "no number of milliseconds"},
		{"lag is long", strings.Repeat("9", 1<<16), "", "no number of milliseconds"},
		{"pos is short", "+000000000\n", "3/4\n", "parse position"},
		{"pos is long", "+000000000\n", strings.Repeat("0", 1<<16), "parse position"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			level(t)
			c := serve(t, map[string]http.HandlerFunc{"/events": open(goodInit), "/info": text(goodInfo)})
			write(t, c.FUSEDir, ".lag", tt.lag)
			write(t, c.FUSEDir, "app.db-pos", tt.pos)
			n := follow(t, c)
			st := await(t, n, "primary", isNamedPrimary)
			if st.Err == nil || !strings.Contains(st.Err.Error(), tt.want) || st.Databases != nil {
				t.Errorf("%+v, want %q", st, tt.want)
			}
		})
	}
}

func isNamedPrimary(st State) bool { return st.Role == RolePrimary && st.Primary == "a" }

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// How late or early a clock is, the lag is never negative, and never overflows.
func TestLag(t *testing.T) {
	for _, tt := range []struct {
		text  string
		want  time.Duration
		ready bool
	}{
		{"+000000000\n", 0, true},
		{"+000001500\n", 1500 * time.Millisecond, true},
		{"-000005000\n", 0, true},
		{"+2147483647\n", notReady * time.Millisecond, false},
		{"+9223372036854775807\n", (1<<63 - 1) / time.Millisecond * time.Millisecond, true},
	} {
		m := newMount(t.TempDir(), 1, false)
		write(t, m.dir, ".lag", tt.text)
		if got, ready, err := m.lag(t.Context()); got != tt.want || ready != tt.ready || err != nil {
			t.Errorf("%q: %v, %v, %v, want %v, %v", tt.text, got, ready, err, tt.want, tt.ready)
		}
	}
}

// A small file is read as far as its line goes, and no file without end.
func TestReadSmall(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("0123456789", 20)
	for text, want := range map[string]string{"": "", "a": "a", "a\n": "a\n", "0000000000000001/8000000000000002\n": "0000000000000001/8000000000000002\n", long: long[:100]} {
		write(t, dir, "file", text)
		if got, err := readSmall(filepath.Join(dir, "file")); got != want || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, none := range []string{dir, filepath.Join(dir, "none")} {
		var path *fs.PathError
		if got, err := readSmall(none); got != "" || !errors.As(err, &path) {
			t.Errorf("%s: %q, %v", none, got, err)
		}
	}
}

// An export that breaks off after LiteFS has said 200 is not taken for whole, nor
// one to which it has added its error.
func TestExportBreaksOff(t *testing.T) {
	file := sqliteFile(t, 100)
	var answer atomic.Pointer[string]
	c := serve(t, map[string]http.HandlerFunc{"/export": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, *answer.Load()) }})
	n := follow(t, c)
	for _, tt := range []struct {
		name, body string
		ok         bool
	}{
		{"whole", string(file), true},
		{"empty", "", true},
		{"a page too few", string(file[:len(file)-4096]), false},
		{"an error added", string(file[:4096]) + "write snapshot: no space left", false},
		{"an error alone", "write snapshot: no space left", false},
		{"an error at the end", string(file) + "write snapshot: no space left", false},
	} {
		answer.Store(&tt.body)
		var out strings.Builder
		err := n.Export(t.Context(), "app.db", &out)
		if (err == nil) != tt.ok || tt.ok && out.String() != tt.body {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
