#include "models/io/formula.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/draws.h"
#include "kernels/common/error.h"
#include "kernels/common/parallel.h"
#include "kernels/common/random.h"

namespace loupe {
namespace {

// scale·(2u - 1), or 0.5 + u if the scale is zero.
Tensor fill(std::string_view name, const Shape& shape, double scale) {
  Tensor t(Dtype::f32, shape);
  const std::span<float> to = t.values<float>();
  const uint64_t start = fnv1a64(name);
  constexpr int64_t kChunk = 1 << 16;
  parallel_for(ceil_div(t.numel(), kChunk), [&](int64_t chunk) {
    for (int64_t i = chunk * kChunk, end = std::min(t.numel(), i + kChunk); i < end; ++i) {
      const auto bits = static_cast<int64_t>(scrambled(start + static_cast<uint64_t>(i)) >> 11);
      const double u = static_cast<double>(bits) * 0x1p-53;
      to[static_cast<size_t>(i)] = static_cast<float>(scale == 0 ? 0.5 + u : (2 * u - 1) * scale);
    }
  });
  return t;
}

}  // namespace

Tensor formula_weight(std::string_view name, const Shape& shape, ParameterSpec::Role role) {
  using Role = ParameterSpec::Role;
  switch (role) {
    case Role::weight:
    case Role::table: {
      if (shape.rank() < 2)
        throw Error("no formula for the weight '" + std::string(name) + "' of shape " + shape.str());
      const int64_t fan_in = shape[0] ? shape.numel() / shape[0] : 1;
      return fill(name, shape, std::sqrt(6.0 / static_cast<double>(fan_in)));
    }
    case Role::bias:
      return fill(name, shape, 0.05);
    case Role::norm_weight:
    case Role::norm_variance:
      return fill(name, shape, 0);
    case Role::norm_bias:
    case Role::norm_mean:
      return fill(name, shape, 0.1);
  }
  throw Error("no formula for '" + std::string(name) + "'");
}

Tensor formula_input(const Shape& shape) { return fill("input", shape, 2); }

}  // namespace loupe
