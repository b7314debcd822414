// Batch statistics on a GPU: the channels are read for their means (channel_sums), then again for the squared
// differences from them, so that nothing cancels. The vjp to the input sums in the same way, then passes over
// the maps. Sums are cut into parts (reduce/sums.h); each part is divided before the parts are added up.
//
// Floor: the statistics read 4 bytes an element twice; the vjp reads 8, then 8 again, and writes 4.
#include "kernels/batch_norm_training/batch_norm_training.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/reduce/sums.h"

namespace loupe::LOUPE_TARGET {

namespace {

using Parameters = BatchNormParameters<float>;

/// Pixels of a channel in the whole batch.
LOUPE_DEVICE float pixels_of(const Parts& p) { return static_cast<float>(p.images * p.pixels); }

template <int Width>
LOUPE_KERNEL batch_norm_variance_kernel(ChannelSums s, const float* x, const float* mean, float* to) {
  const float middle = mean[s.channel()];
  const float squares = s.sum<Width>([&](float& total, const auto& place) {
    const auto v = load_vector<Width>(x + place.at);
    for (int k = 0; k < Width; ++k) total += (v[k] - middle) * (v[k] - middle);
  });
  if (thread_number() == 0) to[blockIdx.x] = squares / pixels_of(s.parts);
}

// Of each part (2, c): constant[channel] = Σ gy / m, slope[channel] = Σ gy·(x − mean) / (m·(variance + eps)).
template <int Width>
LOUPE_KERNEL batch_norm_training_sums_kernel(ChannelSums s, Parameters p, const float* x, const float* gy,
                                             float* to) {
  const int channel = s.channel();
  const float mean = p.mean[channel], m = pixels_of(s.parts);
  const float gradients = s.sum<Width>([&](float& total, const auto& place) {
    const auto g = load_vector<Width>(gy + place.at);
    for (int k = 0; k < Width; ++k) total += g[k];
  });
  const float products = s.sum<Width>([&](float& total, const auto& place) {
    const auto g = load_vector<Width>(gy + place.at), v = load_vector<Width>(x + place.at);
    for (int k = 0; k < Width; ++k) total += g[k] * (v[k] - mean);
  });
  if (thread_number() != 0) return;
  to += (int64_t{blockIdx.x} - channel) * 2;
  to[channel] = gradients / m;
  to[s.c + channel] = products / m / (p.variance[channel] + static_cast<float>(p.eps));
}

template <int Width>
LOUPE_KERNEL batch_norm_training_vjp_input_kernel(Cells vectors, Divider by_map, Parameters p,
                                                  const float* constant, const float* slope, const float* x,
                                                  const float* gy, float* gx, int64_t image) {
  int64_t b;
  int vector;
  if (!vectors.find(b, vector)) return;
  const int channel = by_map.quotient(vector);
  const float scale = p.weight[channel] / sqrtf(p.variance[channel] + static_cast<float>(p.eps));
  const float mean = p.mean[channel], down = constant[channel], tilt = slope[channel];
  const int64_t at = b * image + int64_t{vector} * Width;
  auto g = load_vector<Width>(gy + at);
  const auto v = load_vector<Width>(x + at);
  for (int i = 0; i < Width; ++i) g[i] = scale * (g[i] - down - (v[i] - mean) * tilt);
  store_vector(gx + at, g);
}

}  // namespace

void batch_norm_variance(Stream stream, Parts parts, const float* x, const float* mean, float* variance,
                         int64_t c, float* scratch) {
  const int width = parts.pixels % 4 == 0 ? 4 : 1;
  in_parts(stream, parts, c, variance, scratch, [&](int64_t first, int64_t count, float* to) {
    const ChannelSums s(parts, first, c, width);
    launch(s.launch_in(stream, count),
           width == 4 ? batch_norm_variance_kernel<4> : batch_norm_variance_kernel<1>, s, x, mean, to);
  });
}

void batch_norm_training_vjp_input(Stream stream, Parts parts, BatchNormParameters<float> p, const float* x,
                                   const float* gy, float* gx, int64_t c, float* sums, float* scratch) {
  const int width = parts.pixels % 4 == 0 ? 4 : 1;
  in_parts(stream, parts, 2 * c, sums, scratch, [&](int64_t first, int64_t count, float* to) {
    const ChannelSums s(parts, first, c, width);
    launch(s.launch_in(stream, count),
           width == 4 ? batch_norm_training_sums_kernel<4> : batch_norm_training_sums_kernel<1>, s, p, x, gy,
           to);
  });
  const Cells vectors(parts.images, c * parts.pixels / width);
  launch(vectors.launch_in(stream),
         width == 4 ? batch_norm_training_vjp_input_kernel<4> : batch_norm_training_vjp_input_kernel<1>,
         vectors, Divider(parts.pixels / width), p, sums, sums + c, x, gy, gx, c * parts.pixels);
}

LOUPE_EXPORT(batch_norm_variance);
LOUPE_EXPORT(batch_norm_training_vjp_input);

}  // namespace loupe::LOUPE_TARGET
