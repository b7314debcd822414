// Plans and single passes, for the tests of the engine.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "engine/run/image_model.h"
#include "tests/support/networks.h"

namespace loupe::test {

/// Backends of the devices that are here. Whole networks are slow in the simulator, so that it gets one of
/// them.
std::vector<Backend> backends(const std::string& network = "");

/// Numbers in [−1, 1], f64.
Tensor random_tensor(const Shape& shape, unsigned seed);

constexpr int64_t kSize = 32;  // of images for whole networks

/// An architecture for ten classes and images of kSize pixels, with formula weights.
ImageModel small(const std::string& name, Backend backend);

/// A network with everything that joins and branches: a value that several nodes read, a residual sum, one
/// value added to itself, views. (1, 3, 9, 11) → 4 classes.
Graph branching();

/// What one pass computes: what the purpose names, in its order.
struct Result {
  std::vector<Tensor> values, gradients, records;
};
Result run(Network& net, const Plan& plan, const std::vector<Tensor>& inputs, const Tensor& seed);
Result run(Network& net, const Purpose& purpose, const Tensor& x, const Tensor& seed);

/// A plan for a batch of n of the nominal sizes.
Plan plan_for(const Graph& graph, int64_t n, Backend backend, const Purpose& purpose);
Plan plan_for(const Graph& graph, int64_t n, Backend backend, const Purpose& purpose,
              const PlanOptions& options);

/// The values that a step reads, and those that it writes.
std::vector<ValueId> reads(const PlanStep& step);
std::vector<ValueId> writes(const PlanStep& step);

/// The op in the middle of a graph; and those of its ops that are elementwise functions.
NodeId middle_op(const Graph& graph);
std::vector<NodeId> functions_of(const Graph& graph);

/// d⟨seed, value of `from`⟩/d(x[i]) by a central difference, of a network on ref.
double difference_quotient(Network& net, NodeId from, const Tensor& x, const Tensor& seed, int64_t i,
                           double step = 1e-6);
/// The same with respect to element i of a parameter.
double difference_quotient(Network& net, NodeId from, const Tensor& x, const Tensor& seed,
                           const std::string& parameter, int64_t i, double step = 1e-6);

}  // namespace loupe::test
