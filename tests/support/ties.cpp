#include "tests/support/ties.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "tests/support/networks.h"

namespace loupe::test {

namespace {
constexpr double kUnit = 0x1p-24;    // rounding to nearest float32
constexpr double kTiny = 1e-36;      // covers underflow
constexpr double kSlack = 1 + 1e-8;  // covers the double arithmetic of the check itself

double gamma(int64_t length) {
  const double lu = static_cast<double>(length) * kUnit;
  return lu / (1 - lu);
}

std::string_view kind_of(const Node& n) { return n.op ? n.op->kind().name : std::string_view("input"); }
bool is_relu(const Node& n) { return n.op && n.op->activation(); }
bool is_max_pool(const Node& n) { return kind_of(n) == "max_pool2d"; }

/// f(a) or f(a, b) of every element, in double.
template <typename F>
Tensor map(const Tensor& a, const F& f) {
  const Tensor in = a.to(Dtype::f64), out(Dtype::f64, a.shape());
  const double* x = in.values<double>().data();
  double* y = out.values<double>().data();
  parallel_for(a.numel(), [&](int64_t i) { y[i] = f(x[i]); });
  return out;
}
template <typename F>
Tensor map(const Tensor& a, const Tensor& b, const F& f) {
  const Tensor in = a.to(Dtype::f64), other = b.to(Dtype::f64), out(Dtype::f64, a.shape());
  const double *x = in.values<double>().data(), *z = other.values<double>().data();
  double* y = out.values<double>().data();
  parallel_for(a.numel(), [&](int64_t i) { y[i] = f(x[i], z[i]); });
  return out;
}

std::vector<Shape> shapes_of(const std::vector<Tensor>& tensors) {
  std::vector<Shape> shapes;
  for (const Tensor& t : tensors) shapes.push_back(t.shape());
  return shapes;
}

/// The op in double, by its textbook loops.
Tensor apply(const Op& op, const std::vector<Tensor>& inputs, const std::vector<Tensor>& parameters,
             const Tensor& switches = {}) {
  const std::vector<Shape> shapes = shapes_of(inputs);
  const Shape shape = op.infer(shapes);
  if (op.is_view(Layout::planar, shapes)) return inputs[0].reshape(shape);
  const Tensor out(Dtype::f64, shape);
  std::vector<Array> in, weights;
  for (const Tensor& t : inputs) in.push_back(t.array());
  for (const Tensor& t : parameters) weights.push_back(t.array());
  std::vector<std::byte> workspace(
      static_cast<size_t>(op.workspace_bytes(Backend::ref, Direction::forward, shapes)));
  Arguments call;
  call.inputs = in;
  call.parameters = weights;
  call.output = out.array();
  if (switches.defined()) call.saved = switches.array();
  call.workspace = workspace;
  op.kind().kernel(Backend::ref, Direction::forward)(op, call);
  return out;
}

/// How far the device may be from the exact result, given how far (`errors`) it may be from the inputs.
Tensor rounding_bound(const Node& n, const std::vector<Tensor>& inputs, const std::vector<Tensor>& errors,
                      const std::vector<Tensor>& parameters, const Tensor& exact, int64_t folded_length) {
  const std::string_view kind = kind_of(n);
  const auto finish = [](const Tensor& bound) {
    return map(bound, [](double b) { return b * kSlack + kTiny; });
  };
  const auto magnitude = [](const Tensor& t, double factor) {
    return map(t, [&](double v) { return std::abs(v) * factor; });
  };
  // What each input can carry into a sum that rounds with factor g: its error, and g times its size.
  const auto carried = [&](double g) {
    return map(errors[0], inputs[0], [&](double e, double x) { return e + g * (std::abs(x) + e); });
  };
  if (kind == "conv2d" || kind == "linear" || kind == "conv_transpose2d") {
    const double g = gamma(n.op->accumulation_length(Direction::forward, shapes_of(inputs)) + 2);
    std::vector<Tensor> sizes{magnitude(parameters[0], 1)};
    if (parameters.size() > 1) sizes.push_back(magnitude(parameters[1], g));
    return finish(apply(*n.op, {carried(g)}, sizes));
  }
  if (kind == "batch_norm") {  // folded: its scale multiplies the convolution's weights, whose sum has
                               // folded_length terms
    const double g = gamma(folded_length + 8);
    return finish(apply(*n.op, {carried(g)},
                        {magnitude(parameters[0], 1), magnitude(parameters[1], g),
                         magnitude(parameters[2], -g), parameters[3]}));
  }
  if (kind == "avg_pool2d" || kind == "adaptive_avg_pool2d")
    return finish(apply(
        *n.op, {carried(gamma(n.op->accumulation_length(Direction::forward, shapes_of(inputs)) + 2))}, {}));
  if (kind == "add") {
    const Tensor both = map(errors[0], errors[1], [](double a, double b) { return a + b; });
    return finish(map(both, exact, [](double e, double y) { return e + kUnit * (std::abs(y) + e); }));
  }
  if (kind == "leaky_relu")
    return finish(map(errors[0], exact, [](double e, double y) { return e + kUnit * std::abs(y); }));
  if (kind == "relu" || kind == "relu6") return errors[0];
  if (kind == "max_pool2d" || kind == "concat" || n.op->is_view(Layout::planar, shapes_of(inputs)))
    return apply(*n.op, errors, {});
  throw Error("no rounding bound is known for the op " + std::string(kind));
}

/// The distance of x from the nearest place where the activation's derivative jumps.
double kink_distance(const Activation& a, double x) {
  return a.kind == Activation::Kind::relu6 ? std::min(std::abs(x), std::abs(x - 6)) : std::abs(x);
}
bool passes(const Activation& a, double x) {
  return !(x <= 0) && !(a.kind == Activation::Kind::relu6 && x >= 6);
}

/// The convolution of which the plan folds batch norm n, if it does.
bool folds_into(const Graph& graph, NodeId conv) {
  if (!graph.node(conv).op || !graph.node(conv).op->folds_batch_norm()) return false;
  const std::vector<NodeId> next = graph.consumers(conv);
  return next.size() == 1 && kind_of(graph.node(next[0])) == "batch_norm";
}

/// The element of max pooling's input that switch s of output element `at` names.
int64_t chosen(const Op& op, const Shape& in, const Shape& out, int64_t at, int64_t s) {
  const Window w = *op.window();
  const int64_t x = at % out[3], y = at / out[3] % out[2], plane = at / out[3] / out[2];
  const int64_t row = y * w.stride.h - w.padding.h + s / w.kernel.w * w.dilation.h;
  const int64_t column = x * w.stride.w - w.padding.w + s % w.kernel.w * w.dilation.w;
  return (plane * in[2] + row) * in[3] + column;
}

std::string place(const Node& n, const Shape& shape, int64_t i) {
  std::string text;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    text = std::to_string(i % shape[d]) + (text.empty() ? "" : ", ") + text;
    i /= shape[d];
  }
  return "'" + n.name + "' at (" + text + ")";
}
}  // namespace

void TieReport::add(const TieReport& other) {
  if (failed == 0) first_failure = other.first_failure;
  compared += other.compared;
  differing += other.differing;
  failed += other.failed;
  rounding = std::max(rounding, other.rounding);
  distance = std::max(distance, other.distance);
}

std::string TieReport::str() const {
  char text[256];
  std::snprintf(text, sizeof text,
                "%lld of %lld bits and switches differ, at most %.2g of a map's largest value from a tie; "
                "roundings at most %.2g of their bound",
                static_cast<long long>(differing), static_cast<long long>(compared), distance, rounding);
  return failed == 0 ? text
                     : text + ("; " + std::to_string(failed) + " unaccounted for, first " + first_failure);
}

Probe Tapes::record_and_account() {
  Probe probe = tie_probe(fast_.graph());
  probe.look = [this, records = probe.records](Execution& run, int64_t first) {
    std::map<NodeId, Tensor> record;
    for (const NodeId n : records) record[n] = run.record(n);
    for (int64_t i = 0; i < run.plan().batch(); ++i) {
      if (static_cast<int64_t>(rows_.size()) != first + i) throw Error("rows of a tape out of order");
      std::map<NodeId, Tensor>& row = rows_.emplace_back();
      for (const NodeId n : records) row[n] = record.at(n).slice(i, i + 1);
    }
    report_.add(account_for_ties(ref_, run, fast_));
  };
  return probe;
}

Probe Tapes::inject() const {
  return {.look = [this](Execution& e, int64_t first) {
    for (const NodeId n : e.recorded()) {
      std::vector<Tensor> records;
      for (int64_t i = 0; i < e.plan().batch(); ++i)
        records.push_back(rows_.at(static_cast<size_t>(first + i)).at(n));
      e.set_record(n, stack_rows(records));
    }
  }};
}

std::vector<NodeId> recorders(const Graph& graph) {
  std::vector<NodeId> ids;
  for (NodeId n = 0; n < graph.size(); ++n)
    if (graph.node(n).op && graph.node(n).op->saved(graph.input_shapes(n))) ids.push_back(n);
  return ids;
}

Probe tie_probe(const Graph& graph) {
  Probe probe{.records = recorders(graph)};
  probe.values = graph.inputs();
  for (const NodeId r : probe.records) probe.values.push_back(graph.node(r).inputs[0]);
  return probe;
}

TieReport account_for_ties(const Network& ref, const Execution& of_ref, Network& fast) {
  const Graph& graph = fast.graph();
  const std::vector<NodeId> records = recorders(graph), kept = tie_probe(graph).values;
  const Tensor x = of_ref.value(graph.inputs()[0]).to(Dtype::f32);
  const int64_t batch = x.shape()[0];

  TieReport report;
  const auto fail = [&](const std::string& what) {
    if (report.failed++ == 0) report.first_failure = what;
  };

  // As a method runs it, then with everything kept but what a batch norm is folded into.
  std::vector<Tensor> fused(static_cast<size_t>(graph.size()));
  Execution& as_run = fast.execution(batch, {.values = {graph.output()}, .records = records});
  as_run.forward(x);
  for (const NodeId n : records) fused[static_cast<size_t>(n)] = as_run.record(n);
  Purpose everything{.records = records};
  for (NodeId n = 0; n < graph.size(); ++n)
    if (!folds_into(graph, n)) everything.values.push_back(n);
  Execution& run = fast.execution(batch, everything);
  run.forward(x);

  // What the device computed or, inside of folds, the exact result; how far the device may be from that; how
  // far from ref's value.
  std::vector<Tensor> value(fused.size()), error(fused.size()), reach(fused.size());
  const auto is_kept = [&](NodeId n) { return std::ranges::count(kept, n) > 0; };
  const auto forget_before = [&](NodeId id) {  // what no later node reads
    for (const NodeId i : graph.node(id).inputs)
      if (graph.consumers(i).back() == id)
        value[static_cast<size_t>(i)] = error[static_cast<size_t>(i)] = reach[static_cast<size_t>(i)] = {};
  };
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (id > 0) forget_before(id - 1);
    const Node& n = graph.node(id);
    const auto at = static_cast<size_t>(id);
    if (!n.op) {
      value[at] = x.to(Dtype::f64);
      error[at] = Tensor::zeros(Dtype::f64, x.shape());
      if (is_kept(id))
        reach[at] = map(value[at], of_ref.value(id), [](double a, double b) { return std::abs(a - b); });
      continue;
    }
    std::vector<Tensor> inputs, errors, parameters;
    for (const NodeId i : n.inputs) {
      inputs.push_back(value[static_cast<size_t>(i)]);
      errors.push_back(error[static_cast<size_t>(i)]);
    }
    for (const ParameterSpec& p : n.parameters) parameters.push_back(ref.parameter(p.name).to(Dtype::f64));
    Tensor switches;
    if (is_max_pool(n)) switches = Tensor(Dtype::u8, n.shape.with(0, batch));
    const Tensor exact = apply(*n.op, inputs, parameters, switches);
    int64_t folded_length = 0;
    if (kind_of(n) == "batch_norm" && folds_into(graph, n.inputs[0])) {
      const NodeId conv = n.inputs[0];
      folded_length = graph.node(conv).op->accumulation_length(Direction::forward, graph.input_shapes(conv));
    }
    const Tensor bound = rounding_bound(n, inputs, errors, parameters, exact, folded_length);
    if (is_kept(id))
      reach[at] = map(bound, map(exact, of_ref.value(id), [](double a, double b) { return std::abs(a - b); }),
                      [](double a, double b) { return a + b; });
    if (folds_into(graph, id)) {
      value[at] = exact;
      error[at] = bound;
      continue;
    }
    value[at] = run.value(id).to(Dtype::f64);
    error[at] = Tensor::zeros(Dtype::f64, value[at].shape());
    const auto v = value[at].values<double>(), e = exact.values<double>(), b = bound.values<double>();
    for (size_t i = 0; i < v.size(); ++i) {
      const double off = std::abs(v[i] - e[i]);
      if (b[i] > 0) report.rounding = std::max(report.rounding, off / b[i]);
      if (!(off <= b[i]))
        fail(place(n, value[at].shape(), static_cast<int64_t>(i)) + ": " + std::to_string(v[i]) + " where " +
             std::to_string(e[i]) + " is exact, beyond its bound of " + std::to_string(b[i]));
    }

    if (std::ranges::count(records, id) == 0) continue;
    const Tensor ours = run.record(id), theirs = of_ref.record(id);
    if (!same_bits(ours, fused[at])) fail("'" + n.name + "': fusing it changed its record");
    const auto before = static_cast<size_t>(n.inputs[0]);
    const Tensor from_ref = of_ref.value(n.inputs[0]);
    double largest = 0;
    for (const double a : from_ref.values<double>()) largest = std::max(largest, std::abs(a));
    const auto in = value[before].values<double>(), from = from_ref.values<double>(),
               reaches = reach[before].values<double>();
    report.compared += ours.numel();
    for (int64_t i = 0; i < ours.numel(); ++i) {
      const auto p = static_cast<size_t>(i);
      const uint8_t got = ours.values<uint8_t>()[p], wanted = theirs.values<uint8_t>()[p];
      const uint8_t follows = is_relu(n) ? passes(n.op->activation(), in[p]) : switches.values<uint8_t>()[p];
      if (got != follows) fail(place(n, ours.shape(), i) + ": its record does not follow from its input");
      if (got == wanted) continue;
      ++report.differing;
      double distance, allowed;
      if (is_relu(n)) {
        distance = kink_distance(n.op->activation(), from[p]);
        allowed = reaches[p];
      } else {
        const auto ours_at = static_cast<size_t>(chosen(*n.op, from_ref.shape(), ours.shape(), i, got)),
                   theirs_at = static_cast<size_t>(chosen(*n.op, from_ref.shape(), ours.shape(), i, wanted));
        distance = std::abs(from[ours_at] - from[theirs_at]);
        allowed = reaches[ours_at] + reaches[theirs_at];
      }
      report.distance = std::max(report.distance, distance / largest);
      if (!(distance <= allowed))
        fail(place(n, ours.shape(), i) + ": differs " + std::to_string(distance) +
             " from a tie, beyond its reach of " + std::to_string(allowed));
    }
  }
  return report;
}

}  // namespace loupe::test
