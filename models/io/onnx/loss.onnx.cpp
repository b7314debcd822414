// Losses of labels that are known: sums of scores times constants.
#include "kernels/elementwise/binary.h"
#include "kernels/reduce/reduce.h"
#include "kernels/softmax/softmax.h"
#include "models/io/onnx/steps.h"

namespace loupe {
namespace {

using namespace onnx;

// What a label says of scores (N, C, d…): −w[c] at the label's class c, else 0; and the sum of the weights.
struct Labelled {
  Tensor shares;
  double total = 0;
};
Labelled labelled(NodeImport& n, const Shape& x) {
  if (!n.known(1)) n.unsupported("of labels that are not known before the run");
  if (n.has(2) && !n.known(2)) n.unsupported("with weights that are computed in a run");
  const Constant& labels = *n.value(1).constant;
  const Split at(x, 1);
  if (labels.numel() != at.outer * at.inner || (n.has(2) && n.shape(2).numel() != at.size))
    throw Error("labels " + labels.shape.str() + " and weights do not fit " + x.str());
  const bool ignores = n.has_attribute("ignore_index");
  const int64_t ignored = n.i("ignore_index", 0);
  expect_room(n, x);
  Labelled l{.shares = Tensor::zeros(Dtype::f32, x)};
  for (int64_t i = 0; i < labels.numel(); ++i) {
    const int64_t label = labels.integer(i);
    if (ignores && label == ignored) continue;
    if (label < 0 || label >= at.size) throw Error("there is no class " + std::to_string(label));
    const double weight = n.has(2) ? n.value(2).constant->real(label) : 1;
    const int64_t place = (i / at.inner * at.size + label) * at.inner + i % at.inner;
    l.shares.values<float>()[static_cast<size_t>(place)] = static_cast<float>(-weight);
    l.total += weight;
  }
  return l;
}

// Of log-probabilities.
void likelihood(NodeImport& n, const Value& x) {
  if (x.shape.rank() < 2) throw Error("it takes scores (N, C, …)");
  const std::string reduction = n.s("reduction", "mean");
  Labelled l = labelled(n, x.shape);
  const bool mean = reduction == "mean";
  if (mean)
    for (float& v : l.shares.values<float>()) v = static_cast<float>(v / l.total);
  const Value picked = n.add("picked", mul(), {x.port, n.constant("labels", l.shares)});
  if (reduction == "none")
    return n.output(n.add(reduce({.kind = Reduce::Kind::sum, .axes = {1}}), {picked.port}));
  if (!mean && reduction != "sum") throw Error("reduction cannot be '" + reduction + "'");
  std::vector<int> all;
  for (int i = 0; i < x.shape.rank(); ++i) all.push_back(i);
  const Value sum =
      n.add("sum", reduce({.kind = Reduce::Kind::sum, .axes = all, .keep = true}), {picked.port});
  n.output(n.reshape("", sum, {}));
}

void nll(NodeImport& n) { likelihood(n, computed(n, 0)); }
void softmax_cross_entropy(NodeImport& n) {
  const Value log = n.add("log_softmax", log_softmax(1), {n.port(0)});
  likelihood(n, log);
  if (n.wants_output(1)) n.output(1, log);
}

}  // namespace

extern const OnnxGroup loss_onnx;
const OnnxGroup loss_onnx{{
    {"NegativeLogLikelihoodLoss", nll},
    {"SoftmaxCrossEntropyLoss", softmax_cross_entropy},
}};

}  // namespace loupe
