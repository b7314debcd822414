// Edit: a value changed at the cells of a mask, as engine/plan/edit.h asks for it.
//
//   y = v where mask, else x (set)      y = x + v where mask, else x (add)      y = x·v where mask, else x (scale)
//
//   x, v, y (…) floats of one shape   mask (…) u8, 0 or 1
//
// dL/dx is dL/dy times 0, 1 or v where mask, and dL/dy elsewhere; dL/dv is dL/dy times 1, 1 or x where mask,
// else 0.
#pragma once
#include "kernels/common/op.h"

namespace loupe {

enum class EditKind : uint8_t { set, add, scale };
/// Graph node: operands x, mask, values.
OpPtr edit_op(EditKind);

namespace host {  // ref and cpu: `count` cells in any layout
template <typename T>
void edit(EditKind, const T* x, const uint8_t* mask, const T* values, T* y, int64_t count);
template <typename T>
void edit_vjp_input(EditKind, const T* gy, const uint8_t* mask, const T* values, T* gx, int64_t count);
/// `x` is read by scale alone.
template <typename T>
void edit_vjp_values(EditKind, const T* gy, const uint8_t* mask, const T* x, T* gv, int64_t count);
}  // namespace host

namespace device {  // edit.cu
inline constexpr DeviceFunction<void(EditKind, const float* x, const uint8_t* mask, const float* values,
                                     float* y, int64_t count)>
    edit{"edit"};
inline constexpr DeviceFunction<void(EditKind, const float* gy, const uint8_t* mask, const float* values,
                                     float* gx, int64_t count)>
    edit_vjp_input{"edit_vjp_input"};
inline constexpr DeviceFunction<void(EditKind, const float* gy, const uint8_t* mask, const float* x,
                                     float* gv, int64_t count)>
    edit_vjp_values{"edit_vjp_values"};
}  // namespace device

}  // namespace loupe
