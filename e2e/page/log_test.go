package page_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/flysql/flysql/internal/dev/page/pagetest"
)

const rows = `document.querySelectorAll("#requests > li").length`

// One line is the whole way, and opens to hops and headers.
func TestWay(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	b := made(t, s, desk)
	s.Emit(pagetest.Request(1, "ams", "/sign"))
	b.waitText("#requests .row", "303 POST /sign edge ams to ams1 replica to replay to ord1 primary 182 ms")
	b.click(`document.querySelector("#requests .row")`)
	b.waitText("#requests .detail", "2. ord1 primary replay 303 170 ms after 9.0 ms")
	b.click(`document.querySelector("#requests details summary")`)
	b.waitText("#requests .detail", "Fly-Region ams")
	b.waitText("#requests .detail", "Cookie (24 bytes)")
	b.click(`document.querySelector("#requests .row")`)
	b.until(`document.querySelector("#requests .detail") === null`)
}

func TestFilter(t *testing.T) {
	s := pagetest.New(1, "ord", "ams", "syd")
	b := made(t, s, desk)
	s.Emit(pagetest.Request(1, "ams", "/sign"))
	s.Emit(pagetest.Request(2, "syd", "/sign"))
	s.Emit(pagetest.Read(3, "ams", "/about", 200))
	s.Emit(pagetest.Read(4, "syd", "/missing", 404))
	s.Emit(pagetest.Read(5, "ord", "/broken", 500))
	shows := func(n int) {
		t.Helper()
		b.until(fmt.Sprintf("%s === %d", rows, n))
	}
	shows(5)
	b.run(chromedp.SendKeys("#fpath", "SIGN", chromedp.ByQuery))
	shows(2)
	b.run(chooseOption("#fregion", "syd"))
	shows(1)
	b.run(chromedp.Evaluate(`(f => { f.value = ""; f.dispatchEvent(new Event("input")); })(document.querySelector("#fpath"))`, nil))
	shows(2)
	b.run(chooseOption("#fregion", ""), chooseOption("#fstatus", "4"))
	shows(1)
	b.waitText("#requests", "404 GET /missing")
	b.run(chooseOption("#fstatus", ""))
	b.click(`document.querySelector("#freplayed")`)
	shows(2)
	s.Emit(pagetest.Read(6, "ord", "/", 200))
	s.Emit(pagetest.Request(7, "ams", "/other"))
	shows(3)
	b.waitText("#count", "3 of 7")
	b.click(`document.querySelector("#clear")`)
	shows(0)
	b.waitText("#norequests", "No requests yet")
}

// While it is paused, or somebody reads, nothing moves; what has come is shown at a press.
func TestPause(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	b := made(t, s, desk)
	s.Emit(pagetest.Request(1, "ams", "/one"))
	b.until(rows + ` === 1`)
	b.click(`document.querySelector("#pause")`)
	s.Emit(pagetest.Request(2, "ams", "/two"))
	b.waitText("#fresh", "Show 1 new")
	b.until(rows + ` === 1`)
	b.click(`document.querySelector("#fresh")`)
	b.until(rows + ` === 2`)
	b.click(`document.querySelector("#pause")`)
	s.Emit(pagetest.Request(3, "ams", "/three"))
	b.until(rows + ` === 3`)
	b.click(`document.querySelectorAll("#requests .row")[2]`)
	s.Emit(pagetest.Request(4, "ams", "/four"))
	b.waitText("#fresh", "Show 1 new")
	b.waitText("#requests > li:last-child .detail", "ord1 primary")
	b.click(`document.querySelectorAll("#requests .row")[2]`)
	b.run(chromedp.Evaluate(`document.activeElement.blur()`, nil))
	b.until(rows + ` === 4 && document.querySelector("#fresh").hidden`)
}

// Ten thousand requests and lines: what is shown and kept is bounded, the page answers, and
// the newest is there.
func TestMany(t *testing.T) {
	s := pagetest.New(2, "ord", "ams", "syd", "fra", "lhr", "nrt")
	b := made(t, s, desk)
	b.run(chromedp.Evaluate(`globalThis.longest = 0; new PerformanceObserver(l => { for (const e of l.getEntries()) longest = Math.max(longest, e.duration); }).observe({type: "longtask"})`, nil))
	for i := range 10_000 {
		s.Emit(pagetest.Request(i, []string{"ams", "syd", "fra"}[i%3], fmt.Sprintf("/path-%d", i)))
		s.Emit(pagetest.Line("ams1", fmt.Sprintf("line-%d", i)))
	}
	b.waitText("#requests", "/path-9999")
	b.waitText("#lines", "line-9999")
	for expression, most := range map[string]int{rows: 200, `document.querySelectorAll("#lines .line").length`: 300, `document.querySelectorAll("#traffic > *").length`: 30, `document.querySelectorAll("*").length`: 7000} {
		if n := eval[int](b, expression); n > most {
			t.Errorf("%s is %d, want at most %d", expression, n, most)
		}
	}
	b.click(button("ams1", "Stop"))
	did(t, s, "stop ams1")
	t.Logf("the longest task took %v ms", eval[float64](b, `longest`))
}

// Lines of each machine and of the build; those that are looked at stay where they are.
func TestLines(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	b := made(t, s, desk)
	s.Emit(pagetest.Line("ord1", "\x1b[32mgreen\x1b[0m and \x07bell"))
	s.Emit(pagetest.Line("", "go build"))
	for i := range 100 {
		s.Emit(pagetest.Line("ams1", fmt.Sprint("number ", i)))
	}
	b.waitText("#lines", "ord1 green and \ufffdbell build go build")
	b.waitText("#lines", "number 99")
	b.until(`(l => l.scrollHeight - l.scrollTop - l.clientHeight < 24)(document.querySelector("#lines"))`)
	b.run(chromedp.Evaluate(`document.querySelector("#lines").scrollTop = 100`, nil))
	s.Emit(pagetest.Line("ams1", "number 100"))
	b.waitText("#lines", "number 100")
	b.until(`document.querySelector("#lines").scrollTop === 100`)
	b.run(chooseOption("#lmachine", "build"))
	b.until(`document.querySelectorAll("#lines .line").length === 1`)
	s.Emit(pagetest.Line("ams1", "elsewhere"))
	s.Emit(pagetest.Line("", "built"))
	b.until(`document.querySelector("#lines").innerText.replace(/\s+/g, " ").trim() === "build go build build built"`)
}

// Whatever is in a path, a header, a name or a line is text.
func TestHostileText(t *testing.T) {
	evil := `<img src=x onerror="globalThis.hacked=1"><script>globalThis.hacked=1</script>`
	s := pagetest.New(1, "ord", "ams")
	s.HostileNames(evil)
	b := made(t, s, desk)
	ev := pagetest.Request(1, "ams", "/"+evil)
	r := ev.Request
	r.Method, r.Host, r.ID, r.Error, r.Way = evil, evil, evil, evil, "edge "+evil+" -> "+evil+", 1 ms"
	r.Hops[0].Machine, r.Hops[0].Why, r.Hops[0].Replay, r.Hops[0].Note, r.Hops[0].Role = evil, evil, evil, evil, evil
	r.Hops[0].Request[evil] = []string{evil}
	s.Emit(ev)
	s.Emit(pagetest.Line("ord1", evil))
	s.Emit(pagetest.Line(evil, "\u202e"+strings.Repeat("w", 5000)))
	b.waitText("#lines", "<img src=x")
	b.click(`document.querySelector("#requests .row")`)
	b.click(`document.querySelector("#requests details summary")`)
	b.waitText("#requests .detail", "<img src=x")
	b.waitText("#facts", "latency <img")
	if n := eval[int](b, `document.querySelectorAll("img, script:not([src]), [onerror]").length`); n != 0 {
		t.Errorf("%d elements were made of text", n)
	}
	if eval[bool](b, `"hacked" in globalThis`) {
		t.Error("text became a script")
	}
	if got := eval[string](b, `String(document.querySelector("#region-ams .open").getAttribute("href"))`); got != "null" {
		t.Errorf("a link leads to %q", got)
	}
	if eval[bool](b, `document.documentElement.scrollWidth > innerWidth`) {
		t.Error("a long word makes the page scroll sideways")
	}
}
