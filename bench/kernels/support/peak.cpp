// How fast this machine multiplies and copies, measured at the start of a bench.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/kernels/support/peak.cpp"
#include "hwy/foreach_target.h"  // compiles the peak's loop once for each instruction set
#include "hwy/highway.h"
#include "kernels/common/block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

// Independent sums: enough to hide the latency of an addition, few enough for the registers.
constexpr int kSums = kVectors == 1 ? 14 : kVectors == 2 ? 6 : 2;

// `rounds` · kSums · 16 multiply-accumulates.
float Multiply(int64_t rounds) {
  Block sum[kSums];
  const Block factor = fill(0.5f), term = fill(1.0f);
#pragma GCC unroll 16
  for (int i = 0; i < kSums; ++i) sum[i] = fill(static_cast<float>(i));
  for (int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) sum[i] = fma(sum[i], factor, term);
  Block total = sum[0];
  for (int i = 1; i < kSums; ++i) total = add(total, sum[i]);
  float lanes[kBlock];
  store(total, lanes);
  return lanes[0];
}
int64_t SumsOfMultiply() { return kSums; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

#include "bench/kernels/support/call.h"
#include "kernels/common/parallel.h"

namespace loupe {
HWY_EXPORT(Multiply);
HWY_EXPORT(SumsOfMultiply);

// The best of a few short runs.
double fma_peak() {
  static const double peak = [] {
    constexpr int64_t kRounds = 2'000'000;
    double best = 0;
    for (int repeat = 0; repeat < 5; ++repeat) {
      const auto start = std::chrono::steady_clock::now();
      parallel_for(max_threads(),
                   [](int64_t) { benchmark::DoNotOptimize(HWY_DYNAMIC_DISPATCH(Multiply)(kRounds)); });
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      const int64_t macs = kRounds * HWY_DYNAMIC_DISPATCH(SumsOfMultiply)() * kBlock * max_threads();
      best = std::max(best, 2.0 * static_cast<double>(macs) / seconds.count());
    }
    return best;
  }();
  return peak;
}

double copy_bandwidth() {
  static const double bandwidth = [] {
    constexpr int64_t kBytes = int64_t{1} << 27, kPiece = int64_t{1} << 16;
    const Buffer from(kBytes), to(kBytes);
    double best = 0;
    for (int repeat = 0; repeat < 5; ++repeat) {
      const auto start = std::chrono::steady_clock::now();
      parallel_for(kBytes / kPiece, [&](int64_t i) {
        std::copy_n(from.as<float>() + i * kPiece / 4, kPiece / 4, to.as<float>() + i * kPiece / 4);
      });
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      best = std::max(best, 2.0 * kBytes / seconds.count());
    }
    return best;
  }();
  return bandwidth;
}

}  // namespace loupe
#endif
