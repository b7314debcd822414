// How a page's script is compared with the engine's numbers.

// The largest difference between what the engine made and what is computed here, relative to the largest number.
function difference(engine, own) {
  if (Array.isArray(engine)) {
    const a = engine.flat(3), b = own.flat(3), size = Math.max(1, ...a.map(Math.abs));
    return a.length === b.length ? Math.max(0, ...a.map((v, i) => Math.abs(v - b[i]) / size)) : Infinity;
  }
  return typeof engine === "number" ? Math.abs(engine - own) / Math.max(1, Math.abs(engine)) : engine === own ? 0 : Infinity;
}

// What agrees of several records, each with its like from here. `whole`: nothing that the engine has may be missing.
class Comparison {
  constructor(tolerance) { this.worst = 0; this.numbers = 0; this.examples = 0; this.tolerance = tolerance; }
  add(engine, own, whole = false) {
    for (const key of Object.keys(engine)) {
      if (!(key in own)) { if (whole) this.worst = Infinity; continue; }
      const d = difference(engine[key], own[key]);
      this.worst = d <= this.worst ? this.worst : d;  // NaN is a difference, too
      this.numbers += [engine[key]].flat(3).length;
    }
    this.examples += whole ? 1 : 0;
  }
  verdict() { return {worst: this.worst, numbers: this.numbers, examples: this.examples, ok: this.worst <= this.tolerance}; }
}
