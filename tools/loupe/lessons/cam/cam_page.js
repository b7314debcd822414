const data = JSON.parse($("data").textContent), verdict = check(data), rows = 12, places = data.height * data.width;
let example, weight, on, order, shown;

function choose(i) {
  example = data.examples[i];
  weight = [...example.weight];
  on = weight.map(() => true);
  const product = example.engine.product;
  order = product.map((_, k) => k).sort((a, b) => Math.abs(product[b]) - Math.abs(product[a]));
  $("channels").innerHTML = "<tr><th>channel k<th>counts<th class=n>mean(A<sub>k</sub>)<th class=n>w<sub>k</sub><th class=n>w<sub>k</sub> · mean(A<sub>k</sub>)<th>A<sub>k</sub></tr>" +
    order.slice(0, rows).map(k => `<tr><td>${k}<td><input type=checkbox id=on${k} checked aria-label="channel ${k} counts"><td class=n>${short(example.engine.mean[k])}<td class=n><input class=tiny id=w${k} value="${+weight[k].toPrecision(4)}" inputmode=decimal aria-label="weight of channel ${k}"><td class=n id=product${k}><td><canvas class=small-map id=map${k} aria-label="map of channel ${k}"></canvas></tr>`).join("") +
    `<tr><td>${order.length - Math.min(rows, order.length)} others<td><input type=checkbox id=others checked aria-label="the others count"><td><td><td class=n id=rest><td></tr><tr><th>Σ<sub>k</sub><td><td><td><td class=n id=sum><td></tr>`;
  for (const k of order.slice(0, rows)) draw($(`map${k}`), data.maps[k]);
  show();
}

function draw(canvas, map) {
  canvas.width = data.width; canvas.height = data.height;
  const context = canvas.getContext("2d"), top = Math.max(...map.map(Math.abs));
  map.forEach((v, i) => {
    context.fillStyle = `${v > 0 ? "rgb(209 73 91" : "rgb(58 124 165"} / ${top > 0 ? Math.abs(v) / top : 0})`;
    context.fillRect(i % data.width, Math.floor(i / data.width), 1, 1);
  });
}

function read() {
  for (const k of order.slice(0, rows)) {
    const text = $(`w${k}`).value.trim().replace("−", "-"), v = Number(text || NaN);
    if (!Number.isFinite(v) || Math.abs(v) > 1e6) throw `the weight of channel ${k} is a number, not beyond a million`;
    weight[k] = text === String(+example.weight[k].toPrecision(4)) ? example.weight[k] : v;
    on[k] = $(`on${k}`).checked;
  }
  for (const k of order.slice(rows)) on[k] = $("others").checked;
}

function show() {
  try { read(); $("wrong").textContent = ""; } catch (e) { $("wrong").textContent = e; return; }
  const own = on.every(v => v) && String(weight) === String(example.weight);
  shown = own ? example.engine : study({maps: data.maps, weight, bias: example.bias, on});
  $("whose").innerHTML = whose(own, data.device, verdict);
  for (const k of order.slice(0, rows)) $(`product${k}`).textContent = short(shown.product[k]);
  $("rest").textContent = short(order.slice(rows).reduce((sum, k) => sum + shown.product[k], 0));
  $("sum").textContent = short(shown.weighted_means);
  draw($("cam"), shown.cam);
  draw($("over"), shown.cam);
  const before = example.engine.score, change = shown.score - before, total = shown.mean_of_cam + example.bias;
  $("sums").innerHTML = [["mean(CAM)", shown.mean_of_cam], ["+ bias b", example.bias], ["=", total], [`score of ${escaped(example.label)}` + (own ? ", of the forward pass" : ""), shown.score]]
    .map(([name, v]) => `<tr><td>${name}<td class=n>${short(v)}</tr>`).join("") +
    (own ? `<tr><td>difference<td class=n>${short(Math.abs(total - shown.score) < 1e-9 ? 0 : total - shown.score)}</tr>` : `<tr><td>with its own weights<td class=n>${short(before)}</tr><tr><td>changed by<td class=n>${short(change)}</tr>`);
  point(shown.cam.indexOf(Math.max(...shown.cam)));
}

function point(i) {
  const of = order.map(k => [k, on[k] ? weight[k] * data.maps[k][i] : 0]).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 3);
  $("place").innerHTML = `Row ${Math.floor(i / data.width) + 1}, column ${i % data.width + 1}: Σ w<sub>k</sub> A<sub>k</sub> = <b>${short(shown.cam[i])}</b>, the largest parts of it from ` +
    of.map(([k, v]) => `channel ${k} (${short(v)})`).join(", ") + `. It adds ${short(shown.cam[i] / places)} to the score, a ${places}th of that.`;
}

const strongest = () => order.slice(0, 6), set = of => { order.slice(0, rows).forEach(k => $(`on${k}`).checked = of(k)); };
$("class").innerHTML = data.examples.map((e, i) => `<option value=${i}>${escaped(e.label)} · ${short(e.engine.score)}</option>`).join("");
$("class").onchange = () => choose(Number($("class").value));
$("all").onclick = () => { set(() => true); $("others").checked = true; show(); };
$("few").onclick = () => { set(k => strongest().includes(k)); $("others").checked = false; show(); };
$("without").onclick = () => { set(k => !strongest().includes(k)); $("others").checked = true; show(); };
$("reset").onclick = () => choose(data.examples.indexOf(example));
$("channels").oninput = show;
for (const canvas of ["cam", "over"]) $(canvas).onpointermove = $(canvas).onclick = e => {
  const box = e.target.getBoundingClientRect(), to = (v, n) => Math.min(Math.max(Math.floor(v * n), 0), n - 1);
  point(to((e.clientY - box.top) / box.height, data.height) * data.width + to((e.clientX - box.left) / box.width, data.width));
};
$("shot").src = $("under").src = data.picture;
$("maps").innerHTML = `The layer ${escaped(data.layer)} makes A, ${data.maps.length} maps of ${data.height} × ${data.width}. The network averages each over its places; the class’s score is a weighted sum of these means and a bias b.`;
choose(0);
$("check").innerHTML = said(verdict);
document.body.dataset.check = verdict.ok ? "ok" : "wrong";
