#include "tests/support/ties.h"

#include <algorithm>
#include <cmath>

#include "kernels/elementwise/elementwise.h"
#include "tests/support/networks.h"
#include "tests/support/rounding.h"

namespace loupe::test {

namespace {
constexpr double kTiny = 1e-36;      // covers underflow
constexpr double kSlack = 1 + 1e-8;  // covers the double arithmetic of the check itself

std::string_view kind_of(const Node& n) { return n.op ? n.op->kind().name : std::string_view(); }
bool is_max_pool(const Node& n) { return kind_of(n) == "max_pool2d"; }
Function function_of(const Node& n) { return n.op ? n.op->function() : Function{}; }

/// Where a function's slope jumps, from below. At the first kink the piece below it has the slope, at the
/// second the piece above it, as in kernels/elementwise/functions. None for smooth functions, which no
/// rounding can make jump.
std::vector<double> kinks(const Function& f) {
  if (!f) return {};
  const std::string_view name = function_info(f).name;
  for (const std::string_view smooth :
       {"gelu", "gelu_tanh", "silu", "sigmoid", "tanh", "softplus", "mish", "exp"})
    if (name == smooth) return {};
  if (name == "relu" || name == "leaky_relu") return {0};
  if (name == "relu6") return {0, 6};
  if (name == "hard_sigmoid" || name == "hard_swish") return {-3, 3};
  throw Error("it is not known where the slope of " + std::string(name) + " jumps");
}
/// The piece of the function that x lies on, counted from below.
int piece(const std::vector<double>& kinks, double x) {
  return static_cast<int>(!(x <= kinks[0])) + static_cast<int>(kinks.size() > 1 && x >= kinks[1]);
}
double kink_distance(const std::vector<double>& kinks, double x) {
  double least = INFINITY;
  for (const double k : kinks) least = std::min(least, std::abs(x - k));
  return least;
}

std::vector<Shape> shapes_of(const std::vector<Tensor>& tensors) {
  std::vector<Shape> shapes;
  for (const Tensor& t : tensors) shapes.push_back(t.shape());
  return shapes;
}

/// What a float32 run is given for a record of numbers in double: each rounded, but never onto another piece.
Tensor on_its_piece(const Tensor& record, const std::vector<double>& kinks) {
  if (record.dtype() != Dtype::f64) return record;
  const Tensor rounded = record.to(Dtype::f32);
  const auto exact = record.values<double>();
  const auto to = rounded.values<float>();
  for (size_t i = 0; i < exact.size(); ++i)
    if (piece(kinks, to[i]) != piece(kinks, exact[i]))
      to[i] = std::nextafter(to[i], exact[i] < static_cast<double>(to[i]) ? -INFINITY : INFINITY);
  return rounded;
}

/// The convolution of which the plan folds the batch norm after it, if it does.
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

/// Follows the network of a device node by node.
class Accountant {
 public:
  Accountant(const Network& ref, const Execution& of_ref, Network& fast)
      : ref_(ref),
        of_ref_(of_ref),
        fast_(fast),
        graph_(fast.graph()),
        followed_(static_cast<size_t>(graph_.size())) {}

  TieReport run() {
    const NodeId input = graph_.inputs()[0];
    const Tensor x = of_ref_.value(input).to(Dtype::f32);
    records_ = recorders(graph_);
    kept_ = tie_probe(graph_).values;
    // As a method runs it, then with everything kept but what a batch norm is folded into.
    Execution& as_run = fast_.execution(x.shape(), {.values = {graph_.output()}, .records = records_});
    as_run.forward(x);
    for (const NodeId n : records_) fused_[n] = as_run.record(n);
    Purpose everything{.records = records_};
    for (NodeId n = 0; n < graph_.size(); ++n)
      if (!graph_.node(n).is_weight() && !folds_into(graph_, n)) everything.values.push_back(n);
    run_ = &fast_.execution(x.shape(), everything);
    run_->forward(x);
    for (NodeId n = 0; n < graph_.size(); ++n) {
      follow(n);
      forget_operands(n);
    }
    return report_;
  }

 private:
  struct Followed {
    Tensor value;  // what the device computed or, inside of folds, the exact result
    Tensor error;  // how far the device may be from that
    Tensor reach;  // how far from ref's value, of nodes that are kept
  };
  Followed& followed(NodeId n) { return followed_[static_cast<size_t>(n)]; }
  bool is_kept(NodeId n) const { return std::ranges::count(kept_, Port(n)) > 0; }
  Tensor distance_from_ref(NodeId n, const Tensor& from) const {
    return map(from, of_ref_.value(n), [](double a, double b) { return std::abs(a - b); });
  }
  void fail(const std::string& what) {
    if (report_.failed++ == 0) report_.first_failure = what;
  }

  void forget_operands(NodeId n) {  // that no later node reads
    for (const Port& p : graph_.node(n).inputs)
      if (graph_.consumers(p.node).back() == n) followed(p.node) = {};
  }

  void follow(NodeId id) {
    const Node& n = graph_.node(id);
    Followed& f = followed(id);
    if (!n.op) {
      f.value = n.kind == Node::Kind::parameter  ? ref_.parameter(n.name).to(Dtype::f64)
                : n.kind == Node::Kind::constant ? n.value.to(Dtype::f64)
                                                 : run_->value(id).to(Dtype::f64);
      f.error = Tensor::zeros(Dtype::f64, f.value.shape());
      if (is_kept(id)) f.reach = distance_from_ref(id, f.value);
      return;
    }
    Operands o{n, {}, {}};
    for (const Port& p : n.inputs) {
      o.values.push_back(followed(p.node).value);
      o.errors.push_back(followed(p.node).error);
    }
    Tensor switches;
    if (is_max_pool(n)) switches = Tensor(Dtype::u8, n.op->record(shapes_of(o.values))->shape);
    const Tensor exact = compute(*n.op, o.values, switches);
    const Tensor bound =
        map(rounding_bound(o, exact, folded_length(n)), [](double b) { return b * kSlack + kTiny; });
    if (is_kept(id)) f.reach = sum(bound, distance_from_ref(id, exact));
    if (folds_into(graph_, id)) {
      f.value = exact;
      f.error = bound;
      return;
    }
    f.value = run_->value(id).to(Dtype::f64);
    f.error = Tensor::zeros(Dtype::f64, f.value.shape());
    compare_values(n, f.value, exact, bound);
    if (std::ranges::count(records_, id) > 0) compare_records(id, o, switches);
  }

  int64_t folded_length(const Node& n) const {
    if (kind_of(n) != "batch_norm" || !folds_into(graph_, n.inputs[0].node)) return 0;
    const NodeId conv = n.inputs[0].node;
    return graph_.node(conv).op->accumulation_length(Direction::forward, graph_.operand_shapes(conv));
  }

  void compare_values(const Node& n, const Tensor& value, const Tensor& exact, const Tensor& bound) {
    const auto v = value.values<double>(), e = exact.values<double>(), b = bound.values<double>();
    for (size_t i = 0; i < v.size(); ++i) {
      const double off = std::abs(v[i] - e[i]);
      if (b[i] > 0) report_.rounding = std::max(report_.rounding, off / b[i]);
      if (!(off <= b[i]))
        fail(place(n, value.shape(), static_cast<int64_t>(i)) + ": " + std::to_string(v[i]) + " where " +
             std::to_string(e[i]) + " is exact, beyond its bound of " + std::to_string(b[i]));
    }
  }

  void compare_records(NodeId id, const Operands& o, const Tensor& switches) {
    const Node& n = o.node;
    const NodeId operand = n.inputs[0].node;
    const Tensor ours = run_->record(id), theirs = of_ref_.record(id), from_ref = of_ref_.value(operand);
    if (!same_bits(ours, fused_.at(id))) fail("'" + n.name + "': fusing it changed its record");
    const std::vector<double> bends = kinks(function_of(n));
    const bool bits = ours.dtype() == Dtype::u8;
    double largest = 0;
    for (const double a : from_ref.values<double>()) largest = std::max(largest, std::abs(a));
    const auto in = o.values[0].values<double>(), from = from_ref.values<double>(),
               reaches = followed(operand).reach.values<double>();
    report_.compared += ours.numel();
    for (int64_t i = 0; i < ours.numel(); ++i) {
      const auto p = static_cast<size_t>(i);
      double got = ours.item(i), wanted = theirs.item(i);
      const double follows = is_max_pool(n) ? switches.item(i) : bits ? piece(bends, in[p]) == 1 : in[p];
      if (got != follows) fail(place(n, ours.shape(), i) + ": its record does not follow from its input");
      if (!bits) got = piece(bends, got), wanted = piece(bends, wanted);
      if (got == wanted) continue;
      ++report_.differing;
      double distance = 0, allowed = 0;
      if (is_max_pool(n)) {
        const auto at = [&](double s) {
          return static_cast<size_t>(
              chosen(*n.op, from_ref.shape(), ours.shape(), i, static_cast<int64_t>(s)));
        };
        distance = std::abs(from[at(got)] - from[at(wanted)]);
        allowed = reaches[at(got)] + reaches[at(wanted)];
      } else {
        distance = kink_distance(bends, from[p]);
        allowed = reaches[p];
      }
      report_.distance = std::max(report_.distance, distance / largest);
      if (!(distance <= allowed))
        fail(place(n, ours.shape(), i) + ": differs " + std::to_string(distance) +
             " from a tie, beyond its reach of " + std::to_string(allowed));
    }
  }

  const Network& ref_;
  const Execution& of_ref_;
  Network& fast_;
  const Graph& graph_;
  Execution* run_ = nullptr;
  std::vector<NodeId> records_;
  std::vector<Port> kept_;
  std::map<NodeId, Tensor> fused_;
  std::vector<Followed> followed_;
  TieReport report_;
};
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
  if (recorders(fast_.graph()).empty()) return {};  // a smooth network has no ties
  Probe probe = tie_probe(fast_.graph());
  probe.look = [this, records = probe.records](Execution& run, int64_t first) {
    std::map<NodeId, Tensor> record;
    for (const NodeId n : records)
      record[n] = on_its_piece(run.record(n), kinks(function_of(run.plan().graph().node(n))));
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
    if (rows_.empty()) return;
    for (const NodeId n : recorders(fast_.graph())) {
      if (e.plan().record_of(n) < 0) continue;  // this rule does not look at it
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
    if (is_max_pool(graph.node(n)) || !kinks(function_of(graph.node(n))).empty()) ids.push_back(n);
  return ids;
}

Probe tie_probe(const Graph& graph) {
  Probe probe{.records = recorders(graph)};
  for (const NodeId n : graph.inputs()) probe.values.push_back(n);
  for (const NodeId r : probe.records) probe.values.push_back(graph.node(r).inputs[0]);
  return probe;
}

TieReport account_for_ties(const Network& ref, const Execution& of_ref, Network& fast) {
  return Accountant(ref, of_ref, fast).run();
}

}  // namespace loupe::test
