// The log of requests: the newest on top, bounded, filtered, and still while it is read.
import { $, el, ms, options, setAttr, setText, show, svg, vh } from "./dom.js";
import { detail } from "./detail.js";

const mostKept = 5000, mostShown = 250;
const list = $("requests");
let kept = []; // oldest first: {n, r}
let count = 0, seen = 0; // numbered so far; the last number that was shown
let paused = false;
const rows = new Map(); // number -> li

export function add(requests) {
  for (const r of requests) kept.push({ n: ++count, r });
  if (kept.length > mostKept) kept = kept.slice(-mostKept);
  if (held()) tellFresh();
  else flush();
}

export function clear() {
  kept = [];
  rebuild();
}

// held is while somebody reads: rows must not move away then.
function held() {
  return paused || list.scrollTop > 8 || list.contains(document.activeElement) || list.querySelector("[aria-expanded=true]") !== null;
}

function matches({ r }) {
  const path = $("fpath").value.trim().toLowerCase(), status = $("fstatus").value, region = $("fregion").value;
  const hops = r.hops ?? [];
  return (path === "" || r.path.toLowerCase().includes(path)) &&
    (status === "" || String(r.status)[0] === status) &&
    (region === "" || r.edge === region || hops.some(h => h.region === region)) &&
    (!$("freplayed").checked || replayed(r));
}

const replayed = r => (r.hops ?? []).some(h => h.replay || h.why === "replay" || h.why === "cached");

// flush shows what has come since.
function flush() {
  const news = [];
  for (let i = kept.length - 1; i >= 0 && kept[i].n > seen && news.length < mostShown; i--) {
    if (matches(kept[i])) news.push(kept[i]);
  }
  seen = count;
  if (news.length) {
    const top = document.createDocumentFragment();
    for (const k of news) top.append(row(k));
    list.prepend(top);
    trim();
  }
  tell();
}

// trim lets go of the oldest rows, but of none that somebody has open, or is at.
function trim() {
  for (let li = list.lastElementChild, over = list.childElementCount - mostShown; li && over > 0; over--) {
    const next = li.previousElementSibling;
    if (!li.open && !li.contains(document.activeElement)) drop(li);
    li = next;
  }
}

function drop(li) {
  rows.delete(li.number);
  li.remove();
}

// rebuild shows what the filter lets through. Rows that are there stay as they are.
function rebuild() {
  const want = [];
  for (let i = kept.length - 1; i >= 0 && want.length < mostShown; i--) if (matches(kept[i])) want.push(kept[i]);
  const numbers = new Set(want.map(k => k.n));
  for (const [n, li] of rows) if (!numbers.has(n)) drop(li);
  let place = list.firstElementChild;
  for (const k of want) {
    const li = rows.get(k.n) ?? row(k);
    if (li === place) place = place.nextElementSibling;
    else list.insertBefore(li, place);
  }
  seen = count;
  tell();
}

function tell() {
  rove();
  tellFresh();
  const all = kept.length, shown = list.childElementCount;
  setText($("count"), all === shown ? `${all}` : `${shown} of ${all}${all === mostKept ? " kept" : ""}`);
  show($("norequests"), shown === 0);
  setText($("norequests"), all === 0 ? "No requests yet. Open the app, or send one below." : "None of them is let through by the filter.");
}

function tellFresh() {
  let n = 0;
  for (let i = kept.length - 1; i >= 0 && kept[i].n > seen; i--) if (matches(kept[i])) n++;
  // The button would be gone from under whoever has pressed it.
  show($("fresh"), n > 0 || document.activeElement === $("fresh"));
  setText($("fresh"), n > 0 ? `Show ${n} new` : "All are shown");
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function row({ n, r }) {
  const li = el("li");
  const status = r.status === 0 ? "gone" : String(r.status);
  const button = el("button.row", { type: "button", "aria-expanded": "false", tabindex: "-1" },
    el("span.time", null, clock.format(new Date(r.time))),
    el(`span.status.s${status[0]}`, null, r.error || r.status === 0 || r.status >= 500 ? "✕ " : "", status),
    el("span.what", null, el("b", null, r.method), " ", r.path),
    el("span.way", null, way(r)),
    el("span.ms", null, ms(r.ms), r.open ? vh(", goes on") : null));
  button.addEventListener("click", () => toggle(li, r));
  li.number = n;
  li.append(button);
  rows.set(n, li);
  return li;
}

// way is the whole way in one line; how long it took has a column of its own.
function way(r) {
  const text = (r.way || `edge ${r.edge}`).replace(/, [\d.]+ ?(ms|s|µs)$/, "");
  const parts = el("span");
  text.split(/ -> /).forEach((step, i) => {
    if (i > 0) parts.append(" ", arrow(), " ");
    parts.append(el(/^replay/.test(step) ? "span.step.replayed" : /primary/.test(step) ? "span.step.primary" : "span.step", null, step));
  });
  return parts;
}

function arrow() {
  const s = svg("svg", { viewBox: "0 0 14 8", class: "arrow", "aria-hidden": "true" });
  s.append(svg("path", { d: "M0 4h12M9 1l3 3-3 3" }));
  return el("span", null, vh("to"), s);
}

function toggle(li, r) {
  li.open = !li.open;
  const button = li.firstElementChild;
  setAttr(button, "aria-expanded", String(li.open));
  if (!li.open) { li.lastElementChild.remove(); return; }
  const d = detail(r);
  d.id = `request-${li.number}`;
  setAttr(button, "aria-controls", d.id);
  li.append(d);
}

// rove keeps one row in the order of Tab; the arrows lead from it to the others.
function rove() {
  const at = list.querySelector("button.row[tabindex='0']");
  if (at && (list.contains(document.activeElement) || at.parentNode === list.firstElementChild)) return;
  if (at) at.tabIndex = -1;
  const first = list.querySelector("button.row");
  if (first) first.tabIndex = 0;
}

list.addEventListener("keydown", e => {
  if (!e.target.classList.contains("row")) return;
  const li = e.target.parentNode;
  const to = { ArrowDown: li.nextElementSibling, ArrowUp: li.previousElementSibling, Home: list.firstElementChild, End: list.lastElementChild }[e.key];
  if (!to) return;
  e.preventDefault();
  e.target.tabIndex = -1;
  to.firstElementChild.tabIndex = 0;
  to.firstElementChild.focus();
});
list.addEventListener("focusin", e => {
  if (!e.target.classList.contains("row") || e.target.tabIndex === 0) return;
  for (const other of list.querySelectorAll("button.row[tabindex='0']")) other.tabIndex = -1;
  e.target.tabIndex = 0;
});
list.addEventListener("focusout", () => setTimeout(() => { if (!held()) flush(); }));
list.addEventListener("scroll", () => { if (count > seen && !held()) flush(); }, { passive: true });

$("fresh").addEventListener("click", () => { flush(); list.scrollTop = 0; });
$("fresh").addEventListener("blur", () => setTimeout(tellFresh));
$("clear").addEventListener("click", clear);
$("pause").addEventListener("click", () => {
  paused = !paused;
  setAttr($("pause"), "aria-pressed", String(paused));
  if (!held()) flush();
});
let soon = 0;
$("fpath").addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(rebuild, 80); });
for (const id of ["fstatus", "fregion", "freplayed"]) $(id).addEventListener("change", rebuild);

export function regions(all) {
  options($("fregion"), [{ value: "", text: "any" }, ...all.map(r => ({ value: r.code, text: r.code }))]);
}
