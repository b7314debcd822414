// Which filters have W Wᵀ = I, and everything as JSON.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "kernels/common/draws.h"
#include "tools/loupe/lessons/deconv/study.h"

namespace loupe {
namespace {

using nlohmann::ordered_json;

double norm(const Tensor& t) {
  double sum = 0;
  for (int64_t i = 0; i < t.numel(); ++i) sum += t.item(i) * t.item(i);
  return std::sqrt(sum);
}

Tensor scaled(std::vector<double> taps) {
  double sum = 0;
  for (const double v : taps) sum += v * v;
  if (sum > 0)
    for (double& v : taps) v /= std::sqrt(sum);
  return Tensor::from(taps, {std::ssize(taps)});
}

std::vector<double> random_taps(const std::string& name, int64_t count, int64_t length) {
  std::vector<double> taps(static_cast<size_t>(length));
  Draws().normals("lesson deconv " + name, std::span(taps).first(static_cast<size_t>(count)));
  return taps;
}

double relative(double part, double whole) { return whole > 0 ? part / whole : 0; }

double distance(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.numel(); ++i) sum += (a.item(i) - b.item(i)) * (a.item(i) - b.item(i));
  return std::sqrt(sum);
}

FilterCheck check(std::string name, const DeconvStudy& s, bool exact) {
  FilterCheck r{.name = std::move(name), .filter = s.filter, .length = s.gram.item(0)};
  const int64_t rows = s.sizes.outputs(), m = s.sizes.padded();
  for (int64_t i = 0; i < rows * rows; ++i)
    if (i / rows != i % rows) r.overlap = std::max(r.overlap, std::abs(s.gram.item(i)));
  r.right_inverse = relative(distance(s.again, s.y), norm(s.y));
  r.projection = largest_difference(s.projected_twice, s.projection);
  r.lost = relative(distance(s.back, s.padded), norm(s.padded));
  const double rounding = (exact ? 1e-12 : 1e-5) * static_cast<double>(m);
  r.orthonormal = std::abs(r.length - 1) < rounding && r.overlap < rounding;
  return r;
}

// A row of numbers, or rows of them.
ordered_json numbers(const Tensor& t) {
  auto list = ordered_json::array();
  if (t.shape().rank() > 1)
    for (int64_t i = 0; i < t.shape()[0]; ++i) list.push_back(numbers(t.row(i)));
  else
    for (int64_t i = 0; i < t.numel(); ++i) list.push_back(t.item(i));
  return list;
}

}  // namespace

std::vector<FilterCheck> check_filters(const DeconvStudy& asked, Device device) {
  const DeconvSizes& sizes = asked.sizes;
  const int64_t f = sizes.f, s = sizes.s;
  const auto taps = static_cast<size_t>(f);
  std::vector<FilterCheck> all;
  const bool exact = device.backend == Backend::ref;
  const auto add = [&](const std::string& name, const Tensor& filter) {
    all.push_back(check(name, study_deconv(sizes, filter, asked.x, device), exact));
  };
  add("yours", asked.filter);
  std::vector<double> own(taps);
  for (size_t i = 0; i < taps; ++i) own[i] = asked.filter.item(static_cast<int64_t>(i));
  if (norm(asked.filter) > 0) add("yours, scaled to length 1", scaled(own));
  if (f > 2) {
    std::vector<double> short_edge(taps);
    short_edge[0] = 1, short_edge[taps - 2] = -1;
    add("an edge, one tap too short", scaled(short_edge));
  }
  if (f > 1) {
    std::vector<double> edge(taps);
    edge[0] = 1, edge[taps - 1] = -1;
    add("an edge of " + std::to_string(f) + " taps", scaled(edge));
  }
  std::vector<double> mean(taps);
  std::fill_n(mean.begin(), std::min(f, s), 1.0);
  add(std::min(f, s) > 1 ? "a mean of " + std::to_string(std::min(f, s)) : "one tap", scaled(mean));
  if (f == 4 && s == 2) {
    const double root = std::numbers::sqrt3;
    add("Daubechies' wavelet", scaled({1 + root, 3 + root, 3 - root, 1 - root}));
  }
  if (s > 1 && f > 1)
    add("random, on " + std::to_string(std::min(f, s)) + " taps",
        scaled(random_taps("s", std::min(f, s), f)));
  if (f > s)
    for (const char* name : {"a", "b"})
      add(std::string("random, on all taps (") + name + ")", scaled(random_taps(name, f, f)));
  return all;
}

ordered_json as_json(const DeconvStudy& s) {
  return {{"n", s.sizes.n},
          {"f", s.sizes.f},
          {"s", s.sizes.s},
          {"p", s.sizes.p},
          {"n_y", s.sizes.outputs()},
          {"w", numbers(s.filter)},
          {"x", numbers(s.x)},
          {"x_padded", numbers(s.padded)},
          {"W", numbers(s.matrix)},
          {"y", numbers(s.y)},
          {"y_matrix", numbers(s.y_matrix)},
          {"WT_y", numbers(s.back_matrix)},
          {"conv_transpose", numbers(s.back)},
          {"conv_transpose_cropped", numbers(s.cropped)},
          {"sub_pixel_y", numbers(s.stretched)},
          {"flipped_w", numbers(s.flipped)},
          {"sub_pixel_convolution", numbers(s.sub_pixel)},
          {"short_filters", numbers(s.phases)},
          {"short_filter_outputs", numbers(s.phase_outputs)},
          {"interleaved", numbers(s.interleaved)},
          {"W_WT", numbers(s.gram)},
          {"WT_W", numbers(s.projection)},
          {"WT_W_twice", numbers(s.projected_twice)},
          {"W_WT_y", numbers(s.again)}};
}

ordered_json as_json(const DeconvPicture& p) {
  return {{"filter", numbers(p.filter)},
          {"x", numbers(p.x)},
          {"rows", p.rows},
          {"columns", p.columns},
          {"y", numbers(p.y)},
          {"y_matrix", numbers(p.y_matrix)},
          {"WT_y", numbers(p.back_matrix)},
          {"conv_transpose", numbers(p.back)},
          {"sub_pixel_convolution", numbers(p.sub_pixel)}};
}

ordered_json as_json(const UnpoolStudy& u) {
  return {{"x", numbers(u.x)},
          {"pooled", numbers(u.pooled)},
          {"switches", numbers(u.switches)},
          {"by_switches", numbers(u.by_switches)},
          {"regular", numbers(u.regular)},
          {"pooled_again", numbers(u.pooled_again)}};
}

ordered_json as_json(const FilterCheck& c) {
  return {{"name", c.name},       {"w", numbers(c.filter)},           {"length", c.length},
          {"overlap", c.overlap}, {"right_inverse", c.right_inverse}, {"projection", c.projection},
          {"lost", c.lost},       {"orthonormal", c.orthonormal}};
}

}  // namespace loupe
