// Elementwise functions: y = f(x), and what an epilogue does to a result, which is the same work.
//
// What each function computes is one small file of functions/ (definition.h says how one is written); the
// build finds it and makes of it an op of its name, a constructor and an epilogue of other ops, on every
// backend. The derivative at a kink and values at ±∞ are PyTorch's; NaN passes. The tape keeps one bit an
// element (see Dtype::bit for its layout), x or y, as the function says; so the vjp reads the record alone,
// and forward and vjp may work in place.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "kernels/common/op.h"
#include "kernels/elementwise/definition.h"

namespace loupe {

/// What is known of a function.
struct FunctionInfo {
  std::string_view name, summary;
  std::span<const FunctionParameter> parameters;
  Keeps keeps;
  double (*ulps)(double x), (*slope_ulps)(double x);  // see FunctionDefaults
  double slope_error;
};
/// All functions in alphabetical order: Function::id is a place in it.
std::span<const FunctionInfo> all_functions();
/// Throws Error for the function that is none.
const FunctionInfo& function_info(const Function&);
/// "leaky_relu, slope 0.1"; the parameters alone where the name is known: "slope 0.1".
std::string describe(const Function&, bool with_name = true);
/// What a forward pass of a function leaves for the vjp, for values of a shape.
Record function_record(const Function&, const Shape&);

/// Graph node y = f(x) of any shape.
OpPtr function_op(const Function&);
/// By name; parameters that are missing have their usual values. Throws UsageError for a name or a number of
/// parameters that there is not.
OpPtr function_op(std::string_view name, std::initializer_list<float> parameters = {});

/// Constructors, one a file of functions/: relu(), leaky_relu(0.1), gelu(), clamp(-1, 1) … Those whose name
/// is also one of <math.h> are in namespace functions alone: functions::exp().
#define LOUPE_FUNCTION_CONSTRUCTOR(name, id) \
  inline OpPtr name(auto... parameters) { return function_op(#name, {static_cast<float>(parameters)...}); }
#include "kernels/elementwise/constructors.inc"  // generated
#undef LOUPE_FUNCTION_CONSTRUCTOR

/// An epilogue as a pass of its own, for kernels that do not end with one: `from` is what epilogue and
/// residual are of, `to` gets the result and may be `from`. All are of one shape and layout; `residual` is
/// read if the epilogue has one, `record` is what the function keeps: written by forward if not null, read by
/// a row. On a device the work is queued. y = f(x) is the epilogue {.function = f}, and its vjp {.function =
/// f, .row = Epilogue::Row::slope}.
void finish(Backend, const Queue&, const Epilogue&, const Array& from, const Array& residual, const Array& to,
            const Array& record);

/// Which channels of a batch a function let through at all: on[c] = 1 if the bit of any image and pixel of
/// channel c is set in `mask`, the record of (N, C, H, W) or (N, F) in the layout that it has, else 0: such a
/// unit is dead, at least for this batch. `on`: C bytes (or F) in the backend's memory. On a device the work
/// is queued.
void channels_on(Backend, const Queue&, const Array& mask, uint8_t* on);

namespace ref {
/// finish() over (n, image) planar values, T = float or double. `record`: (n, ⌈image/8⌉) bytes of bits, or
/// (n, image) numbers.
template <typename T>
void finish(const Epilogue&, const T* from, const T* residual, T* to, void* record, int64_t n, int64_t image);
/// mask: (n, ⌈c·pixels/8⌉) bytes; on: (c).
void channels_on(const uint8_t* mask, uint8_t* on, int64_t n, int64_t c, int64_t pixels);
}  // namespace ref

namespace cpu {
/// A stretch of cells (16 floats) to finish: `from` has them one after the other. The other arrays are whole
/// ones, of which the first cell lies `offset` floats from the beginning and the next ones `step` floats
/// apart.
struct CellRun {
  const float* from;
  const float* residual;  // read if the epilogue has one
  float* to;
  void* record;  // float, or of bits: one uint16 for 16 floats; or null
  int64_t offset = 0, step = kBlock, cells = 0;
  uint16_t lanes = 0xffff;  // which are wanted; padding lanes must become zero, whatever f(0) is
  bool keep_others =
      false;  // the lanes that are not wanted stay as they are in `to` and the record; else they become zero
};
/// One run, by a function of any kind. epilogue-inl.h has the same inline for those that keep bits.
void finish_run(const Epilogue&, const CellRun&);

/// finish() over a blocked array, of (n, c, pixels); from, to, residual: float, record: uint16 words or
/// float.
void finish_blocked(const Epilogue&, const float* from, const float* residual, float* to, void* record,
                    int64_t n, int64_t c, int64_t pixels);
/// finish() over (n, image) planar values.
void finish_planar(const Epilogue&, const float* from, const float* residual, float* to, void* record,
                   int64_t n, int64_t image);
/// mask: (n, ⌈c/16⌉, pixels) words; on: (c).
void channels_on(const uint16_t* mask, uint8_t* on, int64_t n, int64_t c, int64_t pixels);
}  // namespace cpu

namespace device {  // elementwise.cu; layouts as ref's
inline constexpr DeviceFunction<void(Epilogue, const float* from, const float* residual, float* to,
                                     void* record, int64_t n, int64_t image)>
    finish{"finish"};
inline constexpr DeviceFunction<void(const uint8_t* mask, uint8_t* on, int64_t n, int64_t c, int64_t pixels)>
    channels_on{"channels_on"};
}  // namespace device

}  // namespace loupe
