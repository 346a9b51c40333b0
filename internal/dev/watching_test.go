package dev_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/dev"
)

// watchedApp answers each request with what is compiled in, and what it read when it
// started.
const watchedApp = `package main

import (
	_ "embed"
	"net/http"
	"os"
)

//go:embed text.txt
var text string

func main() {
	start, _ := os.ReadFile("page.html")
	panic(http.ListenAndServe(":"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("one " + text + string(start) + os.Getenv("GREETING")))
	})))
}
`

const watchedFly = "app = 'a'\nprimary_region = 'ord'\n\n[env]\n  GREETING = 'hello'\n  FLYSQL_SKIP = '1'\n\n[http_service]\n  internal_port = 8080\n"

// watchedSession is an app that runs, and is watched.
type watchedSession struct {
	*dev.Session
	t       *testing.T
	dir     string
	mu      sync.Mutex
	log     []string // lines of the build, and of what Watch says
	deploys int
}

func startWatched(t *testing.T, entrypoint string) *watchedSession {
	t.Helper()
	s := &watchedSession{t: t, dir: t.TempDir()}
	for name, text := range map[string]string{
		"go.mod": "module example.com/a\n\ngo 1.25\n", "main.go": watchedApp, "text.txt": "text ", "page.html": "page ", "fly.toml": watchedFly,
		"Dockerfile": "FROM golang AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /bin/app .\nFROM debian\nCOPY --from=build /bin/app /bin/app\nCMD [\"/bin/app\"]\n",
	} {
		s.write(name, text)
	}
	session, err := dev.Start(t.Context(), dev.Options{Dir: s.dir, Latency: "none", Entrypoint: entrypoint}, s.event)
	if err != nil {
		t.Fatal(err)
	}
	s.Session = session
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- session.Watch(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-watched; err != nil {
			t.Errorf("Watch: %v", err)
		}
		if err := session.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if t.Failed() {
			t.Logf("the log:\n%s", strings.Join(s.log, "\n"))
		}
	})
	return s
}

func (s *watchedSession) event(e dev.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.Type == dev.TypeLog:
		s.log = append(s.log, e.Log.Line)
	case e.Type == dev.TypeAction && e.Action.Name == "deploy" && e.Action.Done:
		s.deploys++
		s.log = append(s.log, "deployed: "+e.Action.Error)
	}
}

// said tells how often a line with some words was.
func (s *watchedSession) said(words string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, line := range s.log {
		if strings.Contains(line, words) {
			n++
		}
	}
	return n
}

func (s *watchedSession) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o666); err != nil {
		s.t.Fatal(err)
	}
}

// answers waits for an answer of the app.
func (s *watchedSession) answers(want string) {
	s.t.Helper()
	s.until("the app answers "+want, func() bool { return s.get() == want })
}

func (s *watchedSession) get() string {
	resp, err := http.Get(s.URL(""))
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}

func (s *watchedSession) until(what string, is func() bool) {
	s.t.Helper()
	for end := time.After(2 * time.Minute); !is(); {
		select {
		case <-end:
			s.t.Fatalf("waited in vain until %s; the app answers %q", what, s.get())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *watchedSession) deployed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deploys
}

func TestWatch(t *testing.T) {
	entrypoint := filepath.Join(t.TempDir(), "flysql-entrypoint")
	if out, err := exec.Command("go", "build", "-o", entrypoint, "github.com/flysql/flysql/cmd/flysql-entrypoint").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, test := range map[string]func(*watchedSession){"changes": watchChanges, "while deploying": watchWhileDeploying, "setup": watchSetup} {
		t.Run(name, func(t *testing.T) { test(startWatched(t, entrypoint)) })
	}
}

// One change is one deploy.
func watchChanges(s *watchedSession) {
	t := s.t
	s.answers("one text page hello")

	two := strings.Replace(watchedApp, "one ", "two ", 1)
	s.write("main.go", two)
	s.answers("two text page hello")
	s.write("text.txt", "embedded ")
	s.answers("two embedded page hello")
	s.write("page.html", "read ")
	s.answers("two embedded read hello")

	// What cannot be built is told, and what was built before serves on.
	s.write("main.go", two+"\nfunc broken() { return 1 }\n")
	s.until("the build's error is told", func() bool { return s.said("deployed: the machines keep what they have") == 1 })
	if s.said("main.go:19:24: too many return values") == 0 {
		t.Error("where the mistake is was not told")
	}
	s.answers("two embedded read hello")
	s.write("main.go", strings.Replace(watchedApp, "one ", "three ", 1))
	s.answers("three embedded read hello")
	s.until("the last deploy has ended", func() bool { return s.deployed() >= 5 })
	if n := s.deployed(); n != 5 {
		t.Errorf("5 changes made %d deploys", n)
	}
}

// Changes while a deploy goes on make one more.
func watchWhileDeploying(s *watchedSession) {
	t := s.t
	s.write("main.go", strings.Replace(watchedApp, "one ", "two ", 1))
	s.until("it is built", func() bool { return s.State().Doing != "" })
	s.write("main.go", strings.Replace(watchedApp, "one ", "three ", 1))
	s.write("text.txt", "changed ")
	s.answers("three changed page hello")
	s.until("the deploys have ended", func() bool { return s.deployed() == 2 })

	// Somebody else's deploy is waited for.
	other := make(chan error, 1)
	go func() { other <- s.Deploy(t.Context()) }()
	s.until("it is built", func() bool { return s.State().Doing != "" })
	s.write("text.txt", "again ")
	s.answers("three again page hello")
	if err := <-other; err != nil {
		t.Error(err)
	}
	s.until("the deploys have ended", func() bool { return s.deployed() >= 4 })
	if s.deployed() > 4 {
		t.Errorf("%d deploys, want 4", s.deployed())
	}
}

// How the app is run is not changed on the way.
func watchSetup(s *watchedSession) {
	t := s.t
	s.write("fly.toml", "# a comment\n"+watchedFly)
	s.until("the change is seen", func() bool { return s.said("changed: fly.toml") == 1 })
	s.write("text.txt", "after ")
	s.answers("one after page hello")
	s.until("the deploy has ended", func() bool { return s.deployed() >= 1 })
	if n := s.deployed(); n != 1 {
		t.Errorf("%d deploys, want one: a comment is nothing to deploy", n)
	}

	s.write("fly.toml", strings.Replace(watchedFly, "'hello'", "'bye'", 1))
	s.until("it is told", func() bool { return s.said("fly.toml: the app is to be run otherwise") == 1 })
	s.write("text.txt", "held ")
	s.until("it is told", func() bool { return s.said("that is not deployed") == 1 })
	s.write("fly.toml", "broken")
	s.until("it is told", func() bool { return s.said("fly.toml: nothing is deployed until that is mended") == 1 })
	if got, want := s.get(), "one after page hello"; got != want || s.deployed() != 1 {
		t.Errorf("the app answers %q after %d deploys, want %q after one", got, s.deployed(), want)
	}
	s.write("fly.toml", watchedFly)
	s.answers("one held page hello")
}
