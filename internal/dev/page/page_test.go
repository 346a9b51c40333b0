package page_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/dev/page"
	"github.com/flysql/flysql/internal/dev/page/pagetest"
)

// get asks a page on localhost.
func get(p http.Handler, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = "localhost:8080"
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

// Every file that the document asks for, and each module of another, is there, with or
// without a prefix.
func TestFiles(t *testing.T) {
	refs := regexp.MustCompile(`(?:href|src)="([^"#]+)"|from "\./([^"]+)"`)
	for _, prefix := range []string{"/_flysql", "/_flysql/", ""} {
		p := page.Handler(pagetest.New(1, "ord"), prefix)
		defer p.Close()
		base := strings.TrimSuffix(prefix, "/")
		seen := map[string]bool{}
		var follow func(target string)
		follow = func(target string) {
			if seen[target] {
				return
			}
			seen[target] = true
			w := get(p, target)
			if w.Code != 200 {
				t.Errorf("%s: status %d", target, w.Code)
			}
			for _, m := range refs.FindAllStringSubmatch(w.Body.String(), -1) {
				switch {
				case m[2] != "":
					follow(base + "/static/" + m[2])
				case strings.HasPrefix(m[1], "http"):
					t.Errorf("%s draws in %s", target, m[1])
				default:
					follow(m[1])
				}
			}
		}
		follow(base + "/")
		if len(seen) < 12 {
			t.Errorf("prefix %q: only %d files: %v", prefix, len(seen), seen)
		}
	}
}

func TestNotServed(t *testing.T) {
	p := page.Handler(pagetest.New(1, "ord"), "/_flysql")
	defer p.Close()
	for _, target := range []string{"/", "/_flysqlx", "/_flysql/x", "/_flysql/static/", "/_flysql/static/page.html", "/_flysql/static/..%2fpage.go", "/_flysql/static/nothing.js"} {
		if w := get(p, target); w.Code != 404 {
			t.Errorf("%s: status %d, want 404", target, w.Code)
		}
	}
}

// An app's name is whatever fly.toml says.
func TestNameIsText(t *testing.T) {
	s := pagetest.New(1, "ord")
	s.Change(func(st *dev.State) { st.App = `"><script>alert(1)</script>` })
	p := page.Handler(s, "")
	defer p.Close()
	if body := get(p, "/").Body.String(); strings.Contains(body, "<script>alert") {
		t.Error("the name of the app became HTML")
	}
}

// The scripts make nodes and text, never HTML: the browser's policy would stop the page
// otherwise, in those browsers that know it.
func TestNoHTMLFromText(t *testing.T) {
	files, err := fs.Glob(os.DirFS("static"), "*.js")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	wrong := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\("style"|https?://[a-z]`)
	for _, name := range files {
		data, err := os.ReadFile("static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range wrong.FindAllString(string(data), -1) {
			if m != "http://w" { // the namespace of SVG
				t.Errorf("%s has %s", name, m)
			}
		}
	}
}
