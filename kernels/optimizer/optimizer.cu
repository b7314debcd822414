// Optimiser steps and sums of squares on a GPU: 16 bytes a thread and array, in strides of the whole grid.
// Sums are in double and in a fixed order: a thread's elements, the lanes of a warp, the warps of a block; a
// second kernel of one block adds up what the blocks of the first have left.
//
// Floor: sgd reads 12 bytes an element and writes 8, adamw 16 and 12, a sum of squares reads 4.
#include "kernels/optimizer/optimizer.h"

#include <algorithm>

#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kThreads = 256, kWidth = 4;
constexpr int64_t kMostBlocks = kNormWorkspaceBytes / (2 * sizeof(double));

unsigned blocks_of(int64_t n) {
  return static_cast<unsigned>(std::min<int64_t>(blocks_for(n, kThreads * kWidth), kMostBlocks));
}

/// Calls body(i, width) for the thread's elements, four at a time and the last ones of all singly.
template <typename Body>
LOUPE_DEVICE void for_own(int64_t n, const Body& body) {
  const int64_t stride = int64_t{gridDim.x} * kThreads * kWidth;
  for (int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * kWidth; i < n; i += stride) {
    if (i + kWidth <= n)
      body(i, std::integral_constant<int, kWidth>());
    else
      for (int64_t k = i; k < n; ++k) body(k, std::integral_constant<int, 1>());
  }
}

/// The block's sum. Each `Which` at most once in a kernel.
template <int Which>
LOUPE_DEVICE double block_sum(double value) {
  struct Parts {
    double of_warp[kThreads / kWarp];
  };
  auto& part = shared_storage<Parts>().of_warp;
  value = warp_sum(value);
  if (lane_id() == 0) part[warp_id()] = value;
  sync_threads();
  value = 0;
  for (int i = 0; i < kThreads / kWarp; ++i) value += part[i];
  return value;
}

LOUPE_DEVICE void add_square(double& sum, float x) { sum += double{x} * double{x}; }

// The new weights of up to four elements from i on.
struct Sgd {
  SgdFactors<float> f;
  float* v_;
  template <int Width>
  LOUPE_DEVICE Vector<float, Width> operator()(int64_t i, Vector<float, Width> w,
                                               const Vector<float, Width>& g) const {
    auto v = load_vector<Width>(v_ + i);
    for (int k = 0; k < Width; ++k) {
      const float d = f.scale * g[k] + f.decay * w[k];
      v[k] = f.momentum * v[k] + d;
      w[k] -= f.rate * (f.nesterov ? d + f.momentum * v[k] : v[k]);
    }
    store_vector(v_ + i, v);
    return w;
  }
};

struct Adamw {
  AdamwFactors<float> f;
  float *m_, *v_;
  template <int Width>
  LOUPE_DEVICE Vector<float, Width> operator()(int64_t i, Vector<float, Width> w,
                                               const Vector<float, Width>& g) const {
    auto m = load_vector<Width>(m_ + i), v = load_vector<Width>(v_ + i);
    for (int k = 0; k < Width; ++k) {
      const float scaled = f.scale * g[k];
      m[k] = f.beta1 * m[k] + f.rest1 * scaled;
      v[k] = f.beta2 * v[k] + f.rest2 * (scaled * scaled);
      w[k] -= f.decay * w[k] + f.step * m[k] / (sqrtf(v[k]) * f.root + f.eps);
    }
    store_vector(m_ + i, m);
    store_vector(v_ + i, v);
    return w;
  }
};

// partial: (2, blocks), Σ(Δw)² and Σw² of each block; or null.
template <typename Step>
LOUPE_KERNEL step_kernel(Step step, int64_t n, float* w, const float* g, double* partial) {
  double moved = 0, size = 0;
  for_own(n, [&](int64_t i, auto width) {
    const auto before = load_vector<width()>(w + i);
    const auto after = step(i, before, load_vector<width()>(g + i));
    store_vector(w + i, after);
    for (int k = 0; k < width(); ++k) {
      add_square(moved, after[k] - before[k]);
      add_square(size, after[k]);
    }
  });
  if (!partial) return;
  moved = block_sum<0>(moved);
  size = block_sum<1>(size);
  if (threadIdx.x != 0) return;
  partial[blockIdx.x] = moved;
  partial[gridDim.x + blockIdx.x] = size;
}

// partial: one number a block.
LOUPE_KERNEL squares_kernel(int64_t n, const float* x, double* partial) {
  double sum = 0;
  for_own(n, [&](int64_t i, auto width) {
    const auto v = load_vector<width()>(x + i);
    for (int k = 0; k < width(); ++k) add_square(sum, v[k]);
  });
  sum = block_sum<0>(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// A block adds up one row of partial, (gridDim.x, count).
LOUPE_KERNEL total_kernel(int count, const double* partial, double* sums) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads)
    sum += partial[int64_t{blockIdx.x} * count + i];
  sum = block_sum<0>(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

template <typename Step>
void run(Stream stream, const Step& step, int64_t n, float* w, const float* g, double* squares,
         double* partial) {
  const unsigned blocks = blocks_of(n);
  launch({{blocks}, {kThreads}, 0, stream}, step_kernel<Step>, step, n, w, g, squares ? partial : nullptr);
  if (squares) launch({{2}, {kThreads}, 0, stream}, total_kernel, static_cast<int>(blocks), partial, squares);
}

}  // namespace

void sgd_step(Stream stream, SgdFactors<float> f, int64_t n, float* w, const float* g, float* v,
              double* squares, double* partial) {
  run(stream, Sgd{f, v}, n, w, g, squares, partial);
}
void adamw_step(Stream stream, AdamwFactors<float> f, int64_t n, float* w, const float* g, float* m, float* v,
                double* squares, double* partial) {
  run(stream, Adamw{f, m, v}, n, w, g, squares, partial);
}
void sum_of_squares(Stream stream, int64_t n, const float* x, double* sum, double* partial) {
  const unsigned blocks = blocks_of(n);
  launch({{blocks}, {kThreads}, 0, stream}, squares_kernel, n, x, partial);
  launch({{1}, {kThreads}, 0, stream}, total_kernel, static_cast<int>(blocks), partial, sum);
}

LOUPE_EXPORT(sgd_step);
LOUPE_EXPORT(adamw_step);
LOUPE_EXPORT(sum_of_squares);

}  // namespace loupe::LOUPE_TARGET
