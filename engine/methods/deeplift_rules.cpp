#include "engine/methods/deeplift_rules.h"

#include <algorithm>
#include <set>

#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/max_route2d/max_route2d.h"
#include "kernels/quotient/quotient.h"
#include "kernels/slice/slice.h"

namespace loupe {

namespace {

constexpr double kNothing = 1e-10;  // a difference of less is none
constexpr int kBits = 30;           // pools compare values rounded to 2^−30

// A value of a batch of pairs, its inputs' rows and its baselines'; or the two parts of a difference or a multiplier.
struct Two {
  ValueId first, second;
};

// What rows are written with: each call adds a step to the plan.
class Steps {
 public:
  explicit Steps(SignalStep& s) : s_(s) {}
  ValueId apply(const OpPtr& op, std::initializer_list<ValueId> values) {
    std::vector<RowOperand> operands;
    for (const ValueId v : values) operands.push_back({.value = v});
    return s_.apply(op, operands);
  }
  ValueId plus(ValueId a, ValueId b) { return apply(add(), {a, b}); }
  ValueId minus(ValueId a, ValueId b) { return apply(sub(), {a, b}); }
  ValueId times(ValueId a, ValueId b) { return apply(mul(), {a, b}); }
  ValueId positive(ValueId a) { return apply(relu(), {a}); }
  Two halves(ValueId both) { return {apply(inputs_, {both}), apply(baselines_, {both})}; }
  ValueId difference(ValueId both) {
    const Two h = halves(both);
    return minus(h.first, h.second);
  }
  // Where `like` is a whole batch: the rows of inputs, and zero in the baselines'; or both.
  ValueId to_inputs(ValueId half, ValueId like) { return s_.apply_vjp(inputs_, 0, half, {{.value = like}}); }
  ValueId whole(const Two& h, ValueId like) {
    return plus(to_inputs(h.first, like), s_.apply_vjp(baselines_, 0, h.second, {{.value = like}}));
  }
  Two parts(ValueId d) {
    const ValueId up = positive(d);
    return {up, minus(d, up)};
  }

 private:
  SignalStep& s_;
  OpPtr inputs_ = slice({.axis = 0, .begin = 0, .step = 2}),
        baselines_ = slice({.axis = 0, .begin = 1, .step = 2});
};

void rescale_function(SignalStep& s) {
  Steps steps(s);
  const ValueId x = s.operand(0).value, dx = steps.difference(x), dy = steps.difference(s.output());
  const ValueId m = steps.halves(s.signal()).first;  // before the vjp, which may take the signal's place
  const ValueId slope = steps.halves(s.vjp(s.signal(), 0)).first;
  s.pass(steps.to_inputs(steps.apply(quotient(kNothing), {steps.times(dy, m), dx, slope}), x), 0);
}

// The multiplier of a max pool's input from `m` of its output; both of inputs' rows alone.
ValueId through_pool(Steps& steps, const Op& pool, ValueId m, const Two& x, const Two& y) {
  const OpPtr route = max_route2d({max_pool2d_pooling(pool), kBits});
  const ValueId top = steps.apply(maximum(), {y.first, y.second});
  const ValueId up = steps.times(steps.minus(top, y.second), m),
                down = steps.times(steps.minus(y.first, top), m);
  const ValueId flow = steps.plus(steps.apply(route, {up, x.first}), steps.apply(route, {down, x.second}));
  return steps.apply(quotient(kNothing),
                     {flow, steps.minus(x.first, x.second), steps.apply(route, {m, x.first})});
}

void rescale_pool(SignalStep& s) {
  Steps steps(s);
  const ValueId x = s.operand(0).value;
  const ValueId m = through_pool(steps, *s.node().op, steps.halves(s.signal()).first, steps.halves(x),
                                 steps.halves(s.output()));
  s.pass(steps.to_inputs(m, x), 0);
}

// ---- RevealCancel

std::shared_ptr<const WeightTransform> transform(const std::string& name, double (*f)(double)) {
  return std::make_shared<const WeightTransform>("deeplift " + name, [f](std::span<double> w) {
    for (double& v : w) v = f(v);
  });
}

constexpr std::string_view kBatchNorm = "batch_norm";
bool has_weights(const Node& n) {
  static const std::set<std::string_view> kinds{"conv2d", "conv_transpose2d", "linear"};
  return n.op && kinds.contains(n.op->kind().name);
}
// Linear ops whose weights are the op's own, none below zero.
bool is_positive(const Node& n) {
  static const std::set<std::string_view> kinds{"add",     "avg_pool2d", "adaptive_avg_pool2d",
                                                "concat",  "dropout",    "expand",
                                                "flatten", "pad",        "reduce",
                                                "reshape", "slice",      "transpose",
                                                "upsample"};
  return kinds.contains(n.op->kind().name);
}

// RevealCancel of one node.
class Reveal {
 public:
  Reveal(SignalStep& s, const Graph& graph) : s_(s), graph_(graph), steps_(s) {}

  void function() {
    const ValueId x = s_.operand(0).value;
    const Port& from = s_.node().inputs[0];
    const bool mixed = is_mixed(from.node);
    const Two in = steps_.halves(x), out = steps_.halves(s_.output()), m = steps_.halves(s_.signal());
    const Two d = mixed ? mixture(from.node) : steps_.parts(steps_.minus(in.first, in.second));
    const ValueId up = image(in.second, d.first), down = image(in.second, d.second);
    const Two slope = steps_.halves(s_.vjp(s_.signal(), 0));
    // Both sides of the quotient are twice as large as the formula's.
    const auto part = [&](ValueId alone, ValueId other, ValueId difference, ValueId multiplier,
                          ValueId otherwise) {
      const ValueId twice = steps_.plus(steps_.minus(alone, out.second), steps_.minus(out.first, other));
      return steps_.apply(quotient(2 * kNothing),
                          {steps_.times(twice, multiplier), steps_.plus(difference, difference), otherwise});
    };
    const Two passed{part(up, down, d.first, m.first, slope.first),
                     part(down, up, d.second, m.second, slope.second)};
    if (mixed) return s_.pass(steps_.whole(passed, x), 0);
    pass_one(one(passed, d), x, 0);
  }

  void weights() {
    const ValueId x = s_.operand(0).value;
    pass_one(one(crossed(), steps_.parts(steps_.difference(x))), x, 0);
  }

  void batch_norm() {
    const ValueId x = s_.operand(0).value;
    const Two m = crossed();
    if (has_weights(graph_.node(s_.node().inputs[0].node))) return s_.pass(steps_.whole(m, x), 0);
    pass_one(one(m, steps_.parts(steps_.difference(x))), x, 0);
  }

  void positive() {
    const ValueId signal = s_.signal();
    for (int i = 0; i < static_cast<int>(s_.node().inputs.size()); ++i) {
      const RowOperand x = s_.operand(i);
      if (x.weight >= 0) continue;
      const Two m = steps_.halves(s_.vjp(signal, i));
      pass_one(one(m, steps_.parts(steps_.difference(x.value))), x.value, i);
    }
  }

  void pool() {
    const ValueId x = s_.operand(0).value;
    const Two y = steps_.halves(s_.output());
    const ValueId m = one(steps_.halves(s_.signal()), steps_.parts(steps_.minus(y.first, y.second)));
    pass_one(through_pool(steps_, *s_.node().op, m, steps_.halves(x), y), x, 0);
  }

 private:
  // Its positive and negative difference are more than the two parts of their sum.
  bool is_mixed(NodeId n) const {
    const Node& node = graph_.node(n);
    if (!node.op || node.op->kind().name != kBatchNorm) return has_weights(node);
    return has_weights(graph_.node(node.inputs[0].node));
  }

  // The op of node n on `value`, its weight changed and what it adds left out.
  ValueId linear(NodeId n, ValueId value, const std::shared_ptr<const WeightTransform>& change) {
    return s_.apply(graph_.node(n).op, operands(n, value, change));
  }
  std::vector<RowOperand> operands(NodeId n, ValueId value,
                                   const std::shared_ptr<const WeightTransform>& change) {
    static const auto nothing = transform("0", [](double) { return 0.0; });
    std::vector<RowOperand> list{{.value = value}};
    for (int i = 1; i < static_cast<int>(graph_.node(n).inputs.size()); ++i) {
      list.push_back(s_.operand_of(n, i));
      if (i == 1) list.back().transform = change;
      if (i == 2 || i == 3) list.back().transform = nothing;  // bias; a batch norm's mean
    }
    return list;
  }

  // d⁺ and d⁻ of a node that is_mixed().
  Two mixture(NodeId n) {
    const Node& node = graph_.node(n);
    if (node.op->kind().name == kBatchNorm) {
      const Two d = mixture(node.inputs[0].node);
      const Two a = steps_.parts(linear(n, d.first, nullptr)), b = steps_.parts(linear(n, d.second, nullptr));
      return {steps_.plus(a.first, b.first), steps_.plus(a.second, b.second)};
    }
    const Two d = steps_.parts(steps_.difference(s_.operand_of(n, 0).value));
    return {steps_.plus(linear(n, d.first, above()), linear(n, d.second, below())),
            steps_.plus(linear(n, d.first, below()), linear(n, d.second, above()))};
  }

  ValueId image(ValueId from, ValueId by) { return steps_.apply(s_.node().op, {steps_.plus(from, by)}); }

  // What reaches an input with a positive, and one with a negative difference, through this node's weights.
  Two crossed() {
    const ValueId x = s_.operand(0).value;
    const NodeId n = graph_.find(s_.node().name);
    const auto back = [&](const std::shared_ptr<const WeightTransform>& change) {
      return steps_.halves(s_.apply_vjp(s_.node().op, 0, s_.signal(), operands(n, x, change)));
    };
    const Two a = back(above()), b = back(below());
    return {steps_.plus(a.first, b.second), steps_.plus(b.first, a.second)};
  }

  // One multiplier for both parts of a difference: m⁺ where it is positive, m⁻ where negative, else their mean.
  ValueId one(const Two& m, const Two& parts) {
    const ValueId neither = steps_.apply(equal(), {parts.first, parts.second});  // both 0
    const ValueId chosen = steps_.plus(steps_.apply(keep(), {m.first, parts.first}),
                                       steps_.apply(keep(), {m.second, parts.second}));
    return steps_.apply(quotient(0.5),
                        {steps_.plus(m.first, m.second), steps_.plus(neither, neither), chosen});
  }
  void pass_one(ValueId m, ValueId like, int i) { s_.pass(steps_.whole({m, m}, like), i); }

  static const std::shared_ptr<const WeightTransform>& above() {
    static const auto t = transform("+", [](double w) { return std::max(w, 0.0); });
    return t;
  }
  static const std::shared_ptr<const WeightTransform>& below() {
    static const auto t = transform("-", [](double w) { return std::min(w, 0.0); });
    return t;
  }

  SignalStep& s_;
  const Graph& graph_;
  Steps steps_;
};

// It does not matter for the way back what the op read.
bool is_linear(const Graph& graph, const Node& n) {
  static const std::set<std::string_view> compare{"less", "less_or_equal", "equal"};
  if (compare.contains(n.op->kind().name) || n.types[0].dtype != Dtype::f32) return false;
  for (int i = 0; i < static_cast<int>(n.inputs.size()); ++i) {
    if (graph.node(n.inputs[static_cast<size_t>(i)].node).is_weight()) continue;
    const Needs needs = n.op->needs(Direction::vjp(i));
    if (needs.output || needs.record) return false;
    for (size_t k = 0; k < n.inputs.size(); ++k)
      if ((needs.operands >> k & 1) && !graph.node(n.inputs[k].node).is_weight()) return false;
  }
  return true;
}

}  // namespace

Rule deeplift_rescale_rule() {
  Rule rule{.name = "deeplift, rescale"};
  for (const FunctionInfo& f : all_functions()) rule.rows[std::string(f.name)] = rescale_function;
  rule.rows["max_pool2d"] = rescale_pool;
  return rule;
}

Rule deeplift_reveal_cancel_rule(const Graph& graph) {
  Rule rule{.name = "deeplift, reveal-cancel"};
  const auto shared = std::make_shared<const Graph>(graph);  // plans outlive a graph that is moved
  const auto row = [shared](void (Reveal::*work)()) -> Row {
    return [shared, work](SignalStep& s) { (Reveal(s, *shared).*work)(); };
  };
  for (NodeId n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    if (!node.op) continue;
    const std::string kind(node.op->kind().name);
    if (node.op->function()) rule.rows[kind] = row(&Reveal::function);
    if (kind == "max_pool2d") rule.rows[kind] = row(&Reveal::pool);
    if (kind == kBatchNorm) rule.rows[kind] = row(&Reveal::batch_norm);
    if (has_weights(node)) rule.rows[kind] = row(&Reveal::weights);
    if (is_positive(node)) rule.rows[kind] = row(&Reveal::positive);
  }
  return rule;
}

std::optional<std::string> deeplift_unsuited(const Graph& graph, NodeId target, bool reveal_cancel) {
  std::vector<bool> above(static_cast<size_t>(graph.size()));  // depends on an input, and the target on it
  for (NodeId n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    above[static_cast<size_t>(n)] = node.kind == Node::Kind::input;
    for (const Port& p : node.inputs)
      if (above[static_cast<size_t>(p.node)]) above[static_cast<size_t>(n)] = true;
  }
  std::set<NodeId> below{target};
  for (NodeId n = target; n >= 0; --n) {
    const Node& node = graph.node(n);
    if (!below.contains(n) || !above[static_cast<size_t>(n)] || !node.op) continue;
    for (const Port& p : node.inputs) below.insert(p.node);
    const std::string kind(node.op->kind().name);
    if (node.op->function() || kind == "max_pool2d") continue;
    if (!is_linear(graph, node))
      return "DeepLIFT has rules for elementwise functions, max pools and linear layers, and '" + node.name +
             "' (" + kind + ") is none of them";
    if (reveal_cancel && !has_weights(node) && !is_positive(node) && kind != kBatchNorm)
      return "RevealCancel wants to know the sign of every weight, which it does not of '" + node.name +
             "' (" + kind + ")";
  }
  return std::nullopt;
}

}  // namespace loupe
