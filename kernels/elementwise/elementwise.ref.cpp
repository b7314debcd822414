#include "kernels/elementwise/elementwise.h"

#include <cstring>

#include "kernels/common/parallel.h"
#include "kernels/elementwise/numbers_ref.h"

namespace loupe {

namespace {

constexpr FunctionInfo kFunctions[] = {
#define LOUPE_FUNCTION(name, id)     \
  {#name,                            \
   ref::functions::name::summary,    \
   ref::functions::name::parameters, \
   ref::functions::name::keeps,      \
   ref::functions::name::ulps,       \
   ref::functions::name::slope_ulps, \
   ref::functions::name::slope_error},
#include "kernels/elementwise/function_list.inc"  // generated
#undef LOUPE_FUNCTION
};

}  // namespace

std::span<const FunctionInfo> all_functions() { return kFunctions; }

namespace ref {

namespace {

template <typename T>
T rectified(T g) {
  return g <= 0 ? T(0) : g;  // NaN passes
}

template <typename T>
struct Arrays {
  const T *from, *residual;
  T* to;
  void* record;
  int64_t n, image;
};

// Calls change(v, at, bits, i) for each value: `at` counts over the whole array, bit i of `bits` belongs to
// it.
template <typename T, typename Change>
void change_values(const Arrays<T>& a, const Change& change) {
  parallel_for(a.n, [&](int64_t b) {
    uint8_t* bits = static_cast<uint8_t*>(a.record) + b * ceil_div(a.image, 8);
    for (int64_t i = 0; i < a.image; ++i) {
      const int64_t at = b * a.image + i;
      a.to[at] = change(a.residual ? a.from[at] + a.residual[at] : a.from[at], at, bits, i);
    }
  });
}

template <typename F, typename T>
void finish_with(const Epilogue& e, const Arrays<T>& a) {
  const Parameters<T> p{T(e.function.a), T(e.function.b)};
  T* numbers = static_cast<T*>(a.record);
  const bool guided = e.row == Epilogue::Row::guided;
  if constexpr (F::keeps == Keeps::bit) {
    if (e.row == Epilogue::Row::none) {
      if (a.record) std::memset(a.record, 0, static_cast<size_t>(a.n * ceil_div(a.image, 8)));
      return change_values(a, [&](T x, int64_t, uint8_t* bits, int64_t i) {
        if (a.record && F::passes(x, p)) bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | (1u << (i % 8)));
        return F::value(x, p);
      });
    }
    change_values(a, [&](T g, int64_t, const uint8_t* bits, int64_t i) {
      return F::vjp(guided ? rectified(g) : g, ((bits[i / 8] >> (i % 8)) & 1) != 0, p);
    });
  } else {
    if (e.row == Epilogue::Row::none)
      return change_values(a, [&](T x, int64_t at, uint8_t*, int64_t) {
        const T y = F::value(x, p);
        if (numbers) numbers[at] = F::keeps == Keeps::input ? x : y;
        return y;
      });
    change_values(a, [&](T g, int64_t at, uint8_t*, int64_t) {
      return F::vjp(guided ? rectified(g) : g, numbers[at], p);
    });
  }
}

}  // namespace

template <typename T>
void finish(const Epilogue& e, const T* from, const T* residual, T* to, void* record, int64_t n,
            int64_t image) {
  const Arrays<T> a{from, e.residual ? residual : nullptr, to, record, n, image};
  if (e.row == Epilogue::Row::deconvnet)
    return change_values(a, [](T g, int64_t, const uint8_t*, int64_t) { return rectified(g); });
  switch (e.function.id) {
#define LOUPE_FUNCTION(name, id) \
  case id:                       \
    return finish_with<functions::name>(e, a);
#include "kernels/elementwise/function_list.inc"  // generated
#undef LOUPE_FUNCTION
    default:
      return change_values(a, [](T v, int64_t, const uint8_t*, int64_t) { return v; });
  }
}

void channels_on(const uint8_t* mask, uint8_t* on, int64_t n, int64_t c, int64_t pixels) {
  const int64_t mask_image = ceil_div(c * pixels, 8);
  for (int64_t k = 0; k < c; ++k) {
    on[k] = 0;
    for (int64_t b = 0; b < n; ++b)
      for (int64_t i = k * pixels; i < (k + 1) * pixels; ++i)
        if ((mask[b * mask_image + i / 8] >> (i % 8)) & 1) on[k] = 1;
  }
}

template void finish(const Epilogue&, const float*, const float*, float*, void*, int64_t, int64_t);
template void finish(const Epilogue&, const double*, const double*, double*, void*, int64_t, int64_t);

}  // namespace ref
}  // namespace loupe
