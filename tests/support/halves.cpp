#include "tests/support/halves.h"

#include "kernels/attention/attention.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/flatten/flatten.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/linear/linear.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/reshape/reshape.h"
#include "kernels/transpose/transpose.h"

namespace loupe::test {

Graph Chain::part(size_t first, size_t last, const Shape& from) const {
  Graph g;
  NodeId n = g.input("input", from);
  for (size_t s = first; s < last; ++s) n = stages[s](g, n);
  return g;
}

NodeId Chain::end_of(size_t stage) const {
  const Graph g = before(stage);
  return g.output();
}

Graph Chain::after(size_t stage) const {
  const Graph g = before(stage);
  return part(stage + 1, stages.size(), g.node(g.output()).shape());
}

Chain maps_chain() {
  const auto conv = [](const std::string& name) {
    return [name](Graph& g, NodeId x) {
      return g.add(name, conv2d({.out_channels = 17, .kernel = 3, .padding = 1}), {x});
    };
  };
  return {{1, 3, 9, 11},
          {conv("conv1"), [](Graph& g, NodeId x) { return g.add("relu1", relu(), {x}); },
           [conv](Graph& g, NodeId x) {
             return g.add("relu2", relu(), {g.add("add", add(), {conv("conv2")(g, x), x})});
           },
           [](Graph& g, NodeId x) { return g.add("pool", max_pool2d({.kernel = 3, .stride = 2}), {x}); },
           [](Graph& g, NodeId x) { return g.add("flatten", flatten(), {x}); },
           [](Graph& g, NodeId x) { return g.add("fc", linear({.out_features = 4}), {x}); }}};
}

Chain tokens_chain() {
  return {{1, 3, 12, 8},
          {[](Graph& g, NodeId x) {
             x = g.add("patches", conv2d({.out_channels = 8, .kernel = 4, .stride = 4}), {x});
             return g.add("tokens", transpose({0, 2, 1}), {g.add("rows", reshape({0, 0, -1}), {x})});
           },
           [](Graph& g, NodeId x) {
             const auto third = [&](const char* name) {
               return g.add(name, linear({.out_features = 8}), {x});
             };
             const NodeId q = third("query"), k = third("key"), v = third("value");
             return g.add("heads", attention({.heads = 2}), {q, k, v});
           },
           [](Graph& g, NodeId x) {
             return g.add("gelu", gelu(), {g.add("out", linear({.out_features = 8}), {x})});
           },
           [](Graph& g, NodeId x) { return g.add("norm", layer_norm(), {x}); },
           [](Graph& g, NodeId x) {
             return g.add("fc", linear({.out_features = 4}), {g.add("row", reshape({0, -1}), {x})});
           }}};
}

}  // namespace loupe::test
