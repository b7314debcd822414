// What is left of a map when the network forgets what it learned.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/exam/cascade.h"
#include "engine/exam/randomisation.h"
#include "engine/exam/untrained.h"
#include "tests/support/networks.h"
#include "tests/support/planes.h"

namespace loupe::test {

using doctest::Approx;

TEST_CASE("rank similarity: by hand") {
  const auto of = [](std::vector<double> a, std::vector<double> b) {
    return rank_similarity(plane_of(1, std::ssize(a), a), plane_of(1, std::ssize(b), b));
  };
  CHECK(of({1, 2, 3, 4}, {10, 20, 30, 400}) == Approx(1));
  CHECK(of({1, 2, 3, 4}, {4, 3, 2, 1}) == Approx(-1));
  CHECK(of({1, -2, 3, -4}, {-1, 2, -3, 4}) == Approx(1));                         // signs do not count
  CHECK(of({1, 2, 3, 4, 5}, {2, 1, 4, 3, 5}) == Approx(1 - 6 * 4.0 / (5 * 24)));  // 1 − 6Σd²/(n(n²−1))
  CHECK(of({1, 2, 2, 3}, {1, 3, 2, 4}) == Approx(std::sqrt(0.9)));
  CHECK(of({5, 5, 5}, {1, 2, 3}) == 0);
  CHECK(of({5, 5, 5}, {0, 0, 0}) == 1);
}

TEST_CASE("rank similarity: symmetric, blind to monotone changes, near 0 for what is unrelated") {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Plane a = tied_noise(20, 20, seed), b = tied_noise(20, 20, seed + 100);
    CHECK(rank_similarity(a, b) == Approx(rank_similarity(b, a)));
    CHECK(rank_similarity(a, a) == Approx(1));
    CHECK(rank_similarity(a, each(a, [](double v) { return v * v; })) == Approx(1));
    CHECK(std::abs(rank_similarity(a, b)) < 4 / std::sqrt(400.0));  // its deviation is 1/√n
  }
}

TEST_CASE("the middle of a map: a sixth of the shorter side is left out all around") {
  Plane p{6, 13, {}};
  for (int i = 0; i < 6 * 13; ++i) p.values.push_back(i);
  const Plane m = middle(p);
  CHECK(m.height == 4);
  CHECK(m.width == 11);
  CHECK(m.at(0, 0) == 14);
  CHECK(m.at(3, 10) == 13 * 4 + 11);
  CHECK(middle(plane_of(3, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9})).values.size() == 9);
}

TEST_CASE("an untrained network: nothing that was learned is left, and the seed decides") {
  const ImageModel net = model_with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  ImageModel fresh = untrained(net, 1);
  const ImageModel same = untrained(net, 1), other = untrained(net, 2);
  Network& a = fresh;
  const Network &b = same, &c = other, &learned = net;
  for (NodeId id : net.graph().parameters()) {
    const Node& p = net.graph().node(id);
    CAPTURE(p.name);
    CHECK(values_of(a.parameter(p.name)) == values_of(b.parameter(p.name)));
    CHECK(values_of(a.parameter(p.name)) != values_of(learned.parameter(p.name)));
    if (p.role == ParameterSpec::Role::weight)
      CHECK(values_of(a.parameter(p.name)) != values_of(c.parameter(p.name)));
  }
  Tensor x(Dtype::f32, {1, 3, 14, 11});
  for (uint64_t i = 0; i < 462; ++i) x.values<float>()[i] = static_cast<float>(noise(9, i));
  for (const double v : values_of(a.logits(x))) CHECK(std::isfinite(v));
}

TEST_CASE("a network forgets from the output down") {
  const ImageModel net = model_with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Graph& graph = net.graph();
  const std::vector<NodeId> layers = learned_layers(graph);
  CHECK(std::ranges::is_sorted(layers, std::greater()));
  CHECK(graph.node(layers.front()).op->kind().name == "linear");
  CHECK(middle_layer(graph) == layers[layers.size() / 2]);
  const Graph one = linear_graph(4, 4);
  CHECK(one.node(middle_layer(one)).op->kind().name == "linear");
  for (const NodeId from : layers) {
    const ImageModel partly = untrained(net, 1, from);
    for (NodeId n = 0; n < graph.size(); ++n)
      for (NodeId id : graph.parameters(n)) {
        const std::string& name = graph.node(id).name;
        CAPTURE(name);
        const bool kept = values_of(partly.network.parameter(name)) == values_of(net.network.parameter(name));
        CHECK(kept == (n < from));
      }
  }
}

}  // namespace loupe::test
