// A request that one makes up, sent by flysql dev itself as a client in a region.
import { $, ms, options, setText, show } from "./dom.js";
import { post } from "./api.js";

export function regions(list) {
  options($("sregion"), [{ value: "", text: "my region" }, ...list.map(r => ({ value: r.code, text: r.code }))]);
}

$("send").addEventListener("submit", async e => {
  e.preventDefault();
  if ($("sgo").getAttribute("aria-disabled") === "true") return;
  $("sgo").setAttribute("aria-disabled", "true");
  show($("answer"), true);
  try {
    const body = $("sbody").value;
    const a = await post("send", { method: $("smethod").value, path: $("spath").value, region: $("sregion").value, body, type: body ? $("stype").value : "" });
    setText($("answerhead"), `${a.status}, ${ms(a.ms)}`);
    const head = Object.keys(a.header).sort().flatMap(n => a.header[n].map(v => `${n}: ${v}`)).join("\n");
    setText($("answerbody"), `${head}\n\n${a.body}${a.cut ? "\n(there is more)" : ""}`);
  } catch (err) {
    setText($("answerhead"), err.message);
    setText($("answerbody"), "");
  }
  $("sgo").removeAttribute("aria-disabled");
});
