"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const grid = byId("grid"), layer = byId("layer"), unit = byId("unit"), order = byId("order"), cls = byId("class"),
      large = byId("large"), count = byId("count");
const step = data.strips.tile + data.strips.gap, rows = data.strips.rows.length;

const make = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};
const number = x => x === null ? "–" : x === 0 ? "0" : Number(x.toPrecision(3)).toString().replace("-", "−");
const percent = part => part === null ? "–" : part > 0 && part < .001 ? "< 0.1 %" : (100 * part).toFixed(1) + " %";
// Names of files hold %XX themselves.
const address = path => path.split("/").map(encodeURIComponent).join("/");
const best = u => u.top.length ? u.top[0].score : -Infinity;
const correlation = u => u.class ? u.class.correlation : -2;

function picture(path, text) {
  const image = new Image();
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = text;
  image.onerror = () => image.replaceWith(make("span", "gone", "not there"));
  image.src = address(path);
  return image;
}

function strip(u, text) {
  const frame = make("i", "strip");
  const columns = Math.max(u.top.length, 1);
  frame.style.aspectRatio = (columns * step - data.strips.gap) + " / " + (rows * step - data.strips.gap);
  frame.style.width = 100 * columns / Math.max(columns, data.top) + "%";
  frame.append(picture(u.strip, text));
  return frame;
}

function facts(u) {
  const list = make("dl");
  const fact = (name, value) => list.append(make("dt", "", name), make("dd", "", value));
  fact("strongest", u.top.length ? number(u.top[0].score) : "–");
  fact("mean", number(u.mean));
  fact("inactive", percent(u.sparsity));
  if (u.ascent) fact("ascent", u.ascent.dead ? "dead" : number(u.ascent.before) + " → " + number(u.ascent.after));
  return list;
}

function goesWith(u) {
  const line = make("p", "class");
  if (u.class) line.append(make("span", "name", u.class.name), make("span", "r", "r " + u.class.correlation.toFixed(2).replace("-", "−")));
  else line.append(make("span", "soft", "no class"));
  return line;
}

function card(u) {
  const button = make("button", "card");
  button.type = "button";
  button.dataset.unit = u.unit;
  const top = make("span", "top"), words = make("span", "words");
  if (u.ascent) top.append(picture(u.ascent.file, "What makes unit " + u.unit + " strong"));
  words.append(make("b", "", "#" + u.unit), goesWith(u), facts(u));
  top.append(words);
  button.append(top);
  if (u.strip) button.append(strip(u, "Patches and reconstructions of unit " + u.unit));
  button.onclick = () => enlarge(u.unit);
  return button;
}

const orders = {
  number: null,
  top: (a, b) => best(b) - best(a),
  correlation: (a, b) => correlation(b) - correlation(a),
  sparsity: (a, b) => b.sparsity - a.sparsity,
};

function show() {
  let units = data.layers[layer.value].units.slice();
  if (cls.value !== "") units = units.filter(u => u.class && u.class.index === Number(cls.value));
  if (orders[order.value]) units.sort(orders[order.value]);
  grid.replaceChildren(...units.map(card));
  const silent = units.filter(u => u.sparsity === 1).length;
  count.textContent = units.length + (units.length === 1 ? " unit" : " units") + (silent ? ", " + silent + " silent" : "");
  unit.max = data.layers[layer.value].units.length - 1;
}

function chooseLayer() {
  const counts = new Map();
  for (const u of data.layers[layer.value].units)
    if (u.class) counts.set(u.class.index, (counts.get(u.class.index) || 0) + 1);
  const any = make("option", "", "any");
  any.value = "";
  cls.replaceChildren(any, ...[...counts.keys()].sort((a, b) => a - b).map(c => {
    const choice = make("option", "", data.classes.names[c] + " · " + counts.get(c));
    choice.value = c;
    return choice;
  }));
  cls.parentElement.hidden = counts.size === 0;
  show();
}

function enlarge(index) {
  const chosen = data.layers[layer.value], u = chosen.units[index], view = large.querySelector(".view");
  if (!u) return;
  large.querySelector("h2").textContent = chosen.layer + ", unit " + u.unit;
  const left = make("div", "left"), right = make("div", "right");
  if (u.ascent) left.append(picture(u.ascent.file, "What makes unit " + u.unit + " strong"));
  left.append(goesWith(u), facts(u));
  if (u.strip) {
    const labelled = make("div", "labelled"), names = make("div", "rows");
    names.append(...data.strips.rows.map(r => make("span", "", r.replaceAll("_", " "))));
    labelled.append(names, strip(u, "Patches and reconstructions of unit " + u.unit));
    right.append(labelled);
  }
  const list = make("ol", "small");
  list.append(...u.top.map(h => make("li", "", h.image + ": " + number(h.score) + " at (" + h.y + ", " + h.x + ")")));
  right.append(list);
  view.replaceChildren(left, right);
  history.replaceState(null, "", "#" + layer.value + "/" + u.unit);
  large.showModal();
}

const kinds = {
  folders: "A unit's class is the folder whose pictures it goes with most",
  zoo: "A unit's class is the drawn class that it goes with most",
  network: "A unit's class is the one it goes with most, of those that the network itself gives the pictures",
};
if (kinds[data.classes.of])
  byId("classes").textContent = kinds[data.classes.of] + ": r is the correlation of its mean over a picture with 1 for the class and 0 for others.";
layer.onchange = () => { history.replaceState(null, "", "#" + layer.value); chooseLayer(); };
order.onchange = cls.onchange = show;
unit.onchange = () => {
  for (const one of grid.querySelectorAll(".found")) one.classList.remove("found");
  const found = grid.querySelector("[data-unit='" + Number(unit.value) + "']");
  if (!found || unit.value === "") return;
  found.classList.add("found");
  found.scrollIntoView({block: "center"});
};
large.onclick = event => { if (event.target === large) large.close(); };
large.onclose = () => history.replaceState(null, "", "#" + layer.value);
document.querySelector(".controls").onsubmit = event => { event.preventDefault(); unit.onchange(); };
const [first, opened] = location.hash.slice(1).split("/");
if (data.layers[first]) layer.value = first;
chooseLayer();
if (opened !== undefined) enlarge(Number(opened));
