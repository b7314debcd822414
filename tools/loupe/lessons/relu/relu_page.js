const data = JSON.parse($("data").textContent), verdict = check(data), start = data.examples[0];
const square = v => [0, 1, 2, 3].map(i => v.slice(4 * i, 4 * i + 4));
const names = {x: "x", signal: "R"};

function asked() {
  const of = id => start[id].map((_, i) => {
    const v = Number($(`${id}${i}`).value.trim().replace("−", "-") || NaN);
    if (!Number.isFinite(v) || Math.abs(v) > 1e6) throw `${names[id]} is 16 numbers, none beyond a million`;
    return v;
  });
  return {x: of("x"), signal: of("signal")};
}
function put({x, signal}) {
  for (const [id, v] of [["x", x], ["signal", signal]]) v.forEach((n, i) => $(`${id}${i}`).value = n);
  show();
}

let shown;
function show() {
  let a;
  try { a = asked(); $("wrong").textContent = ""; } catch (e) { $("wrong").textContent = e; return; }
  const known = data.examples.find(e => String(e.x) === String(a.x) && String(e.signal) === String(a.signal));
  shown = known ?? study(a);
  $("whose").innerHTML = whose(known, data.device, verdict);
  for (const id of ["x", "signal"]) {
    const top = largest(shown[id]);
    shown[id].forEach((v, i) => {
      const td = $(`${id}${i}`).parentElement;
      td.className = v === 0 ? "" : v > 0 ? "plus" : "minus";
      td.style.setProperty("--much", top > 0 ? Math.round(12 + 40 * Math.abs(v) / top) + "%" : "0%");
    });
  }
  for (const id of ["forward", "gradient", "deconvnet", "guided_backprop"]) $(id).innerHTML = matrix(square(shown[id]));
  const passed = shown.x.map(v => v > 0 ? 1 : 0);
  $("mask").innerHTML = matrix(square(passed));
  const count = id => shown[id].filter(v => v !== 0).length, below = shown.gradient.filter(v => v < 0).length;
  $("counts").innerHTML = `Of ${shown.signal.filter(v => v !== 0).length} numbers that come down the gradient lets ${count("gradient")} pass, ${below} of them against (below 0); the deconvnet ${count("deconvnet")}; guided backpropagation ${count("guided_backprop")}.`;
  point(0);
}
function point(i) {
  document.querySelectorAll(".lit").forEach(t => t.classList.remove("lit"));
  for (const t of document.querySelectorAll("table.grid")) t.rows[i >> 2].cells[i & 3].classList.add("lit");
  const x = shown.x[i], r = shown.signal[i], on = x > 0;
  $("cell").innerHTML = `Row ${(i >> 2) + 1}, column ${(i & 3) + 1}: x = ${short(x)}, so the unit is <b>${on ? "on" : "off"}</b> and sends ${short(shown.forward[i])} up. R = ${short(r)} comes down. The gradient passes ${short(shown.gradient[i])}, because ${on ? "x &gt; 0" : "x is not above 0"}; the deconvnet ${short(shown.deconvnet[i])}, because ${r > 0 ? "R &gt; 0, whatever x is" : "R is not above 0"}; guided backpropagation ${short(shown.guided_backprop[i])}, because ${on && r > 0 ? "both are" : "not both are"}.`;
}

for (const id of ["x", "signal"])
  $(id).innerHTML = square(start[id]).map((r, i) => "<tr>" + r.map((v, j) => `<td data-i=${i} data-j=${j}><input id=${id}${4 * i + j} value="${v}" inputmode=decimal aria-label="${names[id]} ${i + 1}, ${j + 1}"></td>`).join("") + "</tr>").join("");
$("x").oninput = $("signal").oninput = show;
$("asGiven").onclick = () => put(start);
$("swapped").onclick = () => put({x: shown.signal, signal: shown.x});
$("against").onclick = () => put({x: shown.x, signal: shown.signal.map(v => v === 0 ? 0 : -v)});
document.querySelector("main").onpointerover = document.querySelector("main").onfocusin = e => {
  const td = e.target.closest("td[data-i]");
  if (td) point(4 * Number(td.dataset.i) + Number(td.dataset.j));
};
show();
$("check").innerHTML = said(verdict);
document.body.dataset.check = verdict.ok ? "ok" : "wrong";
