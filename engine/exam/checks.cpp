#include "engine/exam/checks.h"

#include <algorithm>
#include <cmath>

#include "engine/exam/infidelity.h"
#include "engine/exam/randomisation.h"
#include "engine/exam/relevance.h"
#include "engine/exam/untrained.h"
#include "engine/methods/cam.h"

namespace loupe {
namespace {

constexpr int64_t kSquares = 100;
constexpr uint64_t kSeed = 1;  // of the untrained network
// What passes.
constexpr double kCompleteness = 0.01, kDirectional = 0.01, kIdentity = 1e-4, kUntrained = 0.6;
constexpr double kStep =
    1e-6;  // of the central difference, of values of about 1: rounding leaves 1e-8, kinks are rare

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", x);
  return text;
}

const Map* map_named(const Explanation& found, std::string_view name) {
  const auto at = std::ranges::find(found.maps, name, &Map::name);
  return at == found.maps.end() ? nullptr : &*at;
}

double sum_of(const Tensor& t) {
  double sum = 0;
  for (int64_t i = 0; i < t.numel(); ++i) sum += t.item(i);
  return sum;
}

// What the map says that a pixel is worth: of a map of rates of change the rate times the value, as infidelity has it.
Plane worth(const Map& map, const Tensor& input) {
  using enum Picture::Style;
  const Shape& shape = input.shape();
  const bool rate = map.picture.style == magnitude || map.picture.style == reconstruction;
  if (!rate || map.values.numel() != input.numel()) return relevance(map, shape[2], shape[3]);
  const Tensor product(Dtype::f64, map.values.shape());
  for (int64_t i = 0; i < input.numel(); ++i)
    product.values<double>()[static_cast<size_t>(i)] = map.values.item(i) * input.item(i);
  return reduce_channels(product, false);
}

std::optional<Check> completeness_share(const Explanation& found) {
  const auto residual = std::ranges::find(found.checks, "completeness_residual", &Check::name);
  const Map* map = scored_map(found);
  if (residual == found.checks.end() || !map) return std::nullopt;
  const double whole = sum_of(map->values) - residual->value, share = std::abs(residual->value / whole);
  const bool passes = share <= kCompleteness;
  return Check{"completeness_share", share,
               passes ? "the shares miss the difference of the scores by so much of it: 1 % or less passes"
                      : "fails: the shares miss the difference of the scores, " + number(whole) +
                            ", by more than 1 % "
                            "of it, so that they are not the whole story; more steps help",
               passes};
}

}  // namespace

std::optional<Check> cam_identity(const Network& network, const Tensor& map, int64_t cls, double logit) {
  const Graph& graph = network.graph();
  const CamHead head = cam_head(graph);
  if (!head.missing.empty()) return std::nullopt;
  double bias = 0;
  bool clipped = false;  // the maps go through a ReLU before they are averaged
  if (head.linear) {
    const std::vector<NodeId> parameters = graph.parameters(*head.linear);
    if (parameters.size() > 1) bias = network.parameter(graph.node(parameters[1]).name).item(cls);
  } else {
    for (NodeId n = 0; n < graph.size(); ++n)
      if (const Node& node = graph.node(n); node.op && node.op->kind().name == "relu")
        clipped |= node.inputs[0].node == head.maps;
  }
  double mean = 0, size = std::abs(bias);
  for (int64_t i = 0; i < map.numel(); ++i) {
    const double v = clipped ? std::max(map.item(i), 0.0) : map.item(i);
    mean += v / static_cast<double>(map.numel());
    size += std::abs(v) / static_cast<double>(map.numel());
  }
  const double off = mean + bias - logit;
  const bool passes = std::abs(off) <= kIdentity * std::max(size, std::abs(logit));
  const std::string sum = "mean of the map" + std::string(clipped ? ", what is below zero as zero," : "") +
                          " " + number(mean) + " + bias " + number(bias) + " - score " + number(logit);
  return Check{"cam_identity", off,
               passes ? sum + ": the map is the score, place by place"
                      : "fails: " + sum + " should vanish, so that the map does not make up the score",
               passes};
}

const Removals& Checks::squares(const Question& q) {
  const Target target(q.target);
  const int64_t cls = target.is_class() ? target.classes(q.logits)[0] : -1;
  if (answered_ && cls >= 0 && answered_->cls == cls && answered_->input.raw() == q.input.raw())
    return answered_->removals;
  const Shape& shape = q.input.shape();
  answered_ = {q.input, cls,
               remove(model_, q.input, target,
                      random_squares(shape[2], shape[3], kSquares, Draws(), "infidelity"), q.progress)};
  return answered_->removals;
}

std::optional<Check> Checks::infidelity_of(const Question& q, const Explanation& found) {
  const Map* map = scored_map(found);
  if (!map) return std::nullopt;
  const Removals& removals = squares(q);
  const Infidelity i = infidelity(sums_over(worth(*map, q.input), removals.sets), removals.drops);
  const bool passes = i.scale > 0 && i.interval.high < 1;
  const std::string what =
      "of the score's drops when squares are grey the map leaves this share unexplained, " +
      number(i.interval.low) + " to " + number(i.interval.high) + " with 95 % confidence (" +
      std::to_string(kSquares) + " squares; 0: it predicts them all)";
  std::string meaning = what;
  if (i.scale <= 0)
    meaning = "fails: " + what + ", and where it is high the score rather rises";
  else if (!passes)
    meaning = "fails: " + what + ", which cannot be told from a map of zeros";
  return Check{"infidelity", i.scaled, meaning, passes, std::pair(i.interval.low, i.interval.high)};
}

std::optional<Check> Checks::randomisation(const Method& method, const Options& options, const Question& q,
                                           const Explanation& found) {
  const Map* map = scored_map(found);
  if (!map) return std::nullopt;
  if (!untrained_) untrained_.emplace(untrained(model_, kSeed, middle_layer(model_.graph())));
  const Explanation other = method.run({.model = *untrained_,
                                        .input = q.input,
                                        .target = q.target,
                                        .logits = untrained_->logits(q.input),
                                        .progress = q.progress},
                                       options);
  const Map* same = map_named(other, map->name);
  if (!same) return std::nullopt;
  const int64_t height = q.input.shape()[2], width = q.input.shape()[3];
  const double alike =
      rank_similarity(middle(relevance(*map, height, width)), middle(relevance(*same, height, width)));
  const bool passes = alike < kUntrained;
  const std::string what =
      "rank correlation with the map of the network whose upper half has learned nothing; below 0.6 passes";
  return Check{"randomisation", alike,
               passes ? what : "fails: " + what + ", this map hardly shows what was learned", passes};
}

// The score in double on either side of the picture, along a direction in which the map says how fast it changes.
std::optional<Check> Checks::directional_difference(const Question& q, const Explanation& found) {
  const Map *gradient = map_named(found, "gradient"), *product = map_named(found, "input_x_gradient");
  const Map* map = gradient ? gradient : product;
  if (!map || map->values.numel() != q.input.numel()) return std::nullopt;
  if (!in_double_) {
    std::map<std::string, Tensor> parameters;
    const Graph& graph = model_.graph();
    for (NodeId n = 0; n < graph.size(); ++n)
      for (const NodeId p : graph.parameters(n))
        parameters.insert_or_assign(graph.node(p).name, model_.network.parameter(graph.node(p).name));
    in_double_.emplace(model_.name(), graph, std::move(parameters), Device::ref());
  }
  // Of a gradient along a random direction, where the answer's usual size is the gradient's length; of gradient times
  // input along the input itself, where the answer is the map's sum.
  const auto size = static_cast<size_t>(q.input.numel());
  std::vector<double> direction(size);
  double answer = 0, usual = 0;
  if (gradient) Draws().normals("directional_difference", direction);
  for (size_t i = 0; i < size; ++i) {
    const double v = map->values.item(static_cast<int64_t>(i));
    if (!gradient) direction[i] = q.input.item(static_cast<int64_t>(i));
    answer += gradient ? v * direction[i] : v;
    usual += v * v;
  }
  usual = std::max(std::sqrt(usual), std::abs(answer));
  const auto rows = [&](int64_t begin, int64_t end) {
    const Tensor batch(Dtype::f64, q.input.shape().with(0, end - begin));
    for (int64_t row = begin; row < end; ++row)
      for (size_t i = 0; i < size; ++i)
        batch.row(row - begin).values<double>()[i] =
            q.input.item(static_cast<int64_t>(i)) + (row ? -kStep : kStep) * direction[i];
    return batch;
  };
  const Target target = settled(model_, q.input, Target(q.target)).repeated(2);
  const std::vector<double> scores =
      forward_scores(*in_double_, q.input.shape(), 2, rows, target, q.progress).scores;
  const double difference = (scores[0] - scores[1]) / (2 * kStep), off = (answer - difference) / usual;
  const bool passes = std::abs(off) <= kDirectional;
  const std::string what = "along " + std::string(gradient ? "a random direction" : "the input") +
                           " the score changes by " + number(difference) +
                           " (a central difference in double), the map "
                           "says " +
                           number(answer);
  return Check{"directional_difference", off,
               passes ? what + ": off by this share of what is usual"
                      : "fails: " + what + ", which is off by more than 1 % of what is usual",
               passes};
}

std::vector<Check> Checks::of(const Method& method, const Options& options, const Question& question,
                              const Explanation& found) {
  std::vector<Check> checks;
  const auto add = [&](std::optional<Check> check) {
    if (check) checks.push_back(std::move(*check));
  };
  add(completeness_share(found));
  add(directional_difference(question, found));
  const Target target(question.target);
  if (const Map* map = map_named(found, "cam"); map && target.is_class()) {
    const int64_t cls = target.classes(question.logits)[0];
    add(cam_identity(model_, map->values, cls, question.logits.item(cls)));
  }
  add(infidelity_of(question, found));
  add(randomisation(method, options, question, found));
  return checks;
}

}  // namespace loupe
