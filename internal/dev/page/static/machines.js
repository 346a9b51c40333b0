// The machines by region, and what can be done to them.
import { $, el, ms, options, setAttr, setClass, setText, show, sync, vh } from "./dom.js";
import { post } from "./api.js";
import { ask, say } from "./say.js";

const delays = [0, 100, 500, 2000];
let before = null; // the state that was drawn last
const busy = new Map(); // machine or region -> what is being done to it

export function draw(s) {
  announce(s);
  before = s;
  sync($("regions"), s.regions, r => r.code, makeRegion, (node, r) => updateRegion(node, r, s));
}

// badge is how a machine is marked, here and on the map: by letter, form and colour.
export function badge(m, engine) {
  if (m.state === "stopped") return { letter: "–", kind: "off", words: m.error ? "down" : "off" };
  if (m.state === "away") return { letter: "…", kind: "off", words: "on its way" };
  const role = m.role || (engine === "litefs" ? "role not known" : "machine");
  if (!m.healthy) return { letter: "!", kind: "sick", words: `${role}, not healthy` };
  if (m.role === "primary") return { letter: "P", kind: "primary", words: "primary, healthy" };
  if (m.role === "replica") return { letter: "R", kind: "replica", words: "replica, healthy" };
  return { letter: engine === "litefs" ? "?" : "M", kind: engine === "litefs" ? "replica" : "primary", words: `${role}, healthy` };
}

function makeRegion(r) {
  const node = el("section.region", { id: `region-${r.code}`, tabindex: "-1", "aria-labelledby": `regionh-${r.code}` });
  const parts = node.parts = {
    head: el("h3", { id: `regionh-${r.code}` }, el("b", null, r.code), " ", el("span.muted", null, r.name)),
    open: el("a", { target: "_blank", rel: "noopener" }, "open", vh(` the app in ${r.code}`)),
    cut: el("button.quiet", { type: "button" }, el("span", null, "Cut"), vh(` the network of ${r.code}`)),
    slow: el("select", { id: `slow-${r.code}` }),
    list: el("ul.machinelist"),
  };
  parts.open.className = "open";
  parts.cut.addEventListener("click", () => act(`region ${r.code}`, `regions/${encodeURIComponent(r.code)}/${node.region.cut ? "mend" : "cut"}`));
  parts.slow.addEventListener("change", () => {
    act(`region ${r.code}`, `regions/${encodeURIComponent(r.code)}/slow`, { ms: Number(parts.slow.value) });
  });
  node.append(
    el("div.regionhead", null, parts.head, parts.open,
      el("div.tools", null, parts.cut,
        el("div.field", null, el("label", { for: `slow-${r.code}` }, "Slow", vh(` down ${r.code} by`)), parts.slow))),
    parts.list);
  return node;
}

function updateRegion(node, r, s) {
  node.region = r;
  const p = node.parts;
  setAttr(p.open, "href", /^https?:\/\//.test(r.url) ? r.url : null);
  show(p.open, Boolean(r.url));
  setText(p.cut.firstChild, r.cut ? "Mend" : "Cut");
  setClass(p.cut, r.cut ? "danger" : "quiet");
  const all = delays.includes(r.slow_ms) ? delays : [...delays, r.slow_ms];
  options(p.slow, all.map(d => ({ value: String(d), text: d === 0 ? "no" : `+${ms(d)}` })));
  if (document.activeElement !== p.slow) p.slow.value = String(r.slow_ms);
  setClass(node, r.cut ? "region cut" : "region");
  sync(p.list, s.machines.filter(m => m.region === r.code), m => m.id, makeMachine, (n, m) => updateMachine(n, m, s));
}

function makeMachine(m) {
  // A button that cannot be used keeps the focus, so that nobody is thrown out of the row.
  const press = what => e => { if (e.currentTarget.getAttribute("aria-disabled") !== "true") what(node.machine); };
  const button = (text, what, kind) => el(`button${kind ?? ""}`, { type: "button", onclick: press(what) }, el("span", null, text), vh(` ${text === "Hand off" ? "to " : ""}${m.id}`));
  const node = el("li.machine", { id: `machine-${m.id}` });
  node.parts = {
    badge: el("span.badge", { "aria-hidden": "true" }),
    id: el("b.id", null, m.id),
    words: el("span.words"),
    power: button("Stop", m => act(m.id, `machines/${encodeURIComponent(m.id)}/${m.state === "stopped" ? "start" : "stop"}`)),
    restart: button("Restart", m => act(m.id, `machines/${encodeURIComponent(m.id)}/restart`)),
    handoff: button("Hand off", m => act(m.id, `machines/${encodeURIComponent(m.id)}/handoff`)),
    kill: button("Kill", kill, ".danger"),
    databases: el("ul.facts"),
    facts: el("p.facts"),
    error: el("p.error"),
  };
  const p = node.parts;
  node.append(
    el("div.line1", null, el("div.who", null, p.badge, p.id, p.words), p.facts),
    el("div.line2", null, p.databases, el("div.tools", { role: "group", "aria-label": `What to do to ${m.id}` }, p.handoff, p.restart, p.power, p.kill)),
    p.error);
  return node;
}

function updateMachine(node, m, s) {
  node.machine = m;
  const p = node.parts, b = badge(m, s.engine);
  setClass(p.badge, `badge ${b.kind}`);
  setText(p.badge, b.letter);
  setText(p.words, busy.get(m.id) ? `${b.words} (${busy.get(m.id)}…)` : b.words);
  const off = m.state === "stopped";
  setText(p.power.firstChild, off ? "Start" : "Stop");
  setAttr(p.kill, "aria-disabled", off ? "true" : null);
  setAttr(p.restart, "aria-disabled", off ? "true" : null);
  show(p.handoff, s.engine === "litefs");
  setAttr(p.handoff, "aria-disabled", off || m.role === "primary" ? "true" : null);
  sync(p.databases, off ? [] : m.databases ?? [], d => d.name, d => el("li", null, d.name), (li, d) => {
    setText(li, `${d.name} ${position(d)}`);
    setAttr(li, "title", d.position);
  });
  setText(p.facts, off ? "" : facts(m));
  const failing = off ? [] : (m.checks ?? []).filter(c => !c.passing).map(c => `${c.name}: ${c.output || "no answer yet"}`);
  const text = [m.error, ...failing].filter(Boolean).join(" · ");
  setText(p.error, text.length > 300 ? `${text.slice(0, 300)}…` : text);
  show(p.error, text !== "");
  setClass(node, s.doing === `rolling ${m.id}` ? "machine rolled" : `machine ${b.kind}`);
}

// position is a database's transaction, as short as it is told apart by.
function position(d) {
  const tx = d.position.split("/")[0].replace(/^0+(?=.)/, "");
  const behind = d.behind === null || d.behind === undefined || d.behind === 0 ? "" : `, ${d.behind} behind`;
  return (tx ? `TXID ${tx}` : "no TXID") + behind;
}

function facts(m) {
  const list = [];
  if (m.role === "replica") list.push(m.lag_ms === null || m.lag_ms === undefined ? "lag not known" : `lag ${ms(m.lag_ms)}`);
  list.push(`${m.load} request${m.load === 1 ? "" : "s"}`);
  if (m.memory > 0) list.push(`${Math.round(m.memory / 1e6)} MB`);
  return list.join(" · ");
}

async function kill(m) {
  const role = m.role === "primary" ? " It is the primary." : "";
  const yes = await ask(`Kill ${m.id}?`, `All of its processes end at once, as by kill -9 or a crash.${role} It stays off until you start it.`, "Kill");
  if (yes) act(m.id, `machines/${encodeURIComponent(m.id)}/kill`);
}

const doings = { kill: "being killed", stop: "stopping", start: "starting", restart: "restarting", handoff: "taking over", cut: "cutting", mend: "mending", slow: "slowing" };

// act does it, unless something is being done there already.
async function act(target, path, body) {
  if (busy.has(target)) {
    say(`${target}: still ${busy.get(target)}.`);
    return;
  }
  const name = path.split("/").pop();
  busy.set(target, doings[name]);
  if (before) draw(before);
  try {
    await post(path, body);
  } catch (e) {
    say(`${name} ${target.replace(/^region /, "")}: ${e.message}`, true); // as its event says
  }
  busy.delete(target);
  if (before) draw(before);
}

const done = { kill: "killed", stop: "stopped", start: "started", restart: "restarted", cut: "cut off", mend: "back on the network", slow: "has another speed" };

// actions tells what was done, by whomever.
export function actions(list) {
  for (const a of list.slice(-3)) {
    if (a.error) say(`${a.name} ${a.target}: ${a.error}`, true);
    else if (a.done && a.name === "deploy") say("The new build is on all machines.");
    else if (a.done && done[a.name]) say(`${a.target} ${a.name === "mend" || a.name === "slow" ? "" : "was "}${done[a.name]}.`);
  }
}

// announce says what nobody may have done.
function announce(s) {
  if (!before) return;
  if (s.primary !== before.primary) say(s.primary ? `${s.primary} is the primary now.` : "There is no primary.", !s.primary);
  for (const m of s.machines) {
    const was = before.machines.find(b => b.id === m.id);
    if (was && m.error && m.error !== was.error) say(`${m.id} is down: ${m.error}`, true);
  }
}
