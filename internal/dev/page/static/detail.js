// One request in full: its hops in time, what was asked, and what was answered.
import { el, ms } from "./dom.js";

export function detail(r) {
  const node = el("div.detail");
  const facts = [["Request", r.id], ["From", r.client], ["Host", r.host], ["Edge", r.edge], ["Answer", `${r.status || "none: the client went before"}, ${r.bytes} bytes${r.open ? ", goes on" : ""}`]];
  if (r.error) facts.push(["Error", r.error]);
  node.append(el("dl.pairs", null, ...facts.filter(f => f[1]).map(([k, v]) => el("div", null, el("dt", null, k), el("dd", null, v)))));
  const hops = r.hops ?? [];
  if (hops.length === 0) {
    node.append(el("p.muted", null, "No machine was asked."));
    return node;
  }
  node.append(waterfall(r, hops));
  hops.forEach((h, i) => node.append(headers(h, i)));
  return node;
}

// waterfall is a table, with a bar in each row for the eye.
function waterfall(r, hops) {
  const whole = Math.max(r.ms, ...hops.map(h => h.after_ms + h.ms), 0.001);
  const rows = hops.map((h, i) => {
    const bar = el("span.bar");
    bar.style.marginInlineStart = `${Math.min(99, h.after_ms / whole * 100)}%`;
    bar.style.inlineSize = `${Math.max(1, Math.min(100, h.ms / whole * 100))}%`;
    if (h.role === "primary") bar.classList.add("primary");
    if (h.error) bar.classList.add("lost");
    return el("tr", { role: "row" },
      el("th", { scope: "row", role: "rowheader" }, `${i + 1}. ${h.machine || "none"}`, " ", el("span.muted", null, h.role || h.region)),
      el("td.why", { role: "cell" }, h.why),
      el("td.answer", { role: "cell" }, h.error || (h.status ? String(h.status) : "no answer"), h.replay ? ` fly-replay: ${h.replay}` : "", h.note ? ` (${h.note})` : ""),
      el("td.num", { role: "cell" }, `${ms(h.ms)}`, el("span.muted", null, ` after ${ms(h.after_ms)}`)),
      el("td.track", { "aria-hidden": "true" }, bar));
  });
  return el("div.scroll", null, el("table.hops", { role: "table" },
    el("thead", null, el("tr", null, ...["Machine", "Why", "Answer", "Time"].map(t => el("th", { scope: "col" }, t)), el("td", { "aria-hidden": "true" }))),
    el("tbody", null, ...rows)));
}

function headers(h, i) {
  const part = (title, header) => {
    const names = Object.keys(header ?? {}).sort();
    return el("div", null, el("h4", null, title),
      names.length === 0 ? el("p.muted", null, "none") :
        el("dl.headers", null, ...names.flatMap(n => [el("dt", null, n), ...[header[n]].flat().map(v => el("dd", null, v))])));
  };
  return el("details.headersof", null, el("summary", null, `Headers of ${i + 1}. ${h.machine || "no machine"}`),
    el("div.two", null, part("Request", h.request), part("Response", h.response)));
}
