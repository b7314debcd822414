// What the page computes when its numbers change: the same as the engine's kernels, which check() compares it with.
const row = t => t[0].map((_, j) => t.map(r => r[j]));
const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);
const times = (m, v) => m.map(r => dot(r, v));
const product = (a, b) => { const t = row(b); return a.map(r => t.map(c => dot(r, c))); };
const zeros = (n, m) => m === undefined ? Array(n).fill(0) : Array.from({length: n}, () => Array(m).fill(0));

function study({n, f, s, p, w, x}) {
  const m = n + 2 * p, outputs = Math.floor((m - f) / s) + 1, unseen = (m - f) % s;
  const r = {n, f, s, p, n_y: outputs, w, x, x_padded: [...zeros(p), ...x, ...zeros(p)]};
  r.W = zeros(outputs, m);
  for (let i = 0; i < outputs; ++i) for (let k = 0; k < f; ++k) r.W[i][i * s + k] = w[k];
  r.y = zeros(outputs).map((_, i) => w.reduce((sum, v, k) => sum + v * r.x_padded[i * s + k], 0));
  r.y_matrix = times(r.W, r.x_padded);
  r.WT_y = times(row(r.W), r.y);
  r.conv_transpose = zeros(m);
  r.y.forEach((v, i) => w.forEach((tap, k) => r.conv_transpose[i * s + k] += v * tap));
  r.conv_transpose_cropped = r.conv_transpose.slice(p, m - p);
  const spread = zeros((outputs - 1) * s + 1);
  r.y.forEach((v, i) => spread[i * s] = v);
  r.sub_pixel_y = [...zeros(f - 1), ...spread, ...zeros(f - 1 + unseen)];
  r.flipped_w = [...w].reverse();
  r.sub_pixel_convolution = zeros(m).map((_, i) => dot(r.flipped_w, r.sub_pixel_y.slice(i, i + f)));
  const taps = Math.ceil(f / s), y = [...zeros(taps - 1), ...r.y, ...zeros(taps - 1)];
  r.short_filters = zeros(s, taps).map((t, k) => t.map((_, i) => w[k + (taps - 1 - i) * s] ?? 0));
  r.short_filter_outputs = r.short_filters.map(t => zeros(outputs + taps - 1).map((_, i) => dot(t, y.slice(i, i + taps))));
  const turns = row(r.short_filter_outputs).flat();
  r.interleaved = zeros(m).map((_, i) => turns[i] ?? 0);
  r.W_WT = product(r.W, row(r.W));
  r.WT_W = product(row(r.W), r.W);
  r.WT_W_twice = product(r.WT_W, r.WT_W);
  r.W_WT_y = times(r.W, r.conv_transpose);
  return r;
}

function studyPicture({n, f, s, p, w}) {
  const m = n + 2 * p, outputs = Math.floor((m - f) / s) + 1;
  const r = {filter: zeros(f, f).map((t, i) => t.map((_, j) => w[(i + j) % f])),
             x: zeros(n, n).map((t, i) => t.map((_, j) => (7 * i + 3 * j + i * j) % 10))};
  r.rows = outputs * outputs;
  r.columns = m * m;
  const at = (i, j) => r.x[i - p]?.[j - p] ?? 0;
  r.y = zeros(outputs, outputs);
  r.conv_transpose = zeros(m, m);
  for (let i = 0; i < outputs; ++i) for (let j = 0; j < outputs; ++j)
    for (let a = 0; a < f; ++a) for (let b = 0; b < f; ++b) r.y[i][j] += r.filter[a][b] * at(i * s + a, j * s + b);
  for (let i = 0; i < outputs; ++i) for (let j = 0; j < outputs; ++j)
    for (let a = 0; a < f; ++a) for (let b = 0; b < f; ++b)
      r.conv_transpose[i * s + a][j * s + b] += r.filter[a][b] * r.y[i][j];
  return r;
}

function studyUnpooling(x) {
  const r = {x, pooled: zeros(2, 2), switches: zeros(2, 2), by_switches: zeros(4, 4), regular: zeros(4, 4)};
  for (let i = 0; i < 2; ++i) for (let j = 0; j < 2; ++j) {
    const window = [0, 1, 2, 3].map(k => x[2 * i + (k >> 1)][2 * j + (k & 1)]);
    const best = window.indexOf(Math.max(...window));
    r.pooled[i][j] = window[best];
    r.switches[i][j] = best;
    r.by_switches[2 * i + (best >> 1)][2 * j + (best & 1)] = window[best];
    r.regular[2 * i][2 * j] = window[best];
  }
  return r;
}

const norm = v => Math.sqrt(dot(v, v));
const off = (a, b) => norm(a.map((v, i) => v - b[i]));
const relative = (part, whole) => whole > 0 ? part / whole : 0;

function checkFilter(name, r, rounding) {
  const c = {name, w: r.w, length: r.W_WT[0][0], overlap: 0};
  r.W_WT.forEach((t, i) => t.forEach((v, j) => { if (i !== j) c.overlap = Math.max(c.overlap, Math.abs(v)); }));
  c.right_inverse = relative(off(r.W_WT_y, r.y), norm(r.y));
  c.projection = Math.max(...r.WT_W.map((t, i) => Math.max(...t.map((v, j) => Math.abs(v - r.WT_W_twice[i][j])))));
  c.lost = relative(off(r.conv_transpose, r.x_padded), norm(r.x_padded));
  c.orthonormal = Math.abs(c.length - 1) < rounding * r.x_padded.length && c.overlap < rounding * r.x_padded.length;
  return c;
}

const scaled = w => { const size = norm(w); return size > 0 ? w.map(v => v / size) : w; };
// The filters of the table, of any length and stride; the random ones are the engine's where it has them.
function filters({f, s, w}, engine) {
  const unit = taps => scaled(zeros(f).map((_, i) => taps[i] ?? 0)), all = [["yours", w]], few = Math.min(f, s);
  if (norm(w) > 0) all.push(["yours, scaled to length 1", scaled(w)]);
  if (f > 2) all.push(["an edge, one tap too short", unit([1, ...zeros(f - 3), -1])]);
  if (f > 1) all.push([`an edge of ${f} taps`, unit([1, ...zeros(f - 2), -1])]);
  all.push([few > 1 ? `a mean of ${few}` : "one tap", unit(Array(few).fill(1))]);
  const root = Math.sqrt(3);
  if (f === 4 && s === 2) all.push(["Daubechies’ wavelet", unit([1 + root, 3 + root, 3 - root, 1 - root])]);
  for (const c of engine) if (c.name.startsWith("random") && c.w.length === f) all.push([c.name, c.w]);
  return all;
}

function check(data) {
  const all = new Comparison(data.tolerance);
  for (const e of data.examples) all.add(e, study(e), true);
  all.add(data.picture, studyPicture(data.examples[0]));
  all.add(data.unpooling, studyUnpooling(data.unpooling.x));
  for (const c of data.filters) all.add(c, checkFilter(c.name, study({...data.examples[0], w: c.w}), data.rounding));
  return all.verdict();
}
