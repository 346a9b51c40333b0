// The session's events, gathered and handed on once a frame. A browser draws no frames
// of a page that is not seen: then a timer hands them on, rarely.
import { prefix } from "./api.js";

const mostWaiting = 5000;

// listen calls handlers.state(state), .requests([…]), .lines([…]), .actions([…]),
// .anew(), .missed(n), .online(bool).
export function listen(handlers) {
  let waiting = fresh(), scheduled = false, known = false;

  function fresh() { return { state: null, requests: [], lines: [], actions: [] }; }

  function flush() {
    scheduled = false;
    const now = waiting;
    waiting = fresh();
    if (now.state) handlers.state(now.state);
    if (now.requests.length) handlers.requests(now.requests);
    if (now.lines.length) handlers.lines(now.lines);
    if (now.actions.length) handlers.actions(now.actions);
  }

  function schedule() {
    if (scheduled) return;
    scheduled = true;
    if (document.hidden) setTimeout(flush, 1000);
    else requestAnimationFrame(flush);
  }
  document.addEventListener("visibilitychange", () => { if (scheduled) flush(); });

  function keep(list, item) {
    list.push(item);
    if (list.length > mostWaiting) list.splice(0, list.length - mostWaiting);
    schedule();
  }

  const source = new EventSource(`${prefix}/events`);
  const on = (type, f) => source.addEventListener(type, e => f(JSON.parse(e.data)));
  on("hello", hello => {
    if (known && !hello.resumed) { waiting = fresh(); handlers.anew(); }
    known = true;
    handlers.online(true);
  });
  on("state", e => { waiting.state = e.state; schedule(); });
  on("request", e => keep(waiting.requests, e.request));
  on("log", e => keep(waiting.lines, { time: e.time, machine: e.log.machine, line: e.log.line }));
  on("action", e => keep(waiting.actions, { time: e.time, ...e.action }));
  on("gap", e => handlers.missed(e.missed));
  source.onerror = () => {
    handlers.online(false);
    // A browser gives up for good where the answer was an error.
    if (source.readyState === EventSource.CLOSED) { source.close(); setTimeout(() => location.reload(), 3000); }
  };
}
