// What all parts need of the document. Text goes in as text only: whatever a path, a
// header or a log line has in it stays what it is.

export const $ = id => document.getElementById(id);

// el makes an element. Props whose names begin with "on" listen; null ones are left out.
export function el(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter(c => c !== null && c !== undefined));
  return node;
}

export function svg(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes ?? {})) node.setAttribute(key, value);
  return node;
}

// vh is text for those who do not see the page.
export const vh = text => el("span.vh", null, text);

// Nothing is touched that is as it should be: so the focus, a selection, and what a
// screen reader is reading stay.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttr(node, name, value) {
  if (value === null || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

export function setClass(node, name) {
  if (node.getAttribute("class") !== name) node.setAttribute("class", name);
}

export function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

// sync makes parent's children those of items, in their order. Each is made once, found
// again by its key, and moved only where its place has changed.
export function sync(parent, items, key, make, update) {
  const have = parent.nodesByKey ??= new Map();
  const want = new Set(items.map(key));
  for (const [k, node] of have) {
    if (!want.has(k)) { node.remove(); have.delete(k); }
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    let node = have.get(key(item));
    if (!node) have.set(key(item), node = make(item));
    if (node === place) place = place.nextElementSibling;
    else move(parent, node, place);
    update?.(node, item);
  }
}

// move takes the focus along, which a node that is moved loses.
function move(parent, node, place) {
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  parent.insertBefore(node, place);
  focused?.focus({ preventScroll: true });
}

// options fills a select, and keeps what was chosen while it is there.
export function options(select, list) {
  const chosen = select.value;
  sync(select, list, o => o.value, o => el("option", { value: o.value }), (node, o) => setText(node, o.text));
  if (list.some(o => o.value === chosen)) { if (select.value !== chosen) select.value = chosen; }
}

// ms is a time as one reads it.
export function ms(n) {
  if (n >= 1000 && n % 1000 === 0) return `${n / 1000} s`;
  if (n >= 2000) return `${(n / 1000).toFixed(1)} s`;
  if (n >= 10 || n === 0) return `${Math.round(n)} ms`;
  return `${n.toFixed(n < 1 ? 2 : 1)} ms`;
}
