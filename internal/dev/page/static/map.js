// The map: where the regions are, their machines, and where requests go.
import { $, el, ms, setAttr, setClass, setText, svg, sync } from "./dom.js";
import { badge } from "./machines.js";

const west = -168, north = 74;
const width = Number($("land").dataset.width), height = Number($("land").dataset.height);
const still = matchMedia("(prefers-reduced-motion: reduce)");
let state = null, scale = 1, places = new Map(), drawn = "";

const miller = lat => 1.25 * Math.asinh(Math.tan(0.8 * lat * Math.PI / 180)) * 180 / Math.PI;
const project = r => ({ x: clamp((r.lon - west) * scale, 8, (width * scale) - 8), y: clamp((miller(north) - miller(clamp(r.lat, -85, 85))) * scale, 8, height * scale - 8) });
const clamp = (n, low, high) => Math.min(Math.max(n, low), high);

export function draw(s) {
  state = s;
  for (const r of s.regions) if (!places.has(r.code)) places.set(r.code, project(r));
  sync($("chips"), s.regions, r => r.code, makeChip, (node, r) => updateChip(node, r, s));
  lay();
}

function makeChip(r) {
  const node = el("li");
  const link = el("a.chip", { href: `#region-${r.code}` });
  node.parts = { link, code: el("b", null, r.code), badges: el("span.badges", { "aria-hidden": "true" }), note: el("span.note", { "aria-hidden": "true" }), words: el("span.vh") };
  link.append(node.parts.code, node.parts.badges, node.parts.note, node.parts.words);
  node.append(link, node.spot = el("span.spot", { "aria-hidden": "true" }));
  return node;
}

function updateChip(node, r, s) {
  const machines = s.machines.filter(m => m.region === r.code), p = node.parts;
  sync(p.badges, machines, m => m.id, () => el("span.badge"), (b, m) => {
    const is = badge(m, s.engine);
    setClass(b, `badge ${is.kind}`);
    setText(b, is.letter);
  });
  const notes = [r.cut ? "cut off" : "", r.slow_ms > 0 ? `+${ms(r.slow_ms)}` : "", behind(machines)].filter(Boolean).join(", ");
  setText(p.note, notes);
  setText(p.words, ` ${r.name}${notes ? `, ${notes}` : ""}: ${machines.map(m => `${m.id} ${badge(m, s.engine).words}`).join("; ")}`);
  setClass(p.link, r.cut ? "chip cut" : "chip");
  setClass(node.spot, r.cut ? "spot cut" : "spot");
}

// behind is the worst lag of a region's replicas, where it is worth a word.
function behind(machines) {
  const lag = Math.max(0, ...machines.filter(m => m.state === "started" && m.role === "replica").map(m => m.lag_ms ?? 0));
  return lag >= 1000 ? `lag ${ms(lag)}` : "";
}

// lay finds a place for each chip, near its region and over no other's. It does so only
// where something has changed its size.
function lay() {
  const w = $("world").clientWidth;
  if (!state || w === 0) return;
  const nodes = [...$("chips").children];
  const sizes = nodes.map(n => ({ w: n.firstChild.offsetWidth, h: n.firstChild.offsetHeight }));
  const now = JSON.stringify([w, sizes, state.primary, state.regions.map(r => [r.code, r.cut])]);
  if (now === drawn) return;
  drawn = now;
  scale = w / width;
  setAttr($("globe"), "viewBox", `0 0 ${w} ${height * scale}`);
  setAttr($("globe"), "width", w);
  setAttr($("globe"), "height", height * scale);
  setAttr($("land"), "transform", `scale(${scale})`);
  places = new Map(state.regions.map(r => [r.code, project(r)]));
  const spots = state.regions.map(r => places.get(r.code));
  const taken = spots.map(s => ({ x: s.x - 5, y: s.y - 5, w: 10, h: 10 }));
  const leaders = [];
  state.regions.forEach((r, i) => {
    const at = spots[i], box = place(at, sizes[i], taken, w, height * scale);
    taken.push(box);
    nodes[i].firstChild.style.transform = `translate(${Math.round(box.x)}px, ${Math.round(box.y)}px)`;
    nodes[i].spot.style.transform = `translate(${at.x}px, ${at.y}px)`;
    leaders.push({ code: r.code, at, to: { x: clamp(at.x, box.x, box.x + box.w), y: clamp(at.y, box.y, box.y + box.h) } });
  });
  sync($("leaders"), leaders, l => l.code, () => svg("line", { class: "leader" }), (line, l) => {
    for (const [k, v] of [["x1", l.at.x], ["y1", l.at.y], ["x2", l.to.x], ["y2", l.to.y]]) setAttr(line, k, v.toFixed(1));
  });
  streams();
}

function place(at, size, taken, w, h) {
  let best = null;
  for (const far of [11, 22, 36, 54, 76, 102, 132]) {
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, -1], [0, 1], [1, -1], [-1, -1], [1, 1], [-1, 1]]) {
      const box = {
        x: at.x + dx * far - (dx < 0 ? size.w : dx === 0 ? size.w / 2 : 0),
        y: at.y + dy * far - (dy < 0 ? size.h : dy === 0 ? size.h / 2 : 0), w: size.w, h: size.h,
      };
      box.x = clamp(box.x, 2, Math.max(2, w - size.w - 2));
      box.y = clamp(box.y, 2, Math.max(2, h - size.h - 2));
      const over = taken.reduce((sum, t) => sum + overlap(box, t), 0);
      if (over === 0) return box;
      if (!best || over < best.over) best = { box, over };
    }
  }
  return best.box;
}

function overlap(a, b) {
  const gap = 3;
  const x = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x) + gap, y = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y) + gap;
  return x > 0 && y > 0 ? x * y : 0;
}

// streams are the ways of LiteFS, from the primary to those that copy it.
function streams() {
  const from = state.machines.find(m => m.id === state.primary)?.region;
  const cut = new Set(state.regions.filter(r => r.cut).map(r => r.code));
  const to = from && !cut.has(from) ? state.regions.filter(r => r.code !== from && !cut.has(r.code)) : [];
  sync($("streams"), to, r => r.code, () => svg("path", { class: "stream" }), (path, r) => setAttr(path, "d", arc(places.get(from), places.get(r.code))));
}

// arc bends to the north, as ways on a globe seem to.
function arc(a, b) {
  const far = Math.hypot(b.x - a.x, b.y - a.y), bend = Math.min(far * 0.22, 90);
  const top = Math.max(4, (a.y + b.y) / 2 - bend);
  return `M${a.x.toFixed(1)} ${a.y.toFixed(1)}Q${((a.x + b.x) / 2).toFixed(1)} ${top.toFixed(1)} ${b.x.toFixed(1)} ${b.y.toFixed(1)}`;
}

const mostDrawn = 30;

// traffic draws the ways of some requests: as many as an eye can follow.
export function traffic(list) {
  if (!state || document.hidden) return;
  for (const r of list.slice(-8)) {
    let from = r.edge, wait = 0;
    for (const hop of (r.hops ?? []).slice(0, 6)) {
      if ($("traffic").childElementCount >= mostDrawn) return;
      const replayed = hop.why === "replay" || hop.why === "cached";
      wait += way(from, hop.region, replayed ? "replay" : hop.error ? "lost" : "request", wait, hop.ms);
      from = hop.region || from;
    }
  }
}

// way draws one leg, and is how long it takes to.
function way(from, to, kind, wait, took) {
  const a = places.get(from) ?? places.get(state.region), b = places.get(to);
  if (!a || !b) return 0;
  const time = clamp(took, 350, 1100);
  const here = a === b;
  const node = here ? svg("circle", { cx: b.x, cy: b.y, r: 9, class: `leg here ${kind}` }) : svg("path", { d: arc(a, b), pathLength: 1, class: `leg ${kind}` });
  $("traffic").append(node);
  if (still.matches) { // it is there for a moment, and does not move
    node.classList.add("still");
    setTimeout(() => node.remove(), 1500);
    return 0;
  }
  const frames = here ? [{ opacity: 0.9, r: "4px" }, { opacity: 0, r: "18px" }] : [{ strokeDashoffset: 0.3, opacity: 1 }, { strokeDashoffset: -1, opacity: 1 }];
  const animation = node.animate(frames, { duration: time, delay: wait, fill: "both", easing: "ease-in-out" });
  animation.onfinish = animation.oncancel = () => node.remove();
  return here ? time / 3 : time * 0.8;
}

new ResizeObserver(() => lay()).observe($("world"));
