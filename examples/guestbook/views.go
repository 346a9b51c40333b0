package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

//go:embed templates/*.html
var templateFS embed.FS

//go:embed static/*
var staticFS embed.FS

// site is where this process runs; empty outside of Fly.
type site struct{ Region, Machine string }

// view is what a template is given.
type view struct {
	Title string
	Reads int64

	Form     form
	Guest    guest
	Messages []message
	Older    string // URL of the page of older messages, or ""
	Newer    string
	Paged    bool // not the front page: there may be newer messages

	Status  int // of a page that tells of a problem
	Problem string
}

// asset is a file under static/. Its version is a hash of its content.
type asset struct{ name, version, content string }

// views are the templates and static files, ready to be served.
type views struct {
	pages  map[string]*template.Template
	assets []asset
}

func newViews(here site) (*views, error) {
	v := &views{pages: map[string]*template.Template{}}
	entries, err := staticFS.ReadDir("static")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		content, err := staticFS.ReadFile("static/" + e.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		v.assets = append(v.assets, asset{e.Name(), hex.EncodeToString(sum[:8]), string(content)})
	}
	layout, err := template.New("layout.html").Funcs(template.FuncMap{
		"asset":      v.assetURL,
		"day":        func(t time.Time) string { return t.UTC().Format("2 January 2006") },
		"minute":     func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") },
		"initial":    initial,
		"hue":        func(id int64) int64 { return id % hues },
		"times":      times,
		"machine":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"maxName":    func() int { return maxName },
		"maxMessage": func() int { return maxMessage },
		"site":       func() site { return here },
	}).ParseFS(templateFS, "templates/layout.html", "templates/messages.html")
	if err != nil {
		return nil, err
	}
	for _, page := range []string{"home.html", "guest.html", "problem.html"} {
		t, err := layout.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFS, "templates/"+page)
		}
		if err != nil {
			return nil, err
		}
		v.pages[page] = t
	}
	return v, nil
}

// render returns the whole page: nothing is sent before it is known to be
// complete.
func (v *views) render(page string, data view) ([]byte, error) {
	var buf bytes.Buffer
	if err := v.pages[page].Execute(&buf, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", page, err)
	}
	return buf.Bytes(), nil
}

// assetURL returns the URL of a static file at its present version.
func (v *views) assetURL(name string) (string, error) {
	for _, as := range v.assets {
		if as.name == name {
			return "/static/" + name + "?v=" + as.version, nil
		}
	}
	return "", fmt.Errorf("no static file %q", name)
}

// hues is the number of colours that style.css has for guests.
const hues = 6

// initial is the letter shown beside a guest's messages.
func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(r))
}

// times says "once", "2 times", "1,234 times".
func times(n int64) string {
	if n == 1 {
		return "once"
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s + " times"
}
