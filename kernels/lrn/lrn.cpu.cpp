// Local response normalisation on the CPU, a pixel at a time: its channels' squares are laid side by side
// with zeros at both ends, so that the window of 16 channels, whichever blocks it crosses, is a sum of
// unaligned loads.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/lrn/lrn.cpu.cpp"
#include <algorithm>
#include <cmath>
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set

#include "hwy/highway.h"
#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"
#include "kernels/lrn/lrn.h"

// What does not depend on the instruction set.
#ifndef LOUPE_LRN_SHAPES
#define LOUPE_LRN_SHAPES
namespace loupe::cpu {
namespace {

// Channels before and after; absent channels count 0, so wider windows than this are no different.
struct Reach {
  int64_t before, after;
  Reach(int64_t size, int64_t c) : before(std::min(size / 2, c)), after(std::min((size - 1) / 2, c)) {}
  int64_t length() const { return before + 1 + after; }
};

// One task's two lines: the squares, and the terms of the vjp's sum.
int64_t line_floats(int64_t size, int64_t c) {
  const Reach reach(size, c);
  return round_up(blocks(c) * kBlock + reach.before + reach.after, kBlock);
}

}  // namespace
}  // namespace loupe::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

HWY_INLINE Block divide(const Block& a, const Block& b) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Div(a.v[i], b.v[i]);
  return r;
}

// d^beta. The usual 0.75 is two square roots, which every instruction set rounds alike; others go through the
// C library.
HWY_INLINE Block power(const Block& d, float beta) {
  Block r;
  if (beta == 0.75f) {
    for (int i = 0; i < kVectors; ++i) {
      const Vec root = hn::Sqrt(d.v[i]);
      r.v[i] = hn::Mul(root, hn::Sqrt(root));
    }
    return r;
  }
  float lanes[kBlock];
  store(d, lanes);
  for (float& lane : lanes) lane = std::pow(lane, beta);
  return load(lanes);
}

HWY_INLINE Block window_sum(const float* line, int64_t length) {
  Block sum = load(line);
  for (int64_t i = 1; i < length; ++i) sum = add(sum, load(line + i));
  return sum;
}

// Pixels [begin, end) of an image. x, y: (channel blocks, pixels, 16) of it; line: line_floats().
void LrnPixels(const Lrn& a, int64_t c, int64_t pixels, int64_t begin, int64_t end, const float* x, float* y,
               float* line) {
  const cpu::Reach reach(a.size, c);
  const int64_t all = blocks(c), step = pixels * kBlock;
  const Block k = fill(static_cast<float>(a.k));
  const Block factor = fill(static_cast<float>(a.alpha / static_cast<double>(a.size)));
  const auto beta = static_cast<float>(a.beta);
  std::fill(line, line + cpu::line_floats(a.size, c), 0.0f);
  for (int64_t p = begin; p < end; ++p) {
    const float* xp = x + p * kBlock;
    float* yp = y + p * kBlock;
    for (int64_t b = 0; b < all; ++b) {
      const Block v = load(xp + b * step);
      store(mul(v, v), line + reach.before + b * kBlock);
    }
    for (int64_t b = 0; b < all; ++b) {
      const Block d = fma(factor, window_sum(line + b * kBlock, reach.length()), k);
      store(divide(load(xp + b * step), power(d, beta)), yp + b * step);
    }
  }
}

void LrnVjpPixels(const Lrn& a, int64_t c, int64_t pixels, int64_t begin, int64_t end, const float* x,
                  const float* gy, float* gx, float* line) {
  const cpu::Reach reach(a.size, c);
  const int64_t all = blocks(c), step = pixels * kBlock;
  const Block k = fill(static_cast<float>(a.k));
  const Block factor = fill(static_cast<float>(a.alpha / static_cast<double>(a.size)));
  const Block back = fill(static_cast<float>(-2 * a.alpha * a.beta / static_cast<double>(a.size)));
  const auto beta = static_cast<float>(a.beta);
  float* terms = line + cpu::line_floats(a.size, c);  // gy·x / d^(beta+1); its windows are mirrored
  std::fill(line, line + 2 * cpu::line_floats(a.size, c), 0.0f);
  for (int64_t p = begin; p < end; ++p) {
    const float* xp = x + p * kBlock;
    const float* gp = gy + p * kBlock;
    float* to = gx + p * kBlock;
    for (int64_t b = 0; b < all; ++b) {
      const Block v = load(xp + b * step);
      store(mul(v, v), line + reach.before + b * kBlock);
    }
    for (int64_t b = 0; b < all; ++b) {
      const Block d = fma(factor, window_sum(line + b * kBlock, reach.length()), k);
      const Block direct = divide(load(gp + b * step), power(d, beta));
      store(direct, to + b * step);
      store(divide(mul(direct, load(xp + b * step)), d), terms + reach.after + b * kBlock);
    }
    for (int64_t b = 0; b < all; ++b) {
      const Block through = window_sum(terms + b * kBlock, reach.length());
      store(fma(mul(back, load(xp + b * step)), through, load(to + b * step)), to + b * step);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(LrnPixels);
HWY_EXPORT(LrnVjpPixels);

namespace {

constexpr int64_t kPieces = 64;  // of an image: tasks, each with lines of its own in the workspace

// Calls body(image, begin, end, lines) for the pieces of the images, an image after the other.
template <typename Body>
void for_each_piece(int64_t size, int64_t n, int64_t c, int64_t pixels, float* workspace, const Body& body) {
  const int64_t length = 2 * line_floats(size, c), pieces = std::min(kPieces, pixels);
  for (int64_t i = 0; i < n; ++i)
    parallel_for(pieces, [&](int64_t piece) {
      body(i * blocks(c) * pixels * kBlock, pixels * piece / pieces, pixels * (piece + 1) / pieces,
           workspace + piece * length);
    });
}

}  // namespace

int64_t lrn_workspace(int64_t size, int64_t c) { return kPieces * 2 * line_floats(size, c); }

void lrn(const Lrn& a, const float* x, float* y, float* workspace, int64_t n, int64_t c, int64_t pixels) {
  const auto run = HWY_DYNAMIC_DISPATCH(LrnPixels);
  for_each_piece(a.size, n, c, pixels, workspace,
                 [&](int64_t image, int64_t begin, int64_t end, float* lines) {
                   run(a, c, pixels, begin, end, x + image, y + image, lines);
                 });
}

void lrn_vjp(const Lrn& a, const float* x, const float* gy, float* gx, float* workspace, int64_t n, int64_t c,
             int64_t pixels) {
  const auto run = HWY_DYNAMIC_DISPATCH(LrnVjpPixels);
  for_each_piece(a.size, n, c, pixels, workspace,
                 [&](int64_t image, int64_t begin, int64_t end, float* lines) {
                   run(a, c, pixels, begin, end, x + image, gy + image, gx + image, lines);
                 });
}

}  // namespace loupe::cpu
#endif
