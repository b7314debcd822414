// Executions of a network: batches and memory, and what may be asked of which one when.
#include <doctest/doctest.h>

#include "engine/tensor/transfer.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"
#include "tests/support/plans.h"

namespace loupe::test {
namespace {

TEST_CASE("an image's results do not depend on its batch, and batches obey memory_limit") {
  for (const Backend backend : backends()) {
    ImageModel model = small("squeezenet1_1", backend);
    Network& net = model.network;
    const NodeId output = net.graph().output();
    const Purpose purpose{.values = {output}, .from = output, .gradients = {0}};
    const Tensor x = formula_input({7, 3, kSize, kSize});
    const std::vector<int64_t> classes = {0, 1, 2, 3, 4, 5, 6};
    const Result all = run(net, purpose, x, seed_channels({7, 10}, classes));
    for (int64_t n = 0; n < 7; ++n) {
      const Result one =
          run(net, purpose, x.slice(n, n + 1), seed_channels({1, 10}, std::vector<int64_t>{n}));
      CHECK(same_bits(one.values[0].row(0), all.values[0].row(n)));
      CHECK(same_bits(one.gradients[0].row(0), all.gradients[0].row(n)));
    }
    const Shape one_image{1, 3, kSize, kSize};
    const auto bytes = [&](int64_t batch) {
      return plan_for(net.graph(), batch, backend, purpose).arena_bytes();
    };
    CHECK(net.batch_for(one_image, 7, purpose) == 7);
    net.memory_limit = bytes(7);
    CHECK(net.batch_for(one_image, 7, purpose) == 7);
    net.memory_limit = bytes(4);
    CHECK(net.batch_for(one_image, 7, purpose) == 4);
    CHECK(net.batch_for(one_image, 3, purpose) == 3);
    net.memory_limit = bytes(1);
    CHECK(net.batch_for(one_image, 7, purpose) == 1);
    net.memory_limit = bytes(1) - 1;
    CHECK_THROWS_WITH_AS(net.batch_for(one_image, 7, purpose),
                         doctest::Contains("one image of this pass needs"), Error);
  }
}

TEST_CASE("values are those of the last forward pass, or an error") {
  Network net = with_formula_weights(branching(), Device::cpu());
  const NodeId output = net.graph().output(), relu = net.graph().find("relu");
  const Purpose backward{.values = {output}, .from = output, .gradients = {0}};
  const Tensor x = random_tensor({1, 3, 9, 11}, 1), seed = seed_channels({1, 4}, std::vector<int64_t>{0});
  Execution& e = net.execution(x.shape(), backward);
  CHECK(&e == &net.execution(x.shape(), backward));
  CHECK_THROWS_WITH_AS(e.value(output), doctest::Contains("run forward() first"), Error);
  CHECK_THROWS_AS(e.backward(seed), Error);
  e.forward(x);
  CHECK_THROWS_WITH_AS(e.gradient(0), doctest::Contains("run backward() first"), Error);
  CHECK_THROWS_WITH_AS(e.value(relu), doctest::Contains("does not keep the value of 'relu'"), UsageError);
  CHECK_THROWS_WITH_AS(e.gradient(relu), doctest::Contains("does not keep the gradient of 'relu'"),
                       UsageError);
  CHECK_THROWS_WITH_AS(e.backward(seed.reshape({4, 1})),
                       doctest::Contains("the backward pass from 'softmax'"), UsageError);
  e.backward(seed);
  const Tensor first = e.gradient(0);
  CHECK_THROWS_WITH_AS(e.backward(seed), doctest::Contains("uses up the tape"), Error);
  e.forward(x);
  e.backward(seed);
  CHECK(same_bits(e.gradient(0), first));

  Execution& other = net.execution(x.shape(), {.values = {relu}});
  other.forward(x);
  CHECK_THROWS_WITH_AS(e.value(output), doctest::Contains("another one of the same network ran"), Error);
  CHECK_THROWS_WITH_AS(e.gradient(0), doctest::Contains("another one of the same network ran"), Error);
  CHECK_THROWS_AS(other.backward(seed), UsageError);
  CHECK_THROWS_AS(e.forward(random_tensor({2, 3, 9, 11}, 1)), UsageError);

  Network moved = std::move(net);  // its executions stayed behind
  CHECK(moved.execution(x.shape(), backward).plan().batch() == 1);
  moved.execution(x.shape(), backward).forward(x);
  CHECK(moved.execution(x.shape(), backward).value(output).numel() == 4);
}

TEST_CASE("values that are looked at in passing are those that are kept, and are gone afterwards") {
  for (const Backend backend : {Backend::ref, Backend::cpu}) {
    CAPTURE(backend_name(backend));
    Network net = with_formula_weights(SmallNetwork{}.graph(), Device{backend});
    Purpose keep;
    for (NodeId n = 0; n < net.graph().size(); ++n)
      if (net.graph().node(n).op) keep.values.emplace_back(n);  // views and what is written in place too
    Purpose passing = keep;
    passing.passing = true;
    const Tensor x = formula_input({2, 3, 14, 11});
    const Result kept = run(net, keep, x, {});
    Execution& pass = net.execution(x.shape(), passing);
    CHECK(pass.plan().arena_bytes() < plan_for(net.graph(), 2, backend, keep).arena_bytes());
    std::vector<Tensor> seen(keep.values.size());
    pass.forward(x, [&](size_t k, const Array& value) { seen[k] = download(net.queue(), value); });
    for (size_t k = 0; k < seen.size(); ++k) {
      CAPTURE(net.graph().node(keep.values[k].node).name);
      REQUIRE(seen[k].defined());
      CHECK(same_bits(seen[k], kept.values[k]));
    }
    CHECK_THROWS_WITH_AS(pass.value(keep.values[0]), doctest::Contains("does not keep"), UsageError);
    CHECK_THROWS_AS(net.execution(x.shape(), keep).forward(x, [](size_t, const Array&) {}), Error);
  }
}

TEST_CASE("a network names the parameter that is missing or misshapen") {
  const std::map<std::string, Tensor> weights = formula_weights(branching());
  auto missing = weights;
  missing.erase("conv2.bias");
  CHECK_THROWS_WITH_AS(Network("net", branching(), missing, Device::ref()),
                       doctest::Contains("'conv2.bias' (5)"), Error);
  auto misshapen = weights;
  misshapen["fc.weight"] = Tensor::zeros(Dtype::f32, {4, 3});
  CHECK_THROWS_WITH_AS(Network("net", branching(), misshapen, Device::ref()),
                       doctest::Contains("'fc.weight' has shape (4, 3)"), Error);
}

}  // namespace
}  // namespace loupe::test
