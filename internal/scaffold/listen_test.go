package scaffold

import "testing"

// TestPlaces: where the code names its port, and where it redirects to https.
func TestPlaces(t *testing.T) {
	tests := []struct{ name, body, port, https string }{
		{"nothing", ``, "", ""},
		{"literal", "http.ListenAndServe(\":3000\", nil)", "main.go:4", ""},
		{"flag", `flag.String("addr", ":3000", "")`, "main.go:4", ""},
		{"the same port twice", "a.Listen(\":3000\")\nb.Listen(\"0.0.0.0:3000\")", "main.go:4", ""},
		{"pprof beside the app", "http.ListenAndServe(\":6060\", nil)\nhttp.ListenAndServe(cfg.Addr, h)", "", ""},
		{"pprof beside a server", "_ = http.Server{Addr: cfg.Addr}\nhttp.ListenAndServe(\":6060\", nil)", "", ""},
		{"a flag that is used", "addr := flag.String(\"addr\", \":3000\", \"\")\nhttp.ListenAndServe(*addr, h)", "main.go:4", ""},
		{"a server that is started", "s := http.Server{Addr: \":3000\"}\ns.ListenAndServe()", "main.go:4", ""},
		{"a listener", `net.Listen("tcp", ":3000")`, "main.go:4", ""},
		{"two ports", "a.Listen(\":3000\")\nb.Listen(\":4000\")", "", ""},
		{"no port", `a.Listen(":99999")`, "", ""},
		{"PORT", `_ = os.Getenv("PORT"); a.Listen(":3000")`, "", ""},
		{"another string", `dial("localhost:6379")`, "", ""},
		{"redirects", "if r.Header.Get(\"x-forwarded-proto\") != \"https\" {\nhttp.Redirect(w, r, u, 301)\n}", "", "main.go:4"},
		{"only reads the header", `scheme := r.Header.Get("X-Forwarded-Proto"); if scheme == "https" { x() }`, "", ""},
		{"only redirects", `http.Redirect(w, r, "https://example.com", 301)`, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := detect(t, repo(t, "-- go.mod --\nmodule m\n-- main.go --\npackage main\n\nfunc main() {\n"+tt.body+"\n}\n"))
			if m := f.Mains[0]; m.PortPlace != tt.port || m.ToHTTPS != tt.https {
				t.Errorf("got port at %q, redirect at %q; want %q, %q", m.PortPlace, m.ToHTTPS, tt.port, tt.https)
			}
		})
	}
}
