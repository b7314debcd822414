// Batch norm on a GPU: one pass over the maps, 16 bytes a thread where a map is whole vectors. The sums of
// the parameters' vjps belong to a block a channel; as many of its threads work on one image as a map has
// vectors, and the block's sums are added in a fixed order.
//
// Floor: 4 bytes read and 4 written an element; the vjp of the bias reads 4, that of the weight 8.
#include "kernels/batch_norm/batch_norm.h"

#include "kernels/batch_norm/channel_sum.h"
#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"

namespace loupe::LOUPE_TARGET {

namespace {

using Parameters = BatchNormParameters<float>;

LOUPE_DEVICE float deviation(const Parameters& p, int channel) {
  return sqrtf(p.variance[channel] + static_cast<float>(p.eps));
}

template <int Width>
LOUPE_KERNEL batch_norm_kernel(Cells vectors, Divider by_map, Parameters p, const float* x, float* y,
                               int64_t image) {
  int64_t b;
  int vector;
  if (!vectors.find(b, vector)) return;
  const int channel = by_map.quotient(vector);
  const float scale = p.weight[channel] / deviation(p, channel), mean = p.mean[channel],
              bias = p.bias[channel];
  const int64_t at = b * image + int64_t{vector} * Width;
  auto v = load_vector<Width>(x + at);
  for (int i = 0; i < Width; ++i) v[i] = (v[i] - mean) * scale + bias;
  store_vector(y + at, v);
}

template <int Width>
LOUPE_KERNEL batch_norm_vjp_input_kernel(Cells vectors, Divider by_map, Parameters p, const float* gy,
                                         float* gx, int64_t image) {
  int64_t b;
  int vector;
  if (!vectors.find(b, vector)) return;
  const int channel = by_map.quotient(vector);
  const float scale = p.weight[channel] / deviation(p, channel);
  const int64_t at = b * image + int64_t{vector} * Width;
  auto v = load_vector<Width>(gy + at);
  for (int i = 0; i < Width; ++i) v[i] *= scale;
  store_vector(gx + at, v);
}

template <int Width>
LOUPE_KERNEL batch_norm_vjp_weight_kernel(Parameters p, const float* x, const float* gy, float* g_weight,
                                          int64_t n, int64_t c, int pixels, int team) {
  const int channel = static_cast<int>(blockIdx.x);
  const float mean = p.mean[channel];
  const float sum = channel_sum<Width>(n, c, pixels, team, [&](float& total, int64_t i) {
    const auto g = load_vector<Width>(gy + i), v = load_vector<Width>(x + i);
    for (int k = 0; k < Width; ++k) total += g[k] * (v[k] - mean);
  });
  if (threadIdx.x == 0) g_weight[channel] = sum / deviation(p, channel);
}

template <int Width>
LOUPE_KERNEL batch_norm_vjp_bias_kernel(const float* gy, float* g_bias, int64_t n, int64_t c, int pixels,
                                        int team) {
  const float sum = channel_sum<Width>(n, c, pixels, team, [&](float& total, int64_t i) {
    const auto g = load_vector<Width>(gy + i);
    for (int k = 0; k < Width; ++k) total += g[k];
  });
  if (threadIdx.x == 0) g_bias[blockIdx.x] = sum;
}

}  // namespace

void batch_norm(Stream stream, BatchNormParameters<float> p, const float* x, float* y, int64_t n, int64_t c,
                int64_t pixels) {
  const int width = pixels % 4 == 0 ? 4 : 1;
  const Cells vectors(n, c * pixels / width);
  launch(vectors.launch_in(stream), width == 4 ? batch_norm_kernel<4> : batch_norm_kernel<1>, vectors,
         Divider(pixels / width), p, x, y, c * pixels);
}

void batch_norm_vjp_input(Stream stream, BatchNormParameters<float> p, const float* gy, float* gx, int64_t n,
                          int64_t c, int64_t pixels) {
  const int width = pixels % 4 == 0 ? 4 : 1;
  const Cells vectors(n, c * pixels / width);
  launch(vectors.launch_in(stream),
         width == 4 ? batch_norm_vjp_input_kernel<4> : batch_norm_vjp_input_kernel<1>, vectors,
         Divider(pixels / width), p, gy, gx, c * pixels);
}

void batch_norm_vjp_weight(Stream stream, BatchNormParameters<float> p, const float* x, const float* gy,
                           float* g_weight, int64_t n, int64_t c, int64_t pixels) {
  const int width = pixels % 4 == 0 ? 4 : 1;
  launch({{blocks_for(c, 1)}, {kChannelThreads}, 0, stream},
         width == 4 ? batch_norm_vjp_weight_kernel<4> : batch_norm_vjp_weight_kernel<1>, p, x, gy, g_weight,
         n, c, small(pixels), team_for(pixels / width));
}

void batch_norm_vjp_bias(Stream stream, const float* gy, float* g_bias, int64_t n, int64_t c,
                         int64_t pixels) {
  const int width = pixels % 4 == 0 ? 4 : 1;
  launch({{blocks_for(c, 1)}, {kChannelThreads}, 0, stream},
         width == 4 ? batch_norm_vjp_bias_kernel<4> : batch_norm_vjp_bias_kernel<1>, gy, g_bias, n, c,
         small(pixels), team_for(pixels / width));
}

LOUPE_EXPORT(batch_norm);
LOUPE_EXPORT(batch_norm_vjp_input);
LOUPE_EXPORT(batch_norm_vjp_weight);
LOUPE_EXPORT(batch_norm_vjp_bias);

}  // namespace loupe::LOUPE_TARGET
