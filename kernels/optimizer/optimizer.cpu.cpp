// Optimiser steps on the CPU: one pass over the arrays, memory bound: sgd reads 12 bytes an element and
// writes 8, adamw 16 and 12. Threads take pieces whose size follows from n alone; within one, 16 sums in
// double side by side, whatever the instruction set, and then pieces in their order.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/optimizer/optimizer.cpu.cpp"
#include "kernels/optimizer/optimizer.h"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set
#include "hwy/highway.h"
#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"

#ifndef LOUPE_OPTIMIZER_SQUARES
#define LOUPE_OPTIMIZER_SQUARES
namespace loupe::cpu {
struct Squares {
  double moved, size;
};
}  // namespace loupe::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {  // without it, other files' functions of the same name would merge with these

using Double = hn::CappedTag<double, 8>;
constexpr int kDoubles = static_cast<int>(hn::MaxLanes(Double()));

// Σx² of groups of 16; sum k takes every element k of a group.
class Sum16 {
 public:
  Sum16() {
    for (auto& s : sums_) s = hn::Zero(Double());
  }
  HWY_INLINE void add(const float* x) {
    const hn::Rebind<float, Double> half;
    for (int i = 0; i < kBlock / kDoubles; ++i) {
      const auto v = hn::PromoteTo(Double(), hn::LoadU(half, x + i * kDoubles));
      sums_[i] = hn::MulAdd(v, v, sums_[i]);  // v² is exact in double: fused or not is the same
    }
  }
  double total() const {
    double each[kBlock], sum = 0;
    for (int i = 0; i < kBlock / kDoubles; ++i) hn::StoreU(sums_[i], Double(), each + i * kDoubles);
    for (const double x : each) sum += x;
    return sum;
  }

 private:
  hn::Vec<Double> sums_[kBlock / kDoubles];
};

// 16 elements of as many arrays as a step has; what is past the end of the last group is zero, and stays so.
struct Sgd {
  static constexpr int kArrays = 3;  // w, g, v
  SgdFactors<float> f;
  HWY_INLINE void operator()(float* const* a) const {
    const Vec scale = hn::Set(D(), f.scale), rate = hn::Set(D(), f.rate), momentum = hn::Set(D(), f.momentum),
              decay = hn::Set(D(), f.decay);
    for (int i = 0; i < kBlock; i += kLanes) {
      const Vec w = hn::LoadU(D(), a[0] + i), g = hn::LoadU(D(), a[1] + i), v0 = hn::LoadU(D(), a[2] + i);
      const Vec d = hn::Add(hn::Mul(scale, g), hn::Mul(decay, w));
      const Vec v = hn::Add(hn::Mul(momentum, v0), d);
      const Vec direction = f.nesterov ? hn::Add(d, hn::Mul(momentum, v)) : v;
      hn::StoreU(v, D(), a[2] + i);
      hn::StoreU(hn::Sub(w, hn::Mul(rate, direction)), D(), a[0] + i);
    }
  }
};

struct Adamw {
  static constexpr int kArrays = 4;  // w, g, m, v
  AdamwFactors<float> f;
  HWY_INLINE void operator()(float* const* a) const {
    const Vec scale = hn::Set(D(), f.scale), beta1 = hn::Set(D(), f.beta1), rest1 = hn::Set(D(), f.rest1),
              beta2 = hn::Set(D(), f.beta2), rest2 = hn::Set(D(), f.rest2), decay = hn::Set(D(), f.decay),
              step = hn::Set(D(), f.step), root = hn::Set(D(), f.root), eps = hn::Set(D(), f.eps);
    for (int i = 0; i < kBlock; i += kLanes) {
      const Vec w = hn::LoadU(D(), a[0] + i), g = hn::Mul(scale, hn::LoadU(D(), a[1] + i));
      const Vec m = hn::Add(hn::Mul(beta1, hn::LoadU(D(), a[2] + i)), hn::Mul(rest1, g));
      const Vec v = hn::Add(hn::Mul(beta2, hn::LoadU(D(), a[3] + i)), hn::Mul(rest2, hn::Mul(g, g)));
      const Vec denominator = hn::Add(hn::Mul(hn::Sqrt(v), root), eps);
      const Vec move = hn::Add(hn::Mul(decay, w), hn::Div(hn::Mul(step, m), denominator));
      hn::StoreU(m, D(), a[2] + i);
      hn::StoreU(v, D(), a[3] + i);
      hn::StoreU(hn::Sub(w, move), D(), a[0] + i);
    }
  }
};

template <typename Step>
cpu::Squares step_piece(const Step& step, float* const* arrays, int64_t begin, int64_t end) {
  Sum16 moved, size;
  const auto group = [&](float* const* at) {
    float before[kBlock], move[kBlock];
    std::memcpy(before, at[0], sizeof before);
    step(at);
    for (int i = 0; i < kBlock; i += kLanes)
      hn::StoreU(hn::Sub(hn::LoadU(D(), at[0] + i), hn::LoadU(D(), before + i)), D(), move + i);
    moved.add(move);
    size.add(at[0]);
  };
  float* at[Step::kArrays];
  for (int64_t i = begin; i + kBlock <= end; i += kBlock) {
    for (int k = 0; k < Step::kArrays; ++k) at[k] = arrays[k] + i;
    group(at);
  }
  const int64_t rest = (end - begin) % kBlock, last = end - rest;
  if (rest > 0) {
    float padded[Step::kArrays][kBlock] = {};
    for (int k = 0; k < Step::kArrays; ++k) {
      std::copy(arrays[k] + last, arrays[k] + end, padded[k]);
      at[k] = padded[k];
    }
    group(at);
    for (int k = 0; k < Step::kArrays; ++k)
      if (k != 1) std::copy(padded[k], padded[k] + rest, arrays[k] + last);  // g is not ours to write
  }
  return {moved.total(), size.total()};
}

cpu::Squares SgdPiece(const SgdFactors<float>& f, float* const* arrays, int64_t begin, int64_t end) {
  return step_piece(Sgd{f}, arrays, begin, end);
}
cpu::Squares AdamwPiece(const AdamwFactors<float>& f, float* const* arrays, int64_t begin, int64_t end) {
  return step_piece(Adamw{f}, arrays, begin, end);
}

double SquaresPiece(const float* x, int64_t begin, int64_t end) {
  Sum16 sum;
  int64_t i = begin;
  for (; i + kBlock <= end; i += kBlock) sum.add(x + i);
  float padded[kBlock] = {};
  std::copy(x + i, x + end, padded);
  sum.add(padded);
  return sum.total();
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <vector>

namespace loupe::cpu {
HWY_EXPORT(SgdPiece);
HWY_EXPORT(AdamwPiece);
HWY_EXPORT(SquaresPiece);

constexpr int64_t kPiece = 8192;  // elements a task: 96 KiB or more, well above the cost of handing it out

// piece(begin, end) of all pieces of n elements, by threads; the answers in their order.
template <typename Answer, typename Piece>
std::vector<Answer> over_pieces(int64_t n, const Piece& piece) {
  std::vector<Answer> answers(static_cast<size_t>(ceil_div(n, kPiece)));
  parallel_for(ceil_div(n, kPiece), [&](int64_t i) {
    answers[static_cast<size_t>(i)] = piece(i * kPiece, std::min(n, (i + 1) * kPiece));
  });
  return answers;
}

void store(const std::vector<Squares>& pieces, double* squares) {
  if (!squares) return;
  squares[0] = squares[1] = 0;
  for (const Squares& s : pieces) {
    squares[0] += s.moved;
    squares[1] += s.size;
  }
}

void sgd_step(SgdFactors<float> f, int64_t n, float* w, const float* g, float* v, double* squares) {
  const auto run = HWY_DYNAMIC_DISPATCH(SgdPiece);
  float* const arrays[] = {w, const_cast<float*>(g), v};
  store(over_pieces<Squares>(n, [&](int64_t begin, int64_t end) { return run(f, arrays, begin, end); }),
        squares);
}

void adamw_step(AdamwFactors<float> f, int64_t n, float* w, const float* g, float* m, float* v,
                double* squares) {
  const auto run = HWY_DYNAMIC_DISPATCH(AdamwPiece);
  float* const arrays[] = {w, const_cast<float*>(g), m, v};
  store(over_pieces<Squares>(n, [&](int64_t begin, int64_t end) { return run(f, arrays, begin, end); }),
        squares);
}

double sum_of_squares(int64_t n, const float* x) {
  const auto run = HWY_DYNAMIC_DISPATCH(SquaresPiece);
  double sum = 0;
  for (const double s :
       over_pieces<double>(n, [&](int64_t begin, int64_t end) { return run(x, begin, end); }))
    sum += s;
  return sum;
}

}  // namespace loupe::cpu
#endif
