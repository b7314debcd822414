// The functions of functions/, and the binary ops, over Highway's vectors. Number is a vector of float32 with
// operators; AVX2 and AVX-512 give the same bits.
//
// For Highway's *.cpu.cpp files: include it after hwy/foreach_target.h; it is compiled once for each target.
#if defined(LOUPE_NUMBERS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOUPE_NUMBERS_INL_H
#undef LOUPE_NUMBERS_INL_H
#else
#define LOUPE_NUMBERS_INL_H
#endif
#include "hwy/highway.h"
#include "kernels/common/block-inl.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/definition.h"

#undef LOUPE_NUMERIC
#define LOUPE_NUMERIC HWY_INLINE

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace numbers {

/// Yes or no for each lane.
struct Truth {
  hn::Mask<D> m;
};
HWY_INLINE Truth operator!(Truth a) { return {hn::Not(a.m)}; }
HWY_INLINE Truth operator&&(Truth a, Truth b) { return {hn::And(a.m, b.m)}; }
HWY_INLINE Truth operator||(Truth a, Truth b) { return {hn::Or(a.m, b.m)}; }

struct Number {
  Vec v;
  HWY_INLINE Number(Vec vector) : v(vector) {}  // NOLINT: implicit on purpose
  HWY_INLINE explicit Number(double x) : v(hn::Set(D(), static_cast<float>(x))) {}
};
HWY_INLINE Number operator+(Number a, Number b) { return hn::Add(a.v, b.v); }
HWY_INLINE Number operator-(Number a, Number b) { return hn::Sub(a.v, b.v); }
HWY_INLINE Number operator*(Number a, Number b) { return hn::Mul(a.v, b.v); }
HWY_INLINE Number operator/(Number a, Number b) { return hn::Div(a.v, b.v); }
HWY_INLINE Number operator-(Number a) { return hn::Neg(a.v); }
HWY_INLINE Truth operator<(Number a, Number b) { return {hn::Lt(a.v, b.v)}; }
HWY_INLINE Truth operator<=(Number a, Number b) { return {hn::Le(a.v, b.v)}; }
HWY_INLINE Truth operator>(Number a, Number b) { return {hn::Gt(a.v, b.v)}; }
HWY_INLINE Truth operator>=(Number a, Number b) { return {hn::Ge(a.v, b.v)}; }
HWY_INLINE Number select(Truth which, Number a, Number b) { return hn::IfThenElse(which.m, a.v, b.v); }
/// a·b + c, rounded once where the machine has FMA.
HWY_INLINE Number fused(Number a, Number b, Number c) { return hn::MulAdd(a.v, b.v, c.v); }

HWY_INLINE Number abs(Number x) { return hn::Abs(x.v); }
HWY_INLINE Number sqrt(Number x) { return hn::Sqrt(x.v); }
HWY_INLINE Number copy_sign(Number x, Number sign) { return hn::CopySign(x.v, sign.v); }

/// An int32 for each lane, as approximations.h needs it.
struct Whole {
  hn::Vec<hn::RebindToSigned<D>> v;
};
HWY_INLINE Whole whole(int32_t x) { return {hn::Set(hn::RebindToSigned<D>(), x)}; }
HWY_INLINE Whole operator+(Whole a, Whole b) { return {hn::Add(a.v, b.v)}; }
HWY_INLINE Whole operator-(Whole a, Whole b) { return {hn::Sub(a.v, b.v)}; }
template <int by>
HWY_INLINE Whole shift_left(Whole a) {
  return {hn::ShiftLeft<by>(a.v)};
}
/// Rounds towards −∞.
template <int by>
HWY_INLINE Whole shift_right(Whole a) {
  return {hn::ShiftRight<by>(a.v)};
}
HWY_INLINE Whole bits_of(Number x) { return {hn::BitCast(hn::RebindToSigned<D>(), x.v)}; }
HWY_INLINE Number number_of(Whole bits) { return hn::BitCast(D(), bits.v); }
HWY_INLINE Number to_number(Whole x) { return hn::ConvertTo(D(), x.v); }

#include "kernels/elementwise/approximations.inc"

}  // namespace numbers

namespace functions {
using numbers::select;
#include "kernels/elementwise/function_files.inc"  // generated
}  // namespace functions

namespace binary_terms {
using numbers::select;
#include "kernels/elementwise/binary_terms.inc"
}  // namespace binary_terms

/// f(x), 16 channels at once.
template <typename F>
HWY_INLINE Block value(const Block& x, const Parameters<numbers::Number>& p) {
  Block y;
  for (int i = 0; i < kVectors; ++i) y.v[i] = F::value(numbers::Number(x.v[i]), p).v;
  return y;
}
/// The bits of a function that keeps those; bit l = lane l.
template <typename F>
HWY_INLINE uint16_t pass_bits(const Block& x, const Parameters<numbers::Number>& p) {
  hn::Mask<D> on[kVectors];
  for (int i = 0; i < kVectors; ++i) on[i] = F::passes(numbers::Number(x.v[i]), p).m;
  return mask_bits(on);
}
/// What becomes of a signal, from those bits.
template <typename F>
HWY_INLINE Block vjp(const Block& g, uint16_t bits, const Parameters<numbers::Number>& p) {
  Block r;
  for (int i = 0; i < kVectors; ++i) {
    const numbers::Truth on{lane_mask(bits, i)};
    r.v[i] = F::vjp(numbers::Number(g.v[i]), on, p).v;
  }
  return r;
}
/// The same, from x or y.
template <typename F>
HWY_INLINE Block vjp(const Block& g, const Block& kept, const Parameters<numbers::Number>& p) {
  Block r;
  for (int i = 0; i < kVectors; ++i)
    r.v[i] = F::vjp(numbers::Number(g.v[i]), numbers::Number(kept.v[i]), p).v;
  return r;
}

}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
