// What rules of relevance know of a network: which rows its ops have, and what is known of its values.
#include <algorithm>

#include "engine/methods/relevance_rules.h"
#include "kernels/elementwise/binary.h"
#include "kernels/stable_div/stable_div.h"

namespace loupe::relevance {

namespace {

// With weights that belong to it.
constexpr std::string_view kWithWeights[] = {"conv2d", "conv_transpose2d", "linear"};
// Functions that a layer's result goes through.
constexpr std::string_view kFunctions[] = {"relu",         "relu6", "leaky_relu", "elu",  "gelu",
                                           "gelu_tanh",    "silu",  "hard_swish", "mish", "sigmoid",
                                           "hard_sigmoid", "tanh",  "softplus",   "clamp"};
// Linear in their operands together.
constexpr std::string_view kProportional[] = {"add",    "sub",        "avg_pool2d", "adaptive_avg_pool2d",
                                              "reduce", "batch_norm", "upsample"};
// Each result is one of the values, or zero: the op's own vjp moves the relevance.
constexpr std::string_view kMoves[] = {"concat", "dropout",      "expand",   "flatten",
                                       "gather", "max_pool2d",   "pad",      "reshape",
                                       "slice",  "max_unpool2d", "transpose"};
constexpr std::string_view kNeverNegative[] = {"relu",    "relu6",    "sigmoid", "hard_sigmoid",
                                               "softmax", "softplus", "exp",     "abs"};
constexpr std::string_view kKeepsSign[] = {"adaptive_avg_pool2d",
                                           "avg_pool2d",
                                           "max_pool2d",
                                           "concat",
                                           "dropout",
                                           "flatten",
                                           "gather",
                                           "reshape",
                                           "reduce",
                                           "slice",
                                           "transpose",
                                           "expand",
                                           "add",
                                           "mul",
                                           "upsample"};

template <size_t n>
bool among(const std::string_view (&names)[n], std::string_view name) {
  return std::ranges::count(names, name) > 0;
}

std::string_view kind_of(const Node& node) { return node.op ? node.op->kind().name : std::string_view(); }

// The nodes that a value is made of.
std::vector<bool> needed(const Graph& graph, NodeId from) {
  std::vector<bool> list(static_cast<size_t>(graph.size()));
  list[static_cast<size_t>(from)] = true;
  for (NodeId n = from; n >= 0; --n)
    if (list[static_cast<size_t>(n)])
      for (const Port& p : graph.node(n).inputs) list[static_cast<size_t>(p.node)] = true;
  return list;
}

}  // namespace

bool has_weights(const Node& node) { return among(kWithWeights, kind_of(node)); }

std::vector<NodeId> layers_with_weights(const Graph& graph) {
  std::vector<NodeId> layers;
  for (NodeId n = 0; n < graph.size(); ++n)
    if (has_weights(graph.node(n))) layers.push_back(n);
  return layers;
}

std::vector<NodeId> first_layers(const Graph& graph) {
  std::vector<NodeId> first;
  std::vector<bool> behind(static_cast<size_t>(graph.size()));  // a layer with weights
  for (NodeId n = 0; n < graph.size(); ++n) {
    bool any = false;
    for (const Port& p : graph.node(n).inputs) any |= behind[static_cast<size_t>(p.node)];
    const bool layer = has_weights(graph.node(n));
    if (layer && !any) first.push_back(n);
    behind[static_cast<size_t>(n)] = any || layer;
  }
  return first;
}

std::vector<bool> non_negative(const Graph& graph) {
  std::vector<bool> known(static_cast<size_t>(graph.size()));
  for (NodeId n = 0; n < graph.size(); ++n) {
    const std::string_view kind = kind_of(graph.node(n));
    bool all = among(kKeepsSign, kind);
    for (const Port& p : graph.node(n).inputs) all = all && known[static_cast<size_t>(p.node)];
    known[static_cast<size_t>(n)] = all || among(kNeverNegative, kind);
  }
  return known;
}

namespace {

bool cuts_at_zero(std::string_view kind) { return kind == "relu" || kind == "relu6"; }

// Nodes where relevance is 0 wherever the value is.
std::vector<bool> zero_with_value(const Graph& graph, NodeId from, const std::vector<bool>& in_use,
                                  const std::function<bool(NodeId)>& times_input) {
  std::vector<bool> zero(static_cast<size_t>(graph.size()), true);
  for (NodeId n = from - 1; n >= 0; --n)
    for (const NodeId c : graph.consumers(n)) {
      if (!in_use[static_cast<size_t>(c)]) continue;
      const std::string_view kind = kind_of(graph.node(c));
      const bool as_above = among(kMoves, kind) || cuts_at_zero(kind) || kind == "lrn";
      const bool other_pass = among(kFunctions, kind) || kind.ends_with("_norm");
      const bool holds = among(kWithWeights, kind) ? times_input(c)
                         : as_above                ? zero[static_cast<size_t>(c)]
                                                   : !other_pass || kind == "batch_norm";
      if (!holds) zero[static_cast<size_t>(n)] = false;
    }
  return zero;
}

}  // namespace

std::vector<bool> positive_outputs(const Graph& graph, NodeId from,
                                   const std::function<bool(NodeId)>& times_input) {
  const std::vector<bool> in_use = needed(graph, from),
                          zero = zero_with_value(graph, from, in_use, times_input);
  std::vector<bool> known(static_cast<size_t>(graph.size()));
  const auto all_cut = [&](NodeId n) {
    int readers = 0;
    bool all = n != from;
    for (const NodeId c : graph.consumers(n)) {
      if (!in_use[static_cast<size_t>(c)]) continue;
      ++readers;
      all = all && cuts_at_zero(kind_of(graph.node(c))) && zero[static_cast<size_t>(c)];
    }
    return all && readers > 0;
  };
  for (NodeId n = 0; n < from; ++n) {
    const std::vector<NodeId> readers = graph.consumers(n);
    const bool folded = readers.size() == 1 && kind_of(graph.node(readers[0])) == "batch_norm" &&
                        graph.node(n).op && graph.node(n).op->folds_batch_norm();
    known[static_cast<size_t>(n)] = all_cut(folded ? readers[0] : n);
  }
  return known;
}

Rule network_rows(double epsilon) {
  Rule rule;
  rule.folds = true;
  for (const std::string_view kind : kFunctions) rule.rows.emplace(kind, pass());
  for (const std::string_view kind : kProportional) rule.rows.emplace(kind, proportional(epsilon));
  rule.rows.emplace("lrn", pass());
  rule.rows.emplace("mul", proportional(epsilon, Sharing::product));
  rule.rows.emplace("matmul", proportional(epsilon, Sharing::product));
  rule.rows.emplace("div", proportional(epsilon, Sharing::first));
  return rule;
}

namespace {

// softmax: R_i = x_i (R_i − y_i Σ_j R_j), which is x_i times the vjp of R/y.
void softmax_row(SignalStep& s) {
  const RowOperand y{.value = s.output()};
  const ValueId share = s.apply(stable_div(0), {{.value = s.signal()}, y});
  s.pass(s.apply(mul(), {s.operand(0), {.value = s.vjp(share, 0)}}), 0);
}

// The products of the pattern with the values, and of queries with keys, give each side half; between them lies the
// softmax. With u = R / (2 stab(y)) that comes to v ∂y/∂v u for the values and, as the scores cancel, to half of
// q ∂y/∂q u and of k ∂y/∂k u.
void attention_row(SignalStep& s) {
  const auto twice = [&](ValueId v) { return s.apply(add(), {{.value = v}, {.value = v}}); };
  const auto share = [&](ValueId z, double epsilon) {
    return s.apply(stable_div(epsilon), {{.value = s.signal()}, {.value = z}});
  };
  const ValueId y2 = twice(s.output()), half = share(y2, kStabiliser),
                quarter = share(twice(y2), 2 * kStabiliser);
  for (const int i : {0, 1, 2})
    s.pass(s.apply(mul(), {s.operand(i), {.value = s.vjp(i == 2 ? half : quarter, i)}}), i);
}

}  // namespace

void add_transformer_rows(Rule& rule) {
  for (const char* kind : {"layer_norm", "group_norm", "rms_norm"}) rule.rows[kind] = pass();
  rule.rows["softmax"] = softmax_row;
  rule.rows["attention"] = attention_row;
}

std::optional<std::string> op_without_row(const Graph& graph, const Rule& rule, const std::string& other) {
  const std::vector<bool> in_use = needed(graph, graph.output());
  std::vector<bool> from_input(static_cast<size_t>(graph.size()));
  for (NodeId n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    bool reads = node.kind == Node::Kind::input;
    for (const Port& p : node.inputs) reads |= from_input[static_cast<size_t>(p.node)];
    from_input[static_cast<size_t>(n)] = reads;
    if (!node.op || !reads || !in_use[static_cast<size_t>(n)]) continue;
    const std::string_view kind = kind_of(node);
    if (among(kWithWeights, kind)) {
      for (size_t i = 1; i < node.inputs.size(); ++i)
        if (!graph.node(node.inputs[i].node).is_weight())
          return "there is no rule of relevance for '" + node.name + "', whose weights are computed";
      continue;
    }
    if (!rule.find(node) && !among(kMoves, kind))
      return "there is no rule of relevance for '" + node.name + "' (" + std::string(kind) + ")" + other;
  }
  return std::nullopt;
}

namespace {

// A row's view of a node where relevance starts: the signal is what it was, times the node's value.
class Started : public SignalStep {
 public:
  explicit Started(SignalStep& s)
      : s_(s), signal_(s.apply(mul(), {{.value = s.signal()}, {.value = s.output()}})) {}
  const Node& node() const override { return s_.node(); }
  ValueId signal() const override { return signal_; }
  ValueId vjp(ValueId signal, int i) override { return s_.vjp(signal, i); }
  ValueId rectify(ValueId signal) override { return s_.rectify(signal); }
  RowOperand operand(int i) override { return s_.operand(i); }
  RowOperand operand_of(NodeId node, int i) override { return s_.operand_of(node, i); }
  ValueId output() override { return s_.output(); }
  int operands() const override { return s_.operands(); }
  ValueId apply(const OpPtr& op, const std::vector<RowOperand>& operands) override {
    return s_.apply(op, operands);
  }
  ValueId apply_vjp(const OpPtr& op, int i, ValueId signal,
                    const std::vector<RowOperand>& operands) override {
    return s_.apply_vjp(op, i, signal, operands);
  }
  void pass(ValueId signal, int i) override { s_.pass(signal, i); }

 private:
  SignalStep& s_;
  ValueId signal_;
};

// What an op does that has no row: one that moves the values of its first operand, or of all.
void own_vjp(SignalStep& s) {
  const int count = kind_of(s.node()) == "concat" ? static_cast<int>(s.node().inputs.size()) : 1;
  for (int i = 0; i < count; ++i)
    if (s.operand(i).weight < 0) s.pass(s.vjp(s.signal(), i), i);
}

}  // namespace

Rule starting_with_value(Rule rule, const Graph& graph, NodeId from) {
  const Node& node = graph.node(from);
  const Row* own = rule.find(node);
  const Row row = own ? *own : Row(own_vjp);
  rule.nodes[node.name] = [row](SignalStep& s) {
    Started started(s);
    row(started);
  };
  rule.name += " from " + node.name;
  return rule;
}

}  // namespace loupe::relevance
