// Batch norm on a GPU: one pass over the maps, 16 bytes a thread where a map is whole vectors. The weight's
// vjp is sums of channels, in parts (reduce/sums.h); the bias' vjp is channel_sums.
//
// Floor: 4 bytes read and 4 written an element; the vjp of the bias reads 4, that of the weight 8.
#include "kernels/batch_norm/batch_norm.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/reduce/sums.h"

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
LOUPE_KERNEL batch_norm_vjp_weight_kernel(ChannelSums s, Parameters p, const float* x, const float* gy,
                                          float* to) {
  const int channel = s.channel();
  const float mean = p.mean[channel];
  const float sum = s.sum<Width>([&](float& total, const auto& place) {
    const auto g = load_vector<Width>(gy + place.at), v = load_vector<Width>(x + place.at);
    for (int k = 0; k < Width; ++k) total += g[k] * (v[k] - mean);
  });
  if (thread_number() == 0) to[blockIdx.x] = sum / deviation(p, channel);
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

void batch_norm_vjp_weight(Stream stream, Parts parts, BatchNormParameters<float> p, const float* x,
                           const float* gy, float* g_weight, int64_t c, float* scratch) {
  const int width = parts.pixels % 4 == 0 ? 4 : 1;
  in_parts(stream, parts, c, g_weight, scratch, [&](int64_t first, int64_t count, float* to) {
    const ChannelSums s(parts, first, c, width);
    launch(s.launch_in(stream, count),
           width == 4 ? batch_norm_vjp_weight_kernel<4> : batch_norm_vjp_weight_kernel<1>, s, p, x, gy, to);
  });
}

LOUPE_EXPORT(batch_norm);
LOUPE_EXPORT(batch_norm_vjp_input);
LOUPE_EXPORT(batch_norm_vjp_weight);

}  // namespace loupe::LOUPE_TARGET
