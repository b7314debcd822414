// Whole evaluations of methods whose scores are known beforehand.
#include "engine/exam/evaluate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/exam/baselines.h"
#include "engine/exam/cascade.h"
#include "engine/exam/randomisation.h"
#include "engine/exam/relevance.h"
#include "engine/exam/untrained.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "tests/support/networks.h"
#include "tests/support/pictures.h"
#include "tests/support/planes.h"

namespace loupe::test {

using doctest::Approx;
using Style = Picture::Style;

namespace {

constexpr int64_t kSide = 16, kKinds = 4;

/// Squares on a dark ground; an object of class c shows in the channel c of 3 only, so that the picture
/// itself says where each class is. Index 5 has no parts.
Scene squares(int64_t index, int objects) {
  const auto key = static_cast<uint64_t>(index * 2 + objects);
  Scene scene{.input = Tensor::zeros(Dtype::f32, {1, 3, kSide, kSide})};
  for (int k = 0; k < objects; ++k) {
    SceneObject object{.cls = (index + k) % 3, .region = {kSide, kSide, std::vector<uint8_t>(kSide * kSide)}};
    const auto top = static_cast<int64_t>(uniform(key, 0) * 11),
               left = static_cast<int64_t>(uniform(key, 1) * 4) + 8 * k;
    for (int64_t y = top; y < top + 5; ++y)
      for (int64_t x = left; x < left + 4; ++x) {
        object.region.inside[static_cast<size_t>(y * kSide + x)] = 1;
        scene.input.values<float>()[static_cast<size_t>((object.cls * kSide + y) * kSide + x)] = 1;
      }
    if (index != 5) object.parts.push_back({index % 2 ? "whole" : "all", object.region});
    scene.objects.push_back(std::move(object));
  }
  return scene;
}

Method method(std::string_view name, std::function<Explanation(const Question&, const Options&)> run) {
  return {.name = name, .summary = "", .source = "", .options = {}, .run = std::move(run)};
}

/// Knows the truth: the target's channel.
const Method oracle = method("oracle", [](const Question& q, const Options&) -> Explanation {
  return {{{"oracle", q.input.row(0).row(*q.target.one_class()), {.style = Style::evidence}, ""}}, {}};
});
/// Points at the other of the three classes' channels.
const Method liar = method("liar", [](const Question& q, const Options&) -> Explanation {
  const Tensor map = Tensor::zeros(Dtype::f64, {kSide, kSide});
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t i = 0; c != *q.target.one_class() && i < kSide * kSide; ++i)
      map.values<double>()[static_cast<size_t>(i)] += q.input.item(c * kSide * kSide + i);
  return {{{"liar", map, {.style = Style::evidence}, ""}}, {}};
});
const Method mute = method("mute", [](const Question&, const Options&) { return Explanation{}; });

Graph squares_graph() {
  Graph graph;
  const NodeId x = graph.input("input", {1, 3, kSide, kSide});
  const NodeId maps = graph.add("conv", conv2d({.out_channels = kKinds, .kernel = 3}), {x});
  graph.add("fc", linear({.out_features = 3}),
            {graph.add("flatten", flatten(), {graph.add("relu", relu(), {maps})})});
  return graph;
}

std::vector<Contestant> contestants(const std::vector<const Method*>& methods) {
  std::vector<Contestant> all;
  for (const Method* m : methods) all.push_back({m, Options(std::string(m->name), m->options)});
  for (const Method* m : {&centre_baseline, &random_baseline})
    all.push_back({m, Options(std::string(m->name), {}), true});
  return all;
}

const Verdicts& verdict(const Evaluation& e, std::string_view method, std::string_view metric) {
  const auto s = std::ranges::find_if(
      e.standings, [&](const Standing& standing) { return standing.contestant.method->name == method; });
  REQUIRE(s != e.standings.end());
  const auto v =
      std::ranges::find_if(s->verdicts, [&](const Verdicts& one) { return one.metric->name == metric; });
  REQUIRE(v != s->verdicts.end());
  return *v;
}

}  // namespace

TEST_CASE("evaluation: the truth scores 1, beats the baselines, and a lie does not") {
  ImageModel net = model_with_formula_weights(squares_graph(), Device::cpu());
  const std::vector<Contestant> all = contestants({&liar, &oracle});
  const Evaluation e =
      evaluate(net, all, {.scene = squares, .count = 40, .costly = 36, .settings = {.tolerance = 1}});
  for (const char* metric : {"pointing", "energy", "iou", "parts", "two_objects"}) {
    CAPTURE(metric);
    CHECK(verdict(e, "oracle", metric).tally.mean() == 1);
    CHECK(verdict(e, "oracle", metric).tally.standard_error() == 0);
    CHECK(verdict(e, "oracle", metric).beats_baselines == true);
    CHECK(verdict(e, "centre", metric).beats_baselines == std::nullopt);
  }
  CHECK(verdict(e, "oracle", "other_object").tally.mean() == 0);
  CHECK(verdict(e, "oracle", "other_object").beats_baselines == true);
  CHECK(verdict(e, "liar", "two_objects").tally.mean() == 0);
  CHECK(verdict(e, "liar", "two_objects").beats_baselines == false);
  CHECK(verdict(e, "liar", "other_object").tally.mean() == 1);
  // What looks at no weights does not change with them.
  for (const char* name : {"oracle", "liar", "centre", "random"}) {
    CHECK(verdict(e, name, "randomisation").tally.mean() == Approx(1));
    CHECK(verdict(e, name, "randomisation").beats_baselines == std::nullopt);
  }
  // Costly metrics look at fewer pictures, and a picture without parts has no score for them.
  CHECK(verdict(e, "oracle", "pointing").tally.count() == 40);
  CHECK(verdict(e, "oracle", "parts").tally.count() == 39);
  CHECK(verdict(e, "oracle", "deletion").tally.count() == 36);
  CHECK(verdict(e, "oracle", "two_objects").tally.count() == 36);
  CHECK(e.right.count() == 40);
  int64_t notes = 0;
  for (const auto& [what, count] : verdict(e, "oracle", "parts").notes) {
    CHECK((what.second == "whole" || what.second == "all"));
    notes += count;
  }
  CHECK(notes == 39);
}

TEST_CASE("evaluation: noise points as often as chance, whatever the tolerance") {
  ImageModel net = model_with_formula_weights(squares_graph(), Device::cpu());
  for (const double tolerance : {0.0, 2.0}) {
    const Evaluation e = evaluate(net, contestants({}),
                                  {.scene = squares, .count = 400, .settings = {.tolerance = tolerance}});
    double chance = 0, area = 0;
    for (int64_t i = 0; i < 400; ++i) {
      const Region object = squares(i, 1).objects[0].region;
      chance += share(dilated(object, tolerance)) / 400, area += share(object) / 400;
    }
    const Tally& pointing_tally = verdict(e, "random", "pointing").tally;
    CHECK(std::abs(pointing_tally.mean() - chance) < 3 * pointing_tally.standard_error());
    CHECK(verdict(e, "random", "energy").tally.mean() == Approx(area).epsilon(0.1));
  }
}

TEST_CASE("evaluation: the same scores however many pictures there are beside, and on any threads") {
  ImageModel net = model_with_formula_weights(squares_graph(), Device::cpu());
  const std::vector<Contestant> all = contestants({&find_method("gradient"), &find_method("occlusion")});
  std::vector<Contestant> small = all;
  for (Contestant& c : small)
    if (c.method->name == "occlusion") c.options.set("window", "5"), c.options.set("stride", "4");
  const Exam exam{.scene = squares,
                  .count = 6,
                  .costly = 4,
                  .seed = 3,
                  .settings = {.draws = 6, .neighbours = 2},
                  .metrics = {all_metrics().begin(), all_metrics().end()}};
  const Evaluation a = evaluate(net, small, exam), b = evaluate(net, small, exam);
  CHECK(std::ranges::equal(a.metrics, all_metrics()));
  for (size_t s = 0; s < a.standings.size(); ++s)
    for (size_t m = 0; m < a.metrics.size(); ++m) {
      CAPTURE(a.metrics[m]->name);
      CHECK(a.standings[s].verdicts.at(m).tally.count() > 0);
      CHECK(a.standings[s].verdicts[m].tally.mean() == b.standings[s].verdicts[m].tally.mean());
    }
  Exam other = exam;
  other.seed = 4;
  const Evaluation c = evaluate(net, small, other);
  CHECK(verdict(c, "gradient", "pointing").tally.mean() == verdict(a, "gradient", "pointing").tally.mean());
  CHECK(verdict(c, "gradient", "randomisation").tally.mean() !=
        verdict(a, "gradient", "randomisation").tally.mean());
}

TEST_CASE("cascade: a step a layer, the last as untrained as can be") {
  ImageModel net = model_with_formula_weights(squares_graph(), Device::cpu());
  const std::vector<Contestant> all = contestants({&oracle, &find_method("gradient")});
  const auto scene = [](int64_t i) { return squares(i, 1); };
  std::vector<double> parts;
  const std::vector<CascadeStep> steps =
      cascade(net, all, scene, 5, 3, [&](double part) { parts.push_back(part); });
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].layer == "fc");
  CHECK(steps[1].layer == "conv");
  CHECK(std::ranges::is_sorted(parts));
  CHECK(parts.back() == 1);
  ImageModel fresh = untrained(net, 3);
  Tally whole;
  for (int64_t i = 0; i < 5; ++i) {
    const Scene s = scene(i);
    const auto map = [&](ImageModel& n) { return all[1].answer(n, s, n.logits(s.input), s.objects[0].cls); };
    whole.add(rank_similarity(middle(map(net)), middle(map(fresh))));
  }
  CHECK(steps[1].similarity[1].mean() == whole.mean());
  CHECK(steps[0].similarity[1].mean() != whole.mean());
  for (const CascadeStep& step : steps) {
    CHECK(step.similarity[0].mean() == Approx(1));  // the oracle looks at no weights
    CHECK(step.similarity[1].count() == 5);
    CHECK(step.similarity[1].mean() < 1);
  }
  // Of many layers, the last, the first and some between.
  CHECK(cascade(net, all, scene, 1, 3, {}, 1)[0].layer == "fc");
}

TEST_CASE("evaluation: progress goes from 0 to 1, and wrong requests are refused") {
  ImageModel net = model_with_formula_weights(squares_graph(), Device::cpu());
  const std::vector<Contestant> all = contestants({&oracle});
  std::vector<double> parts;
  evaluate(net, all,
           {.scene = squares, .count = 3, .costly = 2, .progress = [&](double p) { parts.push_back(p); }});
  CHECK(std::ranges::is_sorted(parts));
  CHECK(parts.back() == 1);
  CHECK(
      contains(error_of([&] { evaluate(net, all, {.scene = squares, .count = 0}); }), "at least 1 picture"));
  const std::vector<Contestant> silent = contestants({&mute});
  CHECK(can_be_scored(net, all[0], squares(0, 1)));
  CHECK(!can_be_scored(net, silent[0], squares(0, 1)));
  CHECK(contains(error_of([&] { evaluate(net, silent, {.scene = squares, .count = 1}); }), "mute"));
}

TEST_CASE("evaluation: only the metrics that are asked for, and costly methods about fewer pictures") {
  ImageModel net = model_with_formula_weights(squares_graph(), Device::cpu());
  Method slow = oracle;
  slow.name = "slow";
  slow.costly = true;
  const std::vector<const Metric*> some{&find_metric("pointing"), &find_metric("sparseness"),
                                        &find_metric("infidelity"), &find_metric("max_sensitivity")};
  const Evaluation e = evaluate(net, contestants({&oracle, &slow}),
                                {.scene = squares,
                                 .count = 40,
                                 .costly = 30,
                                 .settings = {.tolerance = 1, .draws = 8, .neighbours = 2},
                                 .metrics = some});
  CHECK(e.metrics == some);
  for (const Standing& s : e.standings) CHECK(s.verdicts.size() == some.size());
  const auto count = [&](const char* method, const char* metric) {
    return verdict(e, method, metric).tally.count();
  };
  CHECK(count("oracle", "pointing") == 40);
  CHECK(count("oracle", "infidelity") == 30);
  CHECK(count("slow", "pointing") == 30);
  CHECK(count("slow", "infidelity") == 3);
  CHECK(verdict(e, "slow", "pointing").tally.mean() == 1);
  // What describes a map is held against no baseline; the oracle's map is the picture's channel, which moves with it.
  CHECK(verdict(e, "oracle", "sparseness").beats_baselines == std::nullopt);
  CHECK(verdict(e, "oracle", "sparseness").tally.mean() == Approx(1 - 20.0 / 256));
  CHECK(verdict(e, "centre", "max_sensitivity").tally.mean() == 0);
  CHECK(verdict(e, "oracle", "max_sensitivity").tally.mean() > 0.1);
  CHECK(verdict(e, "oracle", "infidelity").beats_baselines.has_value());
  CHECK(contains(error_of([] { find_metric("infidelty"); }), "infidelity"));
  CHECK(std::ranges::count(standard_metrics(), true, &Metric::standard) == std::ssize(standard_metrics()));
}

TEST_CASE("baselines: the middle is the largest; noise is another for another picture") {
  ImageModel net = model_with_formula_weights(squares_graph(), Device::cpu());
  const auto map_of = [&](const Method& m, const Tensor& x) {
    return relevance(*scored_map(m.run({.model = net, .input = x, .logits = {}}, Options("", {}))),
                     x.shape()[2], x.shape()[3]);
  };
  const Plane odd = map_of(centre_baseline, Tensor::zeros(Dtype::f32, {1, 3, 5, 7}));
  CHECK(odd.at(2, 3) == 1);
  CHECK(std::ranges::count(odd.values, 1.0) == 1);
  const Plane even = map_of(centre_baseline, Tensor::zeros(Dtype::f32, {1, 3, 4, 4}));
  CHECK(std::ranges::count(even.values, even.at(1, 1)) == 4);
  CHECK(even.at(1, 1) == even.at(2, 2));
  CHECK(even.at(0, 0) < even.at(1, 1));
  const Tensor x = squares(0, 1).input, y = squares(1, 1).input;
  CHECK(map_of(random_baseline, x) == map_of(random_baseline, x.clone()));
  CHECK(!(map_of(random_baseline, x) == map_of(random_baseline, y)));
}

TEST_CASE("metrics: each has what the table and the report say of it") {
  std::set<std::string_view> names, headings;
  int place = 0;
  for (const Metric* m : all_metrics()) {
    CAPTURE(m->name);
    CHECK(names.insert(m->name).second);
    CHECK(headings.insert(m->heading).second);
    CHECK(m->place > place);
    place = m->place;
    CHECK(!m->summary.empty());
    CHECK(!m->source.empty());
    CHECK(&find_metric(std::string(m->name)) == m);
  }
  CHECK(names.size() == unsorted_metrics().size());
}

}  // namespace loupe::test
