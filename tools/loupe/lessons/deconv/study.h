// The convolution of a row of numbers as a matrix, and its transpose: what `loupe lesson deconv` shows. All numbers are
// what the engine's kernels make.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace loupe {

/// A row of `n` numbers with `p` zeros on each side, and a filter of `f` taps that moves by `s`.
struct DeconvSizes {
  int64_t n = 8, f = 4, s = 2, p = 2;
  int64_t padded() const { return n + 2 * p; }
  int64_t outputs() const { return (padded() - f) / s + 1; }
  /// Numbers at the end that no place of the filter reaches.
  int64_t unseen() const { return (padded() - f) % s; }
  /// Taps of each of the s short filters.
  int64_t phase_taps() const { return (f + s - 1) / s; }
};

/// Float64 all of them. m = n + 2p; n_y = outputs().
struct DeconvStudy {
  DeconvSizes sizes = {};
  Tensor filter = {}, x = {};      // (f), (n)
  Tensor padded = {};              // x_p: (m)
  Tensor matrix = {};              // W, (n_y, m): conv2d of each unit vector
  Tensor y = {}, y_matrix = {};    // (n_y): conv2d of x; W x_p
  Tensor back_matrix = {};         // Wᵀ y: (m)
  Tensor back = {}, cropped = {};  // conv_transpose2d of y without and with the padding: (m), (n)
  Tensor stretched = {};           // y with s − 1 zeros between its values, padded
  Tensor flipped = {};             // the filter
  Tensor sub_pixel = {};           // conv2d of `stretched` with `flipped`, stride 1: (m)
  Tensor phases = {};              // every s-th tap, flipped: (s, taps)
  Tensor phase_outputs = {};       // conv2d of y with them: (s, n_y + taps − 1)
  Tensor interleaved = {};         // read column by column: (m)
  Tensor gram = {};                // W Wᵀ: (n_y, n_y)
  Tensor projection = {};          // Wᵀ W: (m, m)
  Tensor projected_twice = {};     // Wᵀ W Wᵀ W
  Tensor again = {};               // W Wᵀ y: (n_y)
};
DeconvStudy study_deconv(const DeconvSizes&, const Tensor& filter, const Tensor& x, Device);

/// The same of an n × n picture, with the f × f filter whose tap (r, q) is tap (r + q) mod f of the row's.
struct DeconvPicture {
  Tensor filter = {}, x = {};     // (f, f), (n, n)
  Tensor y = {};                  // conv2d: (n_y, n_y)
  Tensor y_matrix = {};           // the n_y² × m² matrix of all unit pictures, times x_p
  Tensor back_matrix = {};        // its transpose, times y: (m, m)
  Tensor back = {};               // conv_transpose2d
  Tensor sub_pixel = {};          // zeros between the values of y, padded, filter flipped twice, stride 1
  int64_t rows = 0, columns = 0;  // of the matrix
};
DeconvPicture study_picture(const DeconvSizes&, const Tensor& filter, Device);

/// A 4 × 4 map, its 2 × 2 maxima, and what unpooling makes of them.
struct UnpoolStudy {
  Tensor x = {}, pooled = {}, switches = {};  // (4, 4), (2, 2), (2, 2)
  Tensor by_switches = {}, regular = {};      // unpooled by them, and by switches that are all 0: (4, 4)
  Tensor pooled_again = {};                   // of by_switches
};
UnpoolStudy study_unpooling(Device);

/// How near a filter comes to W Wᵀ = I, and what follows.
struct FilterCheck {
  std::string name = {};
  Tensor filter = {};
  double length = 0;         // Σ w²: the diagonal of W Wᵀ
  double overlap = 0;        // the largest |element| beside the diagonal
  double right_inverse = 0;  // ‖W Wᵀ y − y‖ / ‖y‖
  double projection = 0;     // the largest |element| of P² − P, P = Wᵀ W
  double lost = 0;           // ‖x_p − P x_p‖ / ‖x_p‖
  bool orthonormal = false;  // W Wᵀ = I, up to rounding
};
/// The filter asked for, that filter scaled, filters that have W Wᵀ = I and such that do not.
std::vector<FilterCheck> check_filters(const DeconvStudy&, Device);

/// The largest |difference| of two tensors of as many elements, whatever their shapes.
double largest_difference(const Tensor& a, const Tensor& b);
/// Everything, by the names above.
nlohmann::ordered_json as_json(const DeconvStudy&);
nlohmann::ordered_json as_json(const DeconvPicture&);
nlohmann::ordered_json as_json(const UnpoolStudy&);
nlohmann::ordered_json as_json(const FilterCheck&);

}  // namespace loupe
