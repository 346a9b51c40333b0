package main

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestSignThenRead(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	wantContains(t, "empty page", a.get(t, "/").Body.String(), "Nobody has signed yet")

	w := a.post(t, "Ada", "Hello\r\nthere")
	wantStatus(t, w, http.StatusSeeOther)
	if got := w.Header().Get("Location"); got != "/#m1" {
		t.Errorf("redirected to %q, want /#m1", got)
	}
	w = a.get(t, "/")
	wantStatus(t, w, http.StatusOK)
	wantContains(t, "home page", w.Body.String(), `id="m1"`, `<a class="name" href="/guests/1"><bdi>Ada</bdi></a>`, "Hello\nthere</p>", "read <data value=\"2\">2 times</data>")
	w = a.get(t, "/guests/1")
	wantStatus(t, w, http.StatusOK)
	wantContains(t, "guest page", w.Body.String(), "<title>Ada · Guestbook</title>", "Hello\nthere</p>", "read <data value=\"1\">once</data>")
	// The address of the form shown again, opened anew.
	w = a.get(t, "/messages")
	wantStatus(t, w, http.StatusSeeOther)
}

func TestBadFormIsShownAgain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		what, name, message string
		want                []string // on the page
		errors              string   // as JSON
	}{
		{"no name", "", "Hello", []string{`aria-describedby="name-error" autofocus`, "Please write your name.", ">\nHello</textarea>"},
			`{"errors":{"name":"Please write your name."}}`},
		{"no message", "Ada", " ", []string{`value="Ada"`, `aria-describedby="message-error message-hint" aria-invalid="true" autofocus`},
			`{"errors":{"message":"Please write your message."}}`},
		{"neither", "", "", []string{`id="name-error"`, `id="message-error"`},
			`{"errors":{"message":"Please write your message.","name":"Please write your name."}}`},
		{"too long", strings.Repeat("n", 61), "Hello", []string{`value="` + strings.Repeat("n", 61) + `"`, "this one has 61"},
			`{"errors":{"name":"Please keep your name to 60 characters; this one has 61."}}`},
		{"control character", "Ada", "a\x00b", []string{">\na b</textarea>"},
			`{"errors":{"message":"Your message had a control character in it, which has been taken out. Please read it again."}}`},
		{"invalid UTF-8", "Ada", "a\xffb", []string{">\nab</textarea>"},
			`{"errors":{"message":"Part of your message was not valid text (UTF-8) and has been taken out. Please read it again."}}`},
		{"markup", `"><script>x`, "", []string{`value="&#34;&gt;&lt;script&gt;x"`},
			`{"errors":{"message":"Please write your message."}}`},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			a := newTestApp(t)
			w := a.post(t, tt.name, tt.message)
			wantStatus(t, w, http.StatusUnprocessableEntity)
			wantContains(t, "page", w.Body.String(), append(tt.want, `role="alert"`)...)
			wantNotContains(t, "page", w.Body.String(), "<script")

			w = a.post(t, tt.name, tt.message, "Accept", "application/json")
			wantStatus(t, w, http.StatusUnprocessableEntity)
			if got := strings.TrimSpace(w.Body.String()); got != tt.errors {
				t.Errorf("as JSON:\n got %s\nwant %s", got, tt.errors)
			}
			if got := a.all(t); len(got) != 0 {
				t.Errorf("stored %v, want nothing", got)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	tests := []struct {
		what, contentType, body string
		status                  int
		want                    string
	}{
		{"no content type", "", "name=Ada&message=Hello", http.StatusUnsupportedMediaType, "application/x-www-form-urlencoded"},
		{"JSON", "application/json", `{"name":"Ada"}`, http.StatusUnsupportedMediaType, "application/x-www-form-urlencoded"},
		{"malformed", form, "name=%zz&message=Hello", http.StatusBadRequest, "could not be read"},
		{"fields in the query only", form, "", http.StatusUnprocessableEntity, "Please write your name."},
		{"too large", form, "name=Ada&message=" + strings.Repeat("x", maxBody), http.StatusRequestEntityTooLarge, "shorter message"},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			a := newTestApp(t)
			w := a.do(t, http.MethodPost, "/messages?name=Ada&message=Hello", tt.body, "Content-Type", tt.contentType)
			wantStatus(t, w, tt.status)
			wantContains(t, "page", w.Body.String(), tt.want)
			if got := a.all(t); len(got) != 0 {
				t.Errorf("stored %v, want nothing", got)
			}
		})
	}
}

func TestMarkupIsEscaped(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	const name, body = `<img src=x onerror=alert(1)>`, `</p><script>alert("1")</script>{{.}}&amp;`
	wantStatus(t, a.post(t, name, body), http.StatusSeeOther)
	for _, path := range []string{"/", "/guests/1"} {
		page := a.get(t, path).Body.String()
		wantNotContains(t, path, page, "<script", "<img src=x", "&amp;</p>")
		wantContains(t, path, html.UnescapeString(page), name, body)
	}
	w := a.get(t, "/messages.json")
	wantNotContains(t, "JSON", w.Body.String(), "<")
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("JSON is sent as %q", got)
	}
	if got := a.all(t)[0]; got.Name != name || got.Body != body {
		t.Errorf("stored %q, %q; want what was sent", got.Name, got.Body)
	}
}

func TestEveryReadCountsOnce(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	a.sign(t, "Ada", "Hello")
	const reads = 200
	shown := make(chan int, reads)
	counter := regexp.MustCompile(`<data value="(\d+)">`)
	var wg sync.WaitGroup
	for range reads {
		wg.Go(func() {
			w := a.get(t, "/guests/1")
			m := counter.FindStringSubmatch(w.Body.String())
			if w.Code != http.StatusOK || m == nil {
				t.Errorf("status %d, counter %v", w.Code, m)
				return
			}
			n, _ := strconv.Atoi(m[1])
			shown <- n
		})
	}
	wg.Wait()
	close(shown)
	var got, want []int
	for n := range shown {
		got = append(got, n)
		want = append(want, len(want)+1)
	}
	slices.Sort(got)
	if len(got) != reads || !slices.Equal(got, want) {
		t.Errorf("readers saw %v, want every number from 1 to %d once", got, reads)
	}
	if n, err := a.store.Reads(t.Context(), "/guests/1"); err != nil || n != reads {
		t.Errorf("counted %d, %v; want exactly %d", n, err, reads)
	}
}

// Only a page that was served to a reader counts.
func TestWhatDoesNotCountAsARead(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	a.sign(t, "Ada", "Hello")
	for _, path := range []string{"/", "/guests/1"} {
		wantStatus(t, a.do(t, http.MethodHead, path, ""), http.StatusOK)
	}
	for _, path := range []string{"/?before=x", "/guests/2", "/guests/01", "/guests/x", "/healthz", "/messages.json", "/nothing"} {
		a.get(t, path)
	}
	a.post(t, "", "")
	var rows int
	if err := a.store.db.Reader().QueryRowContext(t.Context(), `SELECT count(*) FROM page_reads`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d pages counted, %v; want none", rows, err)
	}
}

func TestPaginationWalk(t *testing.T) {
	t.Parallel()
	var (
		article = regexp.MustCompile(`<article id="m(\d+)"`)
		older   = regexp.MustCompile(`rel="next" href="([^"]+)"`)
		newer   = regexp.MustCompile(`rel="prev" href="([^"]+)"`)
	)
	for _, n := range []int{0, 1, pageSize, pageSize + 1, 2 * pageSize, 2*pageSize + 1} {
		for _, path := range []string{"/", "/guests/1"} {
			if n == 0 && path != "/" {
				continue // no message, no guest
			}
			t.Run(fmt.Sprintf("%d at %s", n, path), func(t *testing.T) {
				t.Parallel()
				a := newTestApp(t)
				var want []string
				for range n {
					want = append(want, strconv.FormatInt(a.sign(t, "Ada", "Hello"), 10))
				}
				slices.Reverse(want)
				// walk follows one kind of link and returns the ids seen on each page.
				walk := func(from string, link *regexp.Regexp) (pages [][]string, last string) {
					for url := from; ; {
						w := a.get(t, url)
						wantStatus(t, w, http.StatusOK)
						var ids []string
						for _, m := range article.FindAllStringSubmatch(w.Body.String(), -1) {
							ids = append(ids, m[1])
						}
						pages = append(pages, ids)
						next := link.FindStringSubmatch(w.Body.String())
						if next == nil {
							return pages, url
						}
						if len(pages) > n {
							t.Fatalf("the links go in a circle: %v", pages)
						}
						url = next[1]
					}
				}
				down, last := walk(path, older)
				if got := slices.Concat(down...); !slices.Equal(got, want) {
					t.Errorf("older links lead to %v, want %v", got, want)
				}
				if wantPages := max(1, (n+pageSize-1)/pageSize); len(down) != wantPages {
					t.Errorf("%d pages, want %d", len(down), wantPages)
				}
				up, _ := walk(last, newer)
				if len(up) != len(down) || !slices.Equal(up[len(up)-1], down[0]) {
					t.Errorf("newer links lead through %v, want back to %v", up, down[0])
				}
			})
		}
	}
}

func TestPaginationStaysPutWhileOthersSign(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	for range pageSize + 5 {
		a.sign(t, "Ada", "Hello")
	}
	link := fmt.Sprintf("/?before=%d", 6)
	before := a.get(t, link).Body.String()
	a.sign(t, "Bob", "Hello")
	after := a.get(t, link).Body.String()
	list := regexp.MustCompile(`(?s)<ol class="messages">.*</ol>`)
	if got, want := list.FindString(after), list.FindString(before); got != want || strings.Count(want, "<article") != 5 {
		t.Errorf("the page of older messages changed:\n%s\nwas\n%s", got, want)
	}
}

func TestPaginationAddresses(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	a.sign(t, "Ada", "Hello")
	tests := []struct {
		query  string
		status int
		want   string
	}{
		{"?before=1", http.StatusOK, "There are no older messages"},
		{"?before=9223372036854775807", http.StatusOK, `id="m1"`},
		{"?after=1", http.StatusOK, `id="m1"`},
		{"?other=1", http.StatusOK, `id="m1"`},
		{"?before=", http.StatusBadRequest, "no page of messages"},
		{"?before=0", http.StatusBadRequest, "no page of messages"},
		{"?after=0", http.StatusBadRequest, "no page of messages"},
		{"?before=-1", http.StatusBadRequest, "no page of messages"},
		{"?after=x", http.StatusBadRequest, "no page of messages"},
		{"?before=9223372036854775808", http.StatusBadRequest, "no page of messages"},
		{"?before=1&after=1", http.StatusBadRequest, "no page of messages"},
		{"?after=1%27--", http.StatusBadRequest, "no page of messages"},
	}
	for _, path := range []string{"/", "/guests/1"} {
		for _, tt := range tests {
			w := a.get(t, path+tt.query)
			if w.Code != tt.status {
				t.Errorf("GET %s%s: status %d, want %d", path, tt.query, w.Code, tt.status)
			}
			wantContains(t, path+tt.query, w.Body.String(), tt.want)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	type answer struct {
		Messages []message
		More     bool
		Error    string
	}
	list := func(query string, status int) (got answer) {
		t.Helper()
		w := a.get(t, "/messages.json"+query)
		wantStatus(t, w, status)
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
		return got
	}
	if w := a.get(t, "/messages.json"); w.Body.String() != `{"messages":[],"more":false}`+"\n" {
		t.Errorf("empty book: %s", w.Body)
	}
	for i := range jsonLimit + 1 {
		if i > 2 { // a few through the front door are enough
			a.sign(t, "Bob", "Hello")
			continue
		}
		w := a.post(t, "Ada", "Hello", "Accept", "text/html;q=0.5, application/json")
		wantStatus(t, w, http.StatusCreated)
		if got, want := w.Body.String(), fmt.Sprintf("{\"id\":%d}\n", i+1); got != want {
			t.Errorf("POST answers %s, want %s", got, want)
		}
	}
	first := list("", http.StatusOK)
	if len(first.Messages) != jsonLimit || !first.More || first.Messages[0].ID != 1 || first.Messages[0].Name != "Ada" || first.Messages[0].Body != "Hello" {
		t.Errorf("%d messages, more %v, first %+v; want %d, true, Ada's", len(first.Messages), first.More, first.Messages[0], jsonLimit)
	}
	rest := list(fmt.Sprintf("?after=%d", first.Messages[jsonLimit-1].ID), http.StatusOK)
	if len(rest.Messages) != 1 || rest.More || rest.Messages[0].ID != jsonLimit+1 {
		t.Errorf("the rest is %+v, want message %d alone", rest, jsonLimit+1)
	}
	if got := list("?after=9223372036854775807", http.StatusOK); len(got.Messages) != 0 || got.More {
		t.Errorf("after the end: %+v, want nothing", got)
	}
	for _, query := range []string{"?after=x", "?after=-1", "?after=1.5"} {
		if got := list(query, http.StatusBadRequest); !strings.Contains(got.Error, "after must be") {
			t.Errorf("%s: %+v, want an error that says what after is", query, got)
		}
	}
}
