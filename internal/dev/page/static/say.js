// What the page says: one short sentence, seen and spoken, now and then.
import { $, setText } from "./dom.js";

const least = 1500; // for which a sentence stays, whoever waits
let waiting = [], timer = 0, since = -least;

export function say(text, bad = false) {
  if (bad && $("says").textContent === text) return; // it is there
  waiting = [...waiting.filter(w => w.text !== text), { text, bad }].slice(-4);
  clearTimeout(timer);
  timer = setTimeout(next, Math.max(0, since + least - performance.now()));
}

function next() {
  const now = waiting.shift();
  setText($("says"), now?.text ?? "");
  $("says").className = now ? `says shown${now.bad ? " bad" : ""}` : "says";
  since = now ? performance.now() : -least;
  if (now) timer = setTimeout(next, waiting.length ? least : now.bad ? 15000 : 6000);
}

// ask is a question that has to be answered before anything else. The browser keeps the
// focus in it, and gives it back.
export function ask(question, detail, yes) {
  const dialog = $("ask");
  setText($("askh"), question);
  setText($("askp"), detail);
  setText($("askyes"), yes);
  return new Promise(resolve => {
    const close = answer => { dialog.close(); resolve(answer); };
    $("askyes").onclick = () => close(true);
    $("askno").onclick = () => close(false);
    dialog.oncancel = () => resolve(false); // by Escape
    if (!dialog.open) dialog.showModal();
    $("askno").focus();
  });
}
