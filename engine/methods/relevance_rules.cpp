#include "engine/methods/relevance_rules.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <map>

#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/stable_div/stable_div.h"

namespace loupe::relevance {

namespace {

RowOperand of(ValueId v) { return {.value = v}; }

// Names by which weights and plans are kept are exact.
std::string exact(double v) {
  char text[32];
  std::snprintf(text, sizeof text, " %.17g", v);
  return text;
}

// signal / stab(z).
ValueId divided(SignalStep& s, ValueId signal, ValueId z, double epsilon) {
  return s.apply(stable_div(epsilon), {of(signal), of(z)});
}

// The operand's parts, each made once.
class Parts {
 public:
  Parts(SignalStep& s, bool non_negative) : s_(s), non_negative_(non_negative) {}
  RowOperand get(Term::Part part) {
    const RowOperand x = s_.operand(0);
    if (part == Term::Part::all || (part == Term::Part::positive && non_negative_)) return x;
    const auto [found, first] = made_.try_emplace(part, -1);
    if (first) {
      constexpr float kLowest = -std::numeric_limits<float>::infinity();
      const OpPtr op = part == Term::Part::positive   ? relu()
                       : part == Term::Part::negative ? clamp(kLowest, 0)
                                                      : clamp(1, 1);
      found->second = s_.apply(op, {x});
    }
    return of(found->second);
  }

 private:
  SignalStep& s_;
  bool non_negative_;
  std::map<Term::Part, ValueId> made_;
};

RowOperand changed(RowOperand weight, const Transform& transform) {
  weight.transform = transform;
  return weight;
}

// A transform and then a factor, which costs nothing: forward and backward weights are packed apart.
Transform scaled(const Transform& transform, double factor) {
  if (factor == 1) return transform;
  const std::string name = transform ? transform->name : "as it is";
  return std::make_shared<const WeightTransform>(name + " times" + exact(factor),
                                                 [transform, factor](std::span<double> w) {
                                                   if (transform) transform->apply(w);
                                                   for (double& v : w) v *= factor;
                                                 });
}

// R where outputs of a sign are, 0 elsewhere.
ValueId gated(SignalStep& s, ValueId signal, Share::Gate gate) {
  if (gate == Share::Gate::none) return signal;
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  const OpPtr side = gate == Share::Gate::positive ? relu() : clamp(kLowest, 0);
  return s.apply(keep(), {of(signal), of(s.apply(side, {of(s.output())}))});
}

ValueId sum(SignalStep& s, ValueId a, ValueId b) { return a < 0 ? b : s.apply(add(), {of(a), of(b)}); }

// What one share divides by.
ValueId denominator(SignalStep& s, Parts& parts, const std::vector<Term>& terms) {
  ValueId z = -1;
  for (const Term& t : terms) {
    std::vector<RowOperand> operands{parts.get(t.part), changed(s.operand(1), t.weight)};
    if (t.biased && s.operands() > 2) operands.push_back(changed(s.operand(2), t.bias));
    z = sum(s, z, s.apply(s.node().op, operands));
  }
  return z;
}

// Without what is known to be zero.
std::vector<Share> reduced(std::vector<Share> list, const Surroundings& where) {
  if (where.positive_outputs) {
    std::erase_if(list, [](const Share& s) { return s.gate == Share::Gate::negative; });
    for (Share& s : list) s.gate = Share::Gate::none;
  }
  if (where.non_negative_input)
    for (Share& s : list)
      std::erase_if(s.terms, [](const Term& t) { return t.part == Term::Part::negative; });
  return list;
}

}  // namespace

Row pass() {
  return [](SignalStep& s) { s.pass(s.signal(), 0); };
}

Row proportional(double epsilon, Sharing sharing) {
  return [=](SignalStep& s) {
    std::vector<int> values;
    for (int i = 0; i < static_cast<int>(s.node().inputs.size()); ++i)
      if (s.operand(i).weight < 0) values.push_back(i);
    if (sharing == Sharing::first) values.resize(1);
    ValueId z = s.output();
    if (sharing == Sharing::product && values.size() == 2) z = s.apply(add(), {of(z), of(z)});
    const ValueId share = divided(s, s.signal(), z, epsilon);
    for (const int i : values) s.pass(s.apply(mul(), {s.operand(i), of(s.vjp(share, i))}), i);
  };
}

Row shares(std::vector<Share> list, double epsilon, const Surroundings& where) {
  return [list = reduced(std::move(list), where), epsilon, where](SignalStep& s) {
    Parts parts(s, where.non_negative_input);
    std::map<Term::Part, ValueId> down;  // what arrives at each part of the input
    for (const Share& share : list) {
      const ValueId z = denominator(s, parts, share.terms);
      const ValueId u = divided(s, gated(s, s.signal(), share.gate), z, epsilon);
      for (const Term& t : share.terms) {
        const bool whole = t.part == Term::Part::positive && where.non_negative_input;
        ValueId& at = down.try_emplace(whole ? Term::Part::all : t.part, -1).first->second;
        at = sum(s, at,
                 s.apply_vjp(s.node().op, 0, u,
                             {parts.get(t.part), changed(s.operand(1), scaled(t.weight, share.factor))}));
      }
    }
    ValueId total = -1;
    for (const auto& [part, v] : down)
      total = sum(s, total, part == Term::Part::one ? v : s.apply(mul(), {parts.get(part), of(v)}));
    s.pass(total, 0);
  };
}

Transform parts(double positive, double negative) {
  return std::make_shared<const WeightTransform>("parts" + exact(positive) + exact(negative),
                                                 [=](std::span<double> w) {
                                                   for (double& v : w) v *= v > 0 ? positive : negative;
                                                 });
}

Transform squares() {
  return std::make_shared<const WeightTransform>("squares", [](std::span<double> w) {
    for (double& v : w) v *= v;
  });
}

Transform ones() {
  return std::make_shared<const WeightTransform>("ones",
                                                 [](std::span<double> w) { std::ranges::fill(w, 1.0); });
}

std::string LayerRule::key() const {
  std::string k = "rule " + std::to_string(static_cast<int>(kind)) + (bias ? "" : " without biases");
  for (const double v : {epsilon, gamma, alpha, beta}) k += exact(v);
  for (const auto* limits : {&low, &high})
    for (const double v : *limits) k += exact(v);
  return k;
}

namespace {

using Part = Term::Part;

// For a layer's weight, by flat index, the channel of its input.
std::vector<int64_t> input_channels(const Graph& graph, NodeId layer, int64_t channels) {
  const Node& node = graph.node(layer);
  const Shape input = graph.operand_shapes(layer)[0], weight = graph.operand_shapes(layer)[1];
  const bool convolution = node.op->kind().name == "conv2d" && input[1] == channels;
  const bool flat = node.op->kind().name == "linear" && input.rank() == 2 && input[1] % channels == 0;
  if (!convolution && !flat)
    throw UsageError("the zbox rule wants a first layer that reads the picture's channels, but '" +
                     node.name + "' (" + std::string(node.op->kind().name) + ") reads " +
                     input.with(0, 1).str());
  std::vector<int64_t> of_weight(static_cast<size_t>(weight.numel()));
  const int64_t cells = convolution ? weight[2] * weight[3] : weight[1] / channels;
  const int64_t per_output = convolution ? weight[1] : channels, groups = channels / per_output;
  const int64_t outputs = weight[0] / groups;  // of a group
  for (int64_t i = 0; i < weight.numel(); ++i)
    of_weight[static_cast<size_t>(i)] =
        i / cells % per_output + i / (cells * per_output) / outputs * per_output;
  return of_weight;
}

// w → −(low_c w⁺ + high_c w⁻): with it an input of ones adds what the box takes away.
Transform box(const LayerRule& rule, const Graph& graph, NodeId layer) {
  std::string name = "box";
  for (const auto* limits : {&rule.low, &rule.high})
    for (const double v : *limits) name += exact(v);
  return std::make_shared<const WeightTransform>(
      name, [low = rule.low, high = rule.high,
             channel = input_channels(graph, layer, std::ssize(rule.low))](std::span<double> w) {
        for (size_t i = 0; i < w.size(); ++i)
          w[i] *= -(w[i] > 0 ? low : high)[static_cast<size_t>(channel[i])];
      });
}

// Two terms: the positive part of x with weights p, the negative part with n; the bias goes with the first.
std::vector<Term> two_terms(const Transform& p, const Transform& n, bool biased = true) {
  return {{Part::positive, p, biased, p}, {Part::negative, n}};
}

}  // namespace

Row layer_row(const LayerRule& r, const Graph& graph, NodeId layer, const Surroundings& where) {
  switch (r.kind) {
    case LayerRule::Kind::epsilon:
      return proportional(r.epsilon);
    case LayerRule::Kind::gamma: {
      const Transform up = parts(1 + r.gamma, 1), down = parts(1, 1 + r.gamma);
      return shares(
          {{two_terms(up, down), 1, Share::Gate::positive}, {two_terms(down, up), 1, Share::Gate::negative}},
          kStabiliser, where);
    }
    case LayerRule::Kind::alpha_beta: {
      const Transform positive = parts(1, 0), negative = parts(0, 1);
      std::vector<Share> list;
      if (r.alpha != 0) list.push_back({two_terms(positive, negative, r.bias), r.alpha});
      if (r.beta != 0) list.push_back({two_terms(negative, positive, r.bias), -r.beta});
      return shares(std::move(list), kStabiliser, where);
    }
    case LayerRule::Kind::flat:
      return shares({{{{Part::one, ones()}}}}, kStabiliser, where);
    case LayerRule::Kind::w_square:
      return shares({{{{Part::one, squares(), true, squares()}}}}, kStabiliser, where);
    case LayerRule::Kind::z_box:
      return shares({{{{Part::all}, {Part::one, box(r, graph, layer)}}}}, kStabiliser, where);
  }
  throw Error("a rule that there is not");
}

}  // namespace loupe::relevance
