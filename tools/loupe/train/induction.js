const data = JSON.parse(document.getElementById("data").textContent);
const colours = ["one", "two", "three", "four", "five", "six"].map(c => `var(--${c})`);

function element(kind, text = "", attributes = {}) {
  const e = document.createElement(kind);
  e.textContent = text;
  Object.assign(e, attributes);
  return e;
}

function ticks(low, high) {
  const rough = (high - low) / 4, power = 10 ** Math.floor(Math.log10(rough));
  const every = [1, 2, 5, 10].map(f => f * power).find(f => f >= rough);
  const all = [];
  for (let t = Math.ceil(low / every - 1e-9); t * every <= high + 1e-9; ++t) all.push(+(t * every).toFixed(6));
  return all;
}

// lines: [{name, colour, values, quiet}] over run.step.
function chart(run, title, lines, low, high) {
  const width = 440, height = 150, left = 34, right = 8, top = 8, bottom = 20, last = run.step.at(-1);
  const x = s => left + (width - left - right) * s / last;
  const y = v => height - bottom - (height - top - bottom) * (Math.min(Math.max(v, low), high) - low) / (high - low);
  let svg = `<svg viewBox="0 0 ${width} ${height}" role=img aria-label="${title}">`;
  for (const t of ticks(low, high))
    svg += `<path class=grid d="M${left} ${y(t)}H${width - right}"/><text x=${left - 6} y=${y(t) + 4} text-anchor=end>${t}</text>`;
  for (const t of ticks(0, last)) svg += `<text x=${x(t)} y=${height - 5} text-anchor=middle>${t}</text>`;
  if (run.formed !== null) svg += `<path class=formed d="M${x(run.formed)} ${top}V${height - bottom}"/>`;
  for (const l of lines) {
    const path = l.values.map((v, i) => `${i ? "L" : "M"}${x(run.step[i]).toFixed(1)} ${y(v).toFixed(1)}`).join("");
    svg += `<path class=line d="${path}" style="stroke:${l.colour}"${l.quiet ? " opacity=.45" : ""}><title>${l.name}: ${l.values.at(-1)} at the end</title></path>`;
  }
  const figure = element("figure");
  const caption = element("figcaption");
  caption.append(element("b", title));
  for (const l of lines.filter(l => !l.quiet)) {
    const key = element("span");
    const mark = element("i");
    mark.style.color = l.colour;
    key.append(mark, l.name);
    caption.append(key);
  }
  figure.append(caption);
  figure.insertAdjacentHTML("beforeend", svg + "</svg>");
  return figure;
}

function pattern(of, title) {
  const n = data.shown, cells = Uint8Array.from(atob(of.cells), c => c.charCodeAt(0));
  const canvas = element("canvas", "", { width: n, height: n });
  const image = new ImageData(n, n);
  for (let i = 0; i < n * n; ++i) {
    const shown = Math.sqrt(cells[i] / 255);  // so that faint attention is seen, too
    image.data.set([181, 70, 47, Math.round(255 * shown)], 4 * i);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${title}: attention of each token, a row, to those before it`);
  const figure = element("figure");
  figure.append(canvas, element("figcaption", `${title}, step ${of.step}: prefix matching ${of.matching.toFixed(3)}`));
  return figure;
}

function headLines(run, score) {
  const ranked = run.heads.map((h, i) => i).sort((a, b) => Math.abs(run.heads[b][score].at(-1)) - Math.abs(run.heads[a][score].at(-1)));
  return ranked.map((h, place) => ({
    name: run.heads[h].name, values: run.heads[h][score], quiet: place >= 3,
    colour: colours[h % colours.length],
  })).reverse();
}

function card(run) {
  const article = element("article");
  article.append(element("h3", `Seed ${run.seed}`));
  article.append(element("p", run.formed === null ? "No induction heads." :
    `Induction heads by step ${run.formed}; ${run.heads[run.best].name} matches prefixes best.`, { className: "small soft" }));
  const most = Math.ceil(Math.max(...run.loss, ...run.first, ...run.second));
  article.append(chart(run, "Loss (nats)", [
    { name: "first half of repeats", values: run.first, colour: colours[0] },
    { name: "second half", values: run.second, colour: colours[1] },
    { name: "held-out mixture", values: run.loss, colour: colours[2] }], 0, most));
  article.append(chart(run, "In-context score (nats)", [{ name: "late − early", values: run.context, colour: colours[3] }],
    Math.floor(Math.min(-1, ...run.context)), 1));
  if (!run.heads.length) return article;
  article.append(chart(run, "Prefix matching", headLines(run, "matching"), 0, 1));
  article.append(chart(run, "Previous token", headLines(run, "previous"), 0, 1));
  article.append(chart(run, "Copying", headLines(run, "copying"), -1, 1));
  const patterns = element("div", "", { className: "patterns" });
  patterns.append(pattern(run.patterns[0], `${run.heads[run.best].name} before`), pattern(run.patterns[1], "after"));
  article.append(patterns);
  return article;
}

const main = document.getElementById("runs");
for (const layers of [...new Set(data.runs.map(r => r.layers))]) {
  main.append(element("h2", layers === 1 ? "1 layer" : `${layers} layers`, { id: `layers${layers}` }));
  const cards = element("div", "", { className: "cards" });
  cards.append(...data.runs.filter(r => r.layers === layers).map(card));
  main.append(cards);
}
