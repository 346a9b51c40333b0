package page_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/dev/page/pagetest"
)

// busySession has a bit of everything that the page can show.
func busySession(t *testing.T) *pagetest.Source {
	s := pagetest.New(2, "ord", "ams", "syd", "fra", "lhr", "nrt")
	s.Machine("fra1", func(m *dev.Machine) {
		m.Healthy, m.Checks = false, []dev.Check{{Name: "GET /healthz", Output: "dial tcp 127.0.0.1:4111: connection refused"}}
	})
	s.Machine("syd2", func(m *dev.Machine) { m.State, m.Healthy, m.Role, m.Error = "stopped", false, "", "exit code 1" })
	s.Machine("lhr1", func(m *dev.Machine) { m.State, m.Healthy, m.Role = "away", false, "" })
	lag, behind := int64(4200), int64(12)
	s.Machine("nrt1", func(m *dev.Machine) { m.LagMS, m.Databases[0].Behind = &lag, &behind })
	s.Change(func(st *dev.State) { st.Why, st.Doing = "no /dev/fuse", "rolling ams1" })
	for _, err := range []error{s.Cut("nrt", true), s.Slow("lhr", 500e6)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// fill has requests of all kinds, and lines; the whole way of one is open.
func (b *tab) fill(s *pagetest.Source) {
	b.t.Helper()
	for i, status := range []int{200, 302, 404, 500, 0} {
		s.Emit(pagetest.Read(i, "ams", "/a/rather/long/path/with/many/parts/that/goes/on/and/on", status))
		s.Emit(pagetest.Line("ams1", fmt.Sprintf("time=2026-11-28T12:00:00Z level=INFO msg=request method=GET path=/ status=%d", status)))
	}
	ev := pagetest.Request(6, "syd", "/sign")
	ev.Request.Error = "the edge gave up"
	s.Emit(ev)
	b.until(rows + ` === 6`)
	b.click(`document.querySelector("#requests .row")`)
	b.until(`document.querySelector("#requests .hops") !== null`)
	b.run(chromedp.Evaluate(`for (const d of document.querySelectorAll("details")) d.open = true`, nil))
}

// What a screen reader finds: everything that can be used has a name, no two alike; the
// parts are landmarks; what is said by itself is polite.
func TestAccessibilityTree(t *testing.T) {
	s := busySession(t)
	b := made(t, s, desk)
	b.fill(s)
	type value struct {
		Value any `json:"value"`
	}
	// The library knows an older form of this, and stumbles over what is new.
	var tree struct {
		Nodes []struct {
			Ignored bool  `json:"ignored"`
			Role    value `json:"role"`
			Name    value `json:"name"`
		} `json:"nodes"`
	}
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		return cdp.Execute(ctx, "Accessibility.getFullAXTree", nil, &tree)
	}))
	names := map[string][]string{} // by role
	for _, n := range tree.Nodes {
		if n.Ignored {
			continue
		}
		role, name := fmt.Sprint(n.Role.Value), strings.TrimPrefix(fmt.Sprint(n.Name.Value), "<nil>")
		names[role] = append(names[role], name)
		if slices.Contains([]string{"button", "link", "combobox", "textbox", "searchbox", "checkbox", "region", "dialog", "progressbar", "DisclosureTriangle"}, role) && name == "" {
			t.Errorf("a %s has no name", role)
		}
	}
	for _, role := range []string{"button", "link", "combobox"} {
		sorted := slices.Sorted(slices.Values(names[role]))
		for i := 1; i < len(sorted); i++ {
			if sorted[i] == sorted[i-1] {
				t.Errorf("two of role %s are %q", role, sorted[i])
			}
		}
	}
	for role, want := range map[string][]string{
		"banner": nil, "main": nil, "search": {"Filter the requests"}, "log": {"Log lines"},
		"region":      {"Map", "Requests", "Machines", "Logs", "ord Chicago"},
		"button":      {"Kill ams1", "Hand off to ams1", "Stop ams1", "Start syd2", "Cut the network of ord", "Mend the network of nrt", "Pause", "Clear", "Clear the logs", "Deploy"},
		"link":        {"open the app in ams", "fra Frankfurt: fra1 replica, not healthy; fra2 replica, healthy"},
		"combobox":    {"My region", "Status", "Region", "Machine", "Slow down ams by", "Method", "From"},
		"checkbox":    {"Only replayed"},
		"progressbar": {"Deploy: ams1 gets the new build"},
		"heading":     {"flysql dev guestbook", "Map", "Requests", "Machines", "Logs"},
		"rowheader":   {"1. syd1 replica", "2. ord1 primary"},
	} {
		if len(names[role]) == 0 {
			t.Errorf("there is no %s", role)
		}
		for _, w := range want {
			if !slices.Contains(names[role], w) {
				t.Errorf("no %s is named %q: %q", role, w, names[role])
			}
		}
	}
	if rows := strings.Join(names["button"], "\n"); !strings.Contains(rows, "303 POST /sign edge syd to syd1 replica to replay to ord1 primary 182 ms") {
		t.Errorf("the way is not heard: %s", rows)
	}
	if got := eval[string](b, `[...document.querySelectorAll("[aria-live], [role=status], [role=alert]")].map(e => (e.id || e.className) + " " + (e.getAttribute("aria-live") ?? e.getAttribute("role"))).join(", ")`); got != "offline alert, answerhead status, lines off, says status" {
		t.Errorf("live regions: %s", got)
	}
	if eval[bool](b, `[...document.querySelectorAll("[id]")].some((e, i, all) => all.findIndex(o => o.id === e.id) !== i)`) {
		t.Error("two elements have the same ID")
	}
}

// contrasts is each text that is seen, with the contrast of its ink and its ground, where
// that is too little, and likewise each edge of a field.
const contrasts = `(() => {
	const parse = c => { const n = c.match(/[\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
	const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const over = (top, below) => top.slice(0, 3).map((v, i) => v * top[3] + below[i] * (1 - top[3]));
	const ground = e => {
		if (!e) return parse(getComputedStyle(document.documentElement).colorScheme === "dark" ? "0 0 0" : "255 255 255");
		const c = parse(getComputedStyle(e).backgroundColor);
		return c[3] === 1 ? c : over(c, ground(e.parentElement));
	};
	const ratio = (a, b) => { const [x, y] = [light(a.slice(0, 3)), light(b.slice(0, 3))].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };
	const bad = [];
	let seen = 0;
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement, style = getComputedStyle(e);
		if (!walk.currentNode.textContent.trim() || !e.checkVisibility() || e.closest(".vh, noscript, script") || e.getBoundingClientRect().width === 0) continue;
		seen++;
		const r = ratio(parse(style.color), ground(e));
		if (r < 4.5) bad.push(e.className + " " + walk.currentNode.textContent.trim().slice(0, 30) + " " + r.toFixed(2));
	}
	for (const e of document.querySelectorAll("input, select, textarea, .chip")) {
		const r = ratio(parse(getComputedStyle(e).borderTopColor), ground(e.parentElement));
		if (r < 3 && e.type !== "checkbox" && e.checkVisibility()) bad.push("edge of " + (e.id || e.className) + " " + r.toFixed(2));
	}
	for (const e of document.querySelectorAll(".badge, .bar, .spot")) {
		const s = getComputedStyle(e), c = s.borderTopWidth === "0px" || e.className === "spot" ? s.backgroundColor : s.borderTopColor;
		const r = ratio(parse(c), ground(e.parentElement));
		if (r < 3 && e.checkVisibility()) bad.push("mark " + e.className + " " + r.toFixed(2));
	}
	if (seen < 100) bad.push("only " + seen + " texts");
	return [...new Set(bad)].join("\n");
})()`

// Everything can be read in both themes, by the system's choice and by the switch.
func TestContrast(t *testing.T) {
	for _, dark := range []bool{false, true} {
		t.Run(fmt.Sprintf("dark %t", dark), func(t *testing.T) {
			s := busySession(t)
			b := made(t, s, window{width: 1440, height: 900, dark: dark, still: true})
			b.fill(s)
			s.Fail("stop ams1", fmt.Errorf("it will not"))
			b.click(button("ams1", "Stop"))
			b.waitText("#says", "it will not")
			check := func(what string) {
				t.Helper()
				if bad := eval[string](b, contrasts); bad != "" {
					t.Errorf("%s: too little contrast:\n%s", what, bad)
				}
			}
			check("the system's")
			b.click(button("ams1", "Kill"))
			check("a question")
			b.click(`document.querySelector("#askno")`)
			other := map[bool]string{false: "dark", true: "light"}[dark]
			b.until(`(document.querySelector("#theme").click(), document.documentElement.dataset.theme === "` + other + `")`)
			check("switched to " + other)
			ground := eval[string](b, `getComputedStyle(document.body).backgroundColor`)
			b.run(chromedp.Reload())
			b.until(`document.querySelector(".machine") !== null`)
			if got := eval[string](b, `getComputedStyle(document.body).backgroundColor`); got != ground {
				t.Errorf("the theme was not kept: %s, want %s", got, ground)
			}
			b.run(chromedp.Evaluate(`localStorage.clear()`, nil))
		})
	}
}

// Widths: nothing scrolls sideways, chips lie beside each other, and what is pressed is
// large enough.
func TestWidths(t *testing.T) {
	for _, w := range []window{{width: 320, height: 700}, {width: 360, height: 740}, {width: 768, height: 1000}, {width: 1440, height: 900}, {width: 1440, height: 900, zoom: 2}, {width: 2560, height: 1300}} {
		t.Run(fmt.Sprintf("%d zoom %g", w.width, w.zoom), func(t *testing.T) {
			s := busySession(t)
			w.still = true
			b := made(t, s, w)
			b.fill(s)
			if wide := eval[string](b, `(() => { const w = document.documentElement.clientWidth;
				if (document.documentElement.scrollWidth <= w) return "";
				return [...document.querySelectorAll("body *")].filter(e => e.checkVisibility() && e.getBoundingClientRect().right > w + 1 && !e.closest(".scroll, .vh")).map(e => e.tagName + "." + e.className + "#" + e.id).slice(0, 8).join(" ") || "something"; })()`); wide != "" {
				t.Errorf("the page scrolls sideways: %s", wide)
			}
			if over := eval[string](b, `(() => { const box = document.querySelector("#world").getBoundingClientRect(), bad = [];
				const all = [...document.querySelectorAll(".chip")].map(e => [e.textContent.slice(0, 3), e.getBoundingClientRect()]);
				for (const [n, r] of all) {
					if (r.left < box.left || r.right > box.right + 0.5 || r.top < box.top || r.bottom > box.bottom + 0.5) bad.push(n + " is cut off");
					for (const [m, q] of all) if (n < m && r.left < q.right && q.left < r.right && r.top < q.bottom && q.top < r.bottom) bad.push(n + " over " + m);
				}
				return bad.join(", "); })()`); over != "" {
				t.Errorf("on the map: %s", over)
			}
			if small := eval[string](b, `[...document.querySelectorAll("button, select, input:not([type=checkbox]), .button, .chip")].filter(e => e.checkVisibility()).map(e => [e.id || e.textContent, e.getBoundingClientRect()]).filter(([, r]) => r.width < 24 || r.height < 24).map(([n, r]) => n + " " + r.width + "x" + r.height).join(", ")`); small != "" {
				t.Errorf("too small to press: %s", small)
			}
		})
	}
}

// Nothing moves for those who do not want it, and the way is seen all the same.
func TestMotion(t *testing.T) {
	for _, still := range []bool{false, true} {
		s := pagetest.New(1, "ord", "ams")
		b := made(t, s, window{width: 1440, height: 900, still: still})
		b.run(chromedp.Evaluate(`globalThis.ways = []; globalThis.moved = 0; new MutationObserver(list => { for (const m of list) for (const n of m.addedNodes) { ways.push(n.getAttribute("class")); moved += n.getAnimations().length; } }).observe(document.querySelector("#traffic"), {childList: true})`, nil))
		s.Emit(pagetest.Request(1, "ams", "/sign"))
		b.until(`ways.length === 2`)
		want := map[bool]string{false: "leg here request, leg replay", true: "leg here request still, leg replay still"}[still]
		if got := eval[string](b, `ways.join(", ")`); got != want {
			t.Errorf("reduced motion %t: drawn is %q, want %q", still, got, want)
		}
		if moved := eval[int](b, `moved`); (moved == 0) != still {
			t.Errorf("reduced motion %t: %d movements", still, moved)
		}
		b.until(`document.querySelector("#traffic").childElementCount === 0`)
	}
}
