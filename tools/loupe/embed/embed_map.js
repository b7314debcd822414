"use strict";
// The map: what is where, and how it is drawn. Dots are written into the canvas's pixels, a stamp each, so that
// 100,000 of them are one picture a few milliseconds later; what is few, lines, words and pictures, is drawn over
// them.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);

// Whole numbers from base64, the lowest byte first.
function numbers(text, bytes) {
  const raw = atob(text), all = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; ++i) all[i] = raw.charCodeAt(i);
  return bytes === 1 ? all : bytes === 2 ? new Uint16Array(all.buffer) : new Uint32Array(all.buffer);
}

const count = data.count, placed = numbers(data.places, 2);
const px = new Float32Array(count), py = new Float32Array(count);  // 0 to 1, y down
let wide = 0, high = 0;
for (let i = 0; i < count; ++i) {
  px[i] = placed[2 * i] / 65535;
  py[i] = -placed[2 * i + 1] / 65535;
  wide = Math.max(wide, px[i]);
  high = Math.min(high, py[i]);
}
const middle = {x: wide / 2, y: high / 2};
for (const g of data.groupings) g.of = numbers(g.of, g.bytes);
const near = {k: data.near.k, of: numbers(data.near.of, data.near.bytes), distance: numbers(data.near.distance, 2)};
const wordOf = i => data.words.length ? data.words[i] : "point " + i;

const canvas = byId("map"), ink = canvas.getContext("2d", {alpha: false});
const dark = matchMedia("(prefers-color-scheme: dark)");
const view = {x: middle.x, y: middle.y, zoom: 1};
const shown = {grouping: null, hidden: new Set(), found: null, chosen: -1, words: true, pictures: true};
let ratio = 1, width = 1, height = 1, pixels = null, words32 = null;

// A colour of so much lightness, chroma and hue (Ottosson's OKLCH) as [r, g, b].
function oklch(l, c, hue) {
  const a = c * Math.cos(hue), b = c * Math.sin(hue);
  const [x, y, z] = [l + .3963377774 * a + .2158037573 * b, l - .1055613458 * a - .0638541728 * b,
                     l - .0894841775 * a - 1.291485548 * b].map(v => v * v * v);
  return [4.0767416621 * x - 3.3077115913 * y + .2309699292 * z, -1.2684380046 * x + 2.6097574011 * y - .3413193965 * z,
          -.0041960863 * x - .7034186147 * y + 1.707614701 * z].map(v => {
    v = Math.min(1, Math.max(0, v));
    return Math.round(255 * (v <= .0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - .055));
  });
}
const css = ([r, g, b]) => "rgb(" + r + " " + g + " " + b + ")";
const ground = () => dark.matches ? [32, 31, 28] : [255, 255, 255];
const text = () => dark.matches ? [236, 234, 228] : [29, 28, 26];
const faint = () => dark.matches ? [66, 64, 58] : [222, 219, 211];
function colourOf(group, of) {
  if (group < 0) return dark.matches ? [240, 138, 108] : [181, 70, 47];
  const hue = of <= 24 ? 2 * Math.PI * group / of + .5 : 2.39996 * group + .5, step = group % 2;
  return dark.matches ? oklch(step ? .66 : .79, .13, hue) : oklch(step ? .68 : .54, .15, hue);
}

let scale = 1;  // device pixels from 0 to 1 of the map
const toX = i => (px[i] - view.x) * scale + width / 2, toY = i => (py[i] - view.y) * scale + height / 2;
function fit() {
  const box = canvas.getBoundingClientRect();
  ratio = Math.min(2, window.devicePixelRatio || 1);
  width = canvas.width = Math.max(1, Math.round(box.width * ratio));
  height = canvas.height = Math.max(1, Math.round(box.height * ratio));
  pixels = ink.createImageData(width, height);
  words32 = new Uint32Array(pixels.data.buffer);
}
function scaled() {
  scale = view.zoom * .92 * Math.min(width / Math.max(wide, 1e-6), height / Math.max(-high, 1e-6));
}

// A dot's pixels, with how much of each it covers.
let stamp = null, stampRadius = 0;
function stampOf(radius) {
  if (stampRadius === radius) return stamp;
  const reach = Math.ceil(radius + .5);
  stamp = [];
  for (let y = -reach; y <= reach; ++y)
    for (let x = -reach; x <= reach; ++x) {
      const cover = Math.min(1, Math.max(0, radius + .5 - Math.hypot(x, y)));
      if (cover > .04) stamp.push([x, y, cover]);
    }
  stamp = {reach, at: stamp};
  stampRadius = radius;
  return stamp;
}
const radiusNow = () => Math.round(4 * ratio * Math.min(7, Math.max(1, 34 / Math.sqrt(count) * Math.sqrt(view.zoom) + .9))) / 4;
const isDim = i => shown.found !== null && !shown.found[i] ||
    shown.hidden.size > 0 && shown.grouping && shown.hidden.has(shown.grouping.of[i]);

function dots(dim, colours) {
  const {reach, at} = stampOf(dim ? Math.max(.75, radiusNow() * .8) : radiusNow());
  const offset = at.map(([x, y]) => y * width + x), cover = at.map(s => s[2]), size = at.length;
  const any = shown.found !== null || shown.hidden.size > 0, of = shown.grouping && shown.grouping.of;
  for (let i = 0; i < count; ++i) {
    if (any ? isDim(i) !== dim : dim) continue;
    const x = Math.round(toX(i)), y = Math.round(toY(i));
    if (x < reach || y < reach || x >= width - reach || y >= height - reach) continue;
    const [r, g, b, whole] = dim ? colours.faint : colours.groups[of ? of[i] : 0], start = y * width + x;
    for (let s = 0; s < size; ++s) {
      const p = start + offset[s], c = cover[s];
      if (c === 1) {
        words32[p] = whole;
        continue;
      }
      const was = words32[p], wr = was & 255, wg = was >> 8 & 255, wb = was >> 16 & 255;
      words32[p] = 0xff000000 | (wb + (b - wb) * c) << 16 | (wg + (g - wg) * c) << 8 | (wr + (r - wr) * c);
    }
  }
}
const packed = ([r, g, b]) => [r, g, b, (0xff000000 | b << 16 | g << 8 | r) >>> 0];
function colours() {
  const names = shown.grouping ? shown.grouping.names.length : 0;
  const groups = [];
  for (let g = 0; g < Math.max(1, names); ++g) groups.push(packed(colourOf(names ? g : -1, names)));
  return {groups, faint: packed(faint())};
}

// Which squares of the canvas are taken, so that words and pictures do not lie over each other.
class Taken {
  constructor(side) {
    this.side = side;
    this.columns = Math.ceil(width / side) + 1;
    this.cells = new Uint8Array(this.columns * (Math.ceil(height / side) + 1));
  }
  /// Whether the rectangle was free; it is then taken.
  take(x, y, w, h) {
    if (x < 0 || y < 0 || x + w > width || y + h > height) return false;
    const x0 = x / this.side | 0, x1 = (x + w) / this.side | 0, y0 = y / this.side | 0, y1 = (y + h) / this.side | 0;
    for (let r = y0; r <= y1; ++r)
      for (let c = x0; c <= x1; ++c) if (this.cells[r * this.columns + c]) return false;
    for (let r = y0; r <= y1; ++r)
      for (let c = x0; c <= x1; ++c) this.cells[r * this.columns + c] = 1;
    return true;
  }
}

// Points in an order in which any beginning is spread over all of them.
const spread = Uint32Array.from({length: count}, (_, i) => i);
for (let i = count - 1, state = 12345; i > 0; --i) {
  state = Math.imul(state, 1664525) + 1013904223 >>> 0;
  const j = state % (i + 1);
  [spread[i], spread[j]] = [spread[j], spread[i]];
}
function inView(i, margin = 0) {
  const x = toX(i), y = toY(i);
  return x > -margin && y > -margin && x < width + margin && y < height + margin;
}
// Calls body with visible points that are not dim until it has been true `most` times, those that matter first.
function someVisible(most, body) {
  let done = 0;
  const seen = new Set();
  if (shown.chosen >= 0) {
    for (const i of [shown.chosen, ...neighboursOf(shown.chosen)]) {
      seen.add(i);
      if (inView(i) && body(i)) ++done;
    }
  }
  for (let n = 0; n < count && done < most; ++n) {
    const i = spread[n];
    if (!seen.has(i) && inView(i) && !isDim(i) && body(i)) ++done;
  }
}
const neighboursOf = i => near.of.subarray(i * near.k, (i + 1) * near.k);

const sprite = new Image();
const hasPictures = !!data.pictures;
function drawPicture(on, i, x, y, side) {
  const {side: from, gap, columns} = data.pictures, step = from + gap;
  on.drawImage(sprite, i % columns * step, Math.floor(i / columns) * step, from, from, x, y, side, side);
}
function thumbnail(i, side) {
  const small = document.createElement("canvas");
  small.width = small.height = side * ratio;
  small.style.width = small.style.height = side + "px";
  drawPicture(small.getContext("2d"), i, 0, 0, side * ratio);
  return small;
}
const pictureSide = () => Math.round(ratio * Math.min(72, Math.max(22, 22 * Math.sqrt(view.zoom))));
function drawPictures(colour) {
  if (!hasPictures || !shown.pictures || !sprite.complete) return;
  const side = pictureSide(), taken = new Taken(Math.max(4, side / 6));
  const edge = Math.max(1, Math.round(1.5 * ratio));
  someVisible(1500, i => {
    const x = Math.round(toX(i) - side / 2), y = Math.round(toY(i) - side / 2);
    if (!taken.take(x, y, side, side)) return false;
    const [r, g, b] = colour.groups[shown.grouping ? shown.grouping.of[i] : 0];
    ink.fillStyle = css([r, g, b]);
    ink.fillRect(x - edge, y - edge, side + 2 * edge, side + 2 * edge);
    drawPicture(ink, i, x, y, side);
    return true;
  });
}

function haloed(word, x, y) {
  ink.strokeText(word, x, y);
  ink.fillText(word, x, y);
}
const widths = new Map();
// Those of the chosen point and its neighbours come first, before the names of groups.
function drawWords(taken, most) {
  if (!shown.words || !data.words.length || hasPictures && shown.pictures) return;
  const size = Math.round(12 * ratio);
  ink.font = size + "px system-ui, sans-serif";
  ink.fillStyle = css(text());
  let tried = 0;
  someVisible(most, i => {
    if (++tried > 1500) return true;  // enough was looked at
    const word = data.words[i].length > 34 ? data.words[i].slice(0, 32) + "…" : data.words[i];
    let w = widths.get(word);
    if (w === undefined) widths.set(word, w = ink.measureText(word).width / ratio);
    const x = toX(i) + radiusNow() + 2 * ratio, y = toY(i);
    if (!taken.take(x, y - size / 2, w * ratio + 3 * ratio, size)) return false;
    haloed(word, x, y);
    return true;
  });
}
// The names of groups, at the medians of their points.
function drawNames(taken) {
  const g = shown.grouping;
  if (!shown.words || !g || g.names.length > 60 || view.zoom > 6) return;
  ink.font = "600 " + Math.round(14 * ratio) + "px system-ui, sans-serif";
  ink.fillStyle = css(text());
  ink.textAlign = "center";
  for (const [group, at] of g.medians.entries()) {
    if (!at || shown.hidden.has(group)) continue;
    const x = (at.x - view.x) * scale + width / 2, y = (at.y - view.y) * scale + height / 2;
    const w = ink.measureText(g.names[group]).width, above = hasPictures && shown.pictures ? pictureSide() : 0;
    if (x < 0 || x > width || y < 0 || y > height) continue;
    const inside = Math.min(width - w / 2 - 4 * ratio, Math.max(w / 2 + 4 * ratio, x)), over = Math.max(10 * ratio, y - above);
    if (taken.take(inside - w / 2, over - 9 * ratio, w, 18 * ratio)) haloed(g.names[group], inside, over);
  }
  ink.textAlign = "start";
}
for (const g of data.groupings) {
  const xs = g.names.map(() => []), ys = g.names.map(() => []);
  for (let i = 0; i < count; ++i) xs[g.of[i]].push(px[i]), ys[g.of[i]].push(py[i]);
  const median = all => all.sort((a, b) => a - b)[all.length >> 1];
  g.counts = xs.map(all => all.length);
  g.medians = xs.map((all, group) => all.length ? {x: median(all), y: median(ys[group])} : null);
}
function drawChosen() {
  if (shown.chosen < 0) return;
  const from = {x: toX(shown.chosen), y: toY(shown.chosen)};
  ink.strokeStyle = css(text());
  ink.globalAlpha = .55;
  ink.lineWidth = 1.2 * ratio;
  ink.beginPath();
  for (const j of neighboursOf(shown.chosen)) ink.moveTo(from.x, from.y), ink.lineTo(toX(j), toY(j));
  ink.stroke();
  ink.globalAlpha = 1;
  ink.lineWidth = 2 * ratio;
  for (const [i, r] of [[shown.chosen, 5], ...[...neighboursOf(shown.chosen)].map(j => [j, 2.5])]) {
    ink.beginPath();
    ink.arc(toX(i), toY(i), radiusNow() + r * ratio / 2, 0, 7);
    ink.stroke();
  }
}

function draw() {
  scaled();
  const colour = colours();
  words32.fill(packed(ground())[3]);
  if (shown.found !== null || shown.hidden.size > 0) dots(true, colour);
  dots(false, colour);
  ink.putImageData(pixels, 0, 0);
  ink.textBaseline = "middle";
  ink.lineJoin = "round";
  const taken = new Taken(6 * ratio), halo = () => {
    ink.strokeStyle = css(ground());
    ink.lineWidth = 3 * ratio;
  };
  drawPictures(colour);
  drawChosen();
  halo();
  if (shown.chosen >= 0) drawWords(taken, 0);
  drawNames(taken);
  drawWords(taken, 260);
}
let asked = false;
function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw(); });
}
