// The page: its parts, the events they get, and the header.
import { $, options, setAttr, setText, show } from "./dom.js";
import { post } from "./api.js";
import { listen } from "./stream.js";
import { say } from "./say.js";
import * as machines from "./machines.js";
import * as map from "./map.js";
import * as requests from "./requests.js";
import * as logs from "./logs.js";
import * as sender from "./send.js";

listen({
  state(s) {
    s.regions ??= [];
    s.machines ??= [];
    header(s);
    machines.draw(s);
    map.draw(s);
    requests.regions(s.regions);
    logs.machines(s.machines);
    sender.regions(s.regions);
  },
  requests(list) { requests.add(list); map.traffic(list); },
  lines: logs.add,
  actions(list) { logs.actions(list); machines.actions(list); },
  anew() { requests.clear(); logs.clear(); },
  missed(n) { logs.note(`the page was too slow: ${n} events are not shown`); },
  online(there) { setText($("offline"), there ? "" : "The connection to flysql dev is lost. Trying again…"); },
});

function header(s) {
  setText($("app"), s.app);
  const many = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const facts = [s.ready ? null : "starting", s.engine === "litefs" ? `primary ${s.primary || "none"}` : null,
    `${many(s.machines.length, "machine")} in ${many(s.regions.length, "region")}`, s.engine, `latency ${s.latency}`];
  setText($("facts"), facts.filter(Boolean).join(" · "));
  show($("why"), Boolean(s.why));
  setText($("why"), s.why ? `This is not quite what was asked for: ${s.why}` : "");
  setAttr($("open"), "href", safe(s.url));
  deploying(s);
  show($("choose"), document.documentElement.dataset.chooses === "true" && s.regions.length > 1);
  options($("region"), s.regions.map(r => ({ value: r.code, text: `${r.code} ${r.name}` })));
  if ($("region").value !== s.region && document.activeElement !== $("region")) $("region").value = s.region;
}

// safe is a URL to follow: no script, whatever somebody has called a region.
function safe(url) { return /^https?:\/\//.test(url) ? url : null; }

function deploying(s) {
  const rolling = /^rolling (.*)$/.exec(s.doing);
  setAttr($("deploy"), "aria-disabled", s.doing ? "true" : "false");
  show($("rolling"), Boolean(s.doing));
  if (!s.doing) return;
  setText($("rollingtext"), rolling ? `Deploy: ${rolling[1]} gets the new build` : `Deploy: ${s.doing}`);
  $("rolled").max = s.machines.length + 1;
  if (rolling) $("rolled").value = 1 + s.machines.findIndex(m => m.id === rolling[1]);
  else $("rolled").removeAttribute("value");
}

$("deploy").addEventListener("click", async () => {
  if ($("deploy").getAttribute("aria-disabled") === "true") return;
  setAttr($("deploy"), "aria-disabled", "true");
  try {
    await post("deploy");
  } catch (e) {
    say(`Deploy: ${e.message}`, true);
  }
  setAttr($("deploy"), "aria-disabled", "false");
});

$("region").addEventListener("change", async () => {
  const code = $("region").value;
  try {
    await post(`regions/${encodeURIComponent(code)}/choose`);
    say(`Your own requests come in at ${code} now.`);
  } catch (e) {
    say(`My region: ${e.message}`, true);
  }
});

const themes = ["system", "light", "dark"];
function theme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  setText($("theme"), `Theme: ${name}`);
  try { localStorage.setItem("flysql.theme", name); } catch { /* for this page only, then */ }
}
setText($("theme"), `Theme: ${document.documentElement.dataset.theme ?? "system"}`);
$("theme").addEventListener("click", () => {
  theme(themes[(themes.indexOf(document.documentElement.dataset.theme ?? "system") + 1) % themes.length]);
});
