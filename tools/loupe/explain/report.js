// What the page adds to what it shows anyway: a class and a method chosen, how much of the map covers the photograph,
// and the number under the pointer or under the cell that the arrow keys moved to.
"use strict";

// The numbers of a map, once they are asked for: 16-bit floats in base64, little-endian, times a scale.
function readNumbers(map) {
  const bytes = Uint8Array.from(atob(map.dataset.numbers), (c) => c.charCodeAt(0));
  const [height, width] = map.dataset.cells.split(",").map(Number);
  const [top, left, down, across] = map.dataset.grid.split(",").map(Number);
  const [rows, columns] = map.dataset.input.split(",").map(Number);
  const scale = Number(map.dataset.scale);
  const at = (y, x) => {
    const i = 2 * (y * width + x), bits = bytes[i] | (bytes[i + 1] << 8);
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const size = exponent === 31 ? (fraction ? NaN : Infinity)
      : exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : fraction * 2 ** -24;
    return (bits & 0x8000 ? -size : size) * scale;
  };
  return { height, width, top, left, down, across, rows, columns, at, y: height >> 1, x: width >> 1 };
}

const clamp = (v, count) => Math.max(0, Math.min(count - 1, v));

function short(v) {
  if (!Number.isFinite(v)) return String(v);
  if (v === 0) return "0";
  const size = Math.abs(v);
  return (size >= 1e-3 && size < 1e5 ? String(Number(v.toPrecision(3))) : v.toExponential(2)).replace("-", "−");
}

function prepareMap(map) {
  if (!map.dataset.numbers) return;
  const reading = map.parentElement.querySelector(".reading"), mark = map.querySelector("b");
  let cells = null;
  const show = (y, x) => {
    cells.y = clamp(y, cells.height);
    cells.x = clamp(x, cells.width);
    const exact = cells.height === cells.rows && cells.width === cells.columns;
    reading.textContent = `${exact ? "pixel" : "cell"} (${cells.y}, ${cells.x}): ${short(cells.at(cells.y, cells.x))}` +
      (map.dataset.of ? `, ${map.dataset.of}` : "");
    mark.hidden = false;
    mark.style.left = `${(cells.left + cells.x * cells.across + 0.5) / cells.columns * 100}%`;
    mark.style.top = `${(cells.top + cells.y * cells.down + 0.5) / cells.rows * 100}%`;
  };
  const begin = () => { cells = cells || readNumbers(map); };
  const end = () => { reading.textContent = ""; mark.hidden = true; };
  map.addEventListener("pointermove", (e) => {
    begin();
    const box = map.getBoundingClientRect();
    const row = (e.clientY - box.top) / box.height * cells.rows - 0.5,
          column = (e.clientX - box.left) / box.width * cells.columns - 0.5;
    show(Math.round((row - cells.top) / cells.down), Math.round((column - cells.left) / cells.across));
  });
  map.addEventListener("pointerleave", () => { if (document.activeElement !== map) end(); });
  map.addEventListener("focus", () => { begin(); show(cells.y, cells.x); });
  map.addEventListener("blur", end);
  map.addEventListener("keydown", (e) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[e.key];
    if (!step) return;
    e.preventDefault();
    const far = e.shiftKey ? 10 : 1;
    show(cells.y + far * step[0], cells.x + far * step[1]);
  });
}

function prepareSection(section) {
  const form = section.querySelector("form.controls");
  if (!form) return;
  const index = section.id.replace("image", "");
  const chosen = (group) => new FormData(form).get(group + index);
  const update = () => {
    const answer = chosen("answer") || "0", method = chosen("method") || "";
    for (const part of section.querySelectorAll("[data-answer]")) part.hidden = part.dataset.answer !== answer;
    for (const part of section.querySelectorAll("[data-method]")) part.hidden = method && part.dataset.method !== method;
    section.classList.toggle("one", method !== "");
    section.style.setProperty("--cover", form.querySelector("input[type=range]").value / 100);
  };
  form.hidden = false;
  section.classList.add("live");
  form.addEventListener("input", update);
  form.addEventListener("submit", (e) => e.preventDefault());
  update();
}

document.querySelectorAll(".map").forEach(prepareMap);
document.querySelectorAll("section").forEach(prepareSection);
