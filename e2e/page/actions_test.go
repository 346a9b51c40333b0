package page_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/dev/page"
	"github.com/flysql/flysql/internal/dev/page/pagetest"
)

var desk = window{width: 1440, height: 900}

// Every button does what it says, and the page shows what came of it.
func TestButtons(t *testing.T) {
	s := pagetest.New(1, "ord", "ams", "syd")
	b := made(t, s, desk)
	b.waitText("#facts", "primary ord1 · 3 machines in 3 regions · litefs · latency real")

	b.click(button("ams1", "Kill"))
	b.waitText("#ask", "Kill ams1? All of its processes end at once")
	b.click(`document.querySelector("#askno")`)
	b.until(`!document.querySelector("#ask").open`)
	did(t, s)
	b.click(button("ams1", "Kill"))
	b.until(`document.querySelector("#ask").open`)
	b.click(`document.querySelector("#askyes")`)
	did(t, s, "kill ams1")
	b.waitText("#machine-ams1", "ams1 off")
	b.waitText("#says", "ams1 was killed.")
	b.click(button("ams1", "Kill")) // of no use now, and says so
	b.click(button("ams1", "Restart"))
	b.click(button("ams1", "Start"))
	did(t, s, "kill ams1", "start ams1")
	b.waitText("#machine-ams1", "replica, healthy")

	b.click(button("ams1", "Hand off"))
	b.waitText("#facts", "primary ams1")
	b.until(`document.querySelector("#machine-ams1 .badge").textContent === "P" && document.querySelector("#machine-ord1 .badge").textContent === "R"`)
	b.waitText("#chips", "ams P Amsterdam: ams1 primary, healthy")

	until := make(chan struct{})
	s.Hold("restart syd1", until)
	b.click(button("syd1", "Restart"))
	b.waitText("#machine-syd1", "(restarting…)")
	b.click(button("syd1", "Stop")) // one thing after the other
	b.waitText("#says", "syd1: still restarting.")
	close(until)
	b.waitText("#says", "syd1 was restarted.")
	b.click(button("syd1", "Stop"))
	b.waitText("#machine-syd1", "syd1 off")
	did(t, s, "kill ams1", "start ams1", "handoff ams1", "restart syd1", "stop syd1")
}

// One machine without LiteFS has no role, and nobody to hand off to.
func TestSingle(t *testing.T) {
	s := pagetest.New(1, "ord")
	s.Change(func(st *dev.State) {
		st.Engine, st.Primary, st.Why = "volume", "", "no /dev/fuse"
		m := &st.Machines[0]
		m.Role, m.LagMS, m.Databases, m.Checks = "", nil, nil, nil
	})
	b := made(t, s, desk)
	b.waitText("#facts", "1 machine in 1 region · volume · latency real")
	b.waitText("#machine-ord1", "M ord1 machine, healthy")
	b.waitText("#why", "no /dev/fuse")
	if eval[bool](b, button("ord1", "Hand off")+` !== undefined`) && eval[bool](b, button("ord1", "Hand off")+`.checkVisibility()`) {
		t.Error("the lease that there is not can be handed off")
	}
	if eval[bool](b, `document.querySelector("#choose").checkVisibility()`) {
		t.Error("one region can be chosen")
	}
	b.click(button("ord1", "Stop"))
	did(t, s, "stop ord1")
	// Before anything runs there may be nothing at all.
	s.Change(func(st *dev.State) { st.Machines, st.Regions, st.Ready = nil, nil, false })
	b.waitText("#facts", "starting · 0 machines in 0 regions")
}

func TestRegions(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	b := made(t, s, desk)
	cut := `document.querySelector("#region-ams button")`
	b.click(cut)
	b.waitText("#region-ams", "Mend")
	b.waitText("#chips", "cut off")
	b.click(cut)
	b.waitText("#region-ams", "Cut")
	b.run(chooseOption("#slow-ams", "500"))
	b.waitText("#chips", "+500 ms")
	b.run(chooseOption("#region", "ams"))
	did(t, s, "cut ams", "mend ams", "slow ams 500ms", "choose ams")
	s.Change(func(st *dev.State) { st.Regions[1].SlowMS = 750 }) // by a script
	b.until(`document.querySelector("#slow-ams").selectedOptions[0].text === "+750 ms"`)
	for selector, want := range map[string]string{"#region-ams .open": "http://ams.localhost:8080/", "#open": "http://localhost:8080/"} {
		if got := eval[string](b, fmt.Sprintf(`document.querySelector(%q).href`, selector)); got != want {
			t.Errorf("%s leads to %q, want %q", selector, got, want)
		}
	}
}

func TestDeploy(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	until := make(chan struct{})
	s.Hold("deploy ", until)
	b := made(t, s, desk)
	b.click(`document.querySelector("#deploy")`)
	b.waitText("#rolling", "Deploy: ams1 gets the new build")
	b.until(`document.querySelector("#rolled").value === 2 && document.querySelector("#rolled").max === 3`)
	b.until(`document.querySelector("#machine-ams1").className === "machine rolled"`)
	b.click(`document.querySelector("#deploy")`) // one at a time
	close(until)
	b.until(`document.querySelector("#rolling").hidden`)
	b.waitText("#says", "The new build is on all machines.")
	did(t, s, "deploy ")
}

// What goes wrong is said, and the button can be pressed again.
func TestErrors(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	s.Fail("handoff ams1", errors.New("ams1 is 3 transactions behind: try again"))
	b := made(t, s, desk)
	b.click(button("ams1", "Hand off"))
	b.waitText("#says", "ams1 is 3 transactions behind: try again")
	b.click(button("ams1", "Hand off"))
	did(t, s, "handoff ams1", "handoff ams1")

	s.Machine("ams1", func(m *dev.Machine) {
		m.State, m.Healthy, m.Role, m.Error = "stopped", false, "", "exit code 1"
	})
	b.waitText("#machine-ams1", "ams1 down")
	b.waitText("#machine-ams1", "exit code 1")
	b.waitText("#says", "ams1 is down: exit code 1")
	s.Machine("ord1", func(m *dev.Machine) {
		m.Healthy, m.Checks = false, []dev.Check{{Name: "GET /healthz", Output: "connection refused"}}
	})
	b.waitText("#machine-ord1", "! ord1 primary, not healthy")
	b.waitText("#machine-ord1", "GET /healthz: connection refused")
	s.Change(func(st *dev.State) { st.Why = "no /dev/fuse" })
	b.waitText("#why", "no /dev/fuse")
}

// A connection that is lost is told of, and made again. What another session has done is
// not shown with the old one's.
func TestReconnect(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	first := page.Handler(s, "")
	server := &http.Server{Handler: first}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	b := open(t, "http://"+l.Addr().String(), desk)
	s.Emit(pagetest.Request(1, "ams", "/first"))
	s.Emit(pagetest.Line("ams1", "of the first"))
	b.waitText("#requests", "/first")

	// The same session again: nothing twice, and nothing lost.
	again := func(h http.Handler) {
		t.Helper()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
		b.waitText("#offline", "The connection to flysql dev is lost")
		s.Emit(pagetest.Request(2, "ams", "/meanwhile"))
		if l, err = net.Listen("tcp", l.Addr().String()); err != nil {
			t.Fatal(err)
		}
		server = &http.Server{Handler: h}
		serving.Go(func() { _ = server.Serve(l) })
		b.until(`document.querySelector("#offline").textContent === ""`)
	}
	again(first)
	b.waitText("#requests", "/meanwhile")
	b.until(rows + ` === 2`)

	other := pagetest.New(1, "fra", "ams")
	second := page.Handler(other, "")
	again(second)
	b.waitText("#facts", "primary fra1")
	b.until(rows + ` === 0 && document.querySelectorAll("#lines .line").length === 0 && document.querySelector("#machine-ord1") === null`)
	other.Emit(pagetest.Request(1, "ams", "/second"))
	b.waitText("#requests", "/second")
	first.Close()
	second.Close()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	serving.Wait()
}

// All of it by keyboard: Tab leads to everything, and each thing works.
func TestKeyboard(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	b := made(t, s, desk)
	for i := range 20 {
		s.Emit(pagetest.Request(i, "ams", fmt.Sprintf("/p%d", i)))
	}
	b.until(`document.querySelectorAll("#requests li").length === 20`)
	order := []string{}
	for range 60 {
		b.run(chromedp.KeyEvent(kb.Tab))
		at := eval[string](b, `(() => { const e = document.activeElement;
			if (e === document.body) return "";
			const ring = getComputedStyle(e);
			if (ring.outlineStyle === "none" || ring.outlineWidth === "0px") return "no ring at " + e.outerHTML.slice(0, 80);
			return e.id || e.textContent.trim().replace(/\s+/g, " "); })()`)
		if at == "" {
			break
		}
		order = append(order, at)
	}
	want := []string{"region", "open", "deploy", "theme", "ordP Chicago: ord1 primary, healthy", "amsR Amsterdam: ams1 replica, healthy", "pause", "clear", "fpath", "fstatus", "fregion", "freplayed"}
	for i, w := range want {
		if i >= len(order) || order[i] != w {
			t.Fatalf("Tab leads to %q, want %q", order, want)
		}
	}
	// The log is one stop, whatever its length; then all of each machine's.
	rest := fmt.Sprint(order[len(want)+1:])
	for _, w := range []string{"Send a request", "Cut the network of ord", "slow-ord", "Hand off to ams1", "Restart ams1", "Stop ams1", "Kill ams1", "lmachine", "lclear", "lines"} {
		if !strings.Contains(rest, w) {
			t.Errorf("Tab does not lead to %q: %q", w, rest)
		}
	}
	if n := len(order); n > 45 {
		t.Errorf("%d stops: %q", n, order)
	}

	// Arrows in the log, Enter for the whole way of one.
	b.run(chromedp.Focus(`#requests button.row`, chromedp.ByQuery), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter))
	b.waitText("#requests .detail", "1. ams1 replica nearest 409 fly-replay: region=ord")
	b.until(`document.activeElement.getAttribute("aria-expanded") === "true" && document.activeElement.parentNode === document.querySelectorAll("#requests li")[2]`)
	b.run(chromedp.KeyEvent(kb.End))
	b.until(`document.activeElement.parentNode === document.querySelector("#requests").lastElementChild`)

	// A question takes the focus, and gives it back.
	b.run(chromedp.Evaluate(button("ams1", "Kill")+`.focus()`, nil), chromedp.KeyEvent(kb.Enter))
	b.until(`document.activeElement.id === "askno"`)
	b.run(chromedp.KeyEvent(kb.Escape))
	b.until(`!document.querySelector("#ask").open && document.activeElement === ` + button("ams1", "Kill"))
	did(t, s)
	b.run(chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	did(t, s, "kill ams1")
	b.waitText("#machine-ams1", "off")
	b.until(`document.activeElement === ` + button("ams1", "Kill"))
}

// The focus and what is being typed stay, whatever happens meanwhile.
func TestFocusStays(t *testing.T) {
	s := pagetest.New(2, "ord", "ams", "syd")
	b := made(t, s, desk)
	for _, focus := range []string{button("ams2", "Stop"), `document.querySelector("#slow-ams")`, `document.querySelector("#fpath")`, `document.querySelector("#chips a")`, `document.querySelector("#region")`} {
		b.run(chromedp.Evaluate(`(globalThis.was = `+focus+`).focus()`, nil))
		for i := range 30 {
			s.Emit(pagetest.Request(i, "ams", "/x"))
			s.Emit(pagetest.Line("ams1", "x"))
			s.Machine("ams2", func(m *dev.Machine) { m.Load = i; m.Healthy = i%2 == 0 })
		}
		if err := s.HandOff(t.Context(), "ams1"); err != nil {
			t.Fatal(err)
		}
		s.Change(func(st *dev.State) { st.App = focus })
		b.until(fmt.Sprintf(`document.querySelector("#app").textContent === %q`, focus))
		b.until(`document.activeElement === globalThis.was && globalThis.was.isConnected`)
		if err := s.HandOff(t.Context(), "ord1"); err != nil {
			t.Fatal(err)
		}
	}
	// Machines and regions may come in another order.
	b.run(chromedp.Evaluate(`(globalThis.was = `+button("ams2", "Stop")+`).focus()`, nil))
	s.Change(func(st *dev.State) { slices.Reverse(st.Machines); slices.Reverse(st.Regions) })
	b.until(`document.querySelector(".region").id === "region-syd" && document.querySelector("#region-ams .machine").id === "machine-ams2"`)
	b.until(`document.activeElement === globalThis.was`)
	s.Change(func(st *dev.State) { slices.Reverse(st.Machines); slices.Reverse(st.Regions) })

	// A machine that goes leaves the others as they are.
	b.run(chromedp.Evaluate(`(globalThis.was = `+button("ams2", "Stop")+`).focus()`, nil))
	s.Change(func(st *dev.State) { st.Machines = append(st.Machines[:2:2], st.Machines[3:]...) })
	b.until(`document.querySelector("#machine-ams1") === null`)
	b.until(`document.activeElement === globalThis.was`)
}
