// What a cell sees, layer by layer, as the engine reckons it, which check() compares it with. A layer: k cells in a row, s
// further for the next, p of padding, d between them; each a pair [height, width].
function study({chain}) {
  let size = [1, 1], stride = [1, 1], offset = [0, 0];
  return {fields: chain.map(({k, s, p, d}) => {
    size = size.map((r, i) => r + d[i] * (k[i] - 1) * stride[i]);
    offset = offset.map((o, i) => o - p[i] * stride[i]);
    stride = stride.map((j, i) => j * s[i]);
    return [size, stride, offset];
  })};
}
// How many cells a row of so many pixels makes; 0 where the window does not fit.
function cells(pixels, {k, s, p, d}, i) {
  const window = d[i] * (k[i] - 1) + 1;
  return pixels + 2 * p[i] < window ? 0 : Math.floor((pixels + 2 * p[i] - window) / s[i]) + 1;
}
// Pixels [begin, end) that a cell sees along one side, cut at the border.
function seen([size, stride, offset], cell, pixels, i) {
  const begin = Math.floor(offset[i] + stride[i] * cell), cut = v => Math.min(Math.max(v, 0), pixels);
  return [cut(begin), cut(begin + size[i])];
}

function check(data) {
  const all = new Comparison(data.tolerance);
  for (const e of data.examples) all.add({fields: e.fields}, study(e), true);
  return all.verdict();
}
