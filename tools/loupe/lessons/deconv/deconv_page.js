// The page itself: what is typed is computed and drawn. Numbers that the engine made are shown as it made them.
const data = JSON.parse($("data").textContent);
const verdict = check(data);
const vector = (rows, pads = 0) => `<div class=scroll><table class=grid>` + rows.map(([name, v, padded]) => `<tr data-name="${name}"><th>${name}</th>` +
  v.map((a, j) => cell(a, largest(v), padded && (j < pads || j >= v.length - pads) ? "pad" : "", `data-j=${j}`)).join("") + "</tr>").join("") + "</table></div>";
const same = (a, b) => {
  const d = difference(a, b);
  return d <= data.tolerance ? `<span class=yes>the same numbers</span>${d ? ` (off by ${short(d)} of the largest: rounding)` : ""}` : `<span class=no>off by ${short(d)} of the largest</span>`;
};

function asked() {
  const whole = (id, low, high) => {
    const v = Number($(id).value);
    if (!Number.isInteger(v) || v < low || v > high) throw `${id} is a whole number from ${low} to ${high}`;
    return v;
  };
  const numbers = (id, name, most) => {
    const v = $(id).value.trim().split(/[\s,;]+/).map(t => Number(t.replace("−", "-")));
    if (!v.length || v.length > most || v.some(t => !Number.isFinite(t) || Math.abs(t) > 1e6)) throw `${name}: 1 to ${most} numbers with commas between them`;
    return v;
  };
  const w = numbers("w", "the filter", 16), x = numbers("x", "x", 32), s = whole("s", 1, 16), p = whole("p", 0, 8);
  if (w.length > x.length + 2 * p) throw `a filter of ${w.length} taps does not fit in ${x.length} numbers with ${p} zeros on each side`;
  return {n: x.length, f: w.length, s, p, w, x};
}

const equal = (a, b) => ["n", "f", "s", "p"].every(k => a[k] === b[k]) && list(a.w) === list(b.w) && list(a.x) === list(b.x);

function show() {
  let a;
  try { a = asked(); $("wrong").textContent = ""; } catch (e) { $("wrong").textContent = e; return; }
  $("n").value = a.n; $("f").value = a.f;
  const known = data.examples.find(e => equal(a, e)), r = known ?? study(a), m = a.n + 2 * a.p, first = known === data.examples[0];
  $("whose").innerHTML = whose(known, data.device, verdict);
  $("sizes").innerHTML = `x has ${a.n} numbers, ${m} with ${a.p} zeros on each side. The filter fits at n<sub>y</sub> = ⌊(n + 2p − f) / s⌋ + 1 = <b>${r.n_y}</b> places, so y = W x<sub>p</sub> with a <b>${r.n_y} × ${m}</b> matrix. Its row i is the filter, moved by ${a.s === 1 ? "" : a.s}i. Point at a row.`;
  $("W").innerHTML = matrix(r.W, "Wt", "y") + vector([["x<sub>p</sub>", r.x_padded, true]], a.p) + vector([["y = conv2d(x)", r.y], ["W x<sub>p</sub>", r.y_matrix]]) + `<p>${same(r.y, r.y_matrix)}</p>`;
  $("back").innerHTML = vector([["Wᵀ y", r.WT_y, true], ["conv_transpose2d(y)", r.conv_transpose, true]], a.p) + `<p>${same(r.WT_y, r.conv_transpose)}</p>` + matrix(row(r.W));
  $("cropped").innerHTML = a.p ? `With padding ${a.p} conv_transpose2d leaves the dashed numbers out.` : "";
  const unseen = (m - a.f) % a.s;
  $("spreadText").innerHTML = `${a.s - 1 || "No"} zero${a.s === 2 ? "" : "s"} between the values of y, ${a.f - 1} before, ${a.f - 1 + unseen} behind; the filter flipped; stride 1.`;
  $("spread").innerHTML = vector([["y spread", r.sub_pixel_y]]) + vector([["flipped", r.flipped_w]]) + vector([["convolved", r.sub_pixel_convolution]]) + `<p>${same(r.WT_y, r.sub_pixel_convolution)} as Wᵀ y</p>`;
  $("shorts").innerHTML = a.s === 1 ? "" : `<p>Most of those products are with zeros. Without them: ${a.s} short filters, every ${a.s}${a.s === 2 ? "nd" : a.s === 3 ? "rd" : "th"} tap, flipped, on y itself; their outputs take turns. That is the sub-pixel convolution of super-resolution networks.</p>` +
    vector(r.short_filter_outputs.map((v, i) => [list(r.short_filters[i]), v])) + vector([["in turns", r.interleaved]]) + `<p>${same(r.WT_y, r.interleaved)} as Wᵀ y</p>`;
  const wide = m > r.n_y;
  $("orthogonal").innerHTML = wide ? `Lectures say: W is orthogonal, so W⁻¹ = Wᵀ and x = Wᵀ y. Here W is ${r.n_y} × ${m}. It has no inverse, and Wᵀ W = I, ${m} × ${m}, is impossible: the rank of Wᵀ W is at most ${r.n_y}. What can hold is <b>W Wᵀ = I</b>, ${r.n_y} × ${r.n_y}: rows of length 1, at right angles to each other. Then Wᵀ is a right inverse, W Wᵀ y = y, and P = Wᵀ W is a projection, P² = P: Wᵀ y = P x<sub>p</sub> is the nearest to x<sub>p</sub> of what y can tell. The other ${m - r.n_y} dimension${m - r.n_y === 1 ? "" : "s"} of x<sub>p</sub> are lost.` :
    "Here W is square, the filter’s one tap times the identity. It is orthogonal where that tap is 1 or −1.";
  $("gram").innerHTML = `<figure><figcaption>W Wᵀ: the identity, if Wᵀ is to undo W from the right</figcaption>${matrix(r.W_WT)}</figure><figure><figcaption>Wᵀ W = P: never the identity where W is wide</figcaption>${matrix(r.WT_W)}</figure>`;
  const rows = first ? data.filters : filters(a, data.filters).map(([name, w]) => checkFilter(name, study({...a, w}), 1e-12));
  const small = v => v < data.rounding ? "0" : short(v);
  $("filters").innerHTML = "<tr><th>filter<th>taps<th class=n>Σ w²<th class=n>overlap<th>W Wᵀ = I<th class=n>W Wᵀ y off y<th class=n>P² off P<th class=n>lost of x<sub>p</sub></tr>" +
    rows.map((c, i) => `<tr><td><button data-w="${i}">${c.name}</button><td>${list(c.w)}<td class=n>${short(c.length)}<td class=n>${small(c.overlap)}<td class=${c.orthonormal ? "yes" : "no"}>${c.orthonormal ? "yes" : "no"}<td class=n>${small(c.right_inverse)}<td class=n>${small(c.projection)}<td class=n>${small(c.lost)}</tr>`).join("");
  $("filters").onclick = e => { const i = e.target.dataset.w; if (i !== undefined) { $("w").value = rows[i].w.map(v => +v.toPrecision(15)).join(", "); show(); } };
  const four = a.f === 4 && a.s === 2;
  $("edge").hidden = !four;
  $("cut").hidden = !a.p;
  picture(first ? data.picture : studyPicture(a), a);
  light();
}

function picture(q, a) {
  const m = a.n + 2 * a.p;
  $("pictureText").innerHTML = `Of a picture of ${a.n} × ${a.n} and a filter of ${a.f} × ${a.f} taps (tap (r, q) is w<sub>(r + q) mod f</sub>) the matrix is ${q.rows} × ${q.columns}: ${m} × ${m} pixels in a row, drawn below. The same holds of it.`;
  $("picture").innerHTML = [["x", q.x], ["filter", q.filter], ["y", q.y], ["Wᵀ y", q.conv_transpose]].map(([name, t]) => `<figure><figcaption>${name}, ${t.length} × ${t[0].length}</figcaption>${t.length <= 12 ? matrix(t) : ""}</figure>`).join("");
  const canvas = $("big"), outputs = Math.round(Math.sqrt(q.rows)), top = largest(q.filter);
  canvas.width = q.columns; canvas.height = q.rows;
  canvas.style.width = Math.max(q.columns, Math.min(3 * q.columns, 980)) + "px";
  const draw = canvas.getContext("2d");
  for (let i = 0; i < q.rows; ++i) for (let r = 0; r < a.f; ++r) for (let c = 0; c < a.f; ++c) {
    const v = q.filter[r][c], y = Math.floor(i / outputs) * a.s + r, x = i % outputs * a.s + c;
    draw.fillStyle = `${v > 0 ? "rgb(209 73 91" : "rgb(58 124 165"} / ${top > 0 ? Math.abs(v) / top : 0})`;
    draw.fillRect(y * m + x, i, 1, 1);
  }
}

function light() {  // the row of W under the pointer, the part of x it sees, and the value of y it makes
  const table = $("Wt"), rows = [...document.querySelectorAll("#W tr[data-name]")];
  table.onpointerover = e => {
    const i = e.target.dataset.i, s = Number($("s").value), f = Number($("f").value);
    if (i === undefined) return;
    document.querySelectorAll("#W .lit").forEach(t => t.classList.remove("lit"));
    for (let k = 0; k < f; ++k) {
      table.rows[i].cells[i * s + k + 1].classList.add("lit");
      rows[0].cells[i * s + k + 1].classList.add("lit");
    }
    rows[1].cells[Number(i) + 1].classList.add("lit");
  };
  table.onpointerleave = () => document.querySelectorAll("#W .lit").forEach(t => t.classList.remove("lit"));
}

function unpool() {
  const x = [0, 1, 2, 3].map(i => [0, 1, 2, 3].map(j => Number($(`u${i}${j}`).value) || 0));
  const u = difference(data.unpooling.x, x) === 0 ? data.unpooling : studyUnpooling(x);
  $("unpooled").innerHTML = [["largest of each window", u.pooled], ["switches: where it was, 0 to 3", u.switches], ["unpooled by switches", u.by_switches], ["with all switches 0", u.regular]]
    .map(([name, t]) => `<figure><figcaption>${name}</figcaption>${matrix(t)}</figure>`).join("");
}

function resize(id, list, fill) {  // the list follows its length
  const v = $(list).value.split(",").map(Number), n = Number($(id).value);
  if (!Number.isInteger(n) || n < 1 || n > Number($(id).max)) return;
  while (v.length < n) v.push(fill(v.length));
  $(list).value = v.slice(0, n).join(", ");
}

const start = data.examples[0];
$("n").value = start.n; $("f").value = start.f; $("s").value = start.s; $("p").value = start.p;
$("w").value = start.w.join(", "); $("x").value = start.x.join(", ");
$("n").oninput = () => { resize("n", "x", i => i + 1); show(); };
$("f").oninput = () => { resize("f", "w", i => i + 1); show(); };
for (const id of ["s", "p", "w", "x"]) $(id).oninput = show;
$("u").innerHTML = data.unpooling.x.map((r, i) => "<tr>" + r.map((v, j) => `<td><input id=u${i}${j} value="${v}" inputmode=decimal aria-label="x ${i + 1}, ${j + 1}"></td>`).join("") + "</tr>").join("");
$("u").oninput = unpool;
show();
unpool();
$("check").innerHTML = said(verdict);
document.body.dataset.check = verdict.ok ? "ok" : "wrong";
