#include "engine/training/initial_weights.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/random.h"

namespace loupe {

namespace {
// Number `i` of splitmix64's stream `key`.
uint64_t random_bits(uint64_t key, uint64_t i) { return scrambled(key + i * 0x9e3779b97f4a7c15u); }

uint64_t key_of(const std::string& name, uint64_t seed) {
  uint64_t key = random_bits(seed, 0);
  for (const char c : name) key = random_bits(key, static_cast<unsigned char>(c));
  return key;
}
}  // namespace

std::map<std::string, Tensor> initial_weights(const Graph& graph, uint64_t seed) {
  using Role = ParameterSpec::Role;
  std::map<std::string, Tensor> weights;
  for (NodeId id : graph.parameters()) {
    const Node& spec = graph.node(id);
    const Shape& shape = spec.shape();
    Tensor t = Tensor::zeros(Dtype::f32, shape);
    const auto values = t.values<float>();
    if (spec.role == Role::norm_weight || spec.role == Role::norm_variance) {
      std::ranges::fill(values, 1.0f);
    } else if (spec.role == Role::weight || spec.role == Role::table) {
      const double fan_in = static_cast<double>(shape.numel()) / static_cast<double>(shape[0]);
      const double bound = std::sqrt(6 / fan_in);
      const uint64_t key = key_of(spec.name, seed);
      for (size_t i = 0; i < values.size(); ++i) {
        const double u = static_cast<double>(random_bits(key, i) >> 11) * 0x1p-53;
        values[i] = static_cast<float>((2 * u - 1) * bound);
      }
    }
    weights.emplace(spec.name, std::move(t));
  }
  return weights;
}

}  // namespace loupe
