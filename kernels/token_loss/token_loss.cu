// token_loss on a GPU: a warp takes a row, its lanes every 32nd class, and exchanges maximum and sum. Lanes are added
// up in a fixed order.
//
// Floor: 4 bytes read a class, and 4 written by the vjp. A row is read again from the L1 cache.
#include "kernels/token_loss/token_loss.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWarps = 8;  // of a block, a row each

LOUPE_DEVICE int64_t row_of_warp() { return int64_t{blockIdx.x} * kWarps + warp_id(); }

// m and S of a row of logits, in every lane.
struct Exponentials {
  float max = minus_infinity(), sum = 0;
  LOUPE_DEVICE Exponentials(const float* z, int c) {
    for (int k = lane_id(); k < c; k += kWarp) max = max_nan(z[k], max);
    max = warp_max(max);
    for (int k = lane_id(); k < c; k += kWarp) sum += expf(z[k] - max);
    sum = warp_sum(sum);
  }
};

LOUPE_DEVICE float not_a_number() { return minus_infinity() - minus_infinity(); }

LOUPE_KERNEL token_loss_kernel(const float* z, const int32_t* t, float* loss, int64_t rows, int c) {
  const int64_t i = row_of_warp();
  if (i >= rows) return;
  z += i * c;
  const Exponentials e(z, c);
  const int right = t[i];
  if (lane_id() == 0) loss[i] = right < 0 || right >= c ? not_a_number() : (e.max - z[right]) + logf(e.sum);
}

LOUPE_KERNEL token_loss_vjp_kernel(const float* z, const int32_t* t, const float* g, float* gz, int64_t rows,
                                   int c) {
  const int64_t i = row_of_warp();
  if (i >= rows) return;
  z += i * c;
  gz += i * c;
  const Exponentials e(z, c);
  const int right = t[i];
  const float own = right < 0 || right >= c ? not_a_number() : g[i];
  for (int k = lane_id(); k < c; k += kWarp)
    gz[k] = own * (expf(z[k] - e.max) / e.sum - (k == right ? 1.0f : 0.0f));
}

Launch over_rows(Stream stream, int64_t rows) {
  return {{blocks_for(rows, kWarps)}, {kWarp * kWarps}, 0, stream};
}

}  // namespace

void token_loss(Stream stream, const float* z, const int32_t* t, float* loss, int64_t rows, int64_t classes) {
  launch(over_rows(stream, rows), token_loss_kernel, z, t, loss, rows, small(classes));
}
void token_loss_vjp(Stream stream, const float* z, const int32_t* t, const float* g, float* gz, int64_t rows,
                    int64_t classes) {
  launch(over_rows(stream, rows), token_loss_vjp_kernel, z, t, g, gz, rows, small(classes));
}

LOUPE_EXPORT(token_loss);
LOUPE_EXPORT(token_loss_vjp);

}  // namespace loupe::LOUPE_TARGET
