// Small maps and regions for the tests of metrics.
#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "engine/exam/scene.h"
#include "engine/image/plane.h"
#include "engine/tensor/tensor.h"
#include "kernels/common/random.h"

namespace loupe::test {

/// '#' is inside.
inline Region region(const std::vector<std::string>& rows) {
  Region r{std::ssize(rows), std::ssize(rows[0])};
  for (const std::string& row : rows)
    for (const char c : row) r.inside.push_back(c == '#');
  return r;
}

inline Plane plane_of(int64_t height, int64_t width, std::vector<double> values) {
  return {height, width, std::move(values)};
}

inline Plane plane_of(const Region& r) { return {r.height, r.width, {r.inside.begin(), r.inside.end()}}; }

/// Whole numbers from −3 to 3: many ties, both signs.
inline Plane tied_noise(int64_t height, int64_t width, uint64_t seed) {
  Plane p{height, width, {}};
  for (int64_t i = 0; i < height * width; ++i)
    p.values.push_back(std::floor(uniform(seed, static_cast<uint64_t>(i)) * 7) - 3);
  return p;
}

inline Region random_region(int64_t height, int64_t width, uint64_t seed) {
  Region r{height, width, {}};
  for (int64_t i = 0; i < height * width; ++i)
    r.inside.push_back(uniform(seed, static_cast<uint64_t>(i)) < 0.3);
  return r;
}

template <typename F>
Plane each(Plane p, const F& f) {
  for (double& v : p.values) v = f(v);
  return p;
}

inline double share(const Region& r) {
  return static_cast<double>(r.count()) / static_cast<double>(r.inside.size());
}

/// The pixels within `tolerance` of the region.
inline Region dilated(const Region& r, double tolerance) {
  Region d{r.height, r.width, {}};
  for (int64_t y = 0; y < r.height; ++y)
    for (int64_t x = 0; x < r.width; ++x) {
      bool near = false;
      for (int64_t i = 0; i < r.height; ++i)
        for (int64_t j = 0; j < r.width; ++j)
          near |= r.at(i, j) &&
                  static_cast<double>((i - y) * (i - y) + (j - x) * (j - x)) <= tolerance * tolerance;
      d.inside.push_back(near);
    }
  return d;
}

/// Uniform in ±√3: mean 0 and deviation 1.
inline double noise(uint64_t seed, uint64_t i) { return std::sqrt(3.0) * (2 * uniform(seed, i) - 1); }

inline Tensor tensor(const std::vector<double>& values, Shape shape) { return Tensor::from(values, shape); }

}  // namespace loupe::test
