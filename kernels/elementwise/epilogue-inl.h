// The end of a kernel on the CPU: what becomes of its sums before they are stored. Functions that keep bits
// (the relu family) are inline here and cost next to nothing; others run in elementwise.cpu.cpp, one call a
// stretch of cells.
//
// For Highway's *.cpu.cpp files: include it after hwy/foreach_target.h; it is compiled once for each target.
#if defined(LOUPE_EPILOGUE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOUPE_EPILOGUE_INL_H
#undef LOUPE_EPILOGUE_INL_H
#else
#define LOUPE_EPILOGUE_INL_H
#endif
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/common/block-inl.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/numbers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {

using cpu::CellRun;

/// max(g, 0), NaN passes: the signal of guided backpropagation and deconvnet.
HWY_INLINE Block rectify(const Block& g) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::IfThenZeroElse(hn::Le(g.v[i], hn::Zero(D())), g.v[i]);
  return r;
}

/// How finish_cells() below goes from a sum to what is stored; `cell` counts from the run's first. None: the
/// sum itself.
struct Unchanged {
  HWY_INLINE Block operator()(const Block& sum, const CellRun&, int64_t) const { return sum; }
};
struct Rectified {
  HWY_INLINE Block operator()(const Block& sum, const CellRun&, int64_t) const { return rectify(sum); }
};
/// The record of a cell: 16 bits, wherever they lie, or 16 numbers.
HWY_INLINE void* bits_of_cell(const CellRun& r, int64_t cell) {
  return static_cast<std::byte*>(r.record) + (r.offset + cell * r.step) / 8;
}
HWY_INLINE uint16_t load_bits(const CellRun& r, int64_t cell) {
  uint16_t bits;
  std::memcpy(&bits, bits_of_cell(r, cell), sizeof bits);
  return bits;
}
HWY_INLINE float* kept_of_cell(const CellRun& r, int64_t cell) {
  return static_cast<float*>(r.record) + r.offset + cell * r.step;
}
template <typename F>
struct ForwardBits {
  Parameters<numbers::Number> p;
  HWY_INLINE Block operator()(const Block& sum, const CellRun& r, int64_t cell) const {
    if (r.record) {
      const auto bits =
          static_cast<uint16_t>((pass_bits<F>(sum, p) & r.lanes) | (r.keep_others ? load_bits(r, cell) : 0));
      std::memcpy(bits_of_cell(r, cell), &bits, sizeof bits);
    }
    return value<F>(sum, p);
  }
};
template <typename F, bool guided>
struct VjpBits {
  Parameters<numbers::Number> p;
  HWY_INLINE Block operator()(const Block& sum, const CellRun& r, int64_t cell) const {
    return vjp<F>(guided ? rectify(sum) : sum, load_bits(r, cell), p);
  }
};
/// The same with x or y.
template <typename F>
struct ForwardKept {
  Parameters<numbers::Number> p;
  HWY_INLINE Block operator()(const Block& sum, const CellRun& r, int64_t cell) const {
    const Block y = value<F>(sum, p);
    if (r.record) {
      float* to = kept_of_cell(r, cell);
      const Block& kept = F::keeps == Keeps::input ? sum : y;
      store(r.lanes == 0xffff ? kept : select(r.lanes, kept, r.keep_others ? load(to) : fill(0.0f)), to);
    }
    return y;
  }
};
template <typename F, bool guided>
struct VjpKept {
  Parameters<numbers::Number> p;
  HWY_INLINE Block operator()(const Block& sum, const CellRun& r, int64_t cell) const {
    return vjp<F>(guided ? rectify(sum) : sum, load(kept_of_cell(r, cell)), p);
  }
};

template <typename Change>
HWY_INLINE void finish_cells_by(const Change& change, bool residual, const CellRun& run) {
  const CellRun r = run;  // of which no store can change anything
  for (int64_t i = 0; i < r.cells; ++i) {
    float* to = r.to + r.offset + i * r.step;
    Block sum = load(r.from + i * kBlock);
    if (residual) sum = add(sum, load(r.residual + r.offset + i * r.step));
    const Block result = change(sum, r, i);
    store(r.lanes == 0xffff ? result : select(r.lanes, result, r.keep_others ? load(to) : fill(0.0f)), to);
  }
}

/// A run by function F of the kind that an epilogue names.
template <typename F>
void finish_cells_with(const Epilogue& e, const CellRun& r) {
  constexpr bool bits = F::keeps == Keeps::bit;
  const Parameters<numbers::Number> p{numbers::Number(e.function.a), numbers::Number(e.function.b)};
  if (e.row == Epilogue::Row::none)
    return finish_cells_by(std::conditional_t<bits, ForwardBits<F>, ForwardKept<F>>{p}, e.residual, r);
  if (e.row == Epilogue::Row::slope)
    return finish_cells_by(std::conditional_t<bits, VjpBits<F, false>, VjpKept<F, false>>{p}, e.residual, r);
  finish_cells_by(std::conditional_t<bits, VjpBits<F, true>, VjpKept<F, true>>{p}, e.residual, r);
}

/// to = row(from + residual) or function(from + residual), cell by cell.
inline void finish_cells(const Epilogue& e, const CellRun& r) {
  if (e.row == Epilogue::Row::deconvnet) return finish_cells_by(Rectified(), e.residual, r);
  switch (e.function.id) {
    case -1:
      return finish_cells_by(Unchanged(), e.residual, r);
#define LOUPE_FUNCTION(name, id)                                                                         \
  case id:                                                                                               \
    if constexpr (functions::name::keeps == Keeps::bit) return finish_cells_with<functions::name>(e, r); \
    break;
#include "kernels/elementwise/function_list.inc"  // generated
#undef LOUPE_FUNCTION
    default:
      break;
  }
  cpu::finish_run(e, r);
}

}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
