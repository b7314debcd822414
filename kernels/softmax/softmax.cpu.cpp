// softmax on the CPU: a network has one, over a thousand numbers (some 10 µs), so it is plain C++: the C
// library's exp in float (within 1 ulp), its sum in double and in the order of the channels. There is no code
// for each instruction set, so AVX2 and AVX-512 agree without further care.
#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "kernels/softmax/softmax.h"

namespace loupe::cpu {

namespace {

// The channels of one pixel: channel k is at[k/16 · 16 · pixels + k%16].
struct Channels {
  int64_t c, pixels;
  int64_t start(int64_t pixel) const {
    return (pixel / pixels * blocks(c) * pixels + pixel % pixels) * kBlock;
  }
  int64_t at(int64_t k) const { return k / kBlock * pixels * kBlock + k % kBlock; }
  void clear_padding(float* y) const {
    for (int64_t k = c; k < round_up(c, kBlock); ++k) y[at(k)] = 0;
  }
};

}  // namespace

void softmax(bool log, const float* x, float* y, int64_t n, int64_t c, int64_t pixels) {
  const Channels channels{c, pixels};
  parallel_for(n * pixels, [=](int64_t i) {
    const float* xi = x + channels.start(i);
    float* yi = y + channels.start(i);
    float max = xi[0];
    for (int64_t k = 1; k < c; ++k) max = std::max(max, xi[channels.at(k)]);
    double sum = 0;
    for (int64_t k = 0; k < c; ++k) {
      const int64_t at = channels.at(k);
      const float e = std::exp(xi[at] - max);
      sum += e;
      yi[at] = log ? xi[at] : e;
    }
    const double log_sum = log ? max + std::log(sum) : 0;
    for (int64_t k = 0; k < c; ++k) {
      float& v = yi[channels.at(k)];
      v = static_cast<float>(log ? v - log_sum : v / sum);
    }
    channels.clear_padding(yi);
  });
}

void softmax_vjp(bool log, const float* y, const float* gy, float* gx, int64_t n, int64_t c, int64_t pixels) {
  const Channels channels{c, pixels};
  parallel_for(n * pixels, [=](int64_t i) {
    const float *yi = y + channels.start(i), *gi = gy + channels.start(i);
    float* out = gx + channels.start(i);
    double sum = 0;
    for (int64_t k = 0; k < c; ++k) {
      const int64_t at = channels.at(k);
      sum += log ? double{gi[at]} : double{gi[at]} * yi[at];
    }
    for (int64_t k = 0; k < c; ++k) {
      const int64_t at = channels.at(k);
      out[at] = static_cast<float>(log ? gi[at] - std::exp(yi[at]) * sum : yi[at] * (gi[at] - sum));
    }
    channels.clear_padding(out);
  });
}

}  // namespace loupe::cpu
