package page_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/flysql/flysql/e2e/poll"
	"github.com/flysql/flysql/internal/dev/page"
	"github.com/flysql/flysql/internal/dev/page/pagetest"
	"github.com/flysql/flysql/internal/testkit"
)

// limit bounds whatever a test waits for, on a busy machine.
const limit = 60 * time.Second

// browser is one Chromium for all tests, each in a tab of its own.
var browser = sync.OnceValues(func() (context.Context, error) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		return nil, nil
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WSURLReadTimeout(limit),
		chromedp.NoSandbox) // root has none, nor have many containers; it sees these pages only
	alloc, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, cancel := chromedp.NewContext(alloc, quiet)
	closeBrowser = func() {
		_ = chromedp.Cancel(ctx) // waits, so that its files can be removed
		cancel()
		stop()
	}
	return ctx, chromedp.Run(ctx)
})

// quiet drops what the library does not know of Chromium's protocol; calls return errors.
var quiet = chromedp.WithErrorf(func(string, ...any) {})

var closeBrowser = func() {}

func TestMain(m *testing.M) {
	code := m.Run()
	closeBrowser()
	os.Exit(code)
}

// tab is a page that is open, of a session.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// window is how a tab is.
type window struct {
	width, height int64
	dark, still   bool
	zoom          float64 // 0 is 1
}

// open shows a URL in a tab. What the page itself finds wrong, a failed test tells.
func open(t *testing.T, url string, w window) *tab {
	t.Helper()
	parent, err := browser()
	if err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	if parent == nil {
		testkit.NotRun(t, "Chromium", "apt-get install chromium")
	}
	ctx, cancel := chromedp.NewContext(parent)
	ctx, cancelTime := context.WithTimeout(ctx, 2*limit)
	t.Cleanup(func() { cancelTime(); cancel() })
	chromedp.ListenTarget(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("the page threw: %s", ev.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if ev.Type == runtime.APITypeError {
				t.Errorf("the page's console: %s", ev.Args[0].Value)
			}
		}
	})
	b := &tab{t, ctx}
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}, {Name: "prefers-reduced-motion", Value: "no-preference"}}
	if w.dark {
		features[0].Value = "dark"
	}
	if w.still {
		features[1].Value = "reduce"
	}
	if w.zoom == 0 {
		w.zoom = 1
	}
	b.run(
		emulation.SetEmulatedMedia().WithFeatures(features),
		// A browser zooms by giving the page fewer, larger pixels.
		chromedp.EmulateViewport(int64(float64(w.width)/w.zoom), int64(float64(w.height)/w.zoom), chromedp.EmulateScale(w.zoom)),
		chromedp.Navigate(url))
	b.until(`document.querySelector(".machine") !== null`)
	return b
}

// made serves the page of a made-up session, and opens it.
func made(t *testing.T, s *pagetest.Source, w window) *tab {
	t.Helper()
	return open(t, serve(t, s), w)
}

// serve is where the page of a made-up session is.
func serve(t *testing.T, s *pagetest.Source) string {
	t.Helper()
	p := page.Handler(s, "/_flysql")
	server := httptest.NewServer(p)
	t.Cleanup(func() { p.Close(); server.Close() })
	return server.URL + "/_flysql"
}

func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// eval is an expression's value in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	var v T
	if err := chromedp.Run(b.ctx, chromedp.Evaluate(expression, &v)); err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until polls an expression until it is true.
func (b *tab) until(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	err := poll.Until(ctx, expression, func(ctx context.Context) error {
		var is bool
		if err := chromedp.Run(ctx, chromedp.Evaluate(expression, &is)); err != nil {
			return err
		}
		if !is {
			return fmt.Errorf("it is not so")
		}
		return nil
	})
	if err != nil {
		b.t.Fatalf("%v\nThe page has:\n%s", err, eval[string](b, `document.body.innerText.slice(0, 3000)`))
	}
}

// waitText polls until an element's text has words in it.
func (b *tab) waitText(selector, words string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`(document.querySelector(%q)?.innerText ?? "").replace(/\s+/g, " ").includes(%q)`, selector, words))
}

// button is a machine's, by its words.
func button(machine, words string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#machine-%s button")].find(b => b.innerText.trim().startsWith(%q))`, machine, words)
}

// click presses what an expression finds, as a mouse does.
func (b *tab) click(expression string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`Boolean(%s)`, expression))
	at := eval[struct{ X, Y float64 }](b, fmt.Sprintf(`(() => { const e = %s; e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return {X: r.x + r.width / 2, Y: r.y + r.height / 2}; })()`, expression))
	b.run(chromedp.MouseClickXY(at.X, at.Y))
}

// did polls until exactly these things were done to a session.
func did(t *testing.T, s *pagetest.Source, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := poll.Until(ctx, strings.Join(want, ", "), func(context.Context) error {
		if got := strings.Join(s.Did(), ", "); got != strings.Join(want, ", ") {
			return fmt.Errorf("done was %q", got)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// chooseOption takes an option of a select, and tells the page as a user's choice does.
func chooseOption(selector, value string) chromedp.Action {
	return chromedp.Evaluate(fmt.Sprintf(`(() => { const s = document.querySelector(%q); s.value = %q; s.dispatchEvent(new Event("change", {bubbles: true})); })()`, selector, value), nil)
}
