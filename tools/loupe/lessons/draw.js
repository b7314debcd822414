// Numbers on a page, as all lessons show them.
const $ = id => document.getElementById(id);
const short = v => {
  if (Math.abs(v) < 1e-12) return "0";
  const text = Number(Math.abs(v).toPrecision(4)).toString();
  return (v < 0 ? "−" : "") + text;
};
const list = v => "(" + v.map(short).join(", ") + ")";
const cell = (v, largest, name = "", extra = "") => {
  const much = largest > 0 ? Math.round(12 + 40 * Math.abs(v) / largest) : 0, zero = Math.abs(v) < 1e-12;
  return `<td class="${zero ? "none" : v > 0 ? "plus" : "minus"} ${name}" style="--much:${much}%" ${extra}>${zero ? "·" : short(v)}</td>`;
};
const largest = t => Math.max(...t.flat(2).map(Math.abs));
const matrix = (t, id = "", label = "") => `<div class=scroll><table class=grid ${id ? `id=${id}` : ""}>` +
  t.map((r, i) => "<tr>" + (label ? `<th>${label} ${i + 1}</th>` : "") + r.map((v, j) => cell(v, largest(t), "", `data-i=${i} data-j=${j}`)).join("") + "</tr>").join("") + "</table></div>";
const escaped = text => text.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`);
// What the foot of a page says of its script.
const said = verdict => `This page’s script was run on ${verdict.examples} examples that carry the engine’s numbers, ${verdict.numbers.toLocaleString("en")} of them: ` +
  (verdict.ok ? `<span class=yes>it made the same</span>, ${verdict.worst ? `up to ${short(verdict.worst)} of the largest` : "to the last bit"}.` : `<span class=no>it differs by ${short(verdict.worst)}</span>.`);
const whose = (engine, device, verdict) => engine ? `The numbers below are the engine’s (${device}).` :
  `The numbers below are this page’s, whose script ${verdict.ok ? "agreed" : "<b class=no>did not agree</b>"} with the engine in ${verdict.examples} examples.`;
