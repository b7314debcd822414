// The tape between forward and backward: masks and switches that are read, kept and replaced; and values that
// survive in-place ops and views.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "kernels/dropout/dropout.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/flatten/flatten.h"
#include "kernels/max_unpool2d/max_unpool2d.h"
#include "models/io/formula.h"
#include "tests/support/plans.h"

namespace loupe::test {
namespace {

TEST_CASE("with another image's masks and switches the gradient is that image's") {
  // Convolutions, ReLUs, pools and sums: once masks and switches are fixed, the gradient depends on nothing
  // else.
  for (const char* name : {"squeezenet1_1", "resnet18", "mobilenet_v2"})
    for (const Backend backend : backends(name)) {
      CAPTURE(name);
      CAPTURE(backend_name(backend));
      ImageModel model = small(name, backend);
      Network& net = model.network;
      const NodeId output = net.graph().output();
      const Purpose purpose{.values = {output}, .from = output, .gradients = {0}};
      const Tensor one = formula_input({1, 3, kSize, kSize}), other = random_tensor({1, 3, kSize, kSize}, 7);
      const Tensor seed = seed_channels({1, 10}, std::vector<int64_t>{3});

      Execution& e = net.execution(one.shape(), purpose);
      e.forward(one);
      std::map<NodeId, Tensor> tape;
      for (NodeId n : e.recorded()) tape.emplace(n, e.record(n));
      CHECK(tape.size() > 10);
      e.backward(seed);
      const Tensor wanted = e.gradient(0);

      e.forward(other);
      int64_t differing = 0;
      for (const auto& [n, record] : tape) differing += !same_bits(record, e.record(n));
      CHECK(differing > 5);
      e.backward(seed);
      CHECK(relative_l2(e.gradient(0), wanted) > 0.1);

      e.forward(other);
      for (const auto& [n, record] : tape) {
        CAPTURE(net.graph().node(n).name);
        e.set_record(n, record);
        CHECK(same_bits(e.record(n), record));
      }
      e.backward(seed);
      CHECK(same_bits(e.gradient(0), wanted));

      if (backend != Backend::ref) {  // and ref's tape makes float32 as good as float32 can be
        ImageModel oracle = small(name, Backend::ref);
        Execution& truth = oracle.network.execution(one.shape(), purpose);
        truth.forward(one);
        e.forward(one);
        for (NodeId n : e.recorded()) e.set_record(n, truth.record(n));
        truth.backward(seed);
        e.backward(seed);
        CHECK(relative_l2(e.gradient(0), truth.gradient(0)) < 1e-5);
      }
    }
}

TEST_CASE(
    "records: masks of zeros and ones, switches inside the window, kept after backward where asked for") {
  for (const Backend backend : backends()) {
    Network net = with_formula_weights(branching(), {backend});
    const NodeId relu = net.graph().find("relu"), pool = net.graph().find("pool"),
                 conv = net.graph().find("conv1");
    const Tensor x = random_tensor({1, 3, 9, 11}, 1);
    Execution& e =
        net.execution(x.shape(), {.values = {relu}, .from = pool, .gradients = {0}, .records = {relu}});
    e.forward(x);
    const Tensor mask = e.record(relu), value = e.value(relu), switches = e.record(pool);
    for (int64_t i = 0; i < mask.numel(); ++i) CHECK(mask.item(i) == (value.item(i) > 0 ? 1 : 0));
    for (int64_t i = 0; i < switches.numel(); ++i) CHECK(switches.item(i) < 9);
    CHECK_THROWS_AS(e.record(conv), UsageError);
    CHECK_THROWS_AS(e.set_record(relu, switches), UsageError);
    e.backward(random_tensor(net.graph().node(pool).shape(), 3));
    CHECK(same_bits(e.record(relu), mask));
    CHECK_THROWS_WITH_AS(e.record(pool), doctest::Contains("uses up the tape"), Error);
    CHECK_THROWS_WITH_AS(e.set_record(relu, mask), doctest::Contains("uses up the tape"), Error);
  }
}

TEST_CASE("values that are asked for survive in-place ops and views") {
  for (const Backend backend : backends()) {
    Graph g;
    NodeId x = g.input("input", {1, 18, 4, 4});
    x = g.add("dropout", dropout(0.5), {x});
    x = g.add("relu", relu(), {x});
    x = g.add("add", add(), {x, x});
    x = g.add("relu_1", relu(), {x});
    x = g.add("flatten", flatten(), {x});
    Network net = with_formula_weights(std::move(g), {backend});
    const Tensor in = random_tensor({2, 18, 4, 4}, 9);
    const Result r = run(net, {.values = {0, 1, 2, 3, 4, 5}}, in, {});
    for (int64_t i = 0; i < in.numel(); ++i) {
      const double v =
          backend == Backend::ref ? in.item(i) : static_cast<double>(static_cast<float>(in.item(i)));
      const double wanted[] = {
          v, v, std::max(v, 0.0), 2 * std::max(v, 0.0), 2 * std::max(v, 0.0), 2 * std::max(v, 0.0)};
      for (size_t k = 0; k < 6; ++k) CHECK(r.values[k].item(i) == wanted[k]);
    }
  }
}

TEST_CASE("two inputs: unpooling by switches that the user gives") {
  for (const Backend backend : backends()) {
    Graph g;
    const NodeId maps = g.input("maps", {1, 2, 2, 2}),
                 switches = g.input("switches", {1, 2, 2, 2}, Dtype::u8);
    const NodeId scaled = g.add("twice", add(), {maps, maps});
    g.add("unpool", max_unpool2d({.kernel = 2, .output = 4}), {scaled, switches});
    Network net = with_formula_weights(std::move(g), {backend});
    const Tensor x = Tensor::from(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 2, 2});
    const Tensor s = Tensor::from(std::vector<uint8_t>{0, 1, 2, 3, 3, 2, 1, 0}, {1, 2, 2, 2});
    const std::vector<double> wanted = {2, 0, 0, 4, 0, 0,  0,  0, 0, 0,  0,  0, 6, 0, 0, 8,  //
                                        0, 0, 0, 0, 0, 10, 12, 0, 0, 14, 16, 0, 0, 0, 0, 0};
    const NodeId output = net.graph().output();
    const Plan plan = plan_for(net.graph(), 1, backend,
                               {.values = {output, switches}, .from = output, .gradients = {maps}});
    const Tensor seed = random_tensor({1, 2, 4, 4}, 4);
    const Result r = run(net, plan, {x, s}, seed);
    int64_t at = 0;
    for (int64_t i = 0; i < 32; ++i) {
      CHECK(r.values[0].item(i) == wanted[static_cast<size_t>(i)]);
      if (wanted[static_cast<size_t>(i)] == 0) continue;
      const double g2 =
          2 * seed.item(i);  // the order of the inputs is the row-major order of their places here
      const int64_t order[] = {0, 1, 2, 3, 4, 5, 6, 7};
      CHECK(r.gradients[0].item(order[at]) ==
            (backend == Backend::ref ? g2 : static_cast<double>(static_cast<float>(g2))));
      ++at;
    }
    CHECK(at == 8);
    CHECK(same_bits(r.values[1], s));
    CHECK_THROWS_WITH_AS(run(net, plan, {x}, seed), doctest::Contains("takes 2 input(s), got 1"), UsageError);
    CHECK_THROWS_WITH_AS(run(net, plan, {x, s.reshape({1, 8})}, seed),
                         doctest::Contains("input 'switches' takes a tensor"), UsageError);
  }
}

}  // namespace
}  // namespace loupe::test
