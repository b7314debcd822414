const data = JSON.parse($("data").textContent), verdict = check(data), start = data.examples[0];
const text = ([h, w]) => h === w ? short(h) : `${short(h)}, ${short(w)}`;
const side = ([h, w]) => h === w ? String(h) : `${h}x${w}`;
let chain = [], shown, at = [0, 0];

function asked() {
  const pair = (value, low, high, name) => {
    const parts = value.trim().split(/[x×,]/).map(Number);
    if (parts.length > 2 || parts.some(v => !Number.isInteger(v) || v < low || v > high)) throw `${name} is a whole number from ${low} to ${high}`;
    return [parts[0], parts[parts.length - 1]];
  };
  const limits = {k: [1, 64], s: [1, 32], p: [0, 32], d: [1, 32]};
  const layers = chain.map((l, i) => {
    const own = {...l};
    for (const key of ["k", "s", "p", "d"]) own[key] = pair($(`${key}${i}`).value, ...limits[key], `${key} of ${l.name}`);
    return own;
  });
  const pixels = pair($("side").value, 1, 1024, "the picture’s side");
  return {layers, pixels};
}

const like = (a, b) => a.length === b.length && a.every((l, i) => ["k", "s", "p", "d"].every(key => String(l[key]) === String(b[i][key])));

function rows() {  // the table's inputs; what is reckoned is filled in by show()
  $("layers").innerHTML = `<tr><th>layer<th>op<th class=n>k<th class=n>s<th class=n>p<th class=n>d<th class=n>cells<th class=n>sees r<th class=n>stride j<th class=n>offset</tr>
    <tr><td>the picture<td><td><td><td><td><td class=n id=c><td class=n>1<td class=n>1<td class=n>0</tr>` +
    chain.map((l, i) => `<tr><td>${escaped(l.name)}<td>${escaped(l.op)}` + ["k", "s", "p", "d"].map(key =>
      `<td class=n><input class=tiny style="width:3.1rem" id=${key}${i} value="${side(l[key])}" aria-label="${key} of ${escaped(l.name)}">`).join("") +
      `<td class=n id=c${i}><td class=n id=r${i}><td class=n id=j${i}><td class=n id=o${i}></tr>`).join("");
}

function show() {
  let a;
  try { a = asked(); $("wrong").textContent = ""; } catch (e) { $("wrong").textContent = e; return; }
  chain = a.layers;
  const known = data.examples.find(e => like(e.chain, chain)), fields = (known ?? study({chain})).fields, maps = [a.pixels];
  $("whose").innerHTML = whose(known, data.device, verdict);
  $("c").textContent = text(a.pixels);
  chain.forEach((l, i) => {
    maps.push(maps[i].map((n, axis) => cells(n, l, axis)));
    const [size, stride, offset] = fields[i];
    $(`c${i}`).textContent = maps[i + 1].includes(0) ? "–" : text(maps[i + 1]);
    $(`r${i}`).textContent = text(size);
    $(`j${i}`).textContent = text(stride);
    $(`o${i}`).textContent = text(offset);
  });
  const last = maps[maps.length - 1], fits = last.every(n => n > 0);
  shown = {pixels: a.pixels, field: fields[fields.length - 1] ?? [[1, 1], [1, 1], [0, 0]], maps: last, engine: like(start.chain, chain) && data.whole && String(a.pixels) === String(data.input)};
  $("fewer").disabled = chain.length < 1;
  if (!fits) {
    $("wrong").textContent = `The picture is too small for ${chain[maps.findIndex(m => m.includes(0)) - 1].name}.`;
    $("cells").innerHTML = $("pixels").innerHTML = $("cell").innerHTML = $("mapsText").textContent = $("pixelsText").textContent = "";
    return;
  }
  at = shown.engine && String(at) === "0,0" ? data.cell : at.map((v, i) => Math.min(v, last[i] - 1));
  const grid = last[0] * last[1] <= 4096;
  $("mapsText").textContent = `the last maps, ${last[0]} × ${last[1]} cells`;
  $("cells").innerHTML = grid ? `<svg class=field id=map viewBox="0 0 ${last[1]} ${last[0]}" role=img aria-label="The cells of the last maps">${lines(last)}<rect id=here width=1 height=1 /></svg>` :
    `<p class=small>Too many cells to draw; this is the one in the middle.</p>`;
  if (!grid) at = last.map(n => n >> 1);
  else $("map").onpointermove = $("map").onclick = e => {
    const box = $("map").getBoundingClientRect();
    at = [Math.floor((e.clientY - box.top) / box.height * last[0]), Math.floor((e.clientX - box.left) / box.width * last[1])].map((v, i) => Math.min(Math.max(v, 0), last[i] - 1));
    point();
  };
  point();
}
const lines = ([h, w]) => `<path class=lines d="${Array.from({length: h + 1}, (_, i) => `M0 ${i}H${w}`).join("")}${Array.from({length: w + 1}, (_, i) => `M${i} 0V${h}`).join("")}"/>`;

function point() {
  const {pixels, field, maps} = shown, box = [0, 1].map(i => seen(field, at[i], pixels[i], i));
  const begin = [0, 1].map(i => Math.floor(field[2][i] + field[1][i] * at[i]));
  if ($("here")) { $("here").setAttribute("x", at[1]); $("here").setAttribute("y", at[0]); }
  const own = shown.engine && String(at) === String(data.cell);
  const [h, w] = pixels, left = Math.min(0, begin[1]), top = Math.min(0, begin[0]);
  const right = Math.max(w, begin[1] + field[0][1]), bottom = Math.max(h, begin[0] + field[0][0]);
  $("pixelsText").textContent = `the picture, ${h} × ${w} pixels` + (own ? ", and the engine’s gradient of that cell" : "");
  $("pixels").innerHTML = `<svg class=field viewBox="${left} ${top} ${right - left} ${bottom - top}" role=img aria-label="The pixels that the cell sees">
    <rect class=sheet width=${w} height=${h} />${own ? `<image href="${data.picture}" width=${w} height=${h} preserveAspectRatio=none style="image-rendering:pixelated"/>` : ""}
    <rect class=beyond x=${begin[1]} y=${begin[0]} width=${field[0][1]} height=${field[0][0]} /><rect class=seen x=${box[1][0]} y=${box[0][0]} width=${box[1][1] - box[1][0]} height=${box[0][1] - box[0][0]} /></svg>`;
  const words = i => {
    const [from, to] = box[i];
    return to > from ? `${from} to ${to - 1}` : "none: it sees padding alone";
  };
  const cut = [0, 1].some(i => begin[i] < 0 || begin[i] + field[0][i] > pixels[i]);
  $("cell").innerHTML = `Cell (${at[0]}, ${at[1]}) of ${maps[0]} × ${maps[1]} begins at row ${short(field[2][0])} + ${short(field[1][0])}·${at[0]} = ${short(begin[0])} and sees ${field[0][0]} rows; of columns it sees ${field[0][1]}, from ${short(begin[1])}. ` +
    `${cut ? "Cut at the border, these are" : "These are"} <b>rows ${words(0)}, columns ${words(1)}</b>.` +
    (own ? ` The engine’s gradient of this cell, in several pictures and over all channels, is not 0 ${String(data.field) === String(data.gradient) ? "at the same pixels, and at no other" : `at rows ${data.gradient[0]} to ${data.gradient[2] - 1}, columns ${data.gradient[1]} to ${data.gradient[3] - 1}`}.` : "");
}

function take(example) { chain = example.chain.map(l => ({...l})); rows(); show(); }
$("preset").innerHTML = data.examples.map((e, i) => e.hidden ? "" : `<option value=${i}>${escaped(e.name)}</option>`).join("");
$("preset").onchange = () => { at = [0, 0]; take(data.examples[$("preset").value]); };
$("more").onclick = () => { chain.push({name: `layer ${chain.length + 1}`, op: "conv2d", k: [3, 3], s: [1, 1], p: [1, 1], d: [1, 1]}); rows(); show(); };
$("fewer").onclick = () => { chain.pop(); rows(); show(); };
$("layers").oninput = $("side").oninput = show;
$("side").value = side(data.input);
$("half").innerHTML = data.gradient.every(v => v === 0) ? `The engine’s gradient of cell (${data.cell.join(", ")}) of ${escaped(data.layer)} is 0 in all of its pictures: the cell was off.` :
  `Of the engine’s squared gradient of cell (${data.cell.join(", ")}) of ${escaped(data.layer)} <b>${(100 * data.within_half).toFixed(1)} %</b> lies in the middle square of half the field’s side, a quarter of the field, because more paths lead from the middle (Luo et al. 2016, the effective receptive field). The picture above shows its fourth root, so that the edge is seen at all.`;
take(start);
$("check").innerHTML = said(verdict);
document.body.dataset.check = verdict.ok ? "ok" : "wrong";
