#include "engine/run/passes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/run/probability.h"

namespace loupe {

namespace {
// Where nothing else limits memory, a batch on a CPU is what the caches can hold: SqueezeNet runs 1.2 times as fast in
// batches of one or two as in batches of 16. Networks with small maps and large linear layers want more, to
// read their weights less often.
constexpr int64_t kCacheBytes = 16 << 20, kBatch = 16;

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& more) {
  for (const T& n : more)
    if (std::ranges::count(to, n) == 0) to.push_back(n);
}
}  // namespace

void expect_images(const Network& net, const Tensor& x) {
  const std::vector<NodeId> inputs = net.graph().inputs();
  if (inputs.size() != 1)
    throw UsageError(net.name() + " takes " + std::to_string(inputs.size()) + " inputs: methods need one");
  const Shape& one = net.graph().node(inputs[0]).shape();
  if (!x.defined() || x.shape().rank() != one.rank() || x.shape()[0] < 1 ||
      (one.rank() > 1 && x.shape()[1] != one[1]))
    throw UsageError(net.name() + " takes images like " + "(N" + one.str().substr(2) + ", got " +
                     (x.defined() ? x.shape().str() : "none"));
  net.graph().shapes(x.shape());  // throws where a layer does not fit
}

void in_batches(Network& net, const Shape& one, int64_t count, const Purpose& purpose,
                const Progress& progress, const std::function<void(int64_t, int64_t)>& body,
                int64_t together) {
  int64_t batch;
  if (net.queue().module) {
    const int64_t most = net.batch_for(one, count, purpose, together);
    batch = round_up(ceil_div(count, ceil_div(count, most)), together);
  } else {
    const int64_t bytes = net.execution(one.with(0, together), purpose).plan().arena_bytes();
    const int64_t good =
        std::clamp<int64_t>(kCacheBytes / std::max<int64_t>(bytes, 1), 1, kBatch / together) * together;
    batch = net.batch_for(one, std::min(count, good), purpose, together);
  }
  for (int64_t begin = 0; begin < count; begin += batch) {
    const int64_t end = std::min(count, begin + batch);
    body(begin, end);
    if (progress) progress(static_cast<double>(end) / static_cast<double>(count));
  }
}

Target settled(Network& net, const Tensor& x, const Target& target) {
  if (!target.is_class()) return target;
  const NodeId node = target.node(net.graph());
  const Purpose purpose{.values = {node}};
  std::vector<int64_t> classes;
  in_batches(net, x.shape(), x.shape()[0], purpose, {}, [&](int64_t begin, int64_t end) {
    Execution& pass = net.execution(x.shape().with(0, end - begin), purpose);
    pass.forward(x.slice(begin, end));
    for (const int64_t c : target.classes(pass.value(node), begin)) classes.push_back(c);
  });
  return Target(std::move(classes)).of(node);
}

RowScores forward_scores(Network& net, const Shape& one, int64_t count,
                         const std::function<Tensor(int64_t, int64_t)>& rows, const Target& target,
                         const Progress& progress) {
  RowScores found;
  const NodeId node = target.node(net.graph());
  const Purpose purpose{.values = {node}};
  in_batches(net, one, count, purpose, progress, [&](int64_t begin, int64_t end) {
    Execution& pass = net.execution(one.with(0, end - begin), purpose);
    pass.forward(rows(begin, end));
    const Tensor result = pass.value(node).to(Dtype::f64);
    for (const double s : target.scores(result, begin)) found.scores.push_back(s);
    if (!target.is_class()) return;
    const std::vector<int64_t> classes = target.classes(result, begin);
    for (int64_t n = 0; n < end - begin; ++n)
      found.probabilities.push_back(
          class_probability(result.row(n).values<const double>(), classes[static_cast<size_t>(n)]));
  });
  return found;
}

void ScorePass::run(int64_t count, const std::function<Tensor(int64_t, int64_t)>& rows,
                    const std::function<void(Execution&, int64_t)>& take) {
  Purpose all = purpose;
  const NodeId scores = all.from.value_or(target.node(net.graph()));
  all.from = scores;
  append(all.values, {Port(scores)});
  append(all.values, probe.values);
  append(all.records, probe.records);
  in_batches(
      net, one, count, all, progress,
      [&](int64_t begin, int64_t end) {
        Execution& pass = net.execution(one.with(0, end - begin), all);
        const Shape& result_shape = pass.plan().value(pass.plan().seed()).type.shape;
        if (target.is_class() && !probe.look && result_shape.rank() == 2) {
          pass.forward_and_back({rows(begin, end)}, target.wanted(end - begin, result_shape[1], begin));
          return take(pass, begin);
        }
        pass.forward(rows(begin, end));
        const Tensor result = pass.value(scores);
        if (probe.look) probe.look(pass, begin);
        pass.backward(target.seed(result, begin));
        take(pass, begin);
      },
      together);
}

Tensor input_signal(Network& net, const Tensor& x, const Target& target, Rule rule, const Probe& probe) {
  expect_images(net, x);
  const NodeId input = net.graph().inputs()[0];
  Tensor signal(net.device().compute_dtype(), x.shape());
  ScorePass pass{net, x.shape(), {.gradients = {input}, .rule = std::move(rule)}, target, probe};
  pass.run(
      x.shape()[0], [&](int64_t begin, int64_t end) { return x.slice(begin, end); },
      [&](Execution& e, int64_t begin) { copy_rows(e.gradient(input), signal, begin); });
  return signal;
}

void copy_rows(const Tensor& from, const Tensor& to, int64_t first) {
  const Tensor rows = to.slice(first, first + from.shape()[0]);
  if (rows.dtype() != from.dtype() || rows.shape() != from.shape())
    throw Error("copying rows " + from.shape().str() + " to " + rows.shape().str());
  std::memcpy(rows.raw(), from.raw(), static_cast<size_t>(from.bytes()));
}

std::optional<Grid> receptive_centres(const Graph& graph, NodeId node) {
  const ReceptiveField f = receptive_fields(graph)[static_cast<size_t>(node)];
  if (f.whole) return std::nullopt;
  return Grid{f.offset_h + static_cast<double>(f.size.h - 1) / 2,
              f.offset_w + static_cast<double>(f.size.w - 1) / 2, f.stride_h, f.stride_w};
}

}  // namespace loupe
