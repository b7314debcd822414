// The end of a kernel on a device: what becomes of its sums before they are stored. For .cu files.
#pragma once
#include "kernels/common/op.h"
#include "kernels/device/launch.h"
#include "kernels/elementwise/numbers_device.h"

namespace loupe::LOUPE_TARGET {

/// Calls body(F()) with the struct F of a function; with none, nothing.
template <typename Body>
LOUPE_DEVICE void visit_function(const Function& f, const Body& body) {
  switch (f.id) {
#define LOUPE_FUNCTION(name, id) \
  case id:                       \
    return body(functions::name());
#include "kernels/elementwise/function_list.inc"  // generated
#undef LOUPE_FUNCTION
    default:
      break;
  }
}
/// The same for functions that keep bits alone; others do nothing.
template <typename Body>
LOUPE_DEVICE void visit_bit_function(const Function& f, const Body& body) {
  switch (f.id) {
#define LOUPE_FUNCTION(name, id)                                                        \
  case id:                                                                              \
    if constexpr (functions::name::keeps == Keeps::bit) return body(functions::name()); \
    break;
#include "kernels/elementwise/function_list.inc"  // generated
#undef LOUPE_FUNCTION
    default:
      break;
  }
}

/// Whether the function is one that keeps bits. Host and device.
constexpr bool keeps_bits(const Function& f) {
  switch (f.id) {
#define LOUPE_FUNCTION(name, id) \
  case id:                       \
    return functions::name::keeps == Keeps::bit;
#include "kernels/elementwise/function_list.inc"  // generated
#undef LOUPE_FUNCTION
    default:
      return false;
  }
}
/// The epilogue writes bits, for which several threads must come together: finish() does that, in a pass of
/// its own.
constexpr bool writes_bits(const Epilogue& e, const void* record) {
  return record && e.row == Epilogue::Row::none && keeps_bits(e.function);
}

LOUPE_DEVICE Parameters<float> parameters_of(const Epilogue& e) { return {e.function.a, e.function.b}; }
/// max(g, 0), NaN passes.
LOUPE_DEVICE float rectify(float g) { return g <= 0 ? 0.0f : g; }
LOUPE_DEVICE bool rectifies(const Epilogue& e) {
  return e.row == Epilogue::Row::guided || e.row == Epilogue::Row::deconvnet;
}

/// The arrays of an epilogue beside its result: like it, of images with `image` values.
struct EpilogueArrays {
  const float* residual;
  void* record;
  int64_t image;

  LOUPE_DEVICE float& number(int64_t b, int64_t i) const {
    return static_cast<float*>(record)[b * image + i];
  }
  /// Bits i to i + 7 of image b, as far as they share a byte with bit i.
  LOUPE_DEVICE uint32_t bits(int64_t b, int64_t i) const {
    return static_cast<uint32_t>(static_cast<const uint8_t*>(record)[b * ((image + 7) / 8) + i / 8]) >>
           (i % 8);
  }
};

/// Any epilogue but one that writes bits, on value i of image b.
LOUPE_DEVICE float finish_value(const Epilogue& e, const EpilogueArrays& a, float sum, int64_t b, int64_t i) {
  if (e.residual) sum += a.residual[b * a.image + i];
  if (rectifies(e)) sum = rectify(sum);
  if (e.row == Epilogue::Row::deconvnet) return sum;
  float result = sum;
  visit_function(e.function, [&](auto f) {
    using F = decltype(f);
    const Parameters<float> p = parameters_of(e);
    if (e.row == Epilogue::Row::none) {
      result = F::value(sum, p);
      if constexpr (F::keeps != Keeps::bit)
        if (a.record) a.number(b, i) = F::keeps == Keeps::input ? sum : result;
    } else if constexpr (F::keeps == Keeps::bit) {
      result = F::vjp(sum, (a.bits(b, i) & 1) != 0, p);
    } else {
      result = F::vjp(sum, a.number(b, i), p);
    }
  });
  return result;
}

/// finish() of elementwise.h, of `module`'s stream: for launchers whose kernel does not end with an epilogue
/// itself.
void finish(Stream, Epilogue, const float* from, const float* residual, float* to, void* record, int64_t n,
            int64_t image);

}  // namespace loupe::LOUPE_TARGET
