// What the page says: one short sentence, seen and spoken, now and then.
import { $, setText } from "./dom.js";

let timer = 0;

export function say(text, bad = false) {
  setText($("says"), text);
  $("says").className = bad ? "says shown bad" : "says shown";
  clearTimeout(timer);
  timer = setTimeout(() => { $("says").className = "says"; setText($("says"), ""); }, bad ? 15000 : 6000);
}

// ask is a question that has to be answered before anything else. The browser keeps the
// focus in it, and gives it back.
export function ask(question, detail, yes) {
  const dialog = $("ask");
  setText($("askh"), question);
  setText($("askp"), detail);
  setText($("askyes"), yes);
  return new Promise(resolve => {
    let answer = false;
    $("askyes").onclick = () => { answer = true; dialog.close(); };
    $("askno").onclick = () => dialog.close();
    dialog.onclose = () => resolve(answer);
    dialog.showModal();
    $("askno").focus();
  });
}
