// A class activation map and its score from the last maps, which check() compares with the engine's. `on`: which
// channels count.
function study({maps, weight, bias, on}) {
  const places = maps[0].length, map = Array(places).fill(0), counted = on ?? weight.map(() => true);
  const mean = maps.map(m => m.reduce((sum, v) => sum + v, 0) / places);
  weight.forEach((w, k) => { if (counted[k]) maps[k].forEach((v, i) => map[i] += w * v); });
  const product = weight.map((w, k) => counted[k] ? w * mean[k] : 0);
  const weighted_means = product.reduce((sum, v) => sum + v, 0), mean_of_cam = map.reduce((sum, v) => sum + v, 0) / places;
  return {mean, product, cam: map, weighted_means, mean_of_cam, score: mean_of_cam + bias};
}

function check(data) {
  const all = new Comparison(data.tolerance);
  for (const e of data.examples) all.add(e.engine, study({maps: data.maps, weight: e.weight, bias: e.bias}), true);
  return all.verdict();
}
