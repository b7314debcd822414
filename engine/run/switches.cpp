#include "engine/run/switches.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "kernels/common/suggest.h"
#include "kernels/max_pool2d/max_pool2d.h"

namespace loupe {
namespace {

std::vector<NodeId> max_pools(const Graph& graph) {
  std::vector<NodeId> pools;
  for (NodeId n = 0; n < graph.size(); ++n)
    if (graph.node(n).op && graph.node(n).op->kind().name == "max_pool2d") pools.push_back(n);
  return pools;
}

// The rows of a batch that begins at `first`; one row serves all.
Tensor rows_of(const Tensor& all, int64_t first, int64_t batch) {
  if (all.shape()[0] > 1) return all.slice(first, first + batch);
  const std::vector<Tensor> rows(static_cast<size_t>(batch), all);
  return stack_rows(rows);
}

}  // namespace

Switches switches_of(Network& net, const Tensor& x) {
  expect_images(net, x);
  const std::vector<NodeId> pools = max_pools(net.graph());
  Switches all;
  if (pools.empty()) return all;
  const Purpose purpose{.values = {net.graph().output()}, .records = pools};
  const std::vector<Shape> shapes = net.graph().shapes(x.shape());
  for (const NodeId n : pools)
    all.emplace(net.graph().node(n).name, Tensor(Dtype::u8, shapes[static_cast<size_t>(n)]));
  in_batches(net, x.shape().with(0, 1), x.shape()[0], purpose, {}, [&](int64_t begin, int64_t end) {
    const Tensor batch = x.slice(begin, end);
    Execution& pass = net.execution(batch.shape(), purpose);
    pass.forward(batch);
    for (const NodeId n : pools) copy_rows(pass.record(n), all.at(net.graph().node(n).name), begin);
  });
  return all;
}

Switches regular_switches(const Network& net, const Shape& x, RegularSwitch which) {
  const std::vector<Shape> shapes = net.graph().shapes(x.with(0, 1));
  Switches all;
  for (const NodeId n : max_pools(net.graph())) {
    const Pair kernel = max_pool2d_pooling(*net.graph().node(n).op).kernel;
    const Tensor t(Dtype::u8, shapes[static_cast<size_t>(n)]);
    const int64_t cell = which == RegularSwitch::first ? 0 : kernel.h / 2 * kernel.w + kernel.w / 2;
    std::ranges::fill(t.values<uint8_t>(), static_cast<uint8_t>(cell));
    all.emplace(net.graph().node(n).name, t);
  }
  return all;
}

Probe with_switches(const Network& net, const Shape& x, Switches switches) {
  const std::vector<NodeId> pools = max_pools(net.graph());
  const std::vector<Shape> shapes = net.graph().shapes(x);
  std::vector<std::string> names;
  for (const NodeId n : pools) names.push_back(net.graph().node(n).name);
  for (const auto& [name, tensor] : switches)
    if (!std::ranges::count(names, name))
      throw UsageError("'" + name + "' is no max pool of " + net.name() + did_you_mean(name, names));
  for (size_t i = 0; i < pools.size(); ++i) {
    const auto found = switches.find(names[i]);
    if (found == switches.end())
      throw UsageError("there are no switches of '" + names[i] + "', a max pool of " + net.name());
    const Shape& wanted = shapes[static_cast<size_t>(pools[i])];
    const Tensor& t = found->second;
    const bool fits = t.shape().rank() == 4 && (t.shape() == wanted || t.shape() == wanted.with(0, 1));
    if (!fits || t.dtype() != Dtype::u8)
      throw UsageError("the switches of '" + names[i] + "' are a u8 tensor " + wanted.str() + ", got " +
                       std::string(dtype_name(t.dtype())) + " " + t.shape().str());
  }
  Probe probe{.records = pools};
  probe.look = [pools, names = std::move(names), all = std::move(switches)](Execution& pass, int64_t first) {
    for (size_t i = 0; i < pools.size(); ++i)
      pass.set_record(pools[i], rows_of(all.at(names[i]), first, pass.plan().batch()));
  };
  return probe;
}

}  // namespace loupe
