// What a hand does with the map: wheel, fingers, keys, search, legend, and a point with its neighbours.
const tip = byId("tip"), chosenBox = byId("chosen"), foundBox = byId("found"), legend = byId("legend"),
      search = byId("search"), colour = byId("colour"), status = byId("status");
const make = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};
const grouped = number => number.toLocaleString("en");
const groupName = i => data.groupings.length ? data.groupings[0].names[data.groupings[0].of[i]] : "";

function zoomBy(by, x = width / 2, y = height / 2) {
  const next = Math.min(4000, Math.max(.4, view.zoom * by)), real = next / view.zoom;
  scaled();
  view.x += (x - width / 2) / scale * (1 - 1 / real);
  view.y += (y - height / 2) / scale * (1 - 1 / real);
  view.zoom = next;
  tip.hidden = true;
  redraw();
}
function moveBy(x, y) {
  view.x = Math.min(wide + .2, Math.max(-.2, view.x - x / scale));
  view.y = Math.min(.2, Math.max(high - .2, view.y - y / scale));
  redraw();
}
function whole() {
  Object.assign(view, {x: middle.x, y: middle.y, zoom: 1});
  redraw();
}
function nearestAt(x, y, reach) {
  let best = -1, least = reach * reach;
  for (let i = 0; i < count; ++i) {
    const dx = toX(i) - x, dy = toY(i) - y, d = dx * dx + dy * dy;
    if (d < least && !isDim(i)) best = i, least = d;
  }
  return best;
}
const place = event => {
  const box = canvas.getBoundingClientRect();
  return {x: (event.clientX - box.left) * ratio, y: (event.clientY - box.top) * ratio};
};

// ---- a point

function measured(i, n) {
  const value = data.near.least + near.distance[i * near.k + n] / 65535 * data.near.range;
  return data.near.measure === "cosine" ? (1 - value).toFixed(3) : value.toPrecision(4);
}
function pointRow(i, note) {
  const row = make("button", "row");
  row.type = "button";
  if (hasPictures) row.append(thumbnail(i, 30));
  else if (shown.grouping) {
    const dot = make("i");
    dot.style.background = css(colourOf(shown.grouping.of[i], shown.grouping.names.length));
    row.append(dot);
  }
  const name = make("span", "", wordOf(i));
  if (hasPictures && groupName(i)) name.textContent = groupName(i);
  row.append(name, make("small", "", note));
  row.onclick = () => choose(i, true);
  return row;
}
function choose(i, show) {
  shown.chosen = i;
  chosenBox.replaceChildren();
  if (i >= 0) {
    const head = make("div", "head"), words = make("div");
    if (hasPictures) head.append(thumbnail(i, 72));
    words.append(make("h2", "", wordOf(i)));
    if (groupName(i)) words.append(make("p", "small soft", groupName(i)));
    head.append(words);
    chosenBox.append(head, make("p", "small soft", "The " + near.k + " nearest, and their " + data.near.measure + ":"));
    chosenBox.append(...[...neighboursOf(i)].map((j, n) => pointRow(j, measured(i, n))));
    if (show && !inView(i, -40)) Object.assign(view, {x: px[i], y: py[i]});
  }
  history.replaceState(null, "", i >= 0 ? "#" + i : location.pathname + location.search);
  redraw();
}
function point(i, at) {
  tip.hidden = i < 0;
  if (i < 0) return;
  tip.replaceChildren();
  if (hasPictures) tip.append(thumbnail(i, Math.max(64, data.pictures.side)));
  tip.append(make("b", "", wordOf(i)));
  if (groupName(i)) tip.append(make("div", "soft", groupName(i)));
  const x = at.x / ratio, y = at.y / ratio, box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(x + 14, width / ratio - box.width - 6)) + "px";
  tip.style.top = Math.max(4, y + 16 + box.height > height / ratio ? y - box.height - 12 : y + 16) + "px";
}

// ---- pointers, wheel, keys

const fingers = new Map();
let moved = 0;
canvas.onpointerdown = event => {
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, place(event));
  moved = fingers.size > 1 ? 99 : 0;
  tip.hidden = true;
};
canvas.onpointermove = event => {
  const at = place(event), from = fingers.get(event.pointerId);
  if (!from) {
    const i = nearestAt(at.x, at.y, 12 * ratio);
    return point(i, at);
  }
  moved += Math.hypot(at.x - from.x, at.y - from.y) / ratio;
  fingers.set(event.pointerId, at);
  if (fingers.size === 1) return moveBy(at.x - from.x, at.y - from.y);
  for (const [id, other] of fingers) {
    if (id === event.pointerId) continue;
    const was = Math.hypot(from.x - other.x, from.y - other.y), is = Math.hypot(at.x - other.x, at.y - other.y);
    moveBy((at.x - from.x) / 2, (at.y - from.y) / 2);
    if (was > 4 && is > 4) zoomBy(is / was, (at.x + other.x) / 2, (at.y + other.y) / 2);
    break;
  }
};
canvas.onpointerup = event => {
  fingers.delete(event.pointerId);
  const at = place(event);
  if (moved < 5) choose(nearestAt(at.x, at.y, (event.pointerType === "touch" ? 22 : 12) * ratio), false);
};
canvas.onpointercancel = event => fingers.delete(event.pointerId);
canvas.onpointerleave = () => { tip.hidden = true; };
canvas.addEventListener("wheel", event => {
  event.preventDefault();
  const at = place(event), lines = event.deltaMode ? 20 : 1;
  zoomBy(Math.exp(-Math.max(-300, Math.min(300, event.deltaY * lines)) * .002), at.x, at.y);
}, {passive: false});
const keys = {
  ArrowLeft: () => moveBy(60 * ratio, 0), ArrowRight: () => moveBy(-60 * ratio, 0),
  ArrowUp: () => moveBy(0, 60 * ratio), ArrowDown: () => moveBy(0, -60 * ratio),
  "+": () => zoomBy(1.4), "=": () => zoomBy(1.4), "-": () => zoomBy(1 / 1.4), "0": whole,
  Enter: () => choose(nearestAt(width / 2, height / 2, width), false), Escape: () => choose(-1),
};
canvas.onkeydown = event => {
  if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  keys[event.key]();
};
byId("in").onclick = () => zoomBy(1.6);
byId("out").onclick = () => zoomBy(1 / 1.6);
byId("whole").onclick = whole;

// ---- search, colours

function find() {
  const wanted = search.value.trim().toLowerCase(), found = [];
  foundBox.replaceChildren();
  shown.found = wanted ? new Uint8Array(count) : null;
  for (let i = 0; wanted && i < count; ++i)
    if (wordOf(i).toLowerCase().includes(wanted) || groupName(i).toLowerCase().includes(wanted))
      shown.found[i] = 1, found.push(i);
  if (wanted) {
    const exact = i => wordOf(i).toLowerCase() === wanted ? 0 : 1;
    found.sort((a, b) => exact(a) - exact(b) || a - b);
    foundBox.append(make("h2", "", grouped(found.length) + " found"), ...found.slice(0, 30).map(i => pointRow(i, "")));
  }
  say();
  redraw();
}
function say() {
  status.textContent = shown.found ? grouped(shown.found.reduce((a, b) => a + b, 0)) + " of " + grouped(count) : "";
}
function group() {
  shown.grouping = data.groupings[colour.value] || null;
  shown.hidden.clear();
  legend.replaceChildren();
  const g = shown.grouping;
  if (g) {
    legend.append(make("h2", "", grouped(g.names.length) + " " + g.title + (g.names.length === 1 ? "" : "s")));
    const order = [...g.names.keys()].sort((a, b) => g.names.length > 40 ? g.counts[b] - g.counts[a] : a - b);
    legend.append(...order.slice(0, 200).map(c => {
      const row = make("button", "row"), dot = make("i");
      row.type = "button";
      row.setAttribute("aria-pressed", "true");
      row.dataset.group = c;
      dot.style.background = css(colourOf(c, g.names.length));
      row.append(dot, make("span", "", g.names[c] || "(none)"), make("small", "", grouped(g.counts[c])));
      row.onclick = () => isolate(c);
      return row;
    }));
    if (order.length > 200) legend.append(make("p", "small soft", "and " + grouped(order.length - 200) + " more"));
  }
  redraw();
}
// One group alone; again, and all are back. With some hidden, a click takes a group in or out.
function isolate(c) {
  const all = shown.grouping.names.length;
  if (shown.hidden.size === 0) {
    for (let g = 0; g < all; ++g) if (g !== c) shown.hidden.add(g);
  } else if (shown.hidden.has(c)) shown.hidden.delete(c);
  else shown.hidden.add(c);
  if (shown.hidden.size >= all) shown.hidden.clear();
  for (const row of legend.querySelectorAll(".row"))
    row.setAttribute("aria-pressed", String(!shown.hidden.has(Number(row.dataset.group))));
  redraw();
}
search.oninput = find;
document.querySelector(".controls").onsubmit = event => {
  event.preventDefault();
  const first = shown.found ? shown.found.indexOf(1) : -1, row = foundBox.querySelector(".row");
  if (row) row.click(); else if (first >= 0) choose(first, true);
};
colour.append(...data.groupings.map((g, n) => {
  const choice = make("option", "", g.title);
  choice.value = n;
  return choice;
}));
colour.parentElement.hidden = data.groupings.length < 2;
colour.onchange = group;
for (const [name, there] of [["words", data.words.length || data.groupings.length], ["pictures", hasPictures]]) {
  const box = byId(name);
  box.parentElement.hidden = !there;
  box.onchange = () => { shown[name] = box.checked; redraw(); };
}

// ---- beginning

// ?time: what a frame costs, of a way in and out again that shows all of the map and parts of it.
function timeFrames() {
  const times = [], frames = 90;
  for (let f = 0; f < frames; ++f) {
    const part = Math.sin(Math.PI * f / frames);
    Object.assign(view, {zoom: Math.exp(3 * part), x: middle.x + .2 * part, y: middle.y});
    const begin = performance.now();
    draw();
    ink.getImageData(0, 0, 1, 1);  // waits for what was drawn
    times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  const at = share => times[Math.min(frames - 1, Math.floor(share * frames))].toFixed(1);
  byId("timing").textContent = grouped(count) + " points on " + width + " × " + height + " pixels, " + frames +
      " frames: median " + at(.5) + " ms, 95 % below " + at(.95) + " ms, longest " + at(1) + " ms";
  whole();
}
new ResizeObserver(() => { fit(); draw(); }).observe(byId("frame"));
dark.addEventListener("change", () => { group(); });
fit();
group();
if (hasPictures) {
  sprite.onload = () => { draw(); if (shown.chosen >= 0) choose(shown.chosen, false); };
  sprite.src = "data:image/jpeg;base64," + byId("sprite").textContent;
}
const asked_for = Number(location.hash.slice(1) || -1);
if (Number.isInteger(asked_for) && asked_for >= 0 && asked_for < count) choose(asked_for, true);
draw();
if (new URLSearchParams(location.search).has("time")) timeFrames();
