// What the machines print, and what was done to them.
import { $, el, options } from "./dom.js";

const mostKept = 3000, mostShown = 500;
const box = $("lines"), select = $("lmachine");
let kept = [];

export function add(lines) {
  push(lines.map(l => ({ of: l.machine || "build", text: plain(l.line), time: l.time })));
}

export function actions(list) {
  push(list.map(a => ({ of: a.target || "deploy", own: true, time: a.time, text: `${a.name} ${a.target}`.trim() + (a.error ? `: ${a.error}` : a.done ? ": done" : "") })));
}

export function note(text) {
  push([{ of: "page", own: true, text }]);
}

export function clear() {
  kept = [];
  rebuild();
}

export function machines(list) {
  options(select, [{ value: "*", text: "all" }, ...list.map(m => ({ value: m.id, text: m.id })), { value: "build", text: "build" }]);
}

// plain is a line without the colours that are meant for a terminal.
function plain(line) {
  return line.replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, "").replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "\ufffd");
}

const wanted = l => select.value === "*" || l.of === select.value || l.of === "page";

function push(lines) {
  kept.push(...lines);
  if (kept.length > mostKept) kept = kept.slice(-mostKept);
  const follow = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  const more = document.createDocumentFragment();
  for (const l of lines.filter(wanted).slice(-mostShown)) more.append(line(l));
  box.append(more);
  while (box.childElementCount > mostShown) box.firstElementChild.remove();
  if (follow) box.scrollTop = box.scrollHeight;
}

function rebuild() {
  box.replaceChildren(...kept.filter(wanted).slice(-mostShown).map(line));
  box.scrollTop = box.scrollHeight;
}

function line(l) {
  return el(l.own ? "div.line.own" : "div.line", null, el("span.of", null, l.of), " ", el("span", null, l.text));
}

select.addEventListener("change", rebuild);
$("lclear").addEventListener("click", clear);
