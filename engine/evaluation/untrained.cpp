#include "engine/evaluation/untrained.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/evaluation/random.h"
#include "kernels/common/parallel.h"

namespace loupe {
namespace {

Tensor drawn(const ParameterSpec& p, uint64_t seed) {
  Tensor t(Dtype::f32, p.shape);
  const auto to = t.values<float>();
  using enum ParameterSpec::Role;
  switch (p.role) {
    case weight: {
      const int64_t fan_in = p.shape.numel() / std::max<int64_t>(p.shape[0], 1);
      const double deviation = std::sqrt(2 / static_cast<double>(fan_in));
      parallel_for(t.numel(), [&](int64_t i) {
        to[static_cast<size_t>(i)] = static_cast<float>(deviation * normal(seed, static_cast<uint64_t>(i)));
      });
      break;
    }
    case norm_weight:
    case norm_variance:
      std::ranges::fill(to, 1.0f);
      break;
    case bias:
    case norm_bias:
    case norm_mean:
      std::ranges::fill(to, 0.0f);
  }
  return t;
}

}  // namespace

Network untrained(const Network& network, uint64_t seed) {
  std::map<std::string, Tensor> parameters;
  uint64_t index = 0;
  for (const ParameterSpec& p : network.graph().parameters())
    parameters.emplace(p.name, drawn(p, scrambled(seed, index++)));
  Network fresh(network.name(), network.graph(), std::move(parameters), network.device());
  fresh.preprocessing = network.preprocessing;
  fresh.labels = network.labels;
  fresh.trunk = network.trunk;
  fresh.memory_limit = network.memory_limit;
  return fresh;
}

}  // namespace loupe
