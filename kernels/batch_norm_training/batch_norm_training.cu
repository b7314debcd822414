// Batch statistics on a GPU: a block a channel reads it for the mean, then again for the squared differences
// from it, so that nothing cancels. The vjp to the input sums in the same way, then passes over the maps.
//
// Floor: the statistics read 4 bytes an element; the vjp reads 8, then 8 again, and writes 4.
#include "kernels/batch_norm_training/batch_norm_training.h"

#include "kernels/batch_norm/channel_sum.h"
#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"

namespace loupe::LOUPE_TARGET {

namespace {

using Parameters = BatchNormParameters<float>;

template <int Width>
LOUPE_KERNEL batch_norm_statistics_kernel(const float* x, float* mean, float* variance, int64_t n, int64_t c,
                                          int pixels, int team) {
  const auto m = static_cast<float>(n * pixels);
  const float middle = channel_sum<Width>(n, c, pixels, team,
                                          [&](float& total, int64_t i) {
                                            const auto v = load_vector<Width>(x + i);
                                            for (int k = 0; k < Width; ++k) total += v[k];
                                          }) /
                       m;
  const float squares = channel_sum<Width>(n, c, pixels, team, [&](float& total, int64_t i) {
    const auto v = load_vector<Width>(x + i);
    for (int k = 0; k < Width; ++k) total += (v[k] - middle) * (v[k] - middle);
  });
  if (threadIdx.x != 0) return;
  mean[blockIdx.x] = middle;
  variance[blockIdx.x] = squares / m;
}

// constant[channel] = Σ gy / m, slope[channel] = Σ gy·(x − mean) / (m·(variance + eps)).
template <int Width>
LOUPE_KERNEL batch_norm_training_sums_kernel(Parameters p, const float* x, const float* gy, float* constant,
                                             float* slope, int64_t n, int64_t c, int pixels, int team) {
  const int channel = static_cast<int>(blockIdx.x);
  const float mean = p.mean[channel];
  const auto m = static_cast<float>(n * pixels);
  const float gradients = channel_sum<Width>(n, c, pixels, team, [&](float& total, int64_t i) {
    const auto g = load_vector<Width>(gy + i);
    for (int k = 0; k < Width; ++k) total += g[k];
  });
  const float products = channel_sum<Width>(n, c, pixels, team, [&](float& total, int64_t i) {
    const auto g = load_vector<Width>(gy + i), v = load_vector<Width>(x + i);
    for (int k = 0; k < Width; ++k) total += g[k] * (v[k] - mean);
  });
  if (threadIdx.x != 0) return;
  constant[channel] = gradients / m;
  slope[channel] = products / m / (p.variance[channel] + static_cast<float>(p.eps));
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

void batch_norm_statistics(Stream stream, const float* x, float* mean, float* variance, int64_t n, int64_t c,
                           int64_t pixels) {
  const int width = pixels % 4 == 0 ? 4 : 1;
  launch({{blocks_for(c, 1)}, {kChannelThreads}, 0, stream},
         width == 4 ? batch_norm_statistics_kernel<4> : batch_norm_statistics_kernel<1>, x, mean, variance, n,
         c, small(pixels), team_for(pixels / width));
}

void batch_norm_training_vjp_input(Stream stream, BatchNormParameters<float> p, const float* x,
                                   const float* gy, float* gx, int64_t n, int64_t c, int64_t pixels,
                                   float* scratch) {
  const int width = pixels % 4 == 0 ? 4 : 1;
  launch({{blocks_for(c, 1)}, {kChannelThreads}, 0, stream},
         width == 4 ? batch_norm_training_sums_kernel<4> : batch_norm_training_sums_kernel<1>, p, x, gy,
         scratch, scratch + c, n, c, small(pixels), team_for(pixels / width));
  const Cells vectors(n, c * pixels / width);
  launch(vectors.launch_in(stream),
         width == 4 ? batch_norm_training_vjp_input_kernel<4> : batch_norm_training_vjp_input_kernel<1>,
         vectors, Divider(pixels / width), p, scratch, scratch + c, x, gy, gx, c * pixels);
}

LOUPE_EXPORT(batch_norm_statistics);
LOUPE_EXPORT(batch_norm_training_vjp_input);

}  // namespace loupe::LOUPE_TARGET
