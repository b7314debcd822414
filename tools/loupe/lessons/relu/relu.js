// One ReLU, as the engine's kernels have it, which check() compares it with.
function study({x, signal}) {
  return {
    x, signal,
    forward: x.map(v => Math.max(v, 0)),
    gradient: signal.map((r, i) => x[i] > 0 ? r : 0),
    deconvnet: signal.map(r => Math.max(r, 0)),
    guided_backprop: signal.map((r, i) => x[i] > 0 ? Math.max(r, 0) : 0),
  };
}

function check(data) {
  const all = new Comparison(data.tolerance);
  for (const e of data.examples) all.add(e, study(e), true);
  return all.verdict();
}
